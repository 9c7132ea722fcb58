"""Cells of one column as numbers: reading, standardising, rounding back."""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np

from ..core.errors import DataError, require

_TOO_LARGE = 1e150
"""Beyond this the square of a value leaves the range of float64."""


def numbers(cells: Any) -> tuple[np.ndarray, np.ndarray]:
    """A Series as float64 (N,) and known (N,). Raises `DataError` for text, infinity or huge values."""
    pandas = require("pandas", "table", "a table")
    read = cells if pandas.api.types.is_numeric_dtype(cells.dtype) else pandas.to_numeric(cells, errors="coerce")
    values = read.to_numpy(np.float64, na_value=np.nan)
    known = ~np.isnan(values)
    refuse_unread(cells, ~known, "numbers were expected")
    with np.errstate(invalid="ignore"):
        wild = np.abs(values) > _TOO_LARGE
    if wild.any():
        row = int(wild.argmax())
        what = "infinity" if np.isinf(values[row]) else f"{values[row]:.3g}, too large to standardise,"
        raise DataError(f"column {cells.name!r} contains {what} at row {row}; correct the cell or leave it empty.")
    return values, known


def moments(values: np.ndarray) -> tuple[float, float, bool]:
    """Mean, standard deviation and whether all values are one; safe for tiny and large values.

    >>> moments(np.array([1.0, 3.0])), moments(np.array([0.1, 0.1, 0.1]))
    ((2.0, 1.0, False), (0.1, 1.0, True))
    """
    if values.min() == values.max():
        return float(values[0]), 1.0, True
    mean = float(values.mean())
    away = values - mean
    peak = float(np.abs(away).max())
    return mean, peak * float(np.sqrt(np.mean((away / peak) ** 2))), False


class Scale(Protocol):
    """What `standardise` must know of a column."""

    name: Any
    mean: float
    scale: float
    constant: bool


def standardise(values: np.ndarray, known: np.ndarray, column: Scale, notices: list[str]) -> np.ndarray:
    """``(values - mean) / scale`` (N, 1), zero where unknown or where the column was constant at fit."""
    away = np.where(known, values, column.mean) - column.mean
    if column.constant:
        if away.any():
            notices.append(f"column {column.name!r} was constant at fit; the other values it has now are not seen")
        away = np.zeros_like(away)
    return (away / column.scale)[:, None]


def as_integers(values: np.ndarray, room: np.iinfo) -> np.ndarray:
    """Rounded and clamped to an integer type's range, without overflow at its ends."""
    rounded = np.rint(np.nan_to_num(values))
    safe = np.clip(rounded, np.nextafter(float(room.min), 0), np.nextafter(float(room.max), 0))
    return np.rint(safe).astype(room.dtype)


def refuse_unread(cells: Any, unread: np.ndarray, expected: str) -> None:
    """Raise `DataError` naming the first cell that holds something and yet could not be read."""
    bad = unread & cells.notna().to_numpy(bool)
    if bad.any():
        row = int(bad.argmax())
        raise DataError(
            f"column {cells.name!r} holds {cells.iloc[row]!r} at row {row} where {expected}; "
            "correct the cell or leave it empty."
        )
