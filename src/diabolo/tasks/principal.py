"""Principal components of rows that come in chunks: the linear yardstick every model is held against."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from scipy.linalg import eigh

Chunks = Callable[[], Iterator[ndarray]]

EXACT_FEATURES = 4096
"""Up to this width the components are exact; beyond it a randomised solver finds them."""
SAMPLE_ENTRIES = 2**26
"""The randomised solver holds at most this many values in memory (256 MiB of float32)."""
RANK_TOLERANCE = 1e-10


@dataclass(frozen=True)
class Principal:
    """The mean (F,) and the leading axes (F, k) of some rows, and how they were found."""

    mean: ndarray
    axes: ndarray
    method: str

    @property
    def n_components(self) -> int:
        return self.axes.shape[1]

    def reconstruct(self, rows: ndarray) -> ndarray:
        """Rows (B, F) after projection on the axes."""
        return (rows - self.mean) @ self.axes @ self.axes.T + self.mean


def fit(chunks: Chunks, n_components: int) -> Principal:
    """The ``n_components`` leading axes of the rows (at most their rank), by least squared error.

    ``chunks()`` gives the rows as arrays (B, F), anew at every call. The axes are the eigenvectors of the
    covariance, in float64; with fewer rows than features, those of the Gram matrix.

    Reference: Jolliffe (2002), "Principal component analysis", chapters 1 and 3.

    >>> rows = np.array([[0.0, 0.0], [1.0, 2.0], [2.0, 4.0]])
    >>> line = fit(lambda: iter([rows]), 2)
    >>> line.n_components, bool(np.allclose(line.reconstruct(rows), rows))
    (1, True)
    """
    sums = [(len(chunk), chunk.sum(0, dtype=np.float64)) for chunk in chunks()]
    count = sum(n for n, _ in sums)
    mean = np.sum([total for _, total in sums], axis=0) / count
    if len(mean) > EXACT_FEATURES:
        return _randomised(chunks, mean, count, n_components)
    axes = _from_gram(chunks, mean, n_components) if count < len(mean) else _from_covariance(chunks, mean, n_components)
    return Principal(mean, axes, "exact")


def _from_covariance(chunks: Chunks, mean: ndarray, k: int) -> ndarray:
    scatter = np.zeros((len(mean), len(mean)))
    for chunk in chunks():
        centred = chunk - mean
        scatter += centred.T @ centred
    return _leading(scatter, k)[1]


def _from_gram(chunks: Chunks, mean: ndarray, k: int) -> ndarray:
    centred = np.concatenate(list(chunks())) - mean
    values, vectors = _leading(centred @ centred.T, k)
    return centred.T @ vectors / np.sqrt(values)


def _leading(symmetric: ndarray, k: int) -> tuple[ndarray, ndarray]:
    """The k largest eigenvalues that are not zero, descending, and their eigenvectors as columns."""
    size = len(symmetric)
    values, vectors = eigh(symmetric, subset_by_index=(max(0, size - k), size - 1))
    keep = values > RANK_TOLERANCE * max(np.trace(symmetric), 1e-300)
    return values[keep][::-1], vectors[:, keep][:, ::-1]


def _randomised(chunks: Chunks, mean: ndarray, count: int, k: int) -> Principal:
    from sklearn.decomposition import PCA

    every = max(1, -(-count * len(mean) // SAMPLE_ENTRIES))
    sample, seen = [], 0
    for chunk in chunks():
        sample.append(chunk[(-seen) % every :: every].astype(np.float32))
        seen += len(chunk)
    rows = np.concatenate(sample)
    solver = PCA(min(k, *rows.shape), svd_solver="randomized", random_state=0, copy=False).fit(rows)
    keep = solver.singular_values_**2 > RANK_TOLERANCE * max(float(solver.singular_values_[0]) ** 2, 1e-300)
    part = f" on {len(rows):,} of {count:,} rows" if len(rows) < count else ""
    return Principal(mean, solver.components_[keep].T.astype(np.float64), f"randomised solver{part}")
