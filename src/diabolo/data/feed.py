"""Rows that lie in memory, as batches."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator

import torch
from torch import Tensor

from ..core import Batch, Feed

BESIDE = ("label", "cond")
MIN_HELD = 10
"""Fewer rows held out would choose an epoch by chance."""


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

    def split(self, held: float, seed: int) -> tuple[MemoryFeed, MemoryFeed | None]:
        """By a permutation that depends on the seed alone; both parts keep the order of the rows."""
        count = int(len(self) * held)
        if count < MIN_HELD:
            return self, None
        order = torch.randperm(len(self), generator=torch.Generator().manual_seed(seed))
        return self.take(order[count:].sort().values), self.take(order[:count].sort().values)

    def known(self) -> Tensor:
        """Which rows have a known label, or condition (N,) bool; all of them where there is neither."""
        label, cond = self.tensors.get("label"), self.tensors.get("cond")
        if label is not None:
            return label.isfinite().flatten(1).any(1) if label.is_floating_point() else label >= 0
        return torch.ones(len(self), dtype=torch.bool) if cond is None else cond.ne(0).any(1)

    def labelled(self) -> MemoryFeed | None:
        """The rows whose label is known: what a supervised stage learns from."""
        known = self.known()
        if bool(known.all()):
            return self
        return self.take(known.nonzero().squeeze(1)) if bool(known.any()) else None

    def balanced(self, share: float) -> MemoryFeed:
        """With the known rows repeated `times` over.

        >>> cond = torch.eye(2)[[0, 0, 0, 0, 0, 1]] * (torch.arange(6) < 1)[:, None]
        >>> feed = MemoryFeed({"x": torch.arange(6.)[:, None], "cond": cond}, lambda t: Batch(t["x"], t["x"]))
        >>> feed.balanced(0.5).tensors["x"].flatten().tolist()
        [0.0, 1.0, 2.0, 3.0, 4.0, 5.0, 0.0, 0.0, 0.0, 0.0]
        """
        known = self.known().nonzero().squeeze(1)
        more = self.times(share) - 1
        return self.take(torch.cat([torch.arange(len(self)), known.repeat(more)])) if more > 0 else self

    def times(self, share: float) -> int:
        """How often each known row must come, for the known rows to be about ``share`` of all."""
        known = int(self.known().sum())
        return max(1, round(share / (1 - share) * (len(self) - known) / known)) if known else 1

    def take(self, index: Tensor) -> MemoryFeed:
        """The rows at an index, as a feed of their own."""
        return MemoryFeed({name: t.index_select(0, index) for name, t in self.tensors.items()}, self.collate)
