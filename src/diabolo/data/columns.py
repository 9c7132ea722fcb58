"""One table column as numbers and back: numeric, boolean, categorical, date, or empty.

    Series (N) ──encode──▶ values (N, width) float64, known (N) bool ──loss──▶ data (N, width) ──invert──▶ Series

A codec remembers what its column was at fit in plain JSON values. Cells that are missing, or of a
category never seen, are not ``known``; their values stand at the column's mean (categories: all zeros).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ..core.errors import DataError, require
from .cells import as_integers, moments, numbers, refuse_unread, standardise

MAX_LEVELS = 256
"""Most categories a column may have; rarer ones are treated as unknown."""

_TICKS = {"s": 1, "ms": 10**3, "us": 10**6, "ns": 10**9}
_YEARS = {**dict.fromkeys(("s", "ms", "us"), (-62_135_400_000, 253_402_100_000)), "ns": (-(2**33), 2**33)}
"""The seconds from 1970 to the years 1 and 9999 (ns: what 64 bits hold), to which dates are clamped."""

_TRUE = {"true": 1.0, "yes": 1.0, "1": 1.0, "1.0": 1.0}
_FALSE = {"false": 0.0, "no": 0.0, "0": 0.0, "0.0": 0.0}


@dataclass
class Column(ABC):
    """What is common: name, dtype at fit, and whether cells were missing then."""

    kind: ClassVar[str] = ""
    loss_kind: ClassVar[str] = "numeric"

    name: Any
    dtype: str
    missing: bool

    @property
    def width(self) -> int:
        """Encoded values a cell."""
        return 1

    @property
    def shown(self) -> str:
        """The kind of the cells, in words for people."""
        return self.kind

    @property
    def parts(self) -> list[list[Any]]:
        """[kind, width] of each part of the value that has a likelihood of its own."""
        return [[self.loss_kind, self.width]]

    @property
    def indicated(self) -> bool:
        """Whether the encoder is also told if a cell is missing."""
        return self.missing and self.kind in ("numeric", "boolean", "date")

    @abstractmethod
    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        """A Series as values (N, width) float64 and known bool: (N,), or (N, parts) where there are several."""

    @abstractmethod
    def invert(self, data: np.ndarray) -> Any:
        """Data-space values (N, width) as a Series of the dtype at fit."""

    def state(self) -> dict[str, Any]:
        """The codec as plain JSON values."""
        return {"kind": self.kind, **asdict(self)}


@dataclass
class NumericColumn(Column):
    """Standardised: ``(x - mean) / scale`` over the known cells at fit; a constant column is all zeros."""

    kind: ClassVar[str] = "numeric"
    mean: float = 0.0
    scale: float = 1.0
    constant: bool = False

    @classmethod
    def fit(cls, cells: Any, dtype: str) -> NumericColumn:
        """Codec of a Series with at least one known cell."""
        values, known = numbers(cells)
        mean, scale, constant = moments(values[known])
        return cls(cells.name, dtype, not known.all(), mean, scale, constant)

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        values, known = numbers(cells)
        return standardise(values, known, self, notices), known

    def invert(self, data: np.ndarray) -> Any:
        pandas = require("pandas", "table", "a table")
        values = data[:, 0].astype(np.float64) * self.scale + self.mean
        dtype = pandas.api.types.pandas_dtype(self.dtype)
        if pandas.api.types.is_integer_dtype(dtype):
            values = as_integers(values, np.iinfo(getattr(dtype, "numpy_dtype", dtype)))
        return pandas.Series(values, name=self.name).astype(dtype)


@dataclass
class DateColumn(Column):
    """Standardised time since ``origin``, counted in the column's own unit; exact int64 arithmetic.

    ``step`` is the coarsest of day, hour, minute, second … on which all dates at fit lie; dates come back on it.
    """

    kind: ClassVar[str] = "date"
    origin: int = 0
    step: int = 1
    mean: float = 0.0
    scale: float = 1.0
    constant: bool = False

    @classmethod
    def fit(cls, cells: Any, dtype: str) -> DateColumn:
        """Codec of a datetime Series with at least one known cell."""
        ticks, known = ticks_of(cells)
        step = step_of(ticks[known], ticks_per_second(dtype))
        origin = (int(ticks[known].min()) // 2 + int(ticks[known].max()) // 2) // step * step
        mean, scale, constant = moments((ticks[known] - origin).astype(np.float64))
        return cls(cells.name, dtype, not known.all(), origin, step, mean, scale, constant)

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        ticks, known = ticks_of(self.dates(cells))
        values = (np.where(known, ticks, self.origin) - self.origin).astype(np.float64)
        return standardise(values, known, self, notices), known

    def dates(self, cells: Any) -> Any:
        """Cells as dates of the dtype at fit. Raises `DataError` for what is none."""
        pandas = require("pandas", "table", "a table")
        utc = "," in self.dtype
        dates = pandas.to_datetime(cells, errors="coerce", utc=utc, format=None if _is_date(cells) else "ISO8601")
        refuse_unread(cells, dates.isna().to_numpy(), "dates were expected")
        if dates.dt.tz is not None and not utc:
            dates = dates.dt.tz_convert(None)
        return dates.astype(self.dtype)

    def invert(self, data: np.ndarray) -> Any:
        pandas = require("pandas", "table", "a table")
        unit = _unit(self.dtype)
        offset = (
            np.rint((np.nan_to_num(data[:, 0].astype(np.float64)) * self.scale + self.mean) / self.step) * self.step
        )
        first, last = (bound * _TICKS[unit] - self.origin for bound in _YEARS[unit])
        ticks = np.clip(offset, first, last).astype(np.int64) // self.step * self.step + self.origin
        dates = pandas.Series(ticks.astype(f"datetime64[{unit}]"), name=self.name)
        if "," not in self.dtype:
            return dates
        return dates.dt.tz_localize("UTC").astype(self.dtype)


@dataclass
class BooleanColumn(Column):
    """0 and 1, not standardised; ``mean`` is the share of true cells and stands in for missing ones."""

    kind: ClassVar[str] = "boolean"
    loss_kind: ClassVar[str] = "boolean"
    mean: float = 0.0

    @classmethod
    def fit(cls, cells: Any, dtype: str) -> BooleanColumn:
        """Codec of a Series of booleans with at least one known cell."""
        known = cells.notna().to_numpy(bool)
        return cls(cells.name, dtype, not known.all(), float(cells.to_numpy(object)[known].astype(bool).mean()))

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        pandas = require("pandas", "table", "a table")
        if not pandas.api.types.is_bool_dtype(cells.dtype):
            texts = cells.astype(object).map(lambda cell: str(cell).lower(), na_action="ignore")
            cells, given = texts.map({**_TRUE, **_FALSE}), cells
            refuse_unread(given, cells.isna().to_numpy(bool), "true or false was expected")
        values = cells.to_numpy(np.float64, na_value=np.nan)
        known = ~np.isnan(values)
        return np.where(known, values, self.mean)[:, None], known

    def invert(self, data: np.ndarray) -> Any:
        pandas = require("pandas", "table", "a table")
        return pandas.Series(data[:, 0] >= 0.5, name=self.name).astype(self.dtype)


@dataclass
class CategoricalColumn(Column):
    """One value a category, the most frequent `MAX_LEVELS` of them; unknown categories are all zeros."""

    kind: ClassVar[str] = "categorical"
    loss_kind: ClassVar[str] = "categorical"
    levels: list[Any] = field(default_factory=list)
    categories: list[Any] | None = None
    ordered: bool = False

    @classmethod
    def fit(cls, cells: Any, dtype: str, notices: list[str]) -> CategoricalColumn:
        """Codec of a Series of texts or of dtype category with at least one known cell."""
        counts = cells.value_counts()
        counts = counts[counts > 0]
        made = cls(cells.name, dtype, bool(cells.isna().any()))
        if dtype == "category":
            made.categories, made.ordered = cells.cat.categories.tolist(), bool(cells.cat.ordered)
            _check_plain(cells.name, made.categories)
        rare = int(counts.iloc[MAX_LEVELS:].sum())
        return made.with_levels(counts.index[:MAX_LEVELS].tolist(), len(counts), rare, made.missing, notices)

    def with_levels(
        self, levels: list[Any], found: int, rare: int, missing: bool, notices: list[str]
    ) -> CategoricalColumn:
        """The same column with these categories, of so many found; ``rare``: cells of those that were left out."""
        if rare:
            notices.append(
                f"column {self.name!r} has {found} categories; the {MAX_LEVELS} most frequent were kept and "
                f"the others ({rare} cells) count as missing; --exclude {self.name} leaves it out"
            )
        return replace(self, levels=sorted(levels, key=_order), missing=missing or bool(rare))

    @property
    def width(self) -> int:
        return len(self.levels)

    def settled(self, cells: Any) -> Any:
        """Cells as objects; numbers as texts where the categories are texts (a piece of a CSV may hold digits alone).

        >>> import pandas as pd
        >>> CategoricalColumn("zip", "object", False, levels=["a", "1"]).settled(pd.Series([1, 2])).tolist()
        ['1', '2']
        """
        pandas = require("pandas", "table", "a table")
        values = cells.astype(object)
        texts = all(isinstance(level, str) for level in self.levels)
        if texts and pandas.api.types.infer_dtype(values, skipna=True) != "string":
            values = values.map(_text, na_action="ignore")
        return values

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        pandas = require("pandas", "table", "a table")
        here = cells.isna().to_numpy(bool)
        values = self.settled(cells)
        code = pandas.Index(self.levels, dtype=object).get_indexer(values)
        unseen = (code < 0) & ~here
        if unseen.any() and len(self.levels) < MAX_LEVELS:
            row = int(unseen.argmax())
            notices.append(
                f"column {self.name!r}: {int(unseen.sum())} cells hold categories never seen at fit "
                f"(first {values.iloc[row]!r} at row {row}); they count as missing"
            )
        hot = np.zeros((len(cells), self.width))
        rows = np.flatnonzero(code >= 0)
        hot[rows, code[rows]] = 1.0
        return hot, code >= 0

    def invert(self, data: np.ndarray) -> Any:
        pandas = require("pandas", "table", "a table")
        levels = np.empty(len(self.levels), object)
        levels[:] = self.levels
        values = levels[data.argmax(1)]
        if self.categories is not None:
            values = pandas.Categorical(values, categories=self.categories, ordered=self.ordered)
            return pandas.Series(values, name=self.name)
        return pandas.Series(values, name=self.name, dtype=object).astype(self.dtype)


@dataclass
class EmptyColumn(Column):
    """No known cell at fit: zeros, never scored, and missing again on the way back."""

    kind: ClassVar[str] = "empty"

    def encode(self, cells: Any, notices: list[str]) -> tuple[np.ndarray, np.ndarray]:
        return np.zeros((len(cells), 1)), np.zeros(len(cells), bool)

    def invert(self, data: np.ndarray) -> Any:
        pandas = require("pandas", "table", "a table")
        return pandas.Series([None] * len(data), name=self.name, dtype=object).astype(self.dtype)


def ticks_per_second(dtype: str) -> int:
    """How many units of a date's dtype make a second."""
    return _TICKS[_unit(dtype)]


