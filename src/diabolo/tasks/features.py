"""Features in which made rows are compared with real ones, each with the name it is told by."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.neural_network import MLPClassifier

from ..core.errors import DataError

MOST_PRINCIPAL, ROWS_EACH = 64, 10
"""Principal components at most, and rows to learn each from."""
FEW, MOST_CLASSES = 5, 100
"""Rows a class that a classifier needs at least, and classes it may have."""
UNITS, EPOCHS, SEED = 128, 20, 2017


@dataclass(frozen=True)
class Features:
    """``of(rows (N, F)) -> (N, D)``, and a name that says what they are; ``accuracy``: of their classifier."""

    name: str
    of: Callable[[ndarray], ndarray]
    accuracy: float = float("nan")

    def __call__(self, rows: ndarray) -> Float[ndarray, "n d"]:
        found: ndarray = self.of(rows)
        return found


def taught(
    X: ndarray,
    y: ndarray,
    fresh: tuple[ndarray, ndarray] | None = None,
    *,
    hidden: Sequence[int] = (UNITS,),
    epochs: int = EPOCHS,
    batch: int | str = "auto",
    alpha: float = 1e-3,
    seed: int = SEED,
) -> Features:
    """The last hidden units of a classifier, trained once and then fixed.

    X : rows (N, F) in about unit scale. y : classes (N,). fresh : rows and classes that its accuracy is measured on.

    Raises `DataError` for fewer than 2 classes.

    Reference: Heusel et al. (2017), "GANs trained by a two time-scale update rule", which takes Inception's; a
    classifier of one's own data is what those who have no photographs use.

    >>> X = np.random.default_rng(0).normal(size=(60, 4)) + 3 * (np.arange(60) % 2)[:, None]
    >>> taught(X, np.arange(60) % 2, epochs=5)(X).shape
    (60, 128)
    """
    if len(np.unique(y)) < 2:
        raise DataError("features of a classifier need rows of at least 2 classes.")
    net = MLPClassifier(tuple(hidden), random_state=seed, max_iter=epochs, alpha=alpha, batch_size=batch)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it need not converge to be a ruler
        net.fit(X, y)
    score = float("nan") if fresh is None else float(net.score(*fresh))

    def units(rows: ndarray) -> ndarray:
        for weight, bias in zip(net.coefs_[:-1], net.intercepts_[:-1], strict=True):
            rows = np.maximum(rows @ weight + bias, 0)
        return rows

    name = f"{hidden[-1]} hidden units of a classifier of the {len(net.classes_)} classes"
    return Features(name if fresh is None else f"{name} (accuracy {100 * score:.1f} %)", units, score)


def principal(X: ndarray, size: int | None = None) -> Features:
    """The first principal components of rows (N, F), in the rows' own units.

    >>> principal(np.random.default_rng(0).normal(size=(200, 30)))(np.zeros((3, 30))).shape
    (3, 20)
    """
    size = size if size is not None else max(1, min(MOST_PRINCIPAL, len(X) // ROWS_EACH, X.shape[1]))
    mean = X.mean(0)
    _, values, axes = np.linalg.svd(X - mean, full_matrices=False)
    kept = axes[:size].T
    share = float(np.square(values[:size]).sum() / max(np.square(values).sum(), 1e-300))
    return Features(f"{kept.shape[1]} principal components ({100 * share:.0f} % of the variance)",
                    lambda rows: (rows - mean) @ kept)  # fmt: skip


def suited(X: ndarray, y: Any, *, seed: int = 0) -> Features:
    """Of a classifier where there are classes to teach one, else principal components.

    X : rows (N, F) that nothing is measured on. y : classes (N,), or None.
    """
    if y is None or not _teaches(np.asarray(y)):
        return principal(X)
    classes, place = np.unique(np.asarray(y).astype(str), return_inverse=True)
    order = np.random.default_rng(seed).permutation(len(X))
    held, known = order[: len(X) // 5], order[len(X) // 5 :]
    if len(np.unique(place[known])) < len(classes):
        return principal(X)
    return taught(X[known], place[known], (X[held], place[held]))


def _teaches(y: ndarray) -> bool:
    """Whether labels are classes, each of enough rows."""
    if y.dtype.kind == "f" and not np.array_equal(y, np.rint(y)):
        return False
    counts = np.unique(y.astype(str), return_counts=True)[1]
    return 2 <= len(counts) <= MOST_CLASSES and int(counts.min()) >= FEW
