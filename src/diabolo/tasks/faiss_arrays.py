"""FAISS's indexes as plain arrays, and back, every number checked before FAISS sees it.

FAISS's own bytes are read in C++ that trusts them: altered ones made it loop for ever. What is kept here are a graph's
links, or centres and pieces; the codes themselves lie beside them already.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import ModelError, require

Arrays = dict[str, ndarray]


def to_arrays(kind: str, index: Any) -> Arrays:
    """What an index has learnt: of a graph "levels" and "links", of an inverted file "cells", "pieces" and where rows
    lie."""
    return _of_graph(index) if kind == "hnsw" else _of_cells(index)


def from_arrays(kind: str, index: Any, held: Arrays, rows: ndarray) -> Any:
    """The index again, from one without rows made for ``rows`` (N, D): the vectors it was given, in that order.

    Raises `ModelError` for arrays that are not of such rows.
    """
    try:
        return _graph(index, held, rows) if kind == "hnsw" else _cells(index, held, rows)
    except (KeyError, ValueError, TypeError, IndexError) as error:
        raise ModelError(f"the {kind!r} part of this index is not of its {len(rows):,} codes ({error}).") from error


def order_of(held: Arrays, rows: int) -> ndarray:
    """Whose codes an index was given, in that order. Raises `ModelError` if it is no order of some of these rows."""
    order = held.get("order", np.zeros(0))
    known = order.dtype == np.int64 and order.ndim == 1 and len(order) > 0
    if not known or order.min() < 0 or order.max() >= rows or len(np.unique(order)) < len(order):
        raise ModelError(f"the order of this index is not one of its {rows:,} codes.")
    return order


def _faiss() -> Any:
    return require("faiss", "search", "search of this kind")


def _must(holds: Any, what: str) -> None:
    """Raise `ValueError` for what does not hold."""
    if not bool(holds):
        raise ValueError(what)


# a graph of neighbours --------------------------------------------------------------------------------------


def _of_graph(index: Any) -> Arrays:
    library, graph = _faiss(), index.hnsw
    return {
        "levels": library.vector_to_array(graph.levels), "links": library.vector_to_array(graph.neighbors),
        "entry": np.array([graph.entry_point], np.int64),
    }  # fmt: skip


def _graph(index: Any, held: Arrays, rows: ndarray) -> Any:
    library = _faiss()
    levels, links, entry = held["levels"], held["links"], int(held["entry"][0])
    ends = library.vector_to_array(index.hnsw.cum_nneighbor_per_level).astype(np.int64)
    _check_graph(levels, links, entry, ends)
    _must(len(levels) == len(rows), "another number of nodes than of codes")
    offsets = np.concatenate([[0], np.cumsum(ends[levels])]).astype(np.uint64)
    library.downcast_index(index.storage).add(np.ascontiguousarray(rows))
    index.ntotal = len(levels)
    graph = index.hnsw
    for vector, values in ((graph.levels, levels), (graph.offsets, offsets), (graph.neighbors, links)):
        library.copy_array_to_vector(np.ascontiguousarray(values), vector)
    graph.entry_point, graph.max_level = entry, int(levels.max()) - 1
    return index


def _check_graph(levels: ndarray, links: ndarray, entry: int, ends: ndarray) -> None:
    """Raise `ValueError` unless every link leads to a node that has the level it is followed on."""
    count = len(levels)
    _must(levels.dtype == np.int32 and links.dtype == np.int32 and levels.ndim == links.ndim == 1, "other types")
    _must(count and levels.min() >= 1 and levels.max() < len(ends), "levels out of range")
    sizes = ends[levels]
    _must(len(links) == sizes.sum(), "another number of links")
    _must(links.min(initial=0) >= -1 and links.max(initial=-1) < count, "links out of range")
    _must(0 <= entry < count and levels[entry] == levels.max(), "an entry that is not at the top")
    starts = np.cumsum(sizes) - sizes
    for level in range(1, int(levels.max())):
        nodes = np.flatnonzero(levels > level)
        slots = starts[nodes, None] + np.arange(ends[level], ends[level + 1])
        reached = links[slots]
        _must((levels[reached] > level)[reached >= 0].all(), "links to nodes below their level")


# cells of codes in pieces -----------------------------------------------------------------------------------


def _of_cells(index: Any) -> Arrays:
    library, lists = _faiss(), index.invlists
    cell, code = np.zeros(index.ntotal, np.int32), np.zeros((index.ntotal, index.code_size), np.uint8)
    for number in range(index.nlist):
        size = lists.list_size(number)
        if size:
            rows = library.rev_swig_ptr(lists.get_ids(number), size)
            cell[rows] = number
            code[rows] = library.rev_swig_ptr(lists.get_codes(number), size * index.code_size).reshape(size, -1)
    return {
        "cells": index.quantizer.reconstruct_n(0, index.nlist), "pieces": library.vector_to_array(index.pq.centroids),
        "cell": cell, "code": code, "cut": np.array([index.pq.M, index.pq.nbits], np.int64),
    }  # fmt: skip


def _cells(index: Any, held: Arrays, rows: ndarray) -> Any:
    library = _faiss()
    cells, pieces, cell, code = (np.ascontiguousarray(held[name]) for name in ("cells", "pieces", "cell", "code"))
    cut, bits = (int(value) for value in held["cut"])
    width = rows.shape[1]
    _must(cells.ndim == 2 and cells.shape[1] == width and len(cells), "centres of another width")
    _must(1 <= bits <= 8 and cut >= 1 and width % cut == 0 and pieces.shape == (width << bits,), "other pieces")
    _must(cells.dtype == pieces.dtype == np.float32 and code.dtype == np.uint8, "other types")
    _must(len(cell) == len(rows) and 0 <= cell.min() <= cell.max() < len(cells), "cells out of range")
    made = library.index_factory(width, f"IVF{len(cells)},PQ{cut}x{bits}")
    _must(code.shape == (len(cell), made.code_size), "codes of another size")
    made.quantizer.add(cells)
    library.copy_array_to_vector(pieces, made.pq.centroids)
    made.is_trained = True
    order = np.argsort(cell, kind="stable")
    bounds = np.searchsorted(cell[order], np.arange(len(cells) + 1))
    for number in np.flatnonzero(np.diff(bounds)):
        own = order[bounds[number] : bounds[number + 1]].astype(np.int64)
        packed = np.ascontiguousarray(code[own])
        made.invlists.add_entries(int(number), len(own), library.swig_ptr(own), library.swig_ptr(packed))
    made.ntotal = len(cell)
    made.precompute_table()
    return made
