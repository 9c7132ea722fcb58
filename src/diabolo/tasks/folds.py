"""Folds in which every class can be learnt and asked for, with groups that stay together."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, out_of_range

TRIES = 500


def folds_of(places: ndarray, groups: Any, folds: int, seed: int) -> list[tuple[ndarray, ndarray]]:
    """Training and test rows of each fold; a group is never on both sides.

    Rows without groups are dealt out class by class. Groups are drawn until every fold asks for every class and can
    learn it from two rows or more; where that cannot be, the draw that comes nearest is taken.
    Raises `DataError` for fewer groups than folds, or a class that no fold can both learn and ask for.

    >>> [(a.tolist(), b.tolist()) for a, b in folds_of(np.array([0, 0, 1, 1]), [0, 1, 0, 1], 2, seed=0)]
    [([1, 3], [0, 2]), ([0, 2], [1, 3])]
    """
    if not isinstance(folds, int) or folds < 2:
        raise out_of_range("folds", "an int of at least 2", folds)
    random = np.random.default_rng(seed)
    fold = _dealt(places, folds, random) if groups is None else _drawn(places, np.asarray(groups), folds, random)
    return [(np.flatnonzero(fold != number), np.flatnonzero(fold == number)) for number in range(folds)]


def _dealt(places: ndarray, folds: int, random: np.random.Generator) -> ndarray:
    """The fold of each row: rows of a class go round, each class where the last one ended."""
    counts = np.bincount(places)
    if counts[counts > 0].min() < 2 or len(places) < folds:
        raise DataError(
            f"a class with {counts[counts > 0].min()} row among {len(places)} cannot be both learnt and asked for; "
            "leave it out of the verdict."
        )
    order = np.argsort(places + random.random(len(places)), kind="stable")
    fold = np.empty(len(places), np.int64)
    fold[order] = np.arange(len(places)) % folds
    return fold


def _drawn(places: ndarray, groups: ndarray, folds: int, random: np.random.Generator) -> ndarray:
    """The fold of each row: that of its group."""
    if len(groups) != len(places):
        raise DataError(f"there are {len(groups)} groups for {len(places)} rows; give one for each row.")
    names, group = np.unique(groups, return_inverse=True)
    if len(names) < folds:
        raise DataError(f"there are {len(names)} groups for {folds} folds; take fewer folds.")
    table = np.zeros((len(names), int(places.max()) + 1), np.int64)
    np.add.at(table, (group, places), 1)
    best, fewest = np.zeros(0, np.int64), np.inf
    for _ in range(TRIES):
        fold = random.permutation(len(names)) % folds
        inside = np.stack([table[fold == number].sum(0) for number in range(folds)])
        lacking = int((inside == 0).sum() + (table.sum(0) - inside < 2).sum())
        if lacking < fewest:
            best, fewest = fold, lacking
        if not lacking:
            break
    inside = np.stack([table[best == number].sum(0) for number in range(folds)])
    if ((table.sum(0) - inside < 1).any(1)).any():
        raise DataError("some class is in one group alone, so it cannot be both learnt and asked for; leave it out.")
    return best[group]
