"""Interactions of users with items: sparse rows from file to loss."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from scipy.sparse import csr_matrix, issparse
from torch import Tensor

from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError, out_of_range
from ..core.sparse import csr, row_sums
from .limits import check_finite
from .sparse import SparseRows

VALUES = ("implicit", "rating", "counts")


@register("processor", "interactions")
class InteractionProcessor(Processor):
    """Users x items, a scipy sparse matrix or an array (N, M), of which only the interactions are held.

        implicit   x = 1 / sqrt(items of the user) at the items, target = 1 there     loss multinomial
        rating     x = target = rating - mean, scored at the rated items alone        loss squared
        counts     x = log(1 + count) of unit length, target = count                  loss multinomial

    ``x`` and ``target`` of a batch are sparse tensors (torch CSR), so that memory and time grow with the interactions.
    ``invert`` gives float32 scores (N, M): the expected counts, or ratings.

    Parameters
    ----------
    values : "implicit" (every interaction that is not 0 counts as 1), "rating" (the values stored are learnt) or
        "counts" (how often: words of a text).
    at_least : interactions below this value are left out, such as 4 of 5 stars; None: none are.

    Raises `DataError` for NaN or infinity, negative counts, other items than at fit, or no interaction at all.

    Reference: Liang, Krishnan, Hoffman & Jebara (2018), "Variational autoencoders for collaborative filtering";
    Sedhain, Menon, Sanner & Xie (2015), "AutoRec: autoencoders meet collaborative filtering", for ratings.

    >>> processor = InteractionProcessor(at_least=4).fit(csr_matrix([[5.0, 0.0, 4.0], [2.0, 4.0, 0.0]]))
    >>> batch = processor.collate(processor.encode(csr_matrix([[5.0, 3.0, 4.0]])))
    >>> batch.target.to_dense().tolist(), batch.x.to_dense().round(decimals=3).tolist()
    ([[1.0, 0.0, 1.0]], [[0.7070000171661377, 0.0, 0.7070000171661377]])
    """

    def __init__(self, values: str = "implicit", at_least: float | None = None) -> None:
        if values not in VALUES:
            raise out_of_range("values", "'implicit', 'rating' or 'counts'", values)
        self.values, self.at_least = values, None if at_least is None else float(at_least)
        self.width, self.mean = 0, 0.0

    def fit(self, rows: Any) -> Self:
        """Take the number of items, and the mean rating."""
        matrix = self._matrix(rows)
        if not matrix.nnz:
            asked = "" if self.at_least is None else f" at a value of at least {self.at_least:g}"
            raise DataError(f"{matrix.shape[0]} users have no interaction{asked}; there is nothing to learn.")
        self.width = int(matrix.shape[1])
        self.mean = float(matrix.data.mean(dtype=np.float64)) if self.values == "rating" else 0.0
        return self

    def encode(self, rows: Any) -> dict[str, Any]:
        """Rows (N, M) as ``x``, `SparseRows` of the values the loss sees."""
        matrix = self._matrix(rows)
        if matrix.shape[1] != self.width:
            raise DataError(
                f"X has {matrix.shape[1]} features, but the model is expecting {self.width} features as input; items "
                "are matched by name where rows are read with open(path, columns=ITEMS)."
            )
        if self.values == "rating":
            matrix.data = matrix.data - np.float32(self.mean)
        if self.values == "implicit":
            matrix.data = np.ones_like(matrix.data)
        return {"x": SparseRows.of(matrix)}

    def collate(self, tensors: dict[str, Any]) -> Batch:
        held: SparseRows = tensors["x"]
        offsets, values = held.offsets.int(), held.values
        target = csr(offsets, held.columns, values, self.width)
        if self.values == "rating":
            observed = csr(offsets, held.columns, torch.ones_like(values, dtype=torch.bool), self.width)
            return Batch(target, target, scored=observed)
        if self.values == "counts":
            logs = torch.log1p(values)
            squares = row_sums(target, logs.square()).clamp_min(torch.finfo(logs.dtype).tiny)
            lengths = squares.rsqrt().repeat_interleave(held.counts)
            return Batch(csr(offsets, held.columns, logs * lengths, self.width), target)
        lengths = held.counts.clamp_min(1).to(values.dtype).rsqrt().repeat_interleave(held.counts)
        return Batch(csr(offsets, held.columns, values * lengths, self.width), target)

    def invert(self, data: Tensor) -> np.ndarray:
        """Scores (N, M), float32: the higher, the likelier; ratings in their own units."""
        scores: np.ndarray = (data.detach().cpu().float() + self.mean).numpy()
        return scores

    def defaults(self) -> dict[str, Spec]:
        network = Spec("dense", activation="tanh", hides=0.5)
        return {"loss": Spec("squared" if self.values == "rating" else "multinomial"), "network": network}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.width,)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (self.width,)

    def state(self) -> dict[str, Any]:
        return {"values": self.values, "at_least": self.at_least, "width": self.width, "mean": self.mean}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(state["values"], state["at_least"])
        made.width, made.mean = int(state["width"]), float(state["mean"])
        return made

    def _matrix(self, rows: Any) -> csr_matrix:
        """The interactions that count, float32, each once, in a matrix of its own."""
        given = rows if issparse(rows) else np.asarray(rows)
        if given.ndim != 2 or given.dtype.kind not in "buif" or 0 in given.shape:
            raise DataError(
                f"interactions are a matrix of numbers (users, items); got {given.dtype} of shape {given.shape} "
                "while a minimum of 1 is required of both."
            )
        matrix = csr_matrix(given, dtype=np.float32, copy=True)
        matrix.sum_duplicates()
        check_finite(matrix.data[:, None], "Input X")
        if self.at_least is not None:
            kept = matrix.data >= self.at_least
            counts = np.add.reduceat(np.append(kept, False), matrix.indptr[:-1], dtype=np.int64)
            counts[np.diff(matrix.indptr) == 0] = 0
            offsets = np.concatenate([[0], counts.cumsum()])
            matrix = csr_matrix((matrix.data[kept], matrix.indices[kept], offsets), shape=matrix.shape)
        if self.values != "rating":
            matrix.eliminate_zeros()
        if self.values == "counts" and matrix.nnz and matrix.data.min() < 0:
            raise DataError(f"Negative values in data: counts are at least 0; the lowest is {matrix.data.min():g}.")
        return matrix
