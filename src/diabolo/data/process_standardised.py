"""Arrays whose columns differ in scale."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, OnePass, Processor, Spec, register
from ..core.errors import DataError
from .read_array import check_array
from .record import Source

LEAST = 1e-6
"""Values that vary by less than this share of their size count as constant: they keep their unit."""


@register("processor", "standardised")
class StandardisedProcessor(Processor, OnePass):
    """Arrays (N, *S) of numbers, each of the S values in units of its own spread over the rows; NaN is a missing cell.

        x = target = (value - mean) / standard deviation

    Array columns may differ in scale a thousandfold (metres, euros), and a squared error would see the largest alone. A
    value that was constant at fit keeps its unit, so that another one there is seen. A missing cell stands at its
    column's mean and is not scored; it comes back filled. Asked for by
    ``Source(rows, "array", processor="standardised")``.

    Raises `DataError` for infinity, a column without a known cell, and rows of another shape.

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
        return self.fit_parts([rows])

    def fit_parts(self, parts: Iterable[Any]) -> Self:
        """Learn the same from arrays that come one after the other (Chan, Golub & LeVeque 1983, equation 2.1)."""
        count: np.ndarray = np.zeros(())
        mean, squares = count, count
        for part in parts:
            values = _checked(part)
            known = ~np.isnan(values)
            new = known.sum(0)
            held = np.where(known, values, 0.0)
            here = held.sum(0) / np.maximum(new, 1)
            away, total = here - mean, np.maximum(count + new, 1)
            inside = np.square(np.where(known, held - here, 0.0)).sum(0)
            squares = squares + inside + np.square(away) * count * new / total
            mean, count = mean + away * new / total, count + new
        if not count.all():
            raise DataError(f"column {int((count == 0).argmax())} has no known cell; leave it out.")
        spread = np.sqrt(squares / count)
        self.mean, self.scale = mean, np.where(spread > LEAST * np.abs(mean), spread, 1.0)
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
    array = _numbers(np.asarray(rows.rows if isinstance(rows, Source) else rows))
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
