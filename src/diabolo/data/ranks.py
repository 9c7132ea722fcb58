"""Columns as a generator needs them: numbers by their rank, missing cells as content.

numbers ──rank──▶ share below u ──normal quantile──▶ score ~ N(0, 1), and back to values within the range at fit
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from .cells import moments
from .columns import BooleanColumn, CategoricalColumn, Column, DateColumn, EmptyColumn, NumericColumn

KNOTS = 256
"""Points of a distribution function that are kept, evenly spaced in normal scores."""
ATOM = 0.01
"""A value that this share of the cells holds is a value of its own: between it and the next there may be nothing."""
LIGHT = 8
FEW = 50
"""Columns of at most so many different values come back with no others."""
MOST_DECIMALS = 6


@dataclass
class RankColumn(Column):
    """A numeric or date column as normal scores of its ranks, standardised: one value, whatever its distribution.

        u = share of cells below + half of those equal,   score = normal quantile of u

    Values held by many cells (zeros of a count, levels) cover a stretch of u: every score there comes back as just
    that value. All others are interpolated and rounded to the decimals at fit. Nothing leaves the range at fit. A
    column of light tails without such values stays ``linear``, its score the value: ranks know no gap between modes.

    Reference: van der Waerden (1952), "Order tests for the two-sample problem and their power" (normal scores).
    """

    kind: ClassVar[str] = "rank"

    base: dict[str, Any] = field(default_factory=dict)
    values: list[float] = field(default_factory=list)
    low: list[float] = field(default_factory=list)
    high: list[float] = field(default_factory=list)
    decimals: int | None = None
    mean: float = 0.0
    scale: float = 1.0
    edge: float = 0.0
    linear: bool = False

    @classmethod
    def of(cls, codec: NumericColumn | DateColumn, cells: Any) -> RankColumn:
        """The column by rank, from the codec that reads its cells."""
        plain = replace(codec, mean=0.0, scale=1.0, constant=False)
        raw, known = plain.encode(cells, [])
        values, low, high = distribution(raw[known, 0])
        made = cls(codec.name, codec.dtype, codec.missing, plain.state(), values, low, high)
        made.decimals = decimals_of(raw[known, 0]) if isinstance(codec, NumericColumn) else None
        made.edge = float(ndtri(0.5 / known.sum())) if known.sum() > 1 else 0.0
        made.linear = light(raw[known, 0])
        made.mean, made.scale, _ = moments(made.scores(raw[known, 0]))
        return made

    @property
    def shown(self) -> str:
        return str(self.base["kind"])

    @property
    def plain(self) -> Column:
        """The codec between cells and raw numbers."""
        given = dict(self.base)
        kind = {"numeric": NumericColumn, "date": DateColumn}[given.pop("kind")]
        return kind(**given)

    def scores(self, raw: np.ndarray) -> np.ndarray:
        """Normal scores of raw numbers, on the middle of their stretch of u."""
        if self.linear:
            return raw
        middle = (np.asarray(self.low) + np.asarray(self.high)) / 2
        return np.asarray(np.clip(ndtri(np.interp(raw, self.values, middle)), self.edge, -self.edge))

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        raw, known = self.plain.encode(cells, notices)
        scores = np.where(known, self.scores(raw[:, 0]), self.mean)
        return ((scores - self.mean) / self.scale)[:, None], known

    def invert(self, data: np.ndarray) -> Any:
        return self.plain.invert(self.raw(data[:, 0].astype(np.float64) * self.scale + self.mean)[:, None])

    def raw(self, scores: np.ndarray) -> np.ndarray:
        """Raw numbers of normal scores."""
        ends = np.stack([self.low, self.high], 1).ravel()
        if self.linear:
            found = np.clip(np.nan_to_num(scores), self.values[0], self.values[-1])
        else:
            found = np.interp(ndtr(np.nan_to_num(scores)), ends, np.repeat(self.values, 2))
        return found if self.decimals is None else np.round(found, self.decimals)


@dataclass
class GapColumn(Column):
    """A column with its missing cells as content: one more category, or one more truth value beside a number.

        numeric, date by rank    [score | missing?]        boolean, categorical    one-hot, the last: missing

    Where a number is missing its score is not scored and stands at the mean; on the way back the cell is missing.
    """

    kind: ClassVar[str] = "gap"

    base: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, codec: Column) -> GapColumn:
        """The column with gaps, from the codec of its known cells."""
        return cls(codec.name, codec.dtype, codec.missing, codec.state())

    @property
    def inner(self) -> Column:
        """The codec of the known cells."""
        given = dict(self.base)
        return {"rank": RankColumn, "boolean": BooleanColumn, "categorical": CategoricalColumn}[given.pop("kind")](
            **given
        )

    @property
    def shown(self) -> str:
        return self.inner.shown

    @property
    def ranked(self) -> bool:
        return bool(self.base["kind"] == "rank")

    @property
    def width(self) -> int:
        return 2 if self.ranked else self._known + 1

    @property
    def _known(self) -> int:
        return 2 if self.base["kind"] == "boolean" else self.inner.width

    @property
    def parts(self) -> list[list[Any]]:
        return [["numeric", 1], ["boolean", 1]] if self.ranked else [["categorical", self.width]]

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        values, known = self.inner.encode(cells, notices)
        gap = ~known[:, None]
        if self.ranked:
            return np.concatenate([values, gap], 1), np.stack([known, np.ones_like(known)], 1)
        if self.base["kind"] == "boolean":
            values = np.concatenate([1 - values, values], 1) * known[:, None]
        return np.concatenate([values, gap], 1), np.ones_like(known)

    def invert(self, data: np.ndarray) -> Any:
        if self.ranked:
            return self.inner.invert(data[:, :1]).mask(data[:, 1] >= 0.5)
        gap = data.argmax(1) == self.width - 1
        values = data[:, 1:2] >= data[:, :1] if self.base["kind"] == "boolean" else data[:, :-1]
        return self.inner.invert(values).mask(gap)


def generative(codec: Column, cells: Any) -> Column:
    """The column as a generator needs it, from the codec the table would use.

    Numbers that take two values are categories: between them there is nothing.
    """
    if isinstance(codec, EmptyColumn):
        return codec
    if isinstance(codec, NumericColumn | DateColumn):
        if isinstance(codec, NumericColumn) and cells.nunique() <= 2:
            codec = _levels(codec, cells)
        else:
            codec = RankColumn.of(codec, cells)
    return GapColumn.of(codec) if codec.missing else codec


def _levels(codec: NumericColumn, cells: Any) -> CategoricalColumn:
    levels = [value.item() if isinstance(value, np.generic) else value for value in cells.dropna().unique()]
    made = CategoricalColumn(codec.name, codec.dtype, codec.missing)
    return made.with_levels(levels, len(levels), 0, codec.missing, [])


def distribution(raw: np.ndarray) -> tuple[list[float], list[float], list[float]]:
    """A distribution function as values and the shares below and up to each; at most `KNOTS` beside the atoms.

    >>> distribution(np.array([1.0, 1.0, 2.0, 5.0]))
    ([1.0, 2.0, 5.0], [0.0, 0.5, 0.75], [0.5, 0.75, 1.0])
    """
    values, counts = np.unique(raw, return_counts=True)
    high = counts.cumsum() / len(raw)
    low = high - counts / len(raw)
    atom = counts > max(1, ATOM * len(raw))
    if len(values) <= FEW:
        atom[:] = True
    grid = ndtr(np.linspace(ndtri(0.5 / len(raw)), -ndtri(0.5 / len(raw)), KNOTS)) if len(raw) > 1 else [0.5]
    last = len(values) - 1
    ends = (np.flatnonzero(atom)[:, None] + [-1, 0, 1]).ravel()  # what is next to an atom, for nothing lies between
    kept = np.unique(np.clip(np.concatenate([ends, np.searchsorted(high, grid)]), 0, last))
    middle = (low + high) / 2
    low, high = np.where(atom, low, middle), np.where(atom, high, middle)
    return values[kept].tolist(), low[kept].tolist(), high[kept].tolist()


def light(raw: np.ndarray) -> bool:
    """Whether numbers have light tails and no value is held by many: their range is at most 8 interquartile ranges.

    >>> light(np.linspace(0, 1, 1000)), light(np.exp(np.linspace(0, 9, 1000)))
    (True, False)
    """
    values, counts = np.unique(raw, return_counts=True)
    if len(values) <= FEW or counts.max() > max(1, ATOM * len(raw)):
        return False
    low, high = np.quantile(raw, [0.25, 0.75])
    return bool(values[-1] - values[0] <= LIGHT * (high - low))


def decimals_of(raw: np.ndarray) -> int | None:
    """The fewest decimals, at most 6, that all values have; None: they have more.

    >>> decimals_of(np.array([0.25, 3.0])), decimals_of(np.array([1 / 3]))
    (2, None)
    """
    return next((d for d in range(MOST_DECIMALS + 1) if np.array_equal(np.round(raw, d), raw)), None)
