"""The work behind `diabolo fit`: an estimator from options, training, comparison, saving."""

from __future__ import annotations

import inspect
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..core import lookup
from ..core.errors import Interrupted, ModelError, UsageError, out_of_range
from ..data import Source
from ..estimators.saving import CONFIG, load
from ..tasks.reduce import compare
from ..train import Device, Progress, TimeLimit, Trainer
from ..train.callbacks import Callback
from ..train.checkpoint import Checkpoint
from .options import tell
from .show import _table, compared

CHECKPOINT = "training.safetensors"
MIN_HELD_OUT = 5


def finished(out: Path, *, resume: bool, force: bool, dry_run: bool) -> bool:
    """Whether ``out`` is a finished model that --resume has nothing to add to.

    Raises `UsageError` where something else stands in the way.
    """
    if dry_run or force or not out.exists():
        return False
    if resume and (out / CONFIG).is_file():
        return True
    if out.is_file() or (not resume and any(out.iterdir())):
        unfinished = out.is_dir() and (out / CHECKPOINT).exists() and not (out / CONFIG).exists()
        hint = (
            "it holds an unfinished training: go on with --resume, or start anew with --force"
            if unfinished
            else ("choose another name, or overwrite it with --force")
        )
        raise UsageError(f"{out} exists already; {hint}.")
    return False


def make_estimator(options: dict[str, Any]) -> Any:
    """The named model with what was asked of it."""
    cls = lookup("model", options["model"])
    wanted = {
        "n_components": _number(options["latent"], "latent", int),
        "network": options["network"],
        "hidden": _widths(options["hidden"]),
        "loss": options["loss"],
        "corruption": options["corruption"],
        "penalties": tuple(options["penalty"] or ()),
        "beta": options["beta"],
        "random_state": options["seed"],
        "trainer": _trainer(options),
    }
    allowed = inspect.signature(cls).parameters
    empty = (None, (), "auto")
    refused = [name for name, value in wanted.items() if name not in allowed and value not in empty]
    if refused:
        raise UsageError(f"model {options['model']!r} has no {refused[0]}; it takes: {', '.join(allowed)}.")
    estimator = cls(
        **{n: v for n, v in wanted.items() if n in allowed and (v is not None or allowed[n].default is None)}
    )
    if options["init"] is not None:
        estimator.start_from(load(options["init"]), freeze=options["freeze"])
    elif options["freeze"] is not None:
        raise UsageError("--freeze keeps what a model has learnt; name that model with --init.")
    return estimator


def _trainer(options: dict[str, Any]) -> Trainer:
    batch = options["batch_size"]
    patience = options["patience"]
    return Trainer(
        epochs=_number(options["epochs"], "epochs", int),
        batch_size=batch if batch == "full" else _number(batch, "batch-size", int),
        lr=_number(options["lr"], "lr", float),
        optimizer=options["optimizer"],
        schedule=options["schedule"],
        clip=options["clip"],
        patience=None if patience == "none" else _number(patience, "patience", int),
        device=Device(options["device"], precision=options["precision"]),
    )


def _number(text: Any, name: str, kind: type) -> Any:
    if text == "auto":
        return "auto"
    try:
        return kind(text)
    except ValueError as error:
        raise out_of_range(f"--{name}", f"{'an integer' if kind is int else 'a number'} or 'auto'", text) from error


def _widths(text: str) -> Any:
    if text == "auto":
        return "auto"
    try:
        return tuple(int(part) for part in text.replace("-", ",").split(",") if part.strip())
    except ValueError as error:
        raise out_of_range("--hidden", "widths such as 128,64, or 'auto'", text) from error


def split(source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
    """Rows to learn from and rows kept for the final comparison, drawn by the seed."""
    if not 0 <= share < 1:
        raise out_of_range("--holdout", "a share in [0, 1)", share)
    held = int(len(source) * share)
    if held < MIN_HELD_OUT:
        return source, None
    order = np.random.default_rng(seed).permutation(len(source))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held]))


