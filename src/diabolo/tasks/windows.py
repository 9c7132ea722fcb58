"""From windows back to the rows they were cut from: one value a window becomes one value a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ..core import Windowed
from ..core.errors import DataError, UsageError, unknown
from ..data import SeriesProcessor, kind_of
from ..data.record import objects
from ..data.series import Series
from ..data.sound import Sound
from ..data.sound_windows import SoundProcessor
from ..estimators.rows import bare
from . import conformal
from .held_out import stretches
from .maps import judged_frames

HOWS = ("mean", "max")
FINEST = 128
"""Parts of a window of sound that are told apart."""


def along_rows(
    processor: Any, rows: Any, values: Float[ndarray, "m *w"], *, how: str = "mean", names: tuple[str, ...] = ()
) -> ndarray:
    """Values of windows on the rows' own axes: an object array of `Series`, one a row.

        windows  [ 1 ]          values (M,)  a window, or (M, W[, C])  a step of a window
                   [ 3 ]
        steps    1 1 2 3 3      mean (or max) over all windows that hold a step

    The axis of a series is its own, with its own times; of a clip its frames; of a sound seconds, one value for every
    hop (or step of ``values``, if that is finer), at its middle. NaN counts for nothing.

    Parameters
    ----------
    processor, rows : a processor that cuts windows, and what it cut.
    values : scores, or contributions of steps, in the order of the windows.
    how : "mean": smooth, an anomaly is highest where all windows around it are high; "max": nothing is averaged away.
    names : of the channels of the result; (): score, or x0, x1, …

    Raises `UsageError` for a processor that cuts no windows, `DataError` if ``values`` are not as many as windows.

    >>> from diabolo.data import SeriesProcessor
    >>> rows = [Series(np.arange(5.0))]
    >>> processor = SeriesProcessor(window=3, hop=2).fit(rows)
    >>> along_rows(processor, rows, np.array([1.0, 3.0]))[0].values.ravel().tolist()
    [1.0, 1.0, 2.0, 3.0, 3.0]
    >>> along_rows(processor, rows, np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 0.0]]))[0].values.ravel().tolist()
    [0.0, 0.0, 3.0, 0.0, 0.0]
    """
    _must_cut(processor)
    if how not in HOWS:
        raise unknown("how", how, HOWS)
    number, start, stop = processor.places(rows)
    values = np.asarray(values, dtype=np.float64)
    if len(values) != len(number):
        raise DataError(f"there are {len(values)} values for {len(number)} windows.")
    steps = values.shape[1] if values.ndim > 1 else 0
    grid = _grid(processor, rows, steps)
    lengths = np.array([_length(row, grid) for row in rows])
    offset = np.cumsum(lengths) - lengths
    first = np.clip(np.ceil(start / grid - 0.5), 0, lengths[number] - 1).astype(np.int64)
    after = np.clip(np.ceil(stop / grid - 0.5), first + 1, lengths[number]).astype(np.int64)
    window, at, place = _covered(first, after, offset[number])
    if steps:
        middle = (at + 0.5) * grid
        inside = (middle - start[window]) / _widths(processor, start, stop)[window]
        given = values[window, np.clip((inside * steps).astype(np.int64), 0, steps - 1)]
    else:
        given = values[window]
    names = names or (("score",) if given.ndim == 1 else ())
    whole = _pooled(given.reshape(len(given), -1), place, int(lengths.sum()), how)
    parts = np.split(whole, offset[1:])
    return objects(_as_series(part, row, grid, names) for part, row in zip(parts, rows, strict=True))


def bounds(processor: Any, rows: Any) -> tuple[ndarray, ndarray, ndarray]:
    """Of every window the number of its row and where it begins and ends, as people say it.

    Of series the first and last time (step, where there are no times), of sounds seconds, of clips frames; the end of
    sounds and clips is after the last one.

    >>> from diabolo.data import SeriesProcessor
    >>> rows = [Series(np.arange(5.0), time=np.arange(10, 15))]
    >>> [part.tolist() for part in bounds(SeriesProcessor(window=3, hop=2).fit(rows), rows)]
    [[0, 0], [10, 12], [12, 14]]
    """
    number, first, after = processor.places(rows)
    if not all(isinstance(row, Series) for row in rows):
        return number, first, after
    if any(row.time is None for row in rows):
        return number, first, after - 1
    lengths = [row.steps for row in rows]
    times, offset = np.concatenate([row.time for row in rows]), (np.cumsum(lengths) - lengths)[number]
    return number, times[offset + first], times[offset + after - 1]


def _must_cut(processor: Any) -> None:
    """Raise `UsageError` for a processor whose rows are no windows."""
    if not isinstance(processor, Windowed):
        name = vars(type(processor)).get("part_name")
        raise UsageError(f"processor {name!r} cuts no windows: its scores are of rows already.")


def judged_steps(detector: Any, X: Any, below: float | None = None) -> ndarray:
    """How strange every step is to a detector of windows, and what it contributes: an object array of `Series`.

        windows ──score──▶ mean over the windows that hold a step ──▶ score
                └─reasons─▶ share of each step, times the score ────▶ why, one a channel

    Channels of the result: ``score`` (higher is stranger), ``anomaly`` (1: some window that holds the step is one) and
    ``why``: the part of the scores around a step that is the step's own. It says where in its windows the anomaly is.

    Frames of clips have no ``why``: their maps say where (`maps.judged_frames`).

    detector : a fitted `AutoencoderDetector`. X : series, sounds or clips. below : the score below which a window is
    an anomaly; None: the detector's own bound.

    Raises `UsageError` for a detector of rows that are no windows.

    >>> from diabolo import AutoencoderDetector, Trainer
    >>> from diabolo.data import open
    >>> wave = np.sin(np.arange(400) / 3)
    >>> rows = open([Series(wave)], processor="series(window=16)")
    >>> detector = AutoencoderDetector(trainer=Trainer(epochs=5), random_state=0).fit(rows)
    >>> wave[200] = 4
    >>> found = judged_steps(detector, [Series(wave)])[0]
    >>> found.columns, int(found.values[:, 2].argmax())
    (('score', 'anomaly', 'why'), 200)
    """
    processor, rows = detector.processor_, bare(X)
    _must_cut(processor)
    if processor.part_name == "video":
        return judged_frames(detector, rows, below)
    scores = detector.score_samples(X)
    anomaly = scores < (detector.offset_ if below is None else below)
    names, parts = _why(detector, X, scores) if "neighbours" in detector.facts_["measures"] else ([], None)
    judged = np.stack([-scores, anomaly], 1)
    if parts is not None and isinstance(processor, SoundProcessor):  # on the axis of the parts
        judged = np.repeat(judged[:, None], parts.shape[1], axis=1)
    means, most = (along_rows(processor, rows, judged[..., place], how=how) for place, how in enumerate(HOWS))
    why = along_rows(processor, rows, parts) if parts is not None else [None] * len(rows)
    return objects(
        Series(
            np.concatenate([part.values for part in row if part is not None], 1),
            row[0].time, ("score", "anomaly", *names), row[0].name, row[0].time_column,
        )
        for row in zip(means, most, why, strict=True)
    )  # fmt: skip


def _why(detector: Any, X: Any, scores: ndarray) -> tuple[list[str], ndarray]:
    """What every step of every window contributes to its score (M, W), or by channel (M, W, C), and the names."""
    processor = detector.processor_
    parts = detector.explain(X).contributions.reshape(len(scores), *processor.target_shape)
    parts = parts * np.maximum(-scores, 0).reshape(-1, *(1,) * (parts.ndim - 1))
    if isinstance(processor, SeriesProcessor) and len(processor.columns) > 1:
        return [f"why {name}" for name in processor.columns], parts
    whole = parts.reshape(*parts.shape[:2], -1).sum(2)
    if isinstance(processor, SoundProcessor) and whole.shape[1] > FINEST:
        begins = np.linspace(0, whole.shape[1], FINEST, endpoint=False).astype(np.int64)
        whole = np.add.reduceat(whole, begins, axis=1)
    return ["why"], whole


def steps_out_of_fold(detector: Any, X: Any) -> ndarray:
    """How strange every step of the very series that a detector learnt from is: an object array of `Series`, ``score``.

        series ─┬─ stretch 1 ── judged by the autoencoder of 2 and 3 ─┐
                ├─ stretch 2 ── judged by the autoencoder of 1 and 3 ─┼─▶ measures, shares of all ──▶ score by step
                └─ stretch 3 ── judged by the autoencoder of 1 and 2 ─┘

    For series that are to be looked through as a whole, without any that are known to be normal: no autoencoder is
    asked about windows it has learnt. Higher is stranger, in nats: -log of the share of all windows that are so.

    Raises `UsageError` for other rows than series, and for so many of them that they were held out whole.

    >>> from diabolo import AutoencoderDetector, Trainer
    >>> wave = np.sin(np.arange(400) / 3)
    >>> wave[200:210] += 3
    >>> detector = AutoencoderDetector(trainer=Trainer(epochs=20), random_state=0).fit([Series(wave)])
    >>> 180 < int(steps_out_of_fold(detector, [Series(wave)])[0].values.argmax()) < 230
    True
    """
    rows, folds = bare(X), int(detector.facts_["folds"])
    if kind_of(rows) != "series" or len(rows) >= max(4, 2 * folds):
        raise UsageError("only a few series are held out in stretches; other rows were held out whole (score_samples).")
    witnesses, held = detector._witnesses(), [late for _, late in stretches(rows, folds)]
    found = [witness.strangeness(part) for witness, part in zip(witnesses, held, strict=True)]
    logs = [_own_log(column) for column in np.concatenate(found).T]
    scores = np.split(-_own_log(-np.mean(logs, 0)), np.cumsum([len(part) for part in found])[:-1])
    parts = [
        along_rows(witness.model.processor_, part, score)
        for witness, part, score in zip(witnesses, held, scores, strict=True)
    ]
    return objects(
        Series(np.concatenate([p[place].values for p in parts]), row.time, ("score",), row.name, row.time_column)
        for place, row in enumerate(rows)
    )


def _own_log(values: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """Log of the share of the other values above each one, in the values' own order."""
    order, found = np.argsort(values, kind="stable"), np.empty(len(values))
    found[order] = conformal.log_tail_of_own(values[order])
    return found


