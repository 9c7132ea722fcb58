"""What y says of the rows: classes or numbers, some of them unknown."""

from __future__ import annotations

from collections.abc import Sized
from typing import Any, Self

import numpy as np
import torch
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets
from torch import Tensor
from torch.nn import functional

from ..core.errors import DataError, UsageError

UNKNOWN = -1
"""scikit-learn's mark of an unlabelled row; None, NaN and the empty text say the same."""


class Labels:
    """Classes as indices, or numbers as standardised columns, and back.

    ``numeric``: numbers (N,) or (N, K), NaN where unknown; else classes of any kind, unknown where -1 (beside other
    whole numbers), None, NaN or "".

    Raises `DataError` if no label is known, or a class was not there at `fit`.

    >>> labels = Labels().fit(["cat", "dog", None, "cat"])
    >>> labels.encode(["dog", ""]).tolist(), labels.decode(torch.tensor([1, 0])).tolist()
    ([1, -1], ['dog', 'cat'])
    """

    def __init__(self, numeric: bool = False) -> None:
        self.numeric = numeric
        self.classes: np.ndarray = np.empty(0)
        self.mean = self.scale = np.zeros(0, np.float32)
        self.flat = True

    @property
    def size(self) -> int:
        """Number of classes, or of columns."""
        return len(self.mean) if self.numeric else len(self.classes)

    def fit(self, y: Any) -> Self:
        """Learn the classes, or the mean and spread of the numbers."""
        if self.numeric:
            values = _numbers(y)
            self.flat = np.ndim(y) == 1
            if not np.isfinite(values).any(0).all():
                raise DataError("y holds no known number in some column; give at least one.")
            self.mean = np.nanmean(values, 0)
            spread = np.nanstd(values, 0)
            self.scale = np.where(spread > 0, spread, 1.0).astype(np.float32)
            return self
        values, known = _classes(y)
        if not known.any():
            raise DataError("y holds no known class: every entry is -1, None, NaN or empty.")
        self.classes = np.unique(values[known])
        return self

    def encode(self, y: Any) -> Tensor:
        """Class indices (N,) long, -1 unknown; or standardised numbers (N, K) float32, NaN unknown."""
        if self.numeric:
            return torch.from_numpy((_numbers(y) - self.mean) / self.scale)
        values, known = _classes(y)
        place = np.full(len(values), UNKNOWN)
        at = np.searchsorted(self.classes, values[known]).clip(max=len(self.classes) - 1)
        strange = self.classes[at] != values[known]
        if strange.any():
            raise DataError(
                f"y holds {values[known][strange][0].item()!r}, a class that was not there at fit; "
                f"known: {', '.join(map(str, self.classes[:20]))}."
            )
        place[known] = at
        return torch.from_numpy(place)

    def one_hot(self, index: Tensor) -> Tensor:
        """(N, C) float32; a row of zeros where the class is unknown."""
        hot = functional.one_hot(index.clamp_min(0), self.size).float()
        return hot * (index >= 0)[:, None]

    def decode(self, given: Tensor) -> np.ndarray:
        """Classes from indices (N,), or numbers in y's units from (N, K)."""
        if self.numeric:
            values = given.numpy() * self.scale + self.mean
            return values[:, 0] if self.flat else values
        return self.classes[given.numpy()]

    def state(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {
            "numeric": self.numeric, "classes": self.classes.tolist(), "dtype": str(self.classes.dtype),
            "mean": self.mean.tolist(), "scale": self.scale.tolist(), "flat": self.flat,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(state["numeric"])
        made.classes = np.asarray(state["classes"], dtype=np.dtype(state["dtype"]))
        made.mean, made.scale = (np.asarray(state[name], dtype=np.float32) for name in ("mean", "scale"))
        made.flat = state["flat"]
        return made


def checked_classes(y: Any) -> Any:
    """Classes of a classifier: one column, and no continuous numbers. Raises as scikit-learn does."""
    values = column_or_1d(y, warn=True)
    if values.dtype.kind == "f":
        if np.isinf(values).any():
            raise DataError("Input y contains infinity or a value too large for dtype('float64').")
        check_classification_targets(values[np.isfinite(values)])
    return values


def beside(labels: Labels | None, role: str | None, y: Any, rows: int) -> dict[str, Tensor]:
    """The tensors that stand beside the data: ``label``, or ``cond`` (one-hot) where both sides are told."""
    if role is None or labels is None:
        return {}
    if y is None:
        raise UsageError(
            "this model requires y to be passed, but the target y is None; give y to fit (unknown ones as -1 or NaN), "
            "or --target."
        )
    y = y if isinstance(y, Sized) else np.asarray(y)
    if len(y) != rows:
        raise DataError(f"there are {len(y)} labels for {rows} rows; give one for each row.")
    encoded = labels.encode(y)
    return {"cond": labels.one_hot(encoded)} if role == "cond" else {"label": encoded}


def _numbers(y: Any) -> np.ndarray:
    try:
        values = np.asarray(y, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"y must be numbers here: {error}.") from error
    if values.ndim not in (1, 2) or np.isinf(values).any():
        raise DataError(f"y must be finite numbers of shape (N,) or (N, K); got shape {values.shape}.")
    return values.reshape(len(values), -1)


def _classes(y: Any) -> tuple[np.ndarray, np.ndarray]:
    """Values (N,) of one plain type, and which are known."""
    values = np.asarray(y)
    if values.ndim == 2 and values.shape[1] == 1:
        values = values[:, 0]
    if values.ndim != 1:
        raise DataError(f"y must hold one class a row, shape (N,); got shape {values.shape}.")
    if values.dtype.kind in "OUST":
        known = np.array([v is not None and v == v and str(v) != "" for v in values], dtype=bool)
        texts = np.array([str(v) if there else "" for v, there in zip(values, known, strict=True)])
        return texts, known
    if values.dtype.kind == "f":
        known = np.isfinite(values)
        return values, known
    if values.dtype.kind == "b":
        return values, np.ones(len(values), dtype=bool)
    return values, values != UNKNOWN
