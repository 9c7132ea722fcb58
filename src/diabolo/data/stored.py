"""Rows that stay on disk: read block by block, never all at once."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from functools import cached_property
from types import MappingProxyType
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray

from ..core.errors import require
from .record import Source, damage, is_frame

CHUNK = 1 << 20
T = TypeVar("T")
R = TypeVar("R")


class Stored(ABC):
    """N rows on disk in blocks; a block is what one read gives: a row group, some lines, a picture.

        file ──read(blocks)──▶ Source of these blocks' rows, in this order ──processor──▶ tensors

    ``edges`` (K + 1,): block k holds rows ``edges[k]`` to ``edges[k + 1] - 1``. ``scattered``: blocks are single rows,
    any of which costs the same to read, so that their order alone is a perfect shuffle. `read` names the rows it gives
    in ``Source.numbers``; damaged ones are missing there. It is called by several threads.
    """

    edges: ndarray
    scattered: bool = False
    damaged: Mapping[str, str] = MappingProxyType({})
    """Files that could not be read so far: name -> why."""

    @abstractmethod
    def read(self, blocks: Sequence[int] | ndarray) -> Source: ...

    def __len__(self) -> int:
        return int(self.edges[-1])

    @property
    def depth(self) -> int:
        """Pieces that are read ahead: decoding wants two at work, a table's row groups are large and quick."""
        return 2 if self.scattered else 1

    @property
    def damage(self) -> str:
        """The first files that could not be read, why, and what to do."""
        return f"{damage(self.damaged)}; fetch them again or remove them" if self.damaged else "they hold no rows"

    @property
    def shape(self) -> tuple[int]:
        """(N,), as of an array of rows."""
        return (len(self),)

    def parts(self, rows: int) -> Iterator[Source]:
        """All rows in order, in pieces of about ``rows``, each read while the one before is in use."""
        yield from ahead(self.read, groups(np.diff(self.edges), np.arange(len(self.edges) - 1), rows), self.depth)

    def load(self) -> Source:
        """All rows, in memory."""
        return joined(list(self.parts(CHUNK)))

    def sample(self, rows: int) -> Source:
        """About so many rows, from blocks spread evenly over all of them."""
        blocks = len(self.edges) - 1
        count = min(blocks, max(1, int(np.ceil(rows * blocks / max(1, len(self))))))
        return self.read(np.unique(np.linspace(0, blocks - 1, count).astype(np.int64)))

    def split(self, share: float, seed: int) -> tuple[Part, Part]:
        """Two parts, the second of about a share of the rows; which ones depends on the seed and the row's number."""
        return Part(self, [(share, seed, False)]), Part(self, [(share, seed, True)])


def joined(pieces: Sequence[Source]) -> Source:
    """Pieces of one whole as one Source."""
    first = pieces[0]
    if len(pieces) == 1:
        return first
    keys = None if first.keys is None else joined_rows([piece.keys for piece in pieces])
    target = None if first.target is None else np.concatenate([piece.target for piece in pieces])  # type: ignore[misc]
    numbers = np.concatenate([numbers_of(piece) for piece in pieces])
    return replace(first, rows=joined_rows([p.rows for p in pieces]), keys=keys, target=target, numbers=numbers)


def joined_rows(pieces: Sequence[Any]) -> Any:
    """DataFrames or arrays, one after the other."""
    if is_frame(pieces[0]):
        return require("pandas", "table", "a table").concat(pieces, ignore_index=True)
    return np.concatenate(pieces)


