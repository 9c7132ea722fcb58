"""Tables in and out of an imputer: whatever was given as a DataFrame, and the filled cells back where they belong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from sklearn.utils.validation import validate_data

from ..core.errors import DataError, require
from ..data import Source, Stored, TableProcessor, align, is_frame
from ..data import open as open_source

MOST_ROWS = 100_000
"""Rows on disk that are learnt from."""


def given_rows(X: Any) -> Any:
    """The rows of what was given: a DataFrame or an array. Raises `DataError` for rows that are no table."""
    X = open_source(X, allow_missing=True) if isinstance(X, str | Path) else X
    rows = X.rows if isinstance(X, Source) else X
    if isinstance(rows, Stored):
        rows = rows.sample(MOST_ROWS).rows
    if is_frame(rows):
        return rows
    kind = X.modality if isinstance(X, Source) else "array"
    if kind not in ("array", "table") or (isinstance(rows, np.ndarray) and rows.ndim > 2):
        raise DataError(f"missing values are filled in tables, rows of columns; {kind} rows are none.")
    return rows


def as_frame(model: Any, X: Any, rows: Any, *, fitting: bool) -> Any:
    """Rows as a DataFrame with the columns of the model, numbered where they have no names, and rows from 0.

    Raises `DataError` for rows that scikit-learn's checks refuse, or that hold columns other than at fit.
    """
    pandas = require("pandas", "table", "missing values")
    try:
        if is_frame(rows):
            if isinstance(X, Source) and not fitting:
                rows = align(Source(rows, "table"), model.processor_.columns).rows
            validate_data(model, rows, skip_check_array=True, reset=fitting)
            frame = rows.reset_index(drop=True)
        else:
            frame = pandas.DataFrame(_checked(model, rows, fitting)).infer_objects()
    except ValueError as error:
        raise DataError(str(error)) from error
    if not fitting:
        frame.columns = pandas.Index(model.processor_.columns)
    return frame


def _checked(model: Any, rows: Any, fitting: bool) -> Any:
    """An array (N, F) as scikit-learn checks it: of floats, or of objects where it holds texts."""
    objects = np.asarray(rows).dtype.kind in "OUS" if not isinstance(rows, np.ndarray) else rows.dtype.kind in "OUS"
    kinds = object if objects else [np.float64, np.float32]
    least = 2 if fitting else 1
    return validate_data(
        model, rows, dtype=kinds, ensure_all_finite="allow-nan", reset=fitting, ensure_min_samples=least
    )


def completed(rows: Any, frame: Any, filled: Any) -> Any:
    """The rows as they were given, of the same kind and dtype, with the cells that are missing taken from ``filled``.

    ``frame`` and ``filled`` are DataFrames of the model's columns. Observed cells are the same to the bit.
    """
    if not is_frame(rows):
        return _completed_array(rows, frame, filled)
    out = rows.copy()
    for place, name in enumerate(rows.columns):
        gone = rows[name].isna().to_numpy()
        if gone.any():
            said = filled.iloc[:, place].set_axis(rows.index)
            out[name] = _completed_column(rows[name].copy(), said, gone)
    return out


def _completed_array(rows: Any, frame: Any, filled: Any) -> Any:
    gone = frame.isna().to_numpy()
    out = np.array(rows, copy=True)
    if out.dtype.kind not in "fOUS":
        out = out.astype(np.float64)
    for place in np.flatnonzero(gone.any(0)):
        out[gone[:, place], place] = filled.iloc[:, place].to_numpy()[gone[:, place]]
    return out


def _completed_column(column: Any, said: Any, gone: Any) -> Any:
    types = require("pandas", "table", "missing values").api.types
    if types.is_datetime64_any_dtype(said.dtype) and not types.is_datetime64_any_dtype(column.dtype):
        texts = isinstance(column[~gone].iloc[0], str) if (~gone).any() else False
        said = said.astype(str) if texts else said.astype(object)
    if column.dtype == "category":
        column = column.cat.add_categories([level for level in said.unique() if level not in column.cat.categories])
    if types.is_integer_dtype(column.dtype) and types.is_float_dtype(said.dtype):
        said = said.round()
    column[gone] = said[gone].astype(column.dtype) if column.dtype != object else said[gone].astype(object)
    return column


def columns_of(frame: Any) -> TableProcessor:
    """What each column of a DataFrame is: its kind, scale and categories."""
    return TableProcessor().fit(frame)