def _grid(processor: Any, rows: Any, steps: int) -> float:
    """From one value to the next: a step, a frame; of sounds seconds."""
    if not all(isinstance(row, Sound) for row in rows):
        return 1.0
    window = float(processor.window_seconds)
    hop = window * processor.hop
    return min(hop, window / steps) if steps else hop


def _length(row: Any, grid: float) -> int:
    """How many values a row has."""
    if isinstance(row, Sound):
        return max(1, int(np.ceil(row.seconds / grid - 1e-9)))
    return row.steps if isinstance(row, Series) else len(row)


def _widths(processor: Any, start: ndarray, stop: ndarray) -> ndarray:
    """How long every window is, its padding too, in the units of `places`."""
    if isinstance(processor, SoundProcessor):
        return np.full(len(start), processor.window_seconds)
    every = vars(processor).get("every")
    if isinstance(processor, SeriesProcessor):
        return np.full(len(start), processor.steps) if every is None else stop - start
    return np.full(len(start), processor.shape[0] * every if every else (stop - start).max())


def _covered(first: ndarray, after: ndarray, offset: ndarray) -> tuple[ndarray, ndarray, ndarray]:
    """Every value that a window covers: the window, the place in its row, the place among all values."""
    count = after - first
    window = np.repeat(np.arange(len(count)), count)
    at = np.arange(len(window)) - np.repeat(np.cumsum(count) - count, count) + first[window]
    return window, at, at + offset[window]


def _pooled(given: Float[ndarray, "p c"], place: ndarray, length: int, how: str) -> Float[ndarray, "t c"]:
    """Mean or largest of the values at every place; NaN where there is none."""
    known = ~np.isnan(given)
    if how == "max":
        found = np.full((length, given.shape[1]), -np.inf)
        np.maximum.at(found, place, np.where(known, given, -np.inf))
        return np.where(np.isneginf(found), np.nan, found)
    sums, counts = (
        np.stack([np.bincount(place, channel, length) for channel in part.T], axis=1)
        for part in (np.where(known, given, 0.0), known.astype(np.float64))
    )
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _as_series(values: ndarray, row: Any, grid: float, names: tuple[str, ...]) -> Series:
    if isinstance(row, Series):
        return Series(values, row.time, names, row.name, row.time_column)
    time = (np.arange(len(values)) + 0.5) * grid if isinstance(row, Sound) else np.arange(len(values))
    return Series(values, time, names, time_column="seconds" if isinstance(row, Sound) else "frame")
