"""Counts: the encoder sees their logarithms, the decoder answers for the counts themselves."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor

from ..core import Batch, Spec, register
from ..core.errors import DataError
from .process_array import ArrayProcessor
from .record import Source


@register("processor", "counts")
class CountProcessor(ArrayProcessor):
    """Arrays (N, *S) of numbers of at least 0: reads of genes in cells, words in documents, purchases.

        counts ──▶ x = log(1 + counts), target = counts

    Whole numbers are expected; others are taken as they are. Asked for by ``Source(rows, "counts")``.

    Raises `DataError` for negative numbers, and as `ArrayProcessor`.

    >>> counts = CountProcessor().fit([[0, 1], [2, 3]])
    >>> batch = counts.collate(counts.encode([[0, 1], [2, 3]]))
    >>> batch.x.exp().sub(1).round().tolist(), batch.target.tolist()
    ([[0.0, 1.0], [2.0, 3.0]], [[0.0, 1.0], [2.0, 3.0]])
    """

    def fit(self, rows: Any) -> Self:
        return super().fit(_rows(rows))

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows (N, *S) as ``x`` float32 (N, *S)."""
        tensors = super().encode(_rows(rows))
        lowest = float(tensors["x"].min())
        if lowest < 0:
            row = int((tensors["x"].flatten(1).amin(1) < 0).nonzero()[0])
            raise DataError(f"Negative values in data: counts are at least 0, row {row} reaches down to {lowest:g}.")
        return tensors

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        counts = tensors["x"].float()
        return Batch(torch.log1p(counts), counts)

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("negative-binomial")}


def _rows(rows: Any) -> Any:
    return rows.rows if isinstance(rows, Source) else rows
