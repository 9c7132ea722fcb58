"""A table as a generator takes it, the target among its columns, and rows from what a decoder says of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.special import ndtr
from sklearn.utils import check_array

from ..core.errors import DataError, UsageError, require
from ..data import Source, Stored, is_frame
from ..data import open as open_source

MOST_CLASSES = 50
GRID = ndtr(np.linspace(-4, 4, 129))
"""Shares at which two distributions are brought together: close where there are few rows."""


def as_table(X: Any, y: Any = None) -> tuple[Any, dict[str, Any]]:
    """A DataFrame of rows with y as one more column, and facts: of what kind rows and target were.

    Raises `DataError` for what is no table.
    """
    pandas = require("pandas", "table", "new rows of a table")
    source = open_source(X) if isinstance(X, str | Path) else X if isinstance(X, Source) else None
    rows = X if source is None else source.rows
    name = getattr(y, "name", None)
    if source is not None and y is None:
        y, name = source.target, source.target_name
    if isinstance(rows, Stored):
        raise DataError("new tables are learnt from rows in memory; give more of it (--memory), or fewer rows.")
    kind = "frame"
    if not is_frame(rows):
        rows = _checked(rows, source)
        kind = str(rows.dtype)
        columns = list(source.columns) if source is not None and source.columns else None
        rows = pandas.DataFrame(rows, columns=columns or [f"x{place}" for place in range(rows.shape[1])])
    if len(rows) < 2:
        raise DataError(f"an autoencoder learns from at least 2 rows; got {len(rows)} (n_samples={len(rows)}).")
    rows = rows.reset_index(drop=True)
    if y is None:
        return rows, {"rows": kind, "target": None}
    rows, target = _with_target(rows, pandas.Series(np.asarray(y)), "y" if name is None else name)
    return rows, {"rows": kind, "target": target}


def _checked(rows: Any, source: Source | None) -> ndarray:
    """Rows of an array as scikit-learn asks; NaN is a missing cell."""
    if source is not None and source.modality != "array":
        raise DataError(
            f"{source.origin or 'the rows'}: new tables are made of tables and arrays; these are {source.modality}."
        )
    try:
        return np.asarray(check_array(rows, dtype="numeric", ensure_all_finite="allow-nan", ensure_min_samples=2))
    except ValueError as error:
        raise DataError(str(error)) from error


def _with_target(rows: Any, y: Any, name: Any) -> tuple[Any, dict[str, Any]]:
    if len(y) != len(rows):
        raise DataError(f"y needs one entry a row; got {len(y)} for {len(rows)} rows.")
    if name in rows.columns:
        raise UsageError(f"the rows have a column {name!r} already; y must be called otherwise, or be left out.")
    types = require("pandas", "table", "a table").api.types
    whole = types.is_numeric_dtype(y.dtype) and not types.is_bool_dtype(y.dtype)
    few = y.nunique() <= MOST_CLASSES and bool((y.dropna() % 1 == 0).all()) if whole else True
    target = {"name": name, "classes": bool(few), "dtype": str(y.dtype) if whole and few else None}
    return rows.assign(**{str(name): y.astype("category") if target["dtype"] else y}), {**target, "name": str(name)}


def part(rows: Any, facts: dict[str, Any]) -> tuple[Any, Any]:
    """New rows as X and y, of the kinds given at fit; y None where there was none."""
    target, y = facts["target"], None
    if target is not None:
        y = rows[target["name"]].to_numpy()
        rows = rows.drop(columns=target["name"])
    return (rows if facts["rows"] == "frame" else rows.to_numpy(facts["rows"])), y


def settled(rows: Any, facts: dict[str, Any]) -> Any:
    """New rows with the classes of the target of the type they had."""
    target = facts["target"]
    if target is None or target["dtype"] is None or target["name"] not in rows.columns:
        return rows
    return rows.assign(**{target["name"]: rows[target["name"]].astype(target["dtype"])})


def ordered(cells: Any) -> bool:
    """Whether a column holds numbers or dates."""
    types = require("pandas", "table", "a table").api.types
    dates = types.is_datetime64_any_dtype(cells.dtype)
    return bool(dates or (types.is_numeric_dtype(cells.dtype) and not types.is_bool_dtype(cells.dtype)))


def as_numbers(cells: Any) -> ndarray:
    """Numbers or dates as float64 (N,), NaN where missing."""
    types = require("pandas", "table", "a table").api.types
    if types.is_datetime64_any_dtype(cells.dtype):
        return np.where(cells.isna(), np.nan, cells.astype("int64")).astype(np.float64)
    return np.asarray(cells.to_numpy(np.float64, na_value=np.nan))


@dataclass(frozen=True)
class Parts:
    """Where the parts of an encoded table lie: numbers, truth values, and categories by their width."""

    kinds: tuple[str, ...]
    widths: tuple[int, ...]
    gaps: tuple[int, ...]
    """Of each number the place that says that it is missing, -1 where none does."""

    @classmethod
    def of(cls, processor: Any) -> Parts:
        """The parts of a table read by rank."""
        listed = [part for codec in processor.codecs for part in codec.parts]
        begin = [span.start for span in processor.slices.values()]
        gaps = [b + 1 if len(codec.parts) > 1 else -1 for b, codec in zip(begin, processor.codecs, strict=True)
                if codec.parts[0][0] == "numeric"]  # fmt: skip
        return cls(tuple(kind for kind, _ in listed), tuple(int(width) for _, width in listed), tuple(gaps))

    def quantiles(self, rows: ndarray) -> ndarray:
        """Quantiles of every number (len(GRID), numbers) of encoded rows (n, F), over those that are not missing."""
        numbers = [
            rows[rows[:, gap] < 0.5, at] if gap >= 0 else rows[:, at]
            for at, gap in zip(self.numeric, self.gaps, strict=True)
        ]
        found = [np.quantile(line, GRID) if len(line) else np.zeros(len(GRID)) for line in numbers]
        return np.stack(found, 1).astype(np.float32) if found else np.zeros((len(GRID), 0), np.float32)

    def starts(self, kind: str) -> ndarray:
        """Where parts of a kind begin."""
        begin = np.cumsum([0, *self.widths[:-1]])
        return begin[[found == kind for found in self.kinds]]

    @property
    def numeric(self) -> ndarray:
        return self.starts("numeric")

    def drawn(self, data: ndarray, rest: ndarray, draw: np.random.Generator) -> ndarray:
        """Data-space rows (n, F) as one draw each: residuals added to means, truth values and categories drawn."""
        made = data.copy()
        made[:, self.numeric] += rest
        truth = self.starts("boolean")
        made[:, truth] = draw.random((len(data), len(truth))) < data[:, truth]
        wide = [(s, w) for s, w, k in zip(np.cumsum([0, *self.widths]), self.widths, self.kinds, strict=False)
                if k == "categorical"]  # fmt: skip
        for start, width in wide:
            shares = np.clip(data[:, start : start + width], 0, None).cumsum(1)
            place = (draw.random((len(data), 1)) * shares[:, -1:] > shares[:, :-1]).sum(1)
            made[:, start : start + width] = np.eye(width)[place]
        return made
