"""Where the codes of real rows lie, as Gaussians of each class: nothing of a single row is kept."""

from __future__ import annotations

import warnings
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture

MOST, ROWS = 10, 3
"""Gaussians of a class, at most; rows of it for each of them and each value of a code, at least."""
FLOOR = 1e-3
"""What is added to variances."""


@dataclass
class Gaussians:
    """A mixture of Gaussians with full covariance for every group; what the decoder leaves unexplained is one more.

        z ~ Σ_m weights_m N(means_m, roots_m roots_mᵀ),    rest ~ N(0, diag rest_g²)

    weights (M,) · means (M, D) · roots (M, D, D) lower triangles · group (M,) · rest (groups, E)

    Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4.
    """

    weights: ndarray
    means: ndarray
    roots: ndarray
    group: ndarray
    rest: ndarray

    @classmethod
    def of(cls, codes: ndarray, rest: ndarray, group: ndarray, seed: int) -> Gaussians:
        """Fit each group by expectation-maximisation; one of fewer than 5 rows has the covariance of all."""
        whole = np.cov(codes, rowvar=False).reshape(codes.shape[1], -1) + FLOOR * np.eye(codes.shape[1])
        found: list[tuple[ndarray, ndarray, ndarray, ndarray]] = []
        spread = np.zeros((int(group.max()) + 1, rest.shape[1]), np.float32)
        for name in np.unique(group):
            rows = codes[group == name].astype(np.float64)
            spread[name] = rest[group == name].std(0)
            share, many = len(rows) / len(codes), min(MOST, len(rows) // (ROWS * codes.shape[1]) + 1)
            if len(rows) < 5:
                found.append((np.array([share]), rows.mean(0)[None], whole[None], np.array([name])))
                continue
            fitted = GaussianMixture(many, covariance_type="full", reg_covar=FLOOR, random_state=seed)
            with warnings.catch_warnings():
                warnings.simplefilter("ignore", ConvergenceWarning)
                fitted.fit(rows)
            found.append((share * fitted.weights_, fitted.means_, fitted.covariances_, np.full(many, name)))
        weights, means, covariances, owner = (np.concatenate(part) for part in zip(*found, strict=True))
        return cls(weights, means, np.linalg.cholesky(covariances), owner.astype(np.int32), spread)

    def pick(self, n: int, rows: ndarray | None, draw: np.random.Generator) -> ndarray:
        """Numbers of ``n`` Gaussians by their weight, of these (None: of all); each as often as it is to be, to one."""
        rows = np.arange(len(self.weights)) if rows is None else rows
        bounds = np.cumsum(self.weights[rows] / self.weights[rows].sum())
        even = (np.arange(n) + draw.random()) / n
        return draw.permutation(rows[np.minimum(np.searchsorted(bounds, even), len(rows) - 1)])

    def draw(self, index: ndarray, draw: np.random.Generator) -> tuple[ndarray, ndarray]:
        """A code (n, D) of each of these Gaussians, and what the decoder will not explain (n, E)."""
        z = np.empty((len(index), self.means.shape[1]))
        for name in np.unique(index):
            own = index == name
            z[own] = self.means[name] + draw.standard_normal((int(own.sum()), z.shape[1])) @ self.roots[name].T
        rest = self.rest[self.group[index]]
        return z, rest * draw.standard_normal(rest.shape)
