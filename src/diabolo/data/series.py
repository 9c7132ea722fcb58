"""One series: values over time, its own axis, and how evenly it was sampled."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, UsageError, out_of_range, require
from .record import Row, listed, objects

UNEVEN = 0.01
"""A step that differs from the median step by more than this share is uneven."""
BRIDGE = 3.0
"""Interpolation bridges a gap of up to so many usual steps; what lies in a wider one is missing."""


@dataclass(frozen=True, eq=False)
class Series(Row):
    """Values of some channels, step by step, with the times they were measured at.

    values       (T, C) float, or (T,) for one channel; NaN: missing
    time         (T,) datetime64 or numbers that never decrease, or None: only the order is known
    columns      names of the channels
    name         of the file or the series, for display
    time_column  name of the times

    Raises `DataError` where these do not fit together.

    >>> series = Series([1.0, 2.0, 4.0], time=[0.0, 1.0, 2.0])
    >>> series.values.shape, series.columns, series.take(1, 3).time.tolist()
    ((3, 1), ('value',), [1.0, 2.0])
    """

    kind: ClassVar[str] = "series"
    values: Any = field(repr=False)
    time: Any = field(default=None, repr=False)
    columns: tuple[str, ...] = ()
    name: str = ""
    time_column: str = "time"

    def __post_init__(self) -> None:
        values = np.asarray(self.values)
        values = values if values.dtype.kind == "f" else values.astype(np.float64)
        values = values[:, None] if values.ndim == 1 else values
        if values.ndim != 2 or not values.size:
            raise DataError(f"a series is (T,) or (T, C) with at least one step; got shape {values.shape}.")
        width = values.shape[1]
        columns = self.columns or (("value",) if width == 1 else tuple(f"x{place}" for place in range(width)))
        if len(columns) != width:
            raise DataError(f"{self}: {len(columns)} names for {width} channels.")
        object.__setattr__(self, "values", values)
        object.__setattr__(self, "columns", tuple(columns))
        if self.time is not None:
            object.__setattr__(self, "time", self._checked(self.time, len(values)))

    def __str__(self) -> str:
        return f"series {self.name!r}" if self.name else "a series"

    def _checked(self, time: Any, steps: int) -> ndarray:
        time = np.asarray(time)
        time = time if time.dtype.kind in "Mi" else time.astype(np.float64)
        if time.shape != (steps,):
            raise DataError(f"{self}: times of shape {time.shape} for {steps} steps; there must be one a step.")
        if (np.isnat(time) if time.dtype.kind == "M" else ~np.isfinite(time)).any():
            raise DataError(f"{self}: a time is missing; leave the step out, or give no times.")
        back = np.flatnonzero(time[1:] < time[:-1])
        if len(back):
            raise DataError(f"{self}: time goes back after step {int(back[0])}; sort the steps by their time.")
        return time

    @property
    def steps(self) -> int:
        """Number of steps."""
        return len(self.values)

    def take(self, start: int, stop: int) -> Series:
        """The steps from ``start`` to before ``stop``, on their own axis."""
        return self.like(self.values[start:stop], None if self.time is None else self.time[start:stop])

    def like(self, values: ndarray, time: ndarray | None) -> Series:
        """Other values and times under the same names."""
        return Series(values, time, self.columns, self.name, self.time_column)


def split_in_time(rows: Iterable[Series], share: float) -> tuple[ndarray, ndarray]:
    """The first stretch of every series, and the last ``share`` of its steps, if any.

    >>> early, late = split_in_time([Series(np.arange(10.0))], 0.2)
    >>> early[0].steps, late[0].values.ravel().tolist()
    (8, [8.0, 9.0])
    """
    rows = list(rows)
    cuts = [max(1, row.steps - round(share * row.steps)) for row in rows]
    early = [row.take(0, cut) for row, cut in zip(rows, cuts, strict=True)]
    late = [row.take(cut, row.steps) for row, cut in zip(rows, cuts, strict=True) if cut < row.steps]
    return objects(early), objects(late)


def elapsed(time: ndarray) -> ndarray:
    """Seconds (of numbers: units) since the first time, as float64."""
    since = time - time[0]
    return since / np.timedelta64(1, "s") if since.dtype.kind == "m" else since.astype(np.float64)


def sampling_note(rows: Sequence[Series]) -> str | None:
    """What is uneven in the times of series, and which are double; None: nothing.

    >>> sampling_note([Series([0.0, 0.0, 0.0, 0.0], time=[0.0, 1.0, 2.0, 9.0])])
    '1 of 3 steps differ from the usual one of 1 (largest gap 7)'
    """
    steps = [np.diff(elapsed(row.time)) for row in rows if row.time is not None and row.steps > 2]
    if not steps:
        return None
    medians = [float(np.median(step)) for step in steps]
    uneven = sum(int((np.abs(s - m) > UNEVEN * m).sum()) for s, m in zip(steps, medians, strict=True))
    double, total = sum(int((step == 0).sum()) for step in steps), sum(len(step) for step in steps)
    if not uneven:
        return None
    dated = next(row.time for row in rows if row.time is not None).dtype.kind == "M"
    usual, largest = (_duration(float(v), dated) for v in (np.median(medians), max(step.max() for step in steps)))
    twice = f"; {double} times come twice" if double else ""
    return f"{uneven} of {total} steps differ from the usual one of {usual} (largest gap {largest}){twice}"


def _duration(seconds: float, dated: bool) -> str:
    """Seconds in the largest unit that they are at least one of; plain numbers as they are."""
    if not dated:
        return f"{seconds:g}"
    size, unit = next((u for u in ((86400, "days"), (3600, "h"), (60, "min")) if seconds >= u[0]), (1, "s"))
    return f"{seconds / size:.4g} {unit}"


def step_of(every: Any, dated: bool) -> float:
    """The step of an even grid in seconds (of numeric times: in their unit). Raises `UsageError`."""
    if isinstance(every, str):
        if not dated:
            raise UsageError(f"every={every!r} needs times that are dates; these are numbers: give a number.")
        pandas = require("pandas", "table", f"every={every!r}")
        try:
            every = pandas.Timedelta(every).total_seconds()
        except ValueError:
            every = float("nan")
    if isinstance(every, bool) or not isinstance(every, int | float) or not 0 < every < float("inf"):
        raise out_of_range("every", "a number of seconds above 0, or a text such as '5min'", every)
    return float(every)


def on_grid(row: Series, every: Any) -> Series:
    """The series on an even grid from its first time on, linear between known values; times that come twice averaged.

    What lies in a gap wider than three usual steps, or before the first known value, is missing (NaN).

    >>> on_grid(Series([0.0, 2.0, 3.0], time=[0.0, 2.0, 3.0]), 1).values.ravel().tolist()
    [0.0, 1.0, 2.0, 3.0]
    """
    if row.time is None:
        raise DataError(f"{row} has no times, so it has no even grid; leave out every={every!r}, or name its times.")
    since, step = elapsed(row.time), step_of(every, row.time.dtype.kind == "M")
    usual = float(np.median(np.diff(since))) if row.steps > 1 else step
    grid = step * np.arange(int(since[-1] / step + 1e-9) + 1)
    values = np.stack([_between(grid, since, channel, BRIDGE * max(step, usual)) for channel in row.values.T], axis=1)
    return row.like(values, _times(row.time[0], grid))


def off_grid(values: ndarray, time: ndarray, every: Any) -> ndarray:
    """Values (G, C) on the grid of `on_grid`, at the times the series had."""
    since, step = elapsed(time), step_of(every, time.dtype.kind == "M")
    grid = step * np.arange(len(values))
    return np.stack([np.interp(since, grid, channel) for channel in values.T], axis=1)


def _between(grid: ndarray, since: ndarray, channel: ndarray, bridge: float) -> ndarray:
    known = ~np.isnan(channel)
    if not known.any():
        return np.full(len(grid), np.nan)
    at, place = np.unique(since[known], return_inverse=True)
    level = np.bincount(place, channel[known]) / np.bincount(place)
    after = np.searchsorted(at, grid).clip(max=len(at) - 1)
    before = (np.searchsorted(at, grid, "right") - 1).clip(min=0)
    far = (at[after] - at[before] > bridge) | (grid < at[0]) | (grid > at[-1])
    return np.where(far & (at[after] != grid), np.nan, np.interp(grid, at, level))


def _times(first: Any, grid: ndarray) -> ndarray:
    if np.asarray(first).dtype.kind != "M":
        return first + grid
    return first.astype("datetime64[ns]") + np.rint(grid * 1e9).astype("timedelta64[ns]")


def series_in(rows: Any) -> list[Series]:
    """The rows as a list of `Series`. Raises `DataError` for anything else."""
    found = [rows] if isinstance(rows, Series) else list(rows)
    other = next((row for row in found if not isinstance(row, Series)), None)
    if other is not None or not found:
        what = f"a {type(other).__name__}" if found else "no rows"
        raise DataError(f"series are rows of diabolo.data.Series(values, time); got {what}.")
    return found


def by_name(row: Series, columns: tuple[str, ...]) -> ndarray:
    """Values (T, C) of the channels of these names. Raises `DataError` that names missing ones."""
    if row.columns == columns:
        return row.values
    missing = [name for name in columns if name not in row.columns]
    if missing:
        raise DataError(f"{row} has no channel {listed(missing)}; it has {listed(row.columns)}.")
    return row.values[:, [row.columns.index(name) for name in columns]]
