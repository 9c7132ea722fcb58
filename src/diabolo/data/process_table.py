"""Tables of numbers, truth values, categories and dates."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, OnePass, Processor, Spec, register
from ..core.errors import DataError, require
from .columns import (
    BooleanColumn,
    CategoricalColumn,
    Column,
    DateColumn,
    EmptyColumn,
    NumericColumn,
)
from .ranks import GapColumn, RankColumn, generative
from .record import left_out, match_columns
from .tally import TableTally

_KINDS: dict[str, type[Column]] = {
    kind.kind: kind
    for kind in (NumericColumn, BooleanColumn, CategoricalColumn, DateColumn, EmptyColumn, RankColumn, GapColumn)
}
_ISO = re.compile(r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,9})?)?(Z|[+-]\d{2}:?\d{2})?)?")


@register("processor", "table")
class TableProcessor(Processor, OnePass):
    """DataFrames of mixed columns, with missing cells, as one float32 row and back.

        numeric, date   standardised over the known cells at fit        1 value
        boolean         0 or 1                                          1 value
        categorical     one-hot                                         1 value a category (at most 256)

        target = [column | column | …] (N, F)      x = [target | missing? …] (N, F + indicators)

    A missing cell is not scored (``Batch.scored`` (B, columns) is False) and stands at its column's mean, a
    missing or unseen category at all zeros; where numeric, boolean or date cells were missing at fit the encoder
    also gets an indicator (1 = missing). Missing cells come back filled. ``notices`` tells what was out of the
    ordinary at `fit` and in the last `encode`.

    ``ranks``: for models that make new tables. Numbers and dates stand as normal scores of their ranks, so that any
    distribution is a normal one, and come back within the values at fit; missing cells are content and come back
    missing (``scored`` then has a column for each part). It needs all rows at `fit`.

    Raises `DataError` naming column, row (from 0) and value.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"size": [1.0, None, 3.0], "kind": ["a", "b", "a"], "n": [4, 5, 6]})
    >>> table = TableProcessor().fit(rows)
    >>> batch = table.collate(table.encode(rows))
    >>> table.shape, table.target_shape, batch.scored.tolist()[1]
    ((5,), (4,), [False, True, True])
    >>> table.invert(batch.target).to_dict("list")
    {'size': [1.0, 2.0, 3.0], 'kind': ['a', 'b', 'a'], 'n': [4, 5, 6]}
    """

    def __init__(self, ranks: bool = False) -> None:
        self.ranks = ranks
        self.codecs: list[Column] = []
        self.notices: list[str] = []
        self._at_fit: list[str] = []

    def fit(self, rows: Any) -> Self:
        """Learn each column's kind, scale and categories from a DataFrame of at least one row."""
        _check_frame(rows)
        self._at_fit = []
        self.codecs = [_codec(rows[name], self._at_fit) for name in rows.columns]
        if self.ranks:
            self.codecs = [generative(codec, rows[codec.name]) for codec in self.codecs]
        self.notices = list(self._at_fit)
        return self

    def fit_parts(self, parts: Iterable[Any]) -> Self:
        """Learn the same from DataFrames that come one after the other; the first tells what kind a column is."""
        if self.ranks:
            raise DataError("ranks need all rows in memory; give fewer rows, or more memory (--memory).")
        tally = TableTally(_codec)
        for part in parts:
            _check_frame(part)
            tally.add(part)
        self._at_fit = []
        self.codecs = tally.columns(self._at_fit)
        self.notices = list(self._at_fit)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """A DataFrame, columns matched by name, as ``x`` (N, F + indicators) and, if cells are missing, ``scored``."""
        _check_frame(rows)
        frame, extra = match_columns(rows, self.columns)
        self.notices = [*self._at_fit, *([left_out(extra)] if extra else [])]
        x = np.zeros((len(frame), self.shape[0]), np.float32)
        known = []
        flag = self.target_shape[0]
        for codec, span in zip(self.codecs, self.slices.values(), strict=True):
            values, found = codec.encode(frame[codec.name], self.notices)
            x[:, span] = values
            known.append(found.reshape(len(frame), -1))
            if codec.indicated:
                x[:, flag] = ~found
                flag += 1
        scored = np.concatenate(known, 1)
        tensors = {"x": torch.from_numpy(x)}
        if any(codec.missing for codec in self.codecs) or not scored.all():
            tensors["scored"] = torch.from_numpy(scored)
        return tensors

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].float()
        return Batch(x, x[:, : self.target_shape[0]], scored=tensors.get("scored"))

    def invert(self, data: Tensor) -> Any:
        """Data-space values (N, F), categories as probabilities, as a DataFrame of the columns and dtypes at fit."""
        pandas = require("pandas", "table", "a table")
        values = data.detach().cpu().double().numpy()
        if values.ndim != 2 or values.shape[1] != self.target_shape[0]:
            raise DataError(f"table values must have shape (N, {self.target_shape[0]}); got {values.shape}.")
        spans = self.slices.values()
        series = [codec.invert(values[:, span]) for codec, span in zip(self.codecs, spans, strict=True)]
        frame = pandas.concat(series, axis=1)
        frame.columns = pandas.Index(self.columns)
        return frame

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("mixed", columns=[part for codec in self.codecs for part in codec.parts])}

    @property
    def columns(self) -> list[Any]:
        """Names of the columns, in order."""
        return [codec.name for codec in self.codecs]

    @property
    def kinds(self) -> dict[Any, str]:
        """Column name -> 'numeric', 'boolean', 'categorical', 'date' or 'empty'."""
        return {codec.name: codec.shown for codec in self.codecs}

    @property
    def slices(self) -> dict[Any, slice]:
        """Column name -> its place among the F values of the target."""
        ends = np.cumsum([codec.width for codec in self.codecs]).tolist()
        return {c.name: slice(end - c.width, end) for c, end in zip(self.codecs, ends, strict=True)}

    @property
    def indicators(self) -> list[Any]:
        """Names of the columns with a missing-indicator, in the order they follow the target in ``x``."""
        return [codec.name for codec in self.codecs if codec.indicated]

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.target_shape[0] + len(self.indicators),)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (sum(codec.width for codec in self.codecs),)

    def state(self) -> dict[str, Any]:
        return {"columns": [codec.state() for codec in self.codecs]}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        for column in state["columns"]:
            fields = dict(column)
            made.codecs.append(_KINDS[fields.pop("kind")](**fields))
        return made


