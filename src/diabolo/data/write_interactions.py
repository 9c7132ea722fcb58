"""Interactions to disk: triples, or a sparse matrix; and the items that score highest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix

from ..core.errors import require
from ..core.files import write_atomic

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".npy")
TOP = 20


def write(path: Path, rows: Any, keys: Any) -> None:
    """Write a sparse matrix: .npy dense, else a table of user, item and value."""
    from .write import _npy, _table, suffix_of

    matrix = csr_matrix(rows)
    suffix = suffix_of(path)
    if suffix == ".npy":
        write_atomic(path, _npy(matrix.toarray()))
    else:
        triples = matrix.tocoo()
        users = np.arange(matrix.shape[0]) if keys is None else keys["user"].to_numpy()
        frame = require("pandas", "table", "writing a table").DataFrame(
            {"user": users[triples.row], "item": triples.col, "value": triples.data}
        )
        write_atomic(path, _table(frame, None, suffix))


def best(scores: np.ndarray, seen: Any, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Items (N, k) of the highest scores, best first, and these; -1 and minus infinity where a user has no more.

    ``seen``: a sparse (N, M) of items not to be recommended, or None. Equal scores: the first item first.

    >>> best(np.array([[3.0, 1.0, 2.0]]), csr_matrix([[1.0, 0.0, 0.0]]), 3)[0].tolist()
    [[2, 1, -1]]
    """
    left = np.array(scores, np.float32)
    if seen is not None:
        there = csr_matrix(seen).tocoo()
        left[there.row, there.col] = -np.inf
    count = min(count, left.shape[1])
    top = np.sort(np.argpartition(-left, count - 1, axis=1)[:, :count], axis=1)
    values = np.take_along_axis(left, top, 1)
    order = np.argsort(-values, axis=1, kind="stable")
    top, values = np.take_along_axis(top, order, 1), np.take_along_axis(values, order, 1)
    return np.where(values > -np.inf, top, -1).astype(np.int64), values


def top_items(scores: np.ndarray, seen: Any, users: Any, items: Any, count: int = TOP) -> Any:
    """The items of the highest scores of each user, without those seen: a DataFrame of user, item and score.

    scores (N, M) · seen (N, M) sparse, or None · users (N,) and items (M,) names.

    >>> top_items(np.array([[3.0, 1.0, 2.0]]), csr_matrix([[1.0, 0.0, 0.0]]), ["ann"], ["a", "b", "c"]).to_dict("list")
    {'user': ['ann', 'ann'], 'item': ['c', 'b'], 'score': [2.0, 1.0]}
    """
    top, values = best(scores, seen, count)
    real = values > -np.inf
    return require("pandas", "table", "a table of items").DataFrame(
        {
            "user": np.repeat(np.asarray(users), real.sum(1)),
            "item": np.asarray(items)[top[real]],
            "score": values[real],
        }
    )
