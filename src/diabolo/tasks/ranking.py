"""How good a ranking of items is, user by user: what was hidden of their history, and where it is ranked."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix

from ..data.write_interactions import best

GAIN, RECALLS = 100, (20, 50)


def halves(matrix: Any, share: float = 0.2, seed: int = 0) -> tuple[csr_matrix, csr_matrix]:
    """A user's history in two: what a recommender is told, and a share that is hidden from it (N, M) each.

    Entries are drawn one by one; of a user with two and more, one stays at least, and one is hidden at least.

    >>> told, hidden = halves(csr_matrix(np.ones((3, 10))), share=0.2)
    >>> (told + hidden).toarray().min(), hidden.sum(1).min() >= 1
    (np.float64(1.0), np.True_)
    """
    held = csr_matrix(matrix, copy=True)
    draw = np.random.default_rng(seed).random(held.nnz)
    hides = draw < share
    rows = np.repeat(np.arange(held.shape[0]), np.diff(held.indptr))
    order = np.lexsort((draw, rows))
    some = np.diff(held.indptr) >= 2
    hides[order[held.indptr[:-1][some]]] = True
    hides[order[held.indptr[1:][some] - 1]] = False
    parts = []
    for kept in (~hides, hides):
        offsets = np.concatenate([[0], kept.cumsum()])[held.indptr]
        parts.append(csr_matrix((held.data[kept], held.indices[kept], offsets), shape=held.shape))
    return parts[0], parts[1]


def measured(scores: ndarray, told: Any, hidden: Any) -> dict[str, ndarray]:
    """nDCG@100, recall@20 and recall@50 of every user of whom something was hidden.

        DCG = sum over hits of 1 / log2(1 + rank), over its best possible value;  recall = hits / min(k, hidden)

    Reference: Liang, Krishnan, Hoffman & Jebara (2018), "Variational autoencoders for collaborative filtering",
    section 4.2.

    >>> found = measured(np.array([[1.0, 3.0, 2.0]]), csr_matrix([[0, 0, 0]]), csr_matrix([[0, 0, 1.0]]))
    >>> found["nDCG@100"].round(3).tolist(), found["recall@20"].tolist()
    ([0.631], [1.0])
    """
    hidden = csr_matrix(hidden)
    count = np.diff(hidden.indptr)
    some = count > 0
    items, _ = best(scores, told, GAIN)
    wanted = hidden.toarray() > 0
    hits = (np.take_along_axis(wanted, items.clip(0), 1) & (items >= 0))[some]
    discount = 1 / np.log2(np.arange(2, hits.shape[1] + 2))
    ideal = discount.cumsum()[np.minimum(count[some], hits.shape[1]) - 1]
    found = {f"nDCG@{GAIN}": hits @ discount / ideal}
    for k in RECALLS:
        found[f"recall@{k}"] = hits[:, :k].sum(1) / np.minimum(count[some], k)
    return found
