"""Linear autoencoders of interactions in closed form: a weight from every item to every other."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from scipy.linalg.blas import ssyrk
from scipy.linalg.lapack import dpotrf, dpotri, spotrf, spotri

from ..core.errors import DataError, out_of_range

MOST_ITEMS = 20_000
"""Items of which the weights, items by items, are made: 1.6 GB at that number, and as much to work in."""
DENSE, USERS = 0.02, 4096
"""Share of entries above which users are multiplied as dense rows, so many at a time: it uses all cores."""
SINGLE = 1e5
"""Largest condition of the matrix that is inverted in single precision."""


def gram(matrix: Any) -> ndarray:
    """Users that have both of two items, X'X: float32 (M, M) of a sparse (N, M). Raises `DataError` for too many."""
    if matrix.shape[1] > MOST_ITEMS:
        raise DataError(
            f"a weight between any two of {matrix.shape[1]:,} items does not fit; up to {MOST_ITEMS:,} items do. Take "
            "kind='vae' or 'dae', whose size grows with the items alone."
        )
    users, items = matrix.shape
    if matrix.nnz < DENSE * users * items:
        return np.asarray((matrix.T @ matrix).todense(), np.float32)
    total = np.zeros((items, items), np.float32, order="F")
    for begin in range(0, users, USERS):
        piece = matrix[begin : begin + USERS].toarray().astype(np.float32)
        total = ssyrk(1.0, piece.T, beta=1.0, c=total, lower=1, overwrite_c=1)
    return _mirrored(total)


def linear_weights(counts: ndarray, penalty: float, dropout: float = 0.0) -> ndarray:
    """The linear autoencoder x -> x B that gives hidden entries back: float32 (M, M) with a diagonal of zeros.

        min over B, diag B = 0:  |X - X B|^2 + |L^(1/2) B|^2,     L = penalty I + dropout / (1 - dropout) diag(X'X)

        P = (X'X + L)^-1,     B = I - P diag(1 / diag P)

    ``dropout`` 0 is EASE; above 0 it is EDLAE, the expectation over inputs of which every entry is dropped with that
    chance (and the others scaled up) while the hidden entry alone is asked for. The diagonal of zeros is what keeps
    an item from explaining itself.

    counts  (M, M) X'X, as of `gram` · penalty > 0 · dropout in [0, 1)

    Raises `UsageError` for values out of range.

    Reference: Steck (2019), "Embarrassingly shallow autoencoders for sparse data", equation 8; Steck (2020),
    "Autoencoders that don't overfit towards the identity", equation 10.

    >>> linear_weights(np.array([[2.0, 1.0], [1.0, 2.0]]), penalty=1.0).round(3).tolist()
    [[0.0, 0.3330000042915344], [0.3330000042915344, 0.0]]
    """
    if not penalty > 0:
        raise out_of_range("penalty", "a positive number", penalty)
    if not 0 <= dropout < 1:
        raise out_of_range("dropout", "in [0, 1)", dropout)
    ridge = penalty + dropout / (1 - dropout) * np.diag(counts).astype(np.float64)
    condition = (np.abs(counts).sum(1).max() + ridge.max()) / penalty
    inverse = _inverse(counts, ridge, np.float32 if condition < SINGLE else np.float64)
    inverse /= -np.diag(inverse)[None].copy()
    np.fill_diagonal(inverse, 0)
    return inverse.astype(np.float32, copy=False)


def _inverse(counts: ndarray, ridge: ndarray, dtype: Any) -> ndarray:
    """(counts + diag ridge)^-1 by Cholesky: half the work of a general inverse."""
    held = np.array(counts, dtype, order="F")
    held[np.diag_indices_from(held)] += ridge.astype(dtype)
    factor, invert = (spotrf, spotri) if dtype is np.float32 else (dpotrf, dpotri)
    lower, failed = factor(held, lower=1, overwrite_a=1)
    if failed and dtype is np.float32:
        return _inverse(counts, ridge, np.float64)
    made, broken = invert(lower, lower=1, overwrite_c=1)
    if failed or broken:
        raise DataError("the counts of pairs of items are no such counts: they have no positive eigenvalues.")
    return _mirrored(made)


def _mirrored(lower: ndarray) -> ndarray:
    """The symmetric matrix of which the lower half is given."""
    lower = np.tril(lower)
    whole: ndarray = lower + np.tril(lower, -1).T
    return whole
