"""Tensors that store only what is not zero: rows of very many columns, as torch's compressed sparse rows (CSR)."""

from __future__ import annotations

import functools
import warnings
from collections.abc import Callable

import torch
from torch import Tensor


def csr(offsets: Tensor, columns: Tensor, values: Tensor, width: int) -> Tensor:
    """Sparse rows (B, width): row b holds ``values[offsets[b]:offsets[b + 1]]`` at ``columns`` of the same places.

    >>> csr(torch.tensor([0, 1, 3]), torch.tensor([2, 0, 1]), torch.ones(3), 4).to_dense().tolist()
    [[0.0, 0.0, 1.0, 0.0], [1.0, 1.0, 0.0, 0.0]]
    """
    _quiet()
    size = (len(offsets) - 1, width)
    return torch.sparse_csr_tensor(offsets, columns, values, size=size, check_invariants=False)


@functools.cache
def _quiet() -> None:
    """PyTorch calls the layout a beta, once a process; what is used of it here is tested."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        torch.sparse_csr_tensor(torch.tensor([0, 0]), torch.tensor([], dtype=torch.long), torch.zeros(0), size=(1, 1))


def is_sparse(x: object) -> bool:
    """Whether x is a tensor of compressed sparse rows."""
    return isinstance(x, Tensor) and x.layout == torch.sparse_csr


def dense(x: Tensor) -> Tensor:
    """The same tensor with its zeros written out."""
    return x.to_dense() if is_sparse(x) else x


def with_values(x: Tensor, change: Callable[[Tensor], Tensor]) -> Tensor:
    """The same sparsity with other values: ``change`` of those stored."""
    return csr(x.crow_indices(), x.col_indices(), change(x.values()), x.shape[1])


def places(x: Tensor) -> tuple[Tensor, Tensor]:
    """Row and column of every stored value, long (nnz,) each.

    >>> places(csr(torch.tensor([0, 1, 3]), torch.tensor([2, 0, 1]), torch.ones(3), 4))
    (tensor([0, 1, 1]), tensor([2, 0, 1]))
    """
    counts = x.crow_indices().diff()
    return torch.repeat_interleave(torch.arange(len(counts), device=x.device), counts), x.col_indices().long()


def row_sums(x: Tensor, values: Tensor) -> Tensor:
    """Sums (B,) over the rows of x, of values that stand where x stores its own."""
    return values.new_zeros(x.shape[0]).index_add(0, places(x)[0], values)


def column_means(x: Tensor) -> Tensor:
    """Mean of every column, zeros counted; x dense or sparse."""
    if not is_sparse(x):
        return x.mean(0)
    return x.values().new_zeros(x.shape[1]).index_add(0, x.col_indices(), x.values()) / x.shape[0]


def observed_means(x: Tensor) -> Tensor:
    """Mean of the stored values of every column of sparse x, drawn to 0 as if one 0 more were stored."""
    empty = x.values().new_zeros(x.shape[1])
    counts = empty.index_add(0, x.col_indices(), torch.ones_like(x.values()))
    return empty.index_add(0, x.col_indices(), x.values()) / (counts + 1)


def repeated(x: Tensor, times: int) -> Tensor:
    """Every row ``times`` times, one after the other."""
    if not is_sparse(x):
        return x.repeat_interleave(times, 0)
    return rows_at(x, torch.arange(x.shape[0], device=x.device).repeat_interleave(times))


def rows_at(x: Tensor, index: Tensor) -> Tensor:
    """The rows at an index (long), of a dense or a sparse tensor."""
    if not is_sparse(x):
        return x.index_select(0, index)
    offsets, taken = gathered(x.crow_indices(), index)
    return csr(offsets.to(x.crow_indices().dtype), x.col_indices()[taken], x.values()[taken], x.shape[1])


def gathered(offsets: Tensor, index: Tensor) -> tuple[Tensor, Tensor]:
    """Offsets of the rows at an index, and where what they hold stands among all values.

    >>> gathered(torch.tensor([0, 2, 2, 5]), torch.tensor([2, 0]))
    (tensor([0, 3, 5]), tensor([2, 3, 4, 0, 1]))
    """
    begins, counts = offsets[:-1][index].long(), offsets.diff()[index].long()
    new = torch.cat([counts.new_zeros(1), counts.cumsum(0)])
    shift = torch.repeat_interleave(begins - new[:-1], counts)
    return new, torch.arange(len(shift), device=offsets.device) + shift