def print_plan(out: Any, estimator: Any, source: Source) -> None:
    """What fit would do: choices, shapes, memory, work."""
    estimator.plan(source)
    described, trainer = estimator.describe(), estimator._trainer
    _table(
        out, "Chosen", ("parameter", "value", "why"), [(c["name"], c["value"], c["why"]) for c in described["choices"]]
    )
    layers = [
        (r["name"], r["layer"], "x".join(map(str, r["output"])), f"{r['parameters']:,}") for r in described["layers"]
    ]
    _table(out, "Shapes", ("layer", "what", "gives", "parameters"), layers)
    weights, values = described["parameter_count"], prod(described["shape"])
    flops = 6 * weights * len(source) * trainer.epochs
    memory = 4 * (len(source) * values + 6 * weights)
    out.print(
        f"{len(source):,} rows of {values:,} values, {weights:,} parameters, {trainer.epochs} epochs of batch {trainer.batch_size}"
    )
    out.print(f"memory about {memory / 2**20:,.0f} MiB; arithmetic about {flops / 1e9:,.0f} GFLOP for dense layers "
              f"(at 100 GFLOP/s: {flops / 1e11:,.0f} s); nothing was trained")  # fmt: skip


def train(out: Any, estimator: Any, source: Source, path: Path, options: dict[str, Any]) -> None:
    """Fit, compare, save. Interrupted: the state is on disk, the message says how to go on."""
    learn, held = split(source, options["holdout"], options["seed"])
    estimator.trainer.callbacks = _callbacks(path, options)
    tell(f"{len(learn):,} rows to learn from, {len(held) if held else 0:,} kept for the comparison")
    if options["force"]:
        _clear(path)
    try:
        estimator.fit(learn)
    except Interrupted as stopped:
        raise Interrupted(f"{stopped} The state is in {path}; go on with the same command and --resume.") from None
    estimator.metrics_ = {"rows": len(learn), "data": _data_options(options)}
    _table(out, "Chosen", ("parameter", "value", "why"), [(c.name, str(c.value), c.why) for c in estimator.choices_])
    if held is not None:
        encode = estimator.processor_.encode
        comparison = compare(estimator, encode(learn.rows), encode(held.rows), seed=options["seed"])
        estimator.metrics_["comparison"] = comparison.as_dict()
        compared(out, estimator.metrics_["comparison"])
    estimator.trainer.callbacks = ()
    estimator.save(path, force=True)
    (path / CHECKPOINT).unlink(missing_ok=True)
    tell(f"model -> {path}")


def _callbacks(path: Path, options: dict[str, Any]) -> list[Callback]:
    chosen: list[Callback] = [Checkpoint(path / CHECKPOINT, resume=options["resume"]), Progress()]
    if options["max_time"] is not None:
        chosen.append(TimeLimit(options["max_time"]))
    if options["log_dir"] is not None:
        from ..train.tensorboard import TensorBoard

        chosen.append(TensorBoard(options["log_dir"]))
    return chosen


def _clear(path: Path) -> None:
    """Make room for a new model: remove files of ours, refuse to touch a folder of anything else."""
    if not path.exists():
        return
    known = {CONFIG, "model.safetensors", CHECKPOINT}
    others = [] if path.is_file() else sorted(item.name for item in path.iterdir() if item.name not in known)
    if others:
        raise ModelError(
            f"{path} holds {others[0]!r}, which is not part of a model; it is not overwritten. Choose another name."
        )
    (path / CHECKPOINT).unlink(missing_ok=True)


def _data_options(options: dict[str, Any]) -> dict[str, Any]:
    """How the data was read, remembered with the model so that other verbs read alike."""
    names = ("as_", "key", "array", "size")
    return {name: options[name] for name in names if options[name] not in (None, [], ())}
