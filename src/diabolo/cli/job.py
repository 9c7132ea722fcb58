"""The work behind `diabolo fit`: training, comparison, saving."""

from __future__ import annotations

from dataclasses import replace
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, Interrupted, ModelError, UsageError
from ..data import Source, Stored
from ..data.series import split_in_time
from ..estimators.from_disk import few
from ..estimators.rows import WINDOWED, rows_in
from ..tasks.base import TaskModel
from ..tasks.predict import compare_labels
from ..tasks.reduce import compare
from ..train import Progress, TimeLimit
from ..train.callbacks import Callback
from ..train.checkpoint import Checkpoint
from . import folder
from .make import for_rows, make_estimator, number
from .options import remembered, tell, tell_damage
from .tables import assessed, chosen, compared, compared_labels, describe_rows, shapes
from .windows import count

__all__ = ["for_rows", "make_estimator", "number", "print_plan", "split", "train", "with_labels"]

MIN_HELD_OUT, MOST_HELD_OUT = 5, 20_000
SAMPLE = 50_000
"""Rows on disk that PCA is fitted to."""


def with_labels(estimator: Any, source: Source) -> Source:
    """See that a model that learns from labels has them, and say what it takes.

    Raises `UsageError` naming the option that gives them.
    """
    if estimator._label_role is None:
        return source
    if source.target is None:
        if estimator._optional_labels:
            return source
        raise UsageError(
            f"model {estimator.part_name!r} learns from labels, and {source.origin} has none; name their column "
            "(or their array in an NPZ file) with --target."
        )
    what = "numbers" if estimator._numeric_labels else "classes"
    drop = "; --target none leaves them out" if estimator._optional_labels else ""
    tell(f"  model {estimator.part_name!r} learns from the labels, as {what}{drop}")
    return source


def check_rows(source: Source, estimator: Any) -> None:
    """Raise `DataError` if there is nothing to learn from; one row that is cut into parts is enough."""
    parts = source.modality in WINDOWED or getattr(type(estimator), "_any_size", False)
    if len(source) < (1 if parts else 2):
        raise DataError(f"{source.origin}: an autoencoder learns from at least 2 rows; got {len(source)}.")


def split(source: Source, share: float, seed: int) -> tuple[Source, Source | None]:
    """Rows to learn from and rows kept for the final comparison, drawn by the seed."""
    held = int(len(source) * share)
    if held < MIN_HELD_OUT and source.modality == "series" and share > 0:
        return _in_time(source, share)
    if held < MIN_HELD_OUT:
        return source, None
    if isinstance(source.rows, Stored):
        learn, kept = source.rows.split(min(share, min(MOST_HELD_OUT, few(source.rows)) / len(source)), seed)
        return replace(source, rows=learn), replace(kept.load(), origin=source.origin)
    order = np.random.default_rng(seed).permutation(len(source))
    return source.take(np.sort(order[held:])), source.take(np.sort(order[:held]))


def _in_time(source: Source, share: float) -> tuple[Source, Source | None]:
    """The early stretch of every series to learn from, and the late one, which no window of the other touches."""
    early, late = split_in_time(source.rows, share)
    if len(late) < len(source):
        return source, None
    return replace(source, rows=early), replace(source, rows=late)


def print_plan(out: Any, estimator: Any, source: Source, options: dict[str, Any]) -> None:
    """What fit would do: choices, shapes, memory, work."""
    check_rows(source, estimator)
    learn, held = split(source, options["holdout"], options["seed"])
    estimator.plan(learn)
    described, trainer = estimator.describe(), estimator._trainer
    out.print(_summary(estimator, source, learn, held))
    chosen(out, described["choices"])
    shapes(out, described)
    weights, values = described["parameter_count"], prod(described["shape"])
    rows = count(estimator.processor_, learn.rows)
    flops = sum(_work(layer) for layer in described["layers"]) * 6 * rows * trainer.epochs
    memory = 4 * (2 * rows * values + 6 * weights)
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
        self._said = False

    def on_start(self, loop: Any) -> None:
        """Everything is decided, nothing is trained; of several autoencoders the first is spoken of."""
        if self._said:
            return
        self._said, estimator = True, self._about[0]
        for note in vars(estimator.processor_).get("notices", ()):
            tell(f"  {note}")
        self._print.print(_summary(*self._about))
        chosen(self._print, [choice.as_dict() for choice in estimator.choices_])
        done = f", from step {loop.step:,} on" if loop.step else ""
        tell(f"training: epochs {loop.epochs} at most, steps in each {loop.steps_per_epoch:,}{done}")


