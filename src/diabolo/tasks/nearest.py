"""Exact search: the k nearest of many codes, in blocks of bounded memory."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float, Int
from numpy import ndarray

Found = tuple[Float[ndarray, "q k"], Int[ndarray, "q k"]]

QUERIES, ENTRIES = 256, 2**24
"""Queries at a time, and products with codes that are held at a time (64 MB)."""
SPARE = 8
"""Candidates beyond the k nearest that are measured anew in float64."""
ROUNDING = 2.0**-22
FAR = 4.0
"""From so many times the spread on, the mean is taken off before codes are multiplied."""


class Exact:
    """The k nearest of N codes by brute force, with the order of ties settled.

        queries · codesᵀ  (float32, block by block) ──▶ k + 8 candidates ──distances in float64──▶ k nearest
        doubtful, by the error bound of the product ──▶ all N distances in float64

    What it gives is what float64 would give over all codes: equal distances are in the order of the numbers, and a
    code is at distance 0 from itself. Distance is |q - c| (euclidean) or 1 - cos(q, c); a code of zeros has cosine 0
    with all others.

    codes : (N, D) float32. metric : "euclidean" or "cosine".

    >>> codes = np.array([[0.0, 0.0], [3.0, 4.0], [0.0, 0.0]], np.float32)
    >>> distances, numbers = Exact(codes, "euclidean").search(codes[:1], 3)
    >>> distances.tolist(), numbers.tolist()
    ([[0.0, 0.0, 5.0]], [[0, 2, 1]])
    """

    def __init__(self, codes: Float[ndarray, "n d"], metric: str) -> None:
        self.metric, self.codes = metric, codes
        self.shift = np.zeros(codes.shape[1])
        if metric == "cosine":
            self.near = unit(codes)
        else:
            mean = codes.mean(0, dtype=np.float64)
            if np.square(mean).sum() > FAR * codes.var(0, dtype=np.float64).sum():
                self.shift = mean
            self.near = (codes - self.shift).astype(np.float32) if self.shift.any() else codes
        squares = np.einsum("nd,nd->n", self.near, self.near)
        self.half = torch.from_numpy(0.5 * squares) if metric == "euclidean" else None
        self.reach = float(np.sqrt(squares.max(initial=0.0)))

    def search(self, queries: Float[ndarray, "q d"], k: int) -> Found:
        """Distances, rising, and numbers of the k nearest codes of each query; k at most N."""
        parts = [self._block(queries[at : at + QUERIES], k) for at in range(0, len(queries), QUERIES)]
        return np.concatenate([part[0] for part in parts]), np.concatenate([part[1] for part in parts])

    def _block(self, queries: ndarray, k: int) -> Found:
        short = unit(queries) if self.metric == "cosine" else (queries - self.shift).astype(np.float32)
        count = min(len(self.codes), k + SPARE)
        score, numbers = self._candidates(torch.from_numpy(short), count)
        exact = measured(queries, self.codes, numbers, self.metric)
        exact, numbers = in_order(exact, numbers)
        if count < len(self.codes):
            length = np.linalg.norm(short, axis=1)
            error = ROUNDING * (len(self.shift) + 4) * (length + self.reach) * self.reach
            worst = self._as_distance(score[:, -1] + error, length)
            for place in np.flatnonzero(exact[:, k - 1] >= worst):
                exact[place, :k], numbers[place, :k] = self._whole(queries[place], k)
        return exact[:, :k].astype(np.float32), numbers[:, :k]

    def _candidates(self, short: torch.Tensor, count: int) -> tuple[ndarray, ndarray]:
        """The best scores (q, count), falling, and whose they are: q · c - |c|² / 2, or q · c."""
        codes, step = torch.from_numpy(self.near), max(count, ENTRIES // len(short))
        best: tuple[torch.Tensor, torch.Tensor] | None = None
        for at in range(0, len(codes), step):
            score = short @ codes[at : at + step].T
            if self.half is not None:
                score -= self.half[at : at + step]
            top = torch.topk(score, min(count, score.shape[1]), dim=1)
            found = (top.values, top.indices + at)
            if best is not None:
                values, numbers = (torch.cat(pair, 1) for pair in zip(best, found, strict=True))
                top = torch.topk(values, min(count, values.shape[1]), dim=1)
                found = (top.values, numbers.gather(1, top.indices))
            best = found
        if best is None:
            raise IndexError("there are no codes.")
        return best[0].double().numpy(), best[1].numpy()

    def _as_distance(self, score: ndarray, length: ndarray) -> ndarray:
        """The distance that a score means."""
        if self.metric == "cosine":
            found: ndarray = 1 - score
            return found
        return np.sqrt(np.maximum(length.astype(np.float64) ** 2 - 2 * score, 0))

    def _whole(self, query: ndarray, k: int) -> tuple[ndarray, ndarray]:
        """The k nearest of all, measured one by one."""
        step = max(1, ENTRIES // (4 * self.codes.shape[1]))
        starts = range(0, len(self.codes), step)
        parts = [np.arange(at, min(at + step, len(self.codes))) for at in starts]
        exact = np.concatenate([measured(query[None], self.codes, part[None], self.metric)[0] for part in parts])
        first = np.argsort(exact, kind="stable")[:k]
        return exact[first], first


def unit(codes: Float[ndarray, "n d"]) -> Float[ndarray, "n d"]:
    """Codes of length 1, float32; zeros stay."""
    length = np.sqrt(np.einsum("nd,nd->n", codes, codes, dtype=np.float64))
    return (codes / np.where(length > 0, length, 1)[:, None]).astype(np.float32)


def measured(
    queries: Float[ndarray, "q d"], codes: Float[ndarray, "n d"], numbers: Int[ndarray, "q c"], metric: str
) -> Float[ndarray, "q c"]:
    """Distances in float64 of queries from the codes of these numbers; a number of -1 is infinitely far."""
    a, b = queries.astype(np.float64)[:, None], codes[numbers].astype(np.float64)
    if metric == "cosine":
        (a, some), (b, other) = _directions(a), _directions(b)
        found = 0.5 * np.square(a - b).sum(-1) + 1 - 0.5 * (some + other)
    else:
        found = np.sqrt(np.square(a - b).sum(-1))
    return np.where(numbers < 0, np.inf, found)


def _directions(codes: ndarray) -> tuple[ndarray, ndarray]:
    """Codes over their length, and 1 where they have one; zeros stay."""
    length = np.sqrt(np.square(codes).sum(-1))
    return codes / np.where(length > 0, length, 1)[..., None], (length > 0).astype(np.float64)


def in_order(distances: Float[ndarray, "q c"], numbers: Int[ndarray, "q c"]) -> Found:
    """By distance, then by number."""
    order = np.lexsort((numbers, distances), axis=-1)
    return np.take_along_axis(distances, order, 1), np.take_along_axis(numbers, order, 1)
