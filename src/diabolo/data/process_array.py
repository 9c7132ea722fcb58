"""Float arrays of any shape, taken as they are."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, OnePass, Processor, Spec, register
from ..core.errors import DataError
from .limits import check_finite
from .read_array import check_array

BOUNDED_SHARE = 0.02
"""Share of entries that must lie exactly on the lowest or highest value for data to count as bounded."""


@register("processor", "array")
class ArrayProcessor(Processor, OnePass):
    """Arrays (N, *S) of numbers as float32, without any scaling.

    Data of which at least 2 % of the entries lie exactly at its minimum or maximum (pixels, binary data) is
    taken to be bounded there, and the default loss is told so. ``low`` and ``high`` are those of the fit rows.
    Raises `DataError` naming row and column for NaN, infinity or a value too large for float32.

    >>> rows = np.array([[0.0, 1.0], [0.5, 0.25]])
    >>> array = ArrayProcessor().fit(rows)
    >>> array.shape, array.defaults()["loss"]
    ((2,), Spec('squared', low=0.0, high=1.0))
    >>> array.invert(array.collate(array.encode(rows)).target).tolist()
    [[0.0, 1.0], [0.5, 0.25]]
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()
        self.low, self.high, self.bounded = 0.0, 0.0, False

    def fit(self, rows: Any) -> Self:
        """Learn the shape and range of an array (N, *S) of at least one row."""
        return self.fit_parts([rows])

    def fit_parts(self, parts: Iterable[Any]) -> Self:
        """Learn the same from arrays that come one after the other."""
        lowest, highest, total = _Edge(np.less), _Edge(np.greater), 0
        for part in parts:
            x = _as_float32(part)
            lowest.add(x, float(x.min()))
            highest.add(x, float(x.max()))
            self._shape, total = x.shape[1:], total + x.size
        self.low, self.high = lowest.value, highest.value
        self.bounded = self.low < self.high and lowest.count + highest.count >= BOUNDED_SHARE * total
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows (N, *S) as ``x`` float32 (N, *S)."""
        x = _as_float32(rows)
        if x.shape[1:] != self._shape:
            raise DataError(_mismatch(x.shape[1:], self._shape))
        return {"x": torch.from_numpy(x)}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].float()
        return Batch(x, x)

    def invert(self, data: Tensor) -> np.ndarray:
        """Data (N, *S) as a float32 array."""
        return data.detach().cpu().float().numpy()

    def defaults(self) -> dict[str, Spec]:
        bounds = {"low": self.low, "high": self.high} if self.bounded else {}
        return {"loss": Spec("squared", **bounds)}

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self._shape

    def state(self) -> dict[str, Any]:
        return {"shape": list(self._shape), "low": self.low, "high": self.high, "bounded": self.bounded}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        made._shape = tuple(state["shape"])
        made.low, made.high, made.bounded = state["low"], state["high"], state["bounded"]
        return made


class _Edge:
    """The lowest (or highest) value of arrays that come in pieces, and how many entries lie on it."""

    def __init__(self, beyond: Callable[[float, float], Any]) -> None:
        self.beyond, self.value, self.count = beyond, 0.0, 0

    def add(self, x: np.ndarray, value: float) -> None:
        """Take up a piece whose own edge is ``value``."""
        if not self.count or self.beyond(value, self.value):
            self.value, self.count = value, 0
        self.count += int(np.count_nonzero(x == self.value))


def _as_float32(rows: Any) -> np.ndarray:
    array = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    if array.dtype == object:
        try:
            array = array.astype(np.float64)
        except (TypeError, ValueError) as error:
            raise DataError(f"Input X holds something that is no number: {error}; give an array of numbers.") from error
    check_array(array, "Input X")
    with np.errstate(over="ignore"):
        x = np.ascontiguousarray(array, dtype=np.float32)
    x = x if x.flags.writeable else x.copy()
    if x.dtype == array.dtype:
        return x
    try:
        check_finite(x)
    except DataError as error:
        raise DataError(str(error).replace("infinity", "a value too large for dtype('float32')")) from error
    return x


def _mismatch(given: tuple[int, ...], fitted: tuple[int, ...]) -> str:
    if len(given) == len(fitted) == 1:
        return f"X has {given[0]} features, but the model is expecting {fitted[0]} features as input."
    return f"rows have shape {given}, but the model is expecting {fitted}; give rows as they were at fit."
