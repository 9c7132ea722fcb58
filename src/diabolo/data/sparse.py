"""Rows that are nearly all zeros, held by their entries alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from jaxtyping import Float, Int
from scipy.sparse import csr_matrix
from torch import Tensor

from ..core.errors import DataError, UsageError


@dataclass(frozen=True)
class SparseRows:
    """N sparse rows (CSR), which a feed gathers as it gathers a tensor; `dense` makes a batch of them.

        row i:  columns[offsets[i] : offsets[i + 1]]  and their values

    offsets  (N + 1,) long, from 0 to the number of entries
    columns  (E,) int32
    values   (E,) float32

    >>> rows = SparseRows.of([[0.0, 2.0], [0.0, 0.0], [3.0, 4.0]])
    >>> len(rows), rows.index_select(0, torch.tensor([2, 0])).dense(2).tolist(), rows[1:].dense(2).tolist()
    (3, [[3.0, 4.0], [0.0, 2.0]], [[0.0, 0.0], [3.0, 4.0]])
    """

    offsets: Int[Tensor, " n+1"]
    columns: Int[Tensor, " e"]
    values: Float[Tensor, " e"]

    @classmethod
    def of(cls, matrix: Any) -> Self:
        """From a scipy sparse matrix or a dense array (N, width); repeated entries are added up."""
        csr = csr_matrix(matrix)
        if not csr.has_canonical_format:
            csr = csr.copy()
            csr.sum_duplicates()
        return cls(
            torch.from_numpy(csr.indptr.astype(np.int64)),
            torch.from_numpy(csr.indices.astype(np.int32)),
            torch.from_numpy(csr.data.astype(np.float32)),
        )

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def __getitem__(self, rows: slice) -> Self:
        """The rows of a slice; they share memory with these where it has no step."""
        first, last, step = rows.indices(len(self))
        if step != 1:
            return self.index_select(0, torch.arange(len(self))[rows])
        last = max(first, last)
        begin, end = int(self.offsets[first]), int(self.offsets[last])
        offsets = self.offsets[first : last + 1] - begin
        return type(self)(offsets, self.columns[begin:end], self.values[begin:end])

    def index_select(self, dim: int, index: Int[Tensor, " m"]) -> Self:
        """The rows at an index, in its order, repeated where it repeats; ``dim`` is 0, as rows are all one can take."""
        if dim != 0:
            raise UsageError(f"sparse rows are taken along dimension 0; got {dim}.")
        counts = self.counts[index]
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        shift = (self.offsets[:-1][index] - offsets[:-1]).repeat_interleave(counts)
        entries = torch.arange(int(offsets[-1])) + shift
        return type(self)(offsets, self.columns[entries], self.values[entries])

    @classmethod
    def cat(cls, pieces: Sequence[SparseRows]) -> Self:
        """Pieces, one after the other."""
        counts = torch.cat([piece.counts for piece in pieces])
        offsets = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
        columns, values = (torch.cat([getattr(piece, name) for piece in pieces]) for name in ("columns", "values"))
        return cls(offsets, columns, values)

    @property
    def nbytes(self) -> int:
        """Bytes of all three tensors."""
        return self.offsets.nbytes + self.columns.nbytes + self.values.nbytes

    @property
    def counts(self) -> Int[Tensor, " n"]:
        """Entries of each row."""
        return self.offsets.diff()

    def dense(self, width: int) -> Float[Tensor, "n {width}"]:
        """All rows with their zeros. Raises `DataError` for a column outside the width."""
        if len(self.columns) and int(self.columns.max()) >= width:
            raise DataError(f"column {int(self.columns.max())} is outside rows of {width} values.")
        out = torch.zeros(len(self), width)
        rows = torch.arange(len(self)).repeat_interleave(self.counts)
        out[rows, self.columns.long()] = self.values
        return out

    def csr(self, width: int) -> csr_matrix:
        """The same rows as a scipy matrix (N, width)."""
        arrays = (self.values.numpy(), self.columns.numpy(), self.offsets.numpy())
        return csr_matrix(arrays, shape=(len(self), width))


def cat(pieces: Sequence[Any]) -> Any:
    """Tensors, or sparse rows, one after the other.

    >>> cat([SparseRows.of([[0.0, 2.0]]), SparseRows.of([[1.0, 0.0]])]).dense(2).tolist()
    [[0.0, 2.0], [1.0, 0.0]]
    """
    return SparseRows.cat(pieces) if isinstance(pieces[0], SparseRows) else torch.cat(list(pieces))
