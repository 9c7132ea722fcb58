"""Rows as a matrix of values that can be moved, and back as rows of the kind they were."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from scipy.sparse import issparse

from ..core import Processor, Windowed
from ..core.errors import UsageError, require
from ..data import OWN, Source, Stored, TableProcessor, is_frame
from ..data import open as open_source
from ..data.process_standardised import StandardisedProcessor
from ..data.read_array import check_array
from .reduce import entry_mask


@dataclass
class Cells:
    """What rows of a kind may hold: values in the range that was seen, whole numbers where all were whole.

        rows ──encode──▶ values (N, F), known (N, F) ──moved──▶ values ──decode──▶ rows

    ``processor`` reads the rows; ``low`` and ``high`` (F,) are the range seen, in encoded values; ``whole``: which
    columns (of a table, by place), or which values, were whole numbers though they are floats; ``dtype``: of an array.
    """

    processor: Processor
    low: ndarray
    high: ndarray
    whole: ndarray
    dtype: str = ""

    @classmethod
    def learn(cls, processor: Processor, rows: Any) -> Self:
        """From the rows of a fit. Raises `UsageError` for a kind of rows that cannot be moved value by value."""
        made = cls(processor, np.empty(0), np.empty(0), np.empty(0, bool), "" if is_frame(rows) else str(rows.dtype))
        values, known = made.encode(rows)
        none = ~known.any(0)
        made.low = np.where(none, 0.0, np.where(known, values, np.inf).min(0)).astype(np.float32)
        made.high = np.where(none, 0.0, np.where(known, values, -np.inf).max(0)).astype(np.float32)
        made.whole = _whole(rows)
        return made

    def encode(self, rows: Any) -> tuple[ndarray, ndarray]:
        """Values (N, F) float32 and whether each is known (N, F)."""
        batch = self.processor.collate(self.processor.encode(rows)).dense()
        if isinstance(self.processor, Windowed) or batch.mask is not None or not batch.target.is_floating_point():
            name = self.processor.part_name  # type: ignore[attr-defined]
            raise UsageError(
                f"rows of kind {name!r} cannot be made anew value by value; give a table, an array or pictures."
            )
        values = batch.target.flatten(1).numpy()
        known = entry_mask(batch, self.processor)
        return values, np.ones(values.shape, bool) if known is None else np.broadcast_to(
            known.reshape(len(values), -1), values.shape
        )

    def decode(self, values: ndarray, known: ndarray | None = None) -> Any:
        """Rows of the kind at fit from values (N, F), missing where they are not ``known``."""
        held = np.clip(values, self.low, self.high).astype(np.float32)
        rows = self.processor.invert(torch.from_numpy(held).unflatten(1, self.processor.target_shape))
        return self._frame(rows, known) if is_frame(rows) else self._array(rows, known)

    def _array(self, rows: ndarray, known: ndarray | None) -> ndarray:
        dtype = np.dtype(self.dtype)
        flat = rows.reshape(len(rows), -1)
        if dtype.kind in "iu" and flat.dtype.kind == "f":
            flat = np.rint(flat)
        elif self.whole.any():
            flat = np.where(self.whole, np.rint(flat), flat)
        if dtype.kind == "b":
            flat = flat >= 0.5
        if known is not None and not known.all():
            flat = np.where(known, flat, np.nan)
        made: ndarray = flat.reshape(rows.shape).astype(dtype)
        return made

    def _frame(self, rows: Any, known: ndarray | None) -> Any:
        spans = list(self.processor.slices.values()) if isinstance(self.processor, TableProcessor) else []
        for place, (name, span) in enumerate(zip(rows.columns, spans, strict=True)):
            if self.whole[place]:
                rows[name] = rows[name].round()
            if known is not None and not known[:, span.start].all():
                rows[name] = rows[name].where(known[:, span.start])
        return rows


def as_rows(X: Any) -> tuple[Any, Any]:
    """The rows of what was given, an array or a DataFrame, and the labels of its target column if it has one.

    Raises `UsageError` for rows that stay on disk, and for kinds that are neither tables, arrays nor pictures.
    """
    source = X if isinstance(X, Source) else open_source(X) if isinstance(X, str | Path) else None
    rows, y = (source.rows, source.target) if source is not None else (X, None)
    if isinstance(rows, Stored):
        raise UsageError(
            "new rows are made from rows in memory; these stay on disk: allow more (--memory) or take fewer."
        )
    if source is not None and source.modality in OWN:
        raise UsageError(f"rows of kind {source.modality!r} cannot be made anew; give a table, an array or pictures.")
    if is_frame(rows):
        return rows, y
    if issparse(rows):
        raise UsageError("a sparse matrix cannot be filled up with rows of its kind; give it dense: X.toarray().")
    rows = np.asarray(rows)
    if rows.dtype != object:
        check_array(rows, "Input X", allow_missing=True)
    return rows, y


def as_input(rows: Any) -> Any:
    """The same rows for an autoencoder: columns of an array in units of their own spread."""
    return Source(rows, "array", processor="standardised") if isinstance(rows, np.ndarray) and rows.ndim == 2 else rows


def cells_of(rows: Any) -> Cells:
    """Rows as cells, without a model."""
    processor = TableProcessor() if is_frame(rows) else StandardisedProcessor()
    return Cells.learn(processor.fit(rows), rows)


def joined(first: Any, second: Any) -> Any:
    """Rows of one kind after one another; the first ones come through untouched."""
    if not is_frame(first):
        return np.concatenate([first, second]) if len(second) else np.array(first)
    pandas = require("pandas", "table", "a table")

    if not len(second):
        return first.reset_index(drop=True)
    for name in second.columns.intersection(first.columns):
        if second[name].dtype.kind == "M" and first[name].dtype.kind != "M":  # dates that were given as texts
            known = second[name].notna()
            second[name] = second[name].astype(str).astype(object).where(known, None)
    return pandas.concat([first, second], ignore_index=True)


def _whole(rows: Any) -> ndarray:
    """Which columns of a frame, or values of an array, are floats that are all whole numbers."""
    if is_frame(rows):
        kinds = [rows[name].dtype.kind == "f" for name in rows]
        cells = [
            rows[name].to_numpy(np.float64, na_value=np.nan) for name, real in zip(rows, kinds, strict=True) if real
        ]
        found = np.zeros(len(kinds), bool)
        found[kinds] = [_all_whole(column) for column in cells]
        return found
    flat = rows.reshape(len(rows), -1)
    return _all_whole(flat) if flat.dtype.kind == "f" else np.zeros(flat.shape[1], bool)


def _all_whole(values: ndarray) -> Any:
    return ((values == np.rint(values)) | np.isnan(values)).all(0)
