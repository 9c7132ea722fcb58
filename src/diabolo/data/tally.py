"""What a table's columns are, from pieces of the table that are each seen once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np

from .cells import numbers
from .columns import (
    MAX_LEVELS,
    BooleanColumn,
    CategoricalColumn,
    Column,
    DateColumn,
    EmptyColumn,
    NumericColumn,
    step_of,
    ticks_of,
    ticks_per_second,
)

MOST_TEXTS = 100_000
"""Different texts of a column that are counted; a column with more is no category."""


class Moments:
    """Mean and spread of numbers that come in pieces (Chan, Golub & LeVeque 1983, "Algorithms for computing the sample
    variance", equation 2.1).

    >>> tally = Moments()
    >>> for piece in (np.array([1.0, 3.0]), np.array([5.0])):
    ...     tally.add(piece)
    >>> tally.count, tally.mean, round(tally.spread, 6)
    (3, 3.0, 1.632993)
    """

    def __init__(self) -> None:
        self.count, self.mean, self._squares, self.low, self.high = 0, 0.0, 0.0, np.inf, -np.inf

    def add(self, values: np.ndarray) -> None:
        """Take up a piece (n,), n of at least 1."""
        new, mean = len(values), float(values.mean())
        away, total = mean - self.mean, self.count + new
        self._squares += float(np.square(values - mean).sum()) + away * away * self.count * new / total
        self.mean += away * new / total
        self.count = total
        self.low, self.high = min(self.low, float(values.min())), max(self.high, float(values.max()))

    @property
    def spread(self) -> float:
        """Standard deviation, of all that was seen."""
        return float(np.sqrt(self._squares / self.count))

    def scale(self) -> tuple[float, float, bool]:
        """Mean, scale and whether all values were one, as `cells.moments` gives them."""
        if self.low == self.high:
            return self.low, 1.0, True
        return self.mean, self.spread, False


class Tally(ABC):
    """What is counted of one column; ``first`` is the codec of the first piece with a known cell."""

    def __init__(self, first: Column) -> None:
        self.first, self.missing = first, first.missing

    @abstractmethod
    def add(self, cells: Any) -> None:
        """Take up a piece of the column."""

    @abstractmethod
    def column(self, notices: list[str]) -> Column:
        """The codec of the whole column."""


class _Numbers(Tally):
    def __init__(self, first: Column) -> None:
        super().__init__(first)
        self.moments = Moments()

    def add(self, cells: Any) -> None:
        values, known = numbers(cells)
        self.missing |= not known.all()
        if known.any():
            self.moments.add(values[known])

    def column(self, notices: list[str]) -> Column:
        return NumericColumn(self.first.name, self.first.dtype, self.missing, *self.moments.scale())


class _Dates(Tally):
    first: DateColumn

    def __init__(self, first: Column) -> None:
        super().__init__(first)
        self.moments, self.low, self.high, self.step = Moments(), np.inf, -np.inf, 0

    def add(self, cells: Any) -> None:
        ticks, known = ticks_of(self.first.dates(cells))
        self.missing |= not known.all()
        if not known.any():
            return
        ticks = ticks[known]
        second = ticks_per_second(self.first.dtype)
        self.step = int(np.gcd(self.step, step_of(ticks, second))) or 1
        self.low, self.high = min(self.low, int(ticks.min())), max(self.high, int(ticks.max()))
        self.moments.add((ticks - self.first.origin).astype(np.float64))

    def column(self, notices: list[str]) -> Column:
        origin = (int(self.low) // 2 + int(self.high) // 2) // self.step * self.step
        mean, scale, constant = self.moments.scale()
        mean += self.first.origin - origin
        return DateColumn(self.first.name, self.first.dtype, self.missing, origin, self.step, mean, scale, constant)


class _Truths(Tally):
    def __init__(self, first: Column) -> None:
        super().__init__(first)
        self.true = self.known = 0

    def add(self, cells: Any) -> None:
        known = cells.notna().to_numpy(bool)
        self.missing |= not known.all()
        self.known += int(known.sum())
        self.true += int(cells.to_numpy(object)[known].astype(bool).sum())

    def column(self, notices: list[str]) -> Column:
        return BooleanColumn(self.first.name, self.first.dtype, self.missing, self.true / max(1, self.known))


class _Levels(Tally):
    first: CategoricalColumn

    def __init__(self, first: Column) -> None:
        super().__init__(first)
        self.counts: Counter[Any] = Counter()

    def add(self, cells: Any) -> None:
        self.missing |= bool(cells.isna().any())
        self.counts.update(self.first.settled(cells).value_counts().to_dict())
        if len(self.counts) > MOST_TEXTS:
            self.counts = Counter(dict(self.counts.most_common(MOST_TEXTS // 2)))

    def column(self, notices: list[str]) -> Column:
        counts = [(level, count) for level, count in self.counts.most_common() if count]
        rare = sum(count for _, count in counts[MAX_LEVELS:])
        return self.first.with_levels(
            [level for level, _ in counts[:MAX_LEVELS]], len(counts), rare, self.missing, notices
        )


class _Nothing(Tally):
    def add(self, cells: Any) -> None:
        return

    def column(self, notices: list[str]) -> Column:
        notices.append(f"column {self.first.name!r} is empty: it has no known cell")
        return self.first


_TALLIES: dict[type[Column], type[Tally]] = {
    NumericColumn: _Numbers,
    DateColumn: _Dates,
    BooleanColumn: _Truths,
    CategoricalColumn: _Levels,
    EmptyColumn: _Nothing,
}


class TableTally:
    """All columns of a table that comes in pieces; ``codec`` says what a column of cells is."""

    def __init__(self, codec: Callable[[Any, list[str]], Column]) -> None:
        self._codec, self._tallies = codec, dict[Any, Tally]()

    def add(self, frame: Any) -> None:
        """Take up a piece: a DataFrame with the same columns as those before."""
        for name in frame.columns:
            cells, held = frame[name], self._tallies.get(name)
            if held is None or (isinstance(held, _Nothing) and cells.notna().any()):
                made = self._codec(cells, [])
                new = _TALLIES[type(made)](made)
                new.missing |= held is not None
                held = self._tallies[name] = new
            held.add(cells)

    def columns(self, notices: list[str]) -> list[Column]:
        """The codecs of the whole table."""
        return [tally.column(notices) for tally in self._tallies.values()]