def is_iso_dates(cells: Any) -> bool:
    """Whether every known cell of a Series of texts is an ISO 8601 date.

    >>> import pandas as pd
    >>> is_iso_dates(pd.Series(["2014-07-01 00:30:00", None])), is_iso_dates(pd.Series(["2014-07"]))
    (True, False)
    """
    pandas = require("pandas", "table", "a table")
    known = cells.dropna()
    if known.empty or not all(_ISO.fullmatch(text) for text in known.head(20)):
        return False
    if not known.astype("string").str.fullmatch(_ISO.pattern).all():
        return False
    return bool(pandas.to_datetime(known, errors="coerce", format="ISO8601", utc=True).notna().all())


def parse_dates(cells: Any) -> Any:
    """A Series of ISO 8601 texts or of date objects as datetime64, in UTC where any names a time zone."""
    pandas = require("pandas", "table", "a table")
    known = cells.dropna()
    zoned = any(isinstance(cell, str) and re.search(r"(Z|[+-]\d{2}:?\d{2})$", cell[10:]) for cell in known)
    texts = isinstance(known.iloc[0], str)
    return pandas.to_datetime(cells, format="ISO8601" if texts else None, utc=zoned)


def _check_frame(rows: Any) -> None:
    pandas = require("pandas", "table", "a table")
    if not isinstance(rows, pandas.DataFrame):
        raise DataError(f"a table is needed (pandas.DataFrame); got {type(rows).__name__}.")
    if not len(rows) or not len(rows.columns):
        raise DataError(f"the table is empty: {len(rows)} rows, {len(rows.columns)} columns.")
    twice = rows.columns[rows.columns.duplicated()]
    if len(twice):
        raise DataError(f"column {twice[0]!r} appears more than once; give every column its own name.")
    odd = [name for name in rows.columns if not isinstance(name, str | int)]
    if odd:
        raise DataError(f"column name {odd[0]!r} is neither text nor a whole number; rename the column.")


def _codec(cells: Any, notices: list[str]) -> Column:
    """The codec for a column, by its dtype and, where that says little, by its cells."""
    types = require("pandas", "table", "a table").api.types
    dtype = str(cells.dtype)
    if not cells.notna().any():
        notices.append(f"column {cells.name!r} is empty: it has no known cell")
        return EmptyColumn(cells.name, dtype if dtype != "category" else "object", True)
    if types.is_bool_dtype(cells.dtype) and dtype != "category":
        return BooleanColumn.fit(cells, dtype)
    if types.is_numeric_dtype(cells.dtype) and not types.is_complex_dtype(cells.dtype):
        return NumericColumn.fit(cells, dtype)
    if types.is_datetime64_any_dtype(cells.dtype):
        return DateColumn.fit(cells, dtype)
    if dtype == "category":
        return CategoricalColumn.fit(cells, dtype, notices)
    return _codec_of_objects(cells, dtype, notices)


def _codec_of_objects(cells: Any, dtype: str, notices: list[str]) -> Column:
    found = require("pandas", "table", "a table").api.types.infer_dtype(cells, skipna=True)
    if found == "boolean":
        return BooleanColumn.fit(cells, dtype)
    if found in ("integer", "floating", "mixed-integer-float", "decimal"):
        return NumericColumn.fit(cells, "int64" if found == "integer" and not cells.hasnans else "float64")
    if found in ("datetime", "datetime64", "date") or (found == "string" and is_iso_dates(cells)):
        dates = parse_dates(cells)
        notices.append(f"column {cells.name!r} holds dates as {found}; they come back as {dates.dtype}")
        return DateColumn.fit(dates, str(dates.dtype))
    if found == "string":
        return CategoricalColumn.fit(cells, dtype, notices)
    known = cells.dropna()
    kinds = known.map(lambda cell: type(cell).__name__)
    usual = kinds.mode().iloc[0]
    odd = kinds[kinds != usual]
    first = known.loc[odd.index[0]] if len(odd) else known.iloc[0]
    raise DataError(
        f"column {cells.name!r} holds cells of type {', '.join(sorted(kinds.unique())[:4])} "
        f"(for example {first!r}); a column must be all numbers, truth values, texts or dates. "
        f"Convert it, or --exclude {cells.name}"
    )
