"""Float arrays with every entry brought to mean 0 and standard deviation 1."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Spec, register
from .process_array import ArrayProcessor
from .record import Source

LEAST = 1e-6
"""Entries that vary by less than this share of their size count as constant: they keep their unit."""


@register("processor", "standardised")
class StandardProcessor(ArrayProcessor):
    """Arrays (N, *S) of numbers, every entry by its own mean and standard deviation at fit.

        x ──(x - mean) / scale──▶ network ──scale · recon + mean──▶ x

    For columns in units of their own (metres, euros), where what is far off must not depend on the unit. An entry
    that was constant at fit keeps its unit, so that another value there is seen. Asked for by
    ``Source(rows, "array", processor="standardised")``.

    >>> rows = np.array([[1.0, 500.0], [3.0, 700.0]])
    >>> standard = StandardProcessor().fit(rows)
    >>> standard.encode(rows)["x"].tolist()
    [[-1.0, -1.0], [1.0, 1.0]]
    >>> standard.invert(standard.encode(rows)["x"]).tolist()
    [[1.0, 500.0], [3.0, 700.0]]
    """

    def __init__(self) -> None:
        super().__init__()
        self.mean: np.ndarray = np.zeros(0)
        self.scale: np.ndarray = np.zeros(0)

    def fit(self, rows: Any) -> Self:
        return self.fit_parts([_rows(rows)])

    def fit_parts(self, parts: Iterable[Any]) -> Self:
        """Learn means and scales from arrays that come one after the other, without a loss of digits."""
        count, mean, squares = 0, np.zeros(1), np.zeros(1)

        def counted() -> Iterable[Any]:
            nonlocal count, mean, squares
            for part in parts:
                x = np.asarray(part, dtype=np.float64)
                yield part  # checked by whoever takes it
                away = x.mean(0) - mean
                total = count + len(x)
                squares = squares + x.var(0) * len(x) + np.square(away) * (count * len(x) / total)
                mean, count = mean + away * (len(x) / total), total

        super().fit_parts(counted())
        spread = np.sqrt(squares / count)
        self.mean, self.scale = mean, np.where(spread > LEAST * np.abs(mean), spread, 1.0)
        self.scale[self.scale == 0] = 1.0
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows (N, *S) as ``x`` float32 (N, *S), in standard units."""
        checked = super().encode(_rows(rows))["x"]
        exact = np.asarray(_rows(rows), dtype=np.float64).reshape(checked.shape)
        return {"x": torch.from_numpy(((exact - self.mean) / self.scale).astype(np.float32))}

    def invert(self, data: Tensor) -> np.ndarray:
        """Data (N, *S) in standard units as a float32 array in the units at fit."""
        return (data.detach().cpu().double().numpy() * self.scale + self.mean).astype(np.float32)

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared")}

    def state(self) -> dict[str, Any]:
        return {"shape": list(self._shape), "mean": self.mean.tolist(), "scale": self.scale.tolist()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        made._shape = tuple(state["shape"])
        made.mean, made.scale = np.array(state["mean"]), np.array(state["scale"])
        return made


def _rows(rows: Any) -> Any:
    return rows.rows if isinstance(rows, Source) else rows
