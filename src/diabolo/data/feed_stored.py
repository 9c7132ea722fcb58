"""Rows on disk as batches: shuffled, read ahead, resumed at any batch."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Feed, Processor
from ..core.errors import DataError
from .feed import MIN_HELD, MemoryFeed
from .record import Source
from .sparse import cat
from .stored import Part, Stored, ahead, groups

BUFFER = 16 << 20
"""Bytes of encoded rows that are shuffled together."""
MOST_HELD, HELD_BYTES = 20_000, 64 << 20
"""More held-out rows than this say nothing more about an epoch; larger ones must leave room to train."""


class StoredFeed(Feed):
    """Batches of rows that lie on disk.

        blocks, permuted ──▶ groups of ~16 MB, read and encoded ahead ──▶ rows permuted in the group ──▶ batches

    The order depends on ``seed`` and ``epoch`` alone; the first batch to be given needs nothing before it read, so
    training resumes in the middle of an epoch at once. Where a damaged row could not be read, another of its group
    stands in for it, so that every epoch has the same number of batches.

    ``row_bytes``: of one encoded row. ``sizes``: encoded rows of every block, where rows are cut into windows.
    """

    def __init__(self, stored: Stored, processor: Processor, row_bytes: int, sizes: ndarray | None = None) -> None:
        self.stored, self.processor, self.row_bytes = stored, processor, max(1, row_bytes)
        self.sizes = np.diff(stored.edges) if sizes is None else sizes

    def __len__(self) -> int:
        return int(self.sizes.sum())

    def batches(self, size: int, *, seed: int | None = None, epoch: int = 0, start: int = 0) -> Iterator[Batch]:
        sizes, blocks = self.sizes, len(self.sizes)
        order = np.arange(blocks)
        if seed is not None:
            order = np.random.default_rng((seed, epoch)).permutation(blocks)
        rows = max(size, BUFFER // self.row_bytes)
        plan = groups(sizes, order, rows // size * size if self.stored.scattered else rows)
        counts = np.array([sizes[group].sum() for group in plan])
        first = int(np.searchsorted(np.cumsum(counts), start * size, side="right"))
        skip = start * size - int(counts[:first].sum())
        whole = self.stored.scattered and len(self) == len(self.stored)
        keys = [None if seed is None or whole else (seed, epoch, place) for place in range(len(plan))]
        work = list(zip(plan, counts.tolist(), keys, strict=True))[first:]
        pieces = self._cut(ahead(lambda item: self._group(*item), work, self.stored.depth), size, skip)
        yield from ahead(self._collated, pieces, 1) if self.stored.scattered else map(self.processor.collate, pieces)

    def _cut(self, pieces: Iterator[dict[str, Tensor]], size: int, skip: int) -> Iterator[dict[str, Tensor]]:
        """Batches of a size from pieces of any size; what is left over goes before the next piece."""
        rest: dict[str, Tensor] = {}
        for piece in pieces:
            held = piece if not rest else {n: cat([rest[n], t]) for n, t in piece.items()}
            rows = len(next(iter(held.values())))
            begin = min(skip, rows)
            skip -= begin
            while begin + size <= rows:
                yield {n: t[begin : begin + size] for n, t in held.items()}
                begin += size
            rest = {n: t[begin:] for n, t in held.items()}
        if rest and len(next(iter(rest.values()))):
            yield rest

    def _collated(self, tensors: dict[str, Tensor]) -> Batch:
        """One batch, made by a thread of its own: more, beside those that decode, would wait longer than they help."""
        usual = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            return self.processor.collate(tensors)
        finally:
            torch.set_num_threads(usual)

    def _group(self, blocks: ndarray, rows: int, key: tuple[int, int, int] | None) -> dict[str, Tensor]:
        """The encoded rows of a group, exactly as many as it should have."""
        tensors = self.processor.encode(self.stored.read(blocks).rows)
        got = len(next(iter(tensors.values())))
        if not got:
            raise DataError(f"none of {len(blocks)} rows could be read: {self.stored.damage}.")
        if key is None and got == rows:
            return tensors
        index = np.arange(rows) % got
        if key is not None:
            index = np.random.default_rng(key).permutation(index)
        return {name: tensor.index_select(0, torch.from_numpy(index)) for name, tensor in tensors.items()}

    def split(self, held: float, seed: int) -> tuple[Feed, Feed | None]:
        """Rows to learn from stay on disk; those held out, at most 20,000 or 64 MB, are read into memory."""
        share = min(held, min(MOST_HELD, HELD_BYTES // self.row_bytes) / len(self))
        if share * len(self.stored) < MIN_HELD:
            return self, None
        kept, out = self.stored.split(share, seed)
        sizes = None
        if len(self) != len(self.stored):
            ours = self.stored.blocks if isinstance(self.stored, Part) else np.arange(len(self.sizes))
            sizes = self.sizes[np.searchsorted(ours, kept.blocks)]
        return StoredFeed(kept, self.processor, self.row_bytes, sizes), self.in_memory(out)

    def in_memory(self, stored: Stored | None = None) -> MemoryFeed:
        """All rows, encoded piece by piece."""
        stored = self.stored if stored is None else stored
        rows = max(1, BUFFER // self.row_bytes)
        pieces = [self.processor.encode(part.rows) for part in stored.parts(rows) if len(part)]
        return MemoryFeed({n: cat([piece[n] for piece in pieces]) for n in pieces[0]}, self.processor.collate)


def encoded_bytes(processor: Processor, source: Source) -> int:
    """Bytes one row takes once encoded, from some rows."""
    tensors = processor.encode(source.rows)
    return sum(t.nbytes for t in tensors.values()) // max(1, len(source))
