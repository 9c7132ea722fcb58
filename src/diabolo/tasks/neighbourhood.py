"""Where the codes of real rows lie, as a density to draw from: around each of them, as its neighbours spread."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from sklearn.neighbors import NearestNeighbors

LEAST = 5
"""Rows that the spread of a draw is taken from, at least."""


@dataclass
class Neighbourhood:
    """A mixture of Gaussians, one at each code, each as wide as its nearest codes are apart.

        z = z_i + spread · Σ_j ε_j (z_j − mean_j z_j) / √(K − 1),    j among the K codes nearest to z_i, ε ~ N(0, 1)

    The covariance is that of the neighbours, so draws stay on the surface where codes lie; codes of one group have
    neighbours of that group alone. What the decoder leaves unexplained is taken from another neighbour.

    codes (N, D) · rest (N, E): target - reconstruction · near (N, K): the row itself first · group (N,) · spread of
    each group, by its number

    Reference: Vincent & Bengio (2002), "Manifold Parzen windows", equation 4; Norouzi, Fleet & Norouzi (2020),
    "Exemplar VAE: linking generative models, nearest neighbor retrieval, and data augmentation" (codes as a prior).
    """

    codes: ndarray
    rest: ndarray
    near: ndarray
    group: ndarray
    spread: ndarray

    @classmethod
    def of(cls, codes: ndarray, rest: ndarray, group: ndarray, k: int) -> Neighbourhood:
        """Find the K - 1 nearest codes of each within its group: a fifth of a small one, at least `LEAST`.

        A group of fewer rows than that borrows from all.
        """
        near = np.empty((len(codes), k), np.int32)
        for name in np.unique(group):
            rows = np.flatnonzero(group == name)
            among = rows if len(rows) >= LEAST else np.arange(len(codes))
            few = min(k, len(among), max(LEAST, len(among) // 5))
            found = among[_nearest(codes[among], codes[rows], np.searchsorted(among, rows), few)]
            near[rows] = found[:, np.r_[0, 1 + np.arange(k - 1) % max(1, few - 1)]]
        return cls(codes, rest, near, group, np.ones(int(group.max()) + 1))

    def pick(self, n: int, rows: ndarray | None, draw: np.random.Generator) -> ndarray:
        """``n`` rows to draw around, of these (None: of all), one as often as another."""
        rows = np.arange(len(self.codes)) if rows is None else rows
        return np.concatenate([draw.permutation(rows) for _ in range(-(-n // len(rows)))])[:n]

    def draw(self, index: ndarray, draw: np.random.Generator) -> tuple[ndarray, ndarray]:
        """A code (n, D) around each of these rows, and what the decoder will not explain (n, E)."""
        near = self.near[index]
        around = self.codes[near]
        away = around - around.mean(1, keepdims=True)
        noise = draw.standard_normal((*near.shape, 1)) / np.sqrt(max(1, near.shape[1] - 1))
        other = near[np.arange(len(near)), draw.integers(1, near.shape[1], len(near))]
        wide = self.spread[self.group[index]][:, None]
        return self.codes[index] + wide * (noise * away).sum(1), self.rest[other]


def _nearest(rows: ndarray, asked: ndarray, own: ndarray, k: int) -> ndarray:
    """Numbers of the k nearest rows of each asked one, itself (number ``own``) first, also among equal ones."""
    found = NearestNeighbors(n_neighbors=k).fit(rows).kneighbors(asked)[1]
    own = own[:, None]
    strange = ~(found == own).any(1)
    found[strange, -1] = own[strange, 0]
    order = np.argsort(found != own, 1, kind="stable")
    return np.take_along_axis(found, order, 1)
