"""Arrays whose columns differ in scale."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError
from .read_array import check_array


@register("processor", "standardised")
class StandardisedProcessor(Processor):
    """Arrays (N, *S) of numbers, each of the S values in units of its own spread over the rows; NaN is a missing cell.

        x = target = (value - mean) / standard deviation        a constant value is all zeros

    Array columns may differ in scale a thousandfold, and a squared error would see the largest alone. A missing cell
    stands at its column's mean and is not scored; it comes back filled. Raises `DataError` for infinity, a column
    without a known cell, and rows of another shape.

    >>> rows = np.array([[1.0, 1000.0], [3.0, np.nan], [5.0, 3000.0]])
    >>> made = StandardisedProcessor().fit(rows)
    >>> batch = made.collate(made.encode(rows))
    >>> batch.scored.tolist()[1], made.invert(batch.target).round(3).tolist()
    ([True, False], [[1.0, 1000.0], [3.0, 2000.0], [5.0, 3000.0]])
    """

    def __init__(self) -> None:
        self.mean = self.scale = np.zeros(0)

    def fit(self, rows: Any) -> Self:
        """Learn mean and spread of every value from an array (N, *S) of at least one row."""
        values = _checked(rows)
        unknown = np.isnan(values).all(0)
        if unknown.any():
            raise DataError(f"column {int(unknown.argmax())} has no known cell; leave it out.")
        self.mean, spread = np.nanmean(values, 0), np.nanstd(values, 0)
        floor = 1e-12 * np.abs(self.mean)
        self.scale = np.where(spread > floor, spread, 1.0)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows (N, *S) as ``x`` float32 and, if cells are missing, ``scored`` (N, *S)."""
        values = _checked(rows)
        if values.shape[1:] != self.mean.shape:
            raise DataError(f"rows have shape {values.shape[1:]}, but the model is expecting {self.mean.shape}.")
        known = ~np.isnan(values)
        away = (np.where(known, values, self.mean) - self.mean) / self.scale
        tensors = {"x": torch.from_numpy(away.astype(np.float32))}
        if not known.all():
            tensors["scored"] = torch.from_numpy(known)
        return tensors

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        return Batch(tensors["x"], tensors["x"], scored=tensors.get("scored"))

    def invert(self, data: Tensor) -> np.ndarray:
        """Data (N, *S) as a float64 array in the columns' own units."""
        values: np.ndarray = data.detach().cpu().double().numpy() * self.scale + self.mean
        return values

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared")}

    @property
    def shape(self) -> tuple[int, ...]:
        return tuple(self.mean.shape)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        return {"mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        made.mean, made.scale = np.asarray(state["mean"]), np.asarray(state["scale"])
        return made


def _checked(rows: Any) -> np.ndarray:
    array = _numbers(np.asarray(rows))
    check_array(array, "Input X", allow_missing=True)
    return array.astype(np.float64)


def _numbers(array: np.ndarray) -> np.ndarray:
    """An array of objects as float64; any other as it is. Raises `DataError` for what is no number."""
    if array.dtype != object:
        return array
    try:
        return array.astype(np.float64)
    except (TypeError, ValueError) as error:
        raise DataError(f"Input X holds something that is no number: {error}; give an array of numbers.") from error
