"""Approximate search by FAISS: a graph or an inverted file over codes; bits."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from jaxtyping import Float, Int
from numpy import ndarray

from ..core.errors import DataError, require
from .nearest import Found, in_order, measured, unit

LINKS, BREADTH = 32, 100
"""Of the graph (HNSW): links a code and candidates looked at while it is built."""
A_CENTRE = 39
"""Codes a centre learns from at least, as FAISS asks."""
FEWEST = A_CENTRE << 4
"""Codes that an inverted file needs."""
REFINED = 10
"""So many times k candidates of an inverted file are measured anew."""
LADDER = {
    "hnsw": (16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024),
    "ivf-pq": (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128, 256, 512, 1024, 2048, 4096),
}
"""What the effort may be: candidates kept while the graph is walked, or cells looked into."""


def faiss() -> Any:
    """The package. Raises `MissingExtra`."""
    return require("faiss", "search", "search of this kind")


def started(kind: str, codes: Float[ndarray, "n d"], metric: str) -> Any:
    """An index without rows that suits such codes. Raises `DataError` for too few of them."""
    library, width = faiss(), codes.shape[1]
    if kind == "hnsw":
        return graph(width)
    if len(codes) < FEWEST:
        raise DataError(
            f"kind 'ivf-pq' learns its cells from at least {FEWEST:,} codes; got {len(codes):,}. Take kind 'exact'."
        )
    cells = int(np.clip(4 * len(codes) ** 0.5, 1, len(codes) // A_CENTRE))
    bits = int(np.clip(np.log2(len(codes) / A_CENTRE), 4, 8))
    index = library.index_factory(width, f"IVF{cells},PQ{pieces(width)}x{bits}")
    index.train(as_searched(codes, metric))
    return index


def graph(width: int) -> Any:
    """A graph without nodes."""
    made = faiss().IndexHNSWFlat(width, LINKS)
    made.hnsw.efConstruction = BREADTH
    return made


def pieces(width: int) -> int:
    """Into how many parts an inverted file cuts a code: of two values or more, 64 at most; alone where none divides.

    >>> pieces(32), pieces(13), pieces(300)
    (16, 13, 60)
    """
    found = [n for n in range(2, 65) if width % n == 0 and 2 * n <= width]
    return max(found) if found else width if width <= 64 else 1


def add(index: Any, codes: Float[ndarray, "n d"], metric: str, *, repeatable: bool) -> None:
    """More rows. ``repeatable``: by one thread, for with several a graph depends on which was first."""
    with threads(1 if repeatable else None):
        index.add(as_searched(codes, metric))


@contextmanager
def threads(count: int | None) -> Iterator[None]:
    """FAISS with so many threads; None: as it is."""
    library = faiss()
    before = library.omp_get_max_threads()
    library.omp_set_num_threads(count or before)
    try:
        yield
    finally:
        library.omp_set_num_threads(before)


def search(
    index: Any,
    kind: str,
    effort: int,
    codes: Float[ndarray, "n d"],
    order: Int[ndarray, " m"],
    metric: str,
    queries: Float[ndarray, "q d"],
    k: int,
) -> Found:
    """The k nearest that an index finds, measured by the codes themselves; where fewer are found, -1 at infinity.

    ``order``: whose codes they are, in the order in which the index was given them.
    """
    if kind == "hnsw":
        index.hnsw.efSearch = max(effort, k)
        wanted = k
    else:
        index.nprobe = effort
        wanted = min(REFINED * k, len(order))
    places: Int[ndarray, "q c"] = index.search(as_searched(queries, metric), wanted)[1]
    found = np.where(places < 0, -1, order[places])
    distances, numbers = in_order(measured(queries, codes, found, metric), found)
    return distances[:, :k].astype(np.float32), numbers[:, :k]


def as_searched(codes: Float[ndarray, "n d"], metric: str) -> ndarray:
    """Codes whose Euclidean distances are in the order of the metric's."""
    return np.ascontiguousarray(unit(codes) if metric == "cosine" else codes, dtype=np.float32)


def nearest_bits(bits: ndarray, queries: ndarray, k: int) -> Found:
    """Hamming distances and numbers of the k nearest, bits packed 8 a byte; equal distances in the order of numbers."""
    index = faiss().IndexBinaryFlat(8 * bits.shape[1])
    index.add(np.ascontiguousarray(bits))
    distances, numbers = index.search(np.ascontiguousarray(queries), k)
    return distances.astype(np.float32), numbers
