"""The work behind `diabolo fit`: an estimator from options, training, comparison, saving."""

from __future__ import annotations

import inspect
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..core import Spec, lookup
from ..core.errors import DataError, Interrupted, UsageError, out_of_range
from ..data import Source
from ..estimators.saving import load
from ..tasks.reduce import compare
from ..train import Device, Progress, TimeLimit, Trainer
from ..train.callbacks import Callback, parse_duration
from ..train.checkpoint import Checkpoint
from . import folder
from .options import remembered, tell
from .tables import chosen, compared, describe_rows, shapes

MIN_HELD_OUT = 5


def make_estimator(options: dict[str, Any]) -> Any:
    """The named model with what was asked of it; wrong options are found before any data are read."""
    cls = lookup("model", options["model"])
    wanted = {
        "n_components": number(options["latent"], "latent", int),
        "network": options["network"],
        "hidden": _widths(options["hidden"]),
        "loss": options["loss"],
        "corruption": options["corruption"],
        "penalties": tuple(options["penalty"] or ()),
        "beta": options["beta"],
        "random_state": options["seed"],
        "trainer": _trainer(options),
    }
    _check(options)
    allowed = inspect.signature(cls).parameters
    empty = (None, (), "auto")
    refused = [name for name, value in wanted.items() if name not in allowed and value not in empty]
    if refused:
        name = {"penalties": "penalty"}.get(refused[0], refused[0])
        raise UsageError(f"--{name} does not apply to model {options['model']!r}; it takes: {', '.join(allowed)}.")
    estimator = cls(
        **{n: v for n, v in wanted.items() if n in allowed and (v is not None or allowed[n].default is None)}
    )
    if options["init"] is not None:
        estimator.start_from(load(options["init"]), freeze=options["freeze"])
    return estimator


def _check(options: dict[str, Any]) -> None:
    """Raise `UsageError` for names and ranges that need no data to be judged."""
    if not 0 <= options["holdout"] < 1:
        raise out_of_range("--holdout", "a share in [0, 1)", options["holdout"])
    if options["max_time"] is not None:
        parse_duration(options["max_time"])
    if options["freeze"] is not None and options["init"] is None:
        raise UsageError("--freeze keeps what a model has learnt; name that model with --init.")
    parts = [("network", options["network"]), ("loss", options["loss"]), ("corruption", options["corruption"])]
    for axis, text in [*parts, *(("penalty", text) for text in options["penalty"] or ())]:
        if text not in (None, "auto"):
            lookup(axis, Spec.parse(text).name)
    if Spec.parse(options["network"]).name == "custom":
        raise UsageError("network 'custom' is made of your own Python modules; use it from Python.")


def _trainer(options: dict[str, Any]) -> Trainer:
    batch, patience = options["batch_size"], options["patience"]
    trainer = Trainer(
        epochs=number(options["epochs"], "epochs", int),
        batch_size=batch if batch == "full" else number(batch, "batch-size", int),
        lr=number(options["lr"], "lr", float),
        optimizer=options["optimizer"],
        schedule=options["schedule"],
        clip=options["clip"],
        patience=None if patience == "none" else number(patience, "patience", int),
        device=Device(options["device"], precision=options["precision"]),
    )
    trainer.check()
    return trainer


def number(text: Any, name: str, kind: type) -> Any:
    """'auto', or the positive number in an option's text. Raises `UsageError` on anything else."""
    if text == "auto":
        return "auto"
    try:
        value = kind(text)
    except ValueError:
        value = 0
    if not 0 < value < float("inf"):
        allowed = "a whole number of at least 1" if kind is int else "a positive number"
        raise out_of_range(f"--{name}", f"{allowed} or 'auto'", text)
    return value


def _widths(text: str) -> Any:
    if text == "auto":
        return "auto"
    try:
        widths = tuple(int(part) for part in text.split(",") if part.strip())
    except ValueError:
        widths = (0,)
    if any(width < 1 for width in widths):
        raise out_of_range("--hidden", "widths such as 128,64, or 'auto'", text)
    return widths


def check_rows(source: Source) -> None:
    """Raise `DataError` if there is nothing to learn from."""
    if len(source) < 2:
        raise DataError(f"{source.origin}: an autoencoder learns from at least 2 rows; got {len(source)}.")


def split(source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
    """Rows to learn from and rows kept for the final comparison, drawn by the seed."""
    held = int(len(source) * share)
    if held < MIN_HELD_OUT:
        return source, None
    order = np.random.default_rng(seed).permutation(len(source))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held]))


