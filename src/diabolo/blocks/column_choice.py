"""Which columns the others can be rebuilt from, told from their correlations alone; and which values are one column."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

NOTHING = 1e-9
"""Shares of the variance below this are float noise."""


def layout(columns: Sequence[Sequence], indicators: Sequence[int], values: int) -> tuple[list[int], list[int]]:
    """Which column each of a row's ``values`` belongs to, and its place within that column.

    ``columns``: [kind, width] of each, in order; () for one value a column. ``indicators``: the columns whose cells
    may be missing, in the order in which their marks follow the columns' own values.

    >>> layout([["numeric", 1], ["categorical", 2]], [0], 4)
    ([0, 1, 1, 0], [0, 0, 1, 1])
    """
    widths = [int(width) for _, width in columns] or [1] * values
    owner = [column for column, width in enumerate(widths) for _ in range(width)]
    place = [at for width in widths for at in range(width)]
    return [*owner, *indicators], [*place, *(widths[column] for column in indicators)]


def correlations(x: ndarray, owner: ndarray) -> ndarray:
    """Products of values in units of their deviation, so that every column counts as much as any other.

    A column of several values (one-hot) has variance 1 in all; values that do not vary are 0.

    >>> correlations(np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([0, 1]))
    array([[1., 0.],
           [0., 0.]])
    """
    x = np.asarray(x, np.float64)
    centred = x - x.mean(0)
    spread = np.bincount(owner, weights=centred.var(0))[owner]
    tiny = np.finfo(np.float32).eps * np.abs(x).max(0, initial=0.0)
    still = np.sqrt(centred.var(0)) <= tiny
    scaled = np.where(still, 0.0, centred / np.sqrt(np.where(spread > 0, spread, 1.0)))
    return scaled.T @ scaled / len(x)


def by_column(values: ndarray, owner: ndarray) -> ndarray:
    """Values (…, F) summed over those of each column (…, C); ``owner`` never falls.

    >>> by_column(np.array([[1.0, 2.0, 3.0]]), np.array([0, 1, 1])).tolist()
    [[1.0, 5.0]]
    """
    return np.add.reduceat(values, np.flatnonzero(np.diff(owner, prepend=-1)), axis=-1)


class Residual:
    """What is left of every column once some are known, for linear rebuilding.

        R ◀── R − R[:, c] R[c, c]⁺ R[c, :]        for every column c that is taken

    Reference: Farahat, Ghodsi & Kamel (2011), "An efficient greedy method for unsupervised feature selection".

    >>> same = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> left = Residual(same, np.array([0, 1, 2]))
    >>> left.best(), left.take(0).unknown().tolist()
    (0, [0.0, 0.0, 1.0])
    """

    def __init__(self, products: ndarray, owner: ndarray) -> None:
        self.left, self.owner, self.taken = products.copy(), np.asarray(owner), list[int]()
        self.whole = np.bincount(self.owner, weights=np.diagonal(products))
        self.count = len(self.whole)
        sizes = np.bincount(self.owner)
        self.single = sizes == 1
        self._members = [np.flatnonzero(self.owner == column) for column in np.flatnonzero(~self.single)]

    def unknown(self) -> ndarray:
        """The variance of every column that those taken do not explain (C,)."""
        found = np.bincount(self.owner, weights=np.diagonal(self.left).clip(min=0))
        return np.where(found > NOTHING * self.whole, found, 0.0)

    def gains(self) -> ndarray:
        """How much of the variance of all columns each would explain beyond those taken (C,)."""
        diagonal = np.diagonal(self.left)
        floor = NOTHING * max(float(self.whole.max(initial=0.0)), 1e-300)
        each = np.where(diagonal > floor, np.square(self.left).sum(0) / np.where(diagonal > floor, diagonal, 1.0), 0.0)
        gain = np.bincount(self.owner, weights=each, minlength=self.count)
        for members in self._members:
            gain[self.owner[members[0]]] = np.trace(self._explained(members))
        gain[self.taken] = -1.0
        return gain

    def best(self) -> int:
        """The column that explains most of what is left."""
        return int(self.gains().argmax())

    def take(self, column: int) -> Residual:
        """Know a column from now on."""
        self.left = self.left - self._explained(np.flatnonzero(self.owner == column))
        self.taken.append(int(column))
        return self

    def _explained(self, members: ndarray) -> ndarray:
        rows = self.left[members]
        floor = NOTHING * max(float(self.whole.max(initial=0.0)), 1e-300)
        values, vectors = np.linalg.eigh(rows[:, members])
        inverse = np.where(values > floor, 1 / np.where(values > floor, values, 1.0), 0.0)
        turned = vectors.T @ rows
        return (turned * inverse[:, None]).T @ turned


def greedy(products: ndarray, owner: ndarray, count: int) -> list[int]:
    """``count`` columns, each the one that explains most of what those before it leave.

    >>> greedy(np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]]), np.array([0, 1, 2]), 2)
    [0, 2]
    """
    left = Residual(products, owner)
    for _ in range(count):
        left.take(left.best())
    return left.taken
