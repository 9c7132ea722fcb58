"""Rows that lie in memory, as batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..core import Batch, Feed

BESIDE = ("label", "cond")


class MemoryFeed(Feed):
    """Encoded tensors of equal length, gathered and collated batch by batch.

    The order is a permutation that depends on ``seed`` and ``epoch`` alone, so training resumes at any
    batch of any epoch. The last, smaller batch is kept. Tensors named ``label`` and ``cond`` stand beside the data
    and reach the batch as they are.

    >>> feed = MemoryFeed({"x": torch.arange(5.)[:, None]}, lambda t: Batch(t["x"], t["x"]))
    >>> [len(batch) for batch in feed.batches(2, seed=0, epoch=1)]
    [2, 2, 1]
    """

    def __init__(self, tensors: dict[str, Tensor], collate: Callable[[dict[str, Tensor]], Batch]) -> None:
        self.tensors, self.collate = tensors, collate
        self._rows = len(next(iter(tensors.values())))

    def __len__(self) -> int:
        return self._rows

    def batches(self, size: int, *, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        if seed is None:
            for begin in range(start * size, self._rows, size):
                yield self._batch({name: t[begin : begin + size] for name, t in self.tensors.items()})
            return
        order = torch.randperm(self._rows, generator=torch.Generator().manual_seed(seed * 1_000_003 + epoch))
        for begin in range(start * size, self._rows, size):
            index = order[begin : begin + size]
            yield self._batch({name: t.index_select(0, index) for name, t in self.tensors.items()})

    def _batch(self, tensors: dict[str, Tensor]) -> Batch:
        beside = {name: tensors.pop(name) for name in BESIDE if name in tensors}
        batch = self.collate(tensors)
        return dataclasses.replace(batch, **beside) if beside else batch

    def labelled(self) -> MemoryFeed | None:
        """The rows whose label is known: what a supervised stage learns from."""
        label = self.tensors.get("label")
        if label is None:
            return self
        known = label.isfinite().flatten(1).any(1) if label.is_floating_point() else label >= 0
        if bool(known.all()):
            return self
        return self.take(known.nonzero().squeeze(1)) if bool(known.any()) else None

    def take(self, index: Tensor) -> MemoryFeed:
        """The rows at an index, as a feed of their own."""
        return MemoryFeed({name: t.index_select(0, index) for name, t in self.tensors.items()}, self.collate)