def ticks_of(cells: Any) -> tuple[np.ndarray, np.ndarray]:
    """A datetime Series as whole numbers of its unit (N,), and which cells are known (N,)."""
    known = cells.notna().to_numpy(bool)
    naive = cells if cells.dt.tz is None else cells.dt.tz_convert("UTC").dt.tz_localize(None)
    return naive.to_numpy().view(np.int64), known


def _unit(dtype: str) -> str:
    """The unit in the name of a date's dtype: 'us' of 'datetime64[us, UTC]'."""
    return dtype.partition("[")[2].partition("]")[0].partition(",")[0]


def step_of(ticks: np.ndarray, second: int) -> int:
    """The coarsest of day, hour, minute, second, ms, us that divides all ticks; 1 where none does."""
    for step in (86_400 * second, 3_600 * second, 60 * second, second, second // 10**3, second // 10**6):
        if step >= 1 and not (ticks % step).any():
            return step
    return 1


def _is_date(cells: Any) -> bool:
    pandas = require("pandas", "table", "a table")
    return bool(pandas.api.types.is_datetime64_any_dtype(cells.dtype))


def _text(cell: Any) -> str:
    if isinstance(cell, float) and cell.is_integer():
        return str(int(cell))
    return str(cell)


def _order(level: Any) -> tuple[str, Any]:
    return ("", level) if isinstance(level, int | float) else ("text", str(level))


def _check_plain(name: Any, categories: list[Any]) -> None:
    for category in categories:
        if not isinstance(category, str | int | float | bool):
            raise DataError(f"column {name!r} has categories of type {type(category).__name__}; turn them into text.")