def print_plan(out: Any, estimator: Any, source: Source, options: dict[str, Any]) -> None:
    """What fit would do: choices, shapes, memory, work."""
    check_rows(source)
    learn, held = split(source, options["holdout"], options["seed"])
    estimator.plan(learn)
    described, trainer = estimator.describe(), estimator._trainer
    out.print(_summary(estimator, source, learn, held))
    chosen(out, described["choices"])
    shapes(out, described)
    weights, values = described["parameter_count"], prod(described["shape"])
    flops = sum(_work(layer) for layer in described["layers"]) * 6 * len(learn) * trainer.epochs
    memory = 4 * (2 * len(source) * values + 6 * weights)
    out.print(f"{weights:,} parameters; {trainer.epochs} epochs of batch {trainer.batch_size}")
    out.print(
        f"memory about {memory / 2**20:,.0f} MiB; arithmetic about {flops / 1e9:,.0f} GFLOP, "
        f"{_seconds(flops / 5e10)} where 50 GFLOP/s are reached; nothing was trained"
    )


def _work(layer: dict[str, Any]) -> int:
    """Multiplications of a layer for one row: every weight once, a kernel once a position."""
    positions = prod(layer["output"][1:]) if "Conv" in layer["layer"] else 1
    return int(layer["parameters"] * positions)


def _seconds(seconds: float) -> str:
    return f"{seconds:,.0f} s" if seconds < 120 else f"{seconds / 60:,.0f} min"


class Announce(Callback):
    """Says before the first step what the data are, what was chosen and why, and how long it may take."""

    def __init__(self, out: Any, estimator: Any, source: Source, learn: Source, held: Source | None) -> None:
        self._print = out
        self._about = (estimator, source, learn, held)

    def on_start(self, loop: Any) -> None:
        """Everything is decided, nothing is trained."""
        estimator = self._about[0]
        for note in vars(estimator.processor_).get("notices", ()):
            tell(f"  {note}")
        self._print.print(_summary(*self._about))
        chosen(self._print, [choice.as_dict() for choice in estimator.choices_])
        done = f", from step {loop.step:,} on" if loop.step else ""
        tell(f"training: epochs {loop.epochs} at most, steps in each {loop.steps_per_epoch:,}{done}")


def _summary(estimator: Any, source: Source, learn: Source, held: Source | None) -> str:
    kept = (
        f"{len(learn):,} to learn from, {len(held):,} kept for the comparison"
        if held is not None
        else f"all to learn from, for want of {MIN_HELD_OUT} rows to keep for a comparison (--holdout)"
    )
    return f"{source.origin}: {len(source):,} {describe_rows(estimator.processor_, source)}; {kept}\n"


def train(out: Any, estimator: Any, source: Source, path: Path, options: dict[str, Any]) -> None:
    """Fit, compare, save. Interrupted: the state is on disk, the message says how to go on."""
    check_rows(source)
    learn, held = split(source, options["holdout"], options["seed"])
    announce = Announce(out, estimator, source, learn, held)
    estimator.trainer.callbacks = _callbacks(path, options, announce)
    folder.prepare(path, resume=options["resume"])
    try:
        estimator.fit(learn)
        _conclude(out, estimator, learn, held, path, options)
    except (Interrupted, KeyboardInterrupt) as stopped:
        raise Interrupted(_how_to_resume(stopped, path)) from None
    finally:
        folder.drop_empty(path)


def _how_to_resume(stopped: BaseException, path: Path) -> str:
    what = str(stopped) or "interrupted."
    if not (path / folder.CHECKPOINT).exists():
        return f"{what} Nothing was written yet; give the same command again."
    return f"{what} The state is in {path}; go on with the same command and --resume."


def _conclude(
    out: Any, estimator: Any, learn: Source, held: Source | None, path: Path, options: dict[str, Any]
) -> None:
    """Compare on the rows that were kept, and save."""
    estimator.metrics_ = {"rows": len(learn), "data": remembered(options, learn)}
    if held is not None:
        encode = estimator.processor_.encode
        comparison = compare(estimator, encode(learn.rows), encode(held.rows), seed=options["seed"])
        estimator.metrics_["comparison"] = comparison.as_dict()
        compared(out, estimator.metrics_["comparison"])
    estimator.trainer.callbacks = ()
    estimator.save(path, force=True)
    (path / folder.CHECKPOINT).unlink(missing_ok=True)
    tell(f"model -> {path}   next: diabolo info {path}")


def _callbacks(path: Path, options: dict[str, Any], announce: Callback) -> list[Callback]:
    made: list[Callback] = [Checkpoint(path / folder.CHECKPOINT, resume=options["resume"]), announce, Progress()]
    if options["max_time"] is not None:
        made.append(TimeLimit(options["max_time"]))
    if options["log_dir"] is not None:
        from ..train.tensorboard import TensorBoard

        made.append(TensorBoard(options["log_dir"]))
    return made
