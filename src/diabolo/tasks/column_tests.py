"""Which columns differ between two samples: a test of each, corrected for their number, and the change in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import require
from ..data import TableProcessor, is_frame
from ..data.process_table import parse_dates
from ..estimators.base import BaseAutoencoder
from . import two_sample
from .two_sample import Finding

CODES = 64
"""Values of a code that are tested one by one."""
Row = tuple[str, str, Finding, str]
"""Name, kind, what the test found, the change in words."""


@dataclass(frozen=True)
class ColumnDrift:
    """One column of the data, or value of the code.

    kind      'numeric', 'date', 'categorical', 'missing' (the share of empty cells) or 'code'
    effect    from 0 to 1: the largest gap of the cumulative shares (numbers), or Cramer's V (categories)
    p_value   of this column alone; ``adjusted``: corrected for the number of columns
    change    in words: 'mean 3.1 -> 4.2'
    """

    name: str
    kind: str
    effect: float
    p_value: float
    adjusted: float
    change: str


def of_windows(pooled: ndarray, labels: ndarray) -> list[ColumnDrift]:
    """The values of the code with the largest spread, windows permuted as their codes are."""
    kept = _largest(pooled)
    found, adjusted = two_sample.numbers_permuted(pooled[:, kept], labels)
    first = labels[0]
    return [
        ColumnDrift(f"z{place}", "code", test.effect, test.p_value, float(p), _means(values[first], values[~first]))
        for place, test, p, values in zip(kept, found, adjusted, pooled[:, kept].T, strict=True)
    ]


def of_codes(codes: Sequence[ndarray]) -> list[ColumnDrift]:
    """The values of the code with the largest spread."""
    kept = _largest(codes[0])
    return _corrected([_number(f"z{place}", "code", codes[0][:, place], codes[1][:, place]) for place in kept])


def _largest(codes: ndarray) -> list[int]:
    return sorted(np.argsort(-codes.std(0), kind="stable")[:CODES].tolist())


def of_columns(model: BaseAutoencoder, sides: Sequence[Any]) -> list[ColumnDrift]:
    """Every column of a table, or of rows of plain numbers; none for other kinds."""
    processor = model.processor_
    if all(is_frame(side) for side in sides) and isinstance(processor, TableProcessor):
        cells = [(str(name), kind, sides[0][name], sides[1][name]) for name, kind in processor.kinds.items()]
        return _corrected([row for column in cells for row in _tests_of(*column)])
    if not all(isinstance(side, np.ndarray) and side.ndim == 2 for side in sides):
        return []
    known = vars(model).get("metrics_", {}).get("data", {}).get("columns")
    names = vars(model).get("feature_names_in_", known)
    named = [f"x{place}" for place in range(sides[0].shape[1])] if names is None else [str(name) for name in names]
    first, second = (np.asarray(side, np.float64).T for side in sides)
    return _corrected([row for name, a, b in zip(named, first, second, strict=True) for row in _numeric(name, a, b)])


def _tests_of(name: str, kind: str, a: Any, b: Any) -> list[Row]:
    """The tests of one column of a table."""
    if kind == "numeric":
        numbers = require("pandas", "table", "a table").to_numeric
        return _numeric(name, *(numbers(cells).to_numpy("float64", na_value=np.nan) for cells in (a, b)))
    if kind == "date":
        return _numeric(name, _seconds(a), _seconds(b), "date")
    return [_category(name, a, b)]


def _seconds(cells: Any) -> ndarray:
    """Dates as seconds since 1970, NaN where there is none."""
    dates = parse_dates(cells)
    naive = dates if dates.dt.tz is None else dates.dt.tz_convert("UTC").dt.tz_localize(None)
    seconds = naive.to_numpy("datetime64[us]").astype(np.int64) / 1e6
    return np.where(dates.isna().to_numpy(bool), np.nan, seconds)


def _numeric(name: str, a: ndarray, b: ndarray, kind: str = "numeric") -> list[Row]:
    """A test of the known numbers, and one of the share of missing ones where some are."""
    empty = [np.isnan(values) for values in (a, b)]
    found = [_number(name, kind, a[~empty[0]], b[~empty[1]])]
    if any(missing.any() for missing in empty):
        counts = [np.array([missing.sum(), (~missing).sum()]) for missing in empty]
        shares = [float(missing.mean()) for missing in empty]
        found.append((name, "missing", two_sample.categories_test(*counts), f"missing {_per_cent(*shares)}"))
    return found


def _number(name: str, kind: str, a: ndarray, b: ndarray) -> Row:
    return name, kind, two_sample.numbers_test(a, b), _means(a, b, kind == "date")


def _means(a: ndarray, b: ndarray, dates: bool = False) -> str:
    if not len(a) or not len(b):
        return "no values on one side"
    if dates:
        means = [np.datetime64(int(values.mean()), "s").astype("datetime64[D]") for values in (a, b)]
        return f"mean {means[0]} -> {means[1]}"
    spreads = [float(values.std()) for values in (a, b)]
    return f"mean {a.mean():.3g} -> {b.mean():.3g}, spread {spreads[0]:.3g} -> {spreads[1]:.3g}"


def _category(name: str, a: Any, b: Any) -> Row:
    """A test of the counts; an empty cell is a category too."""
    counts = [cells.astype(object).where(cells.notna(), None).value_counts(dropna=False) for cells in (a, b)]
    texts = [{_said(level): int(count) for level, count in found.items()} for found in counts]
    levels = sorted(set(texts[0]) | set(texts[1]))
    first, second = (np.array([found.get(level, 0) for level in levels]) for found in texts)
    shares = first / first.sum(), second / second.sum()
    most = int(np.abs(shares[1] - shares[0]).argmax())
    change = f"{levels[most]} {_per_cent(float(shares[0][most]), float(shares[1][most]))}"
    return name, "categorical", two_sample.categories_test(first, second), change


def _said(level: Any) -> str:
    return "missing" if level is None or level != level else repr(level) if isinstance(level, str) else str(level)


def _per_cent(before: float, after: float) -> str:
    return f"{100 * before:.3g} % -> {100 * after:.3g} %"


def _corrected(rows: list[Row]) -> list[ColumnDrift]:
    adjusted = two_sample.holm(np.array([test.p_value for _, _, test, _ in rows]))
    return [
        ColumnDrift(name, kind, test.effect, test.p_value, float(p), change)
        for (name, kind, test, change), p in zip(rows, adjusted, strict=True)
    ]