def _summary(estimator: Any, source: Source, learn: Source, held: Source | None) -> str:
    if held is None:
        kept = f"all to learn from, for want of {MIN_HELD_OUT} rows to keep for a comparison (--holdout)"
    elif len(learn) == len(source):
        late, total = (sum(row.steps for row in part.rows) for part in (held, source))
        kept = f"the last {100 * late / total:.2g} % of the time kept for the comparison"
    else:
        kept = f"{len(learn):,} to learn from, {len(held):,} kept for the comparison"
    return f"{source.origin}: {len(source):,} {describe_rows(estimator.processor_, source)}; {kept}\n"


def train(out: Any, estimator: Any, source: Source, path: Path, options: dict[str, Any]) -> None:
    """Fit, compare, save. Interrupted: the state is on disk, the message says how to go on."""
    check_rows(source, estimator)
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
    if not folder.unfinished(path):
        return f"{what} Nothing was written yet; give the same command again."
    return f"{what} The state is in {path}; go on with the same command and --resume."


def _conclude(
    out: Any, estimator: Any, learn: Source, held: Source | None, path: Path, options: dict[str, Any]
) -> None:
    """Compare on the rows that were kept, and save."""
    estimator.metrics_ = {**estimator.metrics_, "rows": len(learn), "data": remembered(options, learn)}
    tell_damage(learn)
    if held is not None:
        (_assess if isinstance(estimator, TaskModel) else _compare)(out, estimator, learn, held, options["seed"])
    estimator.trainer.callbacks = ()
    estimator.save(path, force=True)
    folder.drop_states(path)
    tell(f"model -> {path}   next: diabolo info {path}")


def _assess(out: Any, estimator: TaskModel, learn: Source, held: Source, seed: int) -> None:
    """Print and keep how good a model of a task is on rows it has not seen, beside the simple methods."""
    found = estimator.assess(learn, held, seed=seed)
    if found is not None:
        estimator.metrics_["assessment"] = found.as_dict()
        assessed(out, estimator.metrics_["assessment"])


def _compare(out: Any, estimator: Any, learn: Source, held: Source, seed: int) -> None:
    """Print and keep how good the model is on rows it has not seen: beside PCA, and beside a linear model of labels.

    A model that cannot be compared is saved all the same, and the reason is told.
    """
    taught = "labels_" in vars(estimator)
    if isinstance(learn.rows, Stored):
        learn = learn.rows.sample(min(SAMPLE, few(learn.rows)))
        tell(f"  PCA and the training error are of a sample of {len(learn):,} rows")
    if taught:
        said = compare_labels(estimator, learn, held, seed=seed)
        estimator.metrics_["labels"] = said.as_dict()
        compared_labels(out, estimator.metrics_["labels"])
    if taught and not vars(estimator).get("freeze", True):
        return  # its encoder went on to learn the labels, its decoder did not follow: there is no reconstruction
    encoded = [(part, estimator.processor_.encode(part.rows)) for part in (learn, held)]
    tensors = [{**found, **estimator._beside(part, None, rows_in(found), fitting=False)} for part, found in encoded]
    try:
        comparison = compare(estimator, *tensors, seed=seed)
    except ModelError as error:
        tell(f"  no comparison with PCA: {error}")
        return
    estimator.metrics_["comparison"] = comparison.as_dict()
    compared(out, estimator.metrics_["comparison"])


def _callbacks(path: Path, options: dict[str, Any], announce: Callback) -> list[Callback]:
    made: list[Callback] = [Checkpoint(path / folder.CHECKPOINT, resume=options["resume"]), announce, Progress()]
    if options["max_time"] is not None:
        made.append(TimeLimit(options["max_time"]))
    if options["log_dir"] is not None:
        from ..train.tensorboard import TensorBoard

        made.append(TensorBoard(options["log_dir"]))
    return made
