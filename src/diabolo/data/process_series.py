"""Series cut into windows of equal length: standardised by channel or by window, joined again on their own axes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Processor, Spec, Windowed, register
from ..core.errors import DataError, out_of_range, unknown
from .limits import check_finite, check_memory
from .period import choose_window
from .record import objects
from .series import Series, by_name, off_grid, on_grid, series_in

SCALES = ("channel", "window", "none")
CONV_FROM = 256
"""Windows of so many steps go to a convolution, shorter ones to dense layers."""


@dataclass(frozen=True)
class _Laid:
    """Series end to end: values (S, C), those shorter than a window with room for one; where each lies and is cut.

    ``first`` (N,) and ``steps`` (N,) of the series; ``starts`` (M,) of the windows, ``number`` (M,) of their series.
    """

    values: ndarray
    first: ndarray
    steps: ndarray
    starts: ndarray
    number: ndarray


@register("processor", "series")
class SeriesProcessor(Processor, Windowed):
    """Series of any length, of the same channels, as windows (M, W, C), those of the first series first.

        Series (T, C) ──even grid──standardise──cut──▶ windows (M, W, C) … ──join, overlaps averaged──▶ Series (T, C)

    Windows begin every ``hop`` steps; the last one is shifted back, so that every step of every series is in at least
    one. A series shorter than a window is padded and the padding masked. Missing values (NaN) are not scored, the
    encoder sees the channel's mean there, and reconstructions fill them in. Channels are found by name.

    window : int >= 2, steps of a window. None: a whole series where none has more than 256 steps; else two dominant
        periods of the spectrum (16 to 256 steps); 64 where no period stands out.
    hop : int from 1 to window; None: half a window, so that (but for the ends) every step is seen in two windows.
    scale : "channel", each by its mean and spread at fit; "window", each window by its own mean and spread, which
        `join` takes from the series again (codes then say nothing of the level; `invert` alone gives standard units);
        "none".
    every : seconds, or a text such as "5min" (numeric times: a number in their unit). Series are interpolated onto an
        even grid of that step before they are cut, and reconstructions back onto their own times; values in gaps wider
        than three usual steps count as missing. None: steps are taken as they come.

    >>> series = SeriesProcessor(window=4).fit([Series(np.arange(9.0))])
    >>> [place.tolist() for place in series.places([Series(np.arange(9.0))])]
    [[0, 0, 0, 0], [0, 2, 4, 5], [4, 6, 8, 9]]
    >>> series.join(series.invert(series.encode([Series(np.arange(9.0))])["x"]), [Series(np.arange(9.0))])[0].steps
    9
    """

    def __init__(
        self, window: int | None = 64, hop: int | None = None, scale: str = "channel", every: str | float | None = None
    ) -> None:
        if window is not None and (not isinstance(window, int) or isinstance(window, bool) or window < 2):
            raise out_of_range("window", "an int of at least 2, or None", window)
        if hop is not None and (not isinstance(hop, int) or isinstance(hop, bool) or hop < 1 or hop > (window or hop)):
            raise out_of_range("hop", "an int from 1 to window, or None for half a window", hop)
        if scale not in SCALES:
            raise unknown("scale", scale, SCALES)
        self.window, self.hop, self.scale, self.every = window, hop, scale, every
        self.steps, self.step = window or 0, hop or 0
        self.columns: tuple[str, ...] = ()
        self.time_column = "time"
        self.mean = self.spread = np.zeros(0)
        self.notices: list[str] = []

    def fit(self, rows: Any) -> Self:
        """Learn the channels, their means and spreads, and the length of a window where none was given.

        Raises `DataError` for series of other channels than the first, and for fewer than two windows.
        """
        series = series_in(rows)
        self.columns, self.time_column = series[0].columns, series[0].time_column
        series = self._even(series)
        values = np.concatenate([row.values for row in series]).astype(np.float64, copy=False)
        self.mean, self.spread = _moments(values) if self.scale == "channel" else _plain(values.shape[1])
        why = f"windows of {self.window} steps"
        if self.window is None:
            self.steps, why = choose_window([(row.values - self.mean) / self.spread for row in series])
        self.step = min(self.hop or max(1, self.steps // 2), self.steps)
        self.notices = [f"{why}, one every {self.step} steps"]
        count = len(self._laid(series).starts)
        if count < 2:
            raise DataError(
                f"the series make only {count} window of {self.steps} steps; an autoencoder learns from at least 2: "
                "give longer or more series, or a smaller window: --processor 'series(window=…)'."
            )
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """``x`` (M, W, C) float32; ``seen`` (M, W, C) bool where values are missing; ``lengths`` (M,) long where series
        are shorter than a window."""
        laid = self._laid(self._even(series_in(rows)))
        size = len(laid.starts) * self.steps * len(self.columns) * 4
        check_memory(size, f"{len(laid.starts)} windows of {self.steps} steps", "Take a larger hop, or fewer series.")
        known = ~np.isnan(laid.values)
        values = np.where(known, (laid.values - self.mean) / self.spread, 0.0)
        if self.scale != "window":  # those lose their level first, exactly
            values = values.astype(np.float32)
        x, seen = self._cut(values, laid.starts), None if known.all() else self._cut(known, laid.starts)
        lengths = np.minimum(laid.steps, self.steps)[laid.number]
        inside = np.arange(self.steps) < lengths[:, None]
        if self.scale == "window":
            offset, spread = _window_moments(x, seen, inside)
            x = ((x - offset) / spread).astype(np.float32)
            x[~inside if seen is None else ~seen] = 0.0
        tensors = {"x": torch.from_numpy(x)}
        if seen is not None and not (seen | ~inside[..., None]).all():
            tensors["seen"] = torch.from_numpy(seen)
        if not inside.all():
            tensors["lengths"] = torch.from_numpy(lengths)
        return tensors

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x, scored, mask = tensors["x"], tensors.get("seen"), None
        if "lengths" in tensors:
            mask = torch.arange(self.steps) < tensors["lengths"][:, None]
            scored = mask if scored is None else scored & mask[..., None]
        return Batch(x, x, mask=mask, scored=scored)

    def invert(self, data: Tensor) -> Any:
        """Windows (M, W, C) as series without times; with ``scale="window"`` in standard units, for `join` to undo."""
        values = data.detach().cpu().double().numpy().reshape(len(data), self.steps, len(self.columns))
        values = values * self.spread + self.mean
        return objects(Series(window, None, self.columns, "", self.time_column) for window in values)

    def places(self, rows: Any) -> tuple[ndarray, ndarray, ndarray]:
        """Number of the series, first step and step after the last, in the series' own steps, of every window."""
        series = series_in(rows)
        even = self._even(series)
        laid = self._laid(even)
        start = laid.starts - laid.first[laid.number]
        stop = np.minimum(start + self.steps, laid.steps[laid.number])
        if self.every is None:
            return laid.number, start, stop
        own = np.concatenate([np.searchsorted(r.time, e.time) for r, e in zip(series, even, strict=True)])
        base = np.concatenate([[0], np.cumsum(laid.steps)])[laid.number]
        after = np.array([row.steps for row in series])[laid.number]
        last = stop == laid.steps[laid.number]
        first = own[base + start]
        ends = np.where(last, after, own[np.minimum(base + stop, len(own) - 1)])
        return laid.number, first, np.maximum(ends, first + (first < after))

    def join(self, windows: Any, rows: Any) -> Any:
        """Windows as `invert` gives them, on the axes of the series they were cut from; overlaps are averaged."""
        series = series_in(rows)
        even = self._even(series)
        laid = self._laid(even)
        values = np.stack([row.values for row in windows])
        if len(values) != len(laid.starts):
            raise DataError(f"there are {len(values)} windows for series that make {len(laid.starts)}.")
        if self.scale == "window":
            known = ~np.isnan(laid.values)
            x, seen = (self._cut(part, laid.starts) for part in (np.where(known, laid.values, 0.0), known))
            offset, spread = _window_moments(x, seen, np.ones(seen.shape[:2], bool))
            values = values * spread + offset
        total, times = np.zeros(laid.values.shape), np.zeros(len(laid.values))
        for place in range(self.steps):
            total[laid.starts + place] += values[:, place]
            times[laid.starts + place] += 1
        total /= np.maximum(times, 1)[:, None]
        parts = [total[a : a + n] for a, n in zip(laid.first.tolist(), laid.steps.tolist(), strict=True)]
        return objects(self._back(part, row) for part, row in zip(parts, series, strict=True))

    def _back(self, values: ndarray, row: Series) -> Series:
        if self.every is not None and row.time is not None:
            values = off_grid(values, row.time, self.every)
        kind = row.values.dtype
        return Series(values.astype(kind), row.time, self.columns, row.name, row.time_column)

    def _even(self, series: list[Series]) -> list[Series]:
        """The channels known at fit, finite or missing, on an even grid where one is asked for."""
        for row in series:
            if np.isinf(row.values).any():
                check_finite(row.values, str(row), allow_missing=True)
        found = [
            row if row.columns == self.columns else Series(by_name(row, self.columns), row.time, self.columns, row.name)
            for row in series
        ]
        if self.every is None:
            return found
        # a window that was decoded has no times, and lies on the grid already
        return [row if row.time is None and row.steps == self.steps else on_grid(row, self.every) for row in found]

    def _laid(self, series: Sequence[Series]) -> _Laid:
        steps = np.array([row.steps for row in series])
        room = np.maximum(steps, self.steps)
        first = np.cumsum(room) - room
        values = np.concatenate([row.values for row in series])
        if (room > steps).any():
            wide = np.full((int(room.sum()), values.shape[1]), np.nan)
            wide[np.arange(len(values)) + np.repeat(first - (np.cumsum(steps) - steps), steps)] = values
            values = wide
        cuts = -(-(room - self.steps) // self.step) + 1
        number = np.repeat(np.arange(len(series)), cuts)
        turn = np.arange(len(number)) - np.repeat(np.cumsum(cuts) - cuts, cuts)
        starts = first[number] + np.minimum(turn * self.step, (room - self.steps)[number])
        return _Laid(values, first, steps, starts, number)

    def _cut(self, values: ndarray, starts: ndarray) -> ndarray:
        """Windows (M, W, C) of values (S, C): a strided view, copied once."""
        view = np.lib.stride_tricks.sliding_window_view(values, (self.steps, values.shape[1]))
        cut: ndarray = view[starts, 0]
        return cut

    def defaults(self) -> dict[str, Spec]:
        network = Spec("conv", dims=1) if self.steps >= CONV_FROM else Spec("dense")
        return {"loss": Spec("squared"), "network": network}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps, len(self.columns))

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        return {
            "window": self.window, "hop": self.hop, "scale": self.scale, "every": self.every, "steps": self.steps,
            "step": self.step, "columns": list(self.columns), "time_column": self.time_column,
            "mean": self.mean.tolist(), "spread": self.spread.tolist(),
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(**{name: state[name] for name in ("window", "hop", "scale", "every")})
        made.steps, made.step = state["steps"], state["step"]
        made.columns, made.time_column = tuple(state["columns"]), state["time_column"]
        made.mean, made.spread = (np.asarray(state[name], dtype=np.float64) for name in ("mean", "spread"))
        return made


def _plain(channels: int) -> tuple[ndarray, ndarray]:
    return np.zeros(channels), np.ones(channels)


def _moments(values: ndarray) -> tuple[ndarray, ndarray]:
    """Mean and spread of every channel over its known values; a constant one has spread 1."""
    known = ~np.isnan(values)
    count = np.maximum(known.sum(0), 1)
    mean = np.where(known, values, 0.0).sum(0) / count
    spread = np.sqrt(np.where(known, (values - mean) ** 2, 0.0).sum(0) / count)
    return mean, np.where(spread > 1e-9 * np.abs(mean), spread, 1.0)


def _window_moments(x: ndarray, seen: ndarray | None, inside: ndarray) -> tuple[ndarray, ndarray]:
    """The same of every window, (M, 1, C) each."""
    known = np.broadcast_to(inside[..., None], x.shape) if seen is None else seen & inside[..., None]
    count = np.maximum(known.sum(1, keepdims=True), 1)
    mean = np.where(known, x, 0.0).sum(1, keepdims=True, dtype=np.float64) / count
    spread = np.sqrt(np.where(known, (x - mean) ** 2, 0.0).sum(1, keepdims=True) / count)
    return mean, np.where(spread > 1e-6 * np.maximum(np.abs(mean), 1e-30), spread, 1.0)