class Part(Stored):
    """The rows of another `Stored` for which every draw (share, seed, held) came out as ``held``.

    >>> import numpy as np
    >>> share = drawn(np.arange(100_000), 0.1, seed=3).mean()
    >>> bool(0.095 < share < 0.105)
    True
    """

    def __init__(self, whole: Stored, draws: Sequence[tuple[float, int, bool]]) -> None:
        # numbers are those of the whole, so draws are too
        inner: Sequence[tuple[float, int, bool]] = whole.draws if isinstance(whole, Part) else ()
        self.draws: list[tuple[float, int, bool]] = [*inner, *draws]
        self.whole: Stored = whole.whole if isinstance(whole, Part) else whole
        self.scattered, self.damaged = whole.scattered, whole.damaged
        sizes = self._sizes()
        self.blocks = np.flatnonzero(sizes)
        self.edges = np.concatenate([[0], np.cumsum(sizes[self.blocks])])

    def _chosen(self, numbers: ndarray) -> ndarray:
        chosen = np.ones(len(numbers), bool)
        for share, seed, held in self.draws:
            chosen &= drawn(numbers, share, seed) == held
        return chosen

    def _sizes(self) -> ndarray:
        """Rows of ours in every block, counted in pieces so that memory does not grow with the rows."""
        edges = self.whole.edges
        sizes = np.zeros(len(edges) - 1, np.int64)
        for begin in range(0, len(self.whole), CHUNK):
            numbers = np.arange(begin, min(begin + CHUNK, len(self.whole)))
            ours = numbers[self._chosen(numbers)]
            first, last = np.searchsorted(edges, [numbers[0], numbers[-1]], side="right") - 1
            blocks = np.searchsorted(edges, ours, side="right") - 1
            sizes[first : last + 1] += np.bincount(blocks - first, minlength=last + 1 - first)
        return sizes

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        mine = self.blocks[np.asarray(blocks)]
        if self.scattered:
            return self.whole.read(mine)
        # one by one: few rows of many blocks must not cost the memory of the blocks
        return joined([self._of(block) for block in mine])

    def _of(self, block: int) -> Source:
        source = self.whole.read([block])
        kept = np.flatnonzero(self._chosen(numbers_of(source)))
        return source if len(kept) == len(source) else source.take(kept)


def drawn(numbers: ndarray, share: float, seed: int) -> ndarray:
    """Whether each row is drawn (N,) bool: a hash of its number and the seed, so that nothing must be remembered.

    Reference: Steele, Lea & Flood (2014), "Fast splittable pseudorandom number generators" (the mixing function).
    """
    with np.errstate(over="ignore"):
        x = numbers.astype(np.uint64) + np.uint64((seed * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) % 2**64)
        x = (x ^ (x >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        x = (x ^ (x >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return (x ^ (x >> np.uint64(31))) < np.uint64(min(int(share * 2**64), 2**64 - 1))


def numbers_of(source: Source) -> ndarray:
    """The numbers of the rows that a `Stored` gave."""
    return source.numbers if source.numbers is not None else np.arange(len(source))


def groups(sizes: ndarray, order: ndarray, rows: int) -> list[ndarray]:
    """Blocks in an order, put together until there are about so many rows.

    >>> [group.tolist() for group in groups(np.array([2, 2, 2, 2, 2]), np.arange(5), 4)]
    [[0, 1], [2, 3], [4]]
    """
    before = np.cumsum(sizes[order]) - sizes[order]
    cuts = np.flatnonzero(np.diff(before // max(1, rows))) + 1
    return [group for group in np.split(order, cuts) if len(group)]


def ahead(function: Callable[[T], R], items: Iterable[T], depth: int) -> Iterator[R]:
    """``function`` of every item, in order; up to ``depth`` are worked on while an earlier result is in use."""
    waiting: deque[Future[R]] = deque()
    with ThreadPoolExecutor(depth) as pool:
        try:
            for item in items:
                waiting.append(pool.submit(function, item))
                if len(waiting) > depth:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


class Mapped(Stored):
    """An array in a .npy file, mapped into memory: the system reads what is touched."""

    def __init__(self, array: ndarray, modality: str, origin: str, block: int = 4096) -> None:
        self.array, self.modality, self.origin = array, modality, origin
        self.edges = np.append(np.arange(0, len(array), block), len(array))

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        numbers = np.concatenate([np.arange(self.edges[b], self.edges[b + 1]) for b in np.asarray(blocks)])
        rows = np.concatenate([self.array[self.edges[b] : self.edges[b + 1]] for b in np.asarray(blocks)])
        return replace(self._source, rows=rows, numbers=numbers)

    @cached_property
    def _source(self) -> Source:
        return Source(self.array[:0], self.modality, origin=self.origin)
