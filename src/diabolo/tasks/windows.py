"""From windows back to the rows they were cut from: one value a window becomes one value a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray

from ..core import Windowed
from ..core.errors import DataError, UsageError, unknown
from ..data import SeriesProcessor
from ..data.record import objects
from ..data.series import Series
from ..data.sound import Sound
from ..data.sound_windows import SoundProcessor

HOWS = ("mean", "max")


def along_rows(
    processor: Any, rows: Any, values: Float[ndarray, "m *w"], *, how: str = "mean", names: tuple[str, ...] = ("score",)
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
    names : of the channels of the result.

    Raises `UsageError` for a processor that cuts no windows, `DataError` if ``values`` are not as many as windows.

    >>> from diabolo.data import SeriesProcessor
    >>> rows = [Series(np.arange(5.0))]
    >>> processor = SeriesProcessor(window=3, hop=2).fit(rows)
    >>> along_rows(processor, rows, np.array([1.0, 3.0]))[0].values.ravel().tolist()
    [1.0, 1.0, 2.0, 3.0, 3.0]
    >>> along_rows(processor, rows, np.array([[0.0, 0.0, 5.0], [1.0, 0.0, 0.0]]))[0].values.ravel().tolist()
    [0.0, 0.0, 3.0, 0.0, 0.0]
    """
    if not isinstance(processor, Windowed):
        name = vars(type(processor)).get("part_name")
        raise UsageError(f"processor {name!r} cuts no windows: its scores are of rows already.")
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
    whole = _pooled(given.reshape(len(given), -1), place, int(lengths.sum()), how)
    parts = np.split(whole, offset[1:])
    return objects(_as_series(part, row, grid, names) for part, row in zip(parts, rows, strict=True))


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
