"""Filling up rare classes without a model: how many rows are wanted, SMOTE, repeated rows."""

from __future__ import annotations

from collections.abc import Mapping
from numbers import Real
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.neighbors import NearestNeighbors

from ..core.errors import DataError, UsageError, out_of_range, unknown

STRATEGIES = ("auto", "minority", "not majority", "not minority", "all")
Strategy = str | float | Mapping[Any, int]


def wanted(strategy: Strategy, classes: ndarray, counts: ndarray) -> dict[int, int]:
    """How many rows of which class are to be made: place of the class -> rows, at least 1.

    ``strategy``, as imbalanced-learn has it: "auto" or "not majority" (every class but the largest gets as many rows
    as that one), "minority" (the smallest alone), "not minority", "all"; a float (two classes: the share
    smallest / largest that is to be); or a mapping class -> rows in all.
    Raises `UsageError` for what is none of these, `DataError` for fewer rows than a class has already.

    >>> wanted("auto", np.array(["a", "b", "c"]), np.array([10, 4, 1]))
    {1: 6, 2: 9}
    >>> wanted({"c": 3}, np.array(["a", "b", "c"]), np.array([10, 4, 1]))
    {2: 2}
    >>> wanted(0.5, np.array([0, 1]), np.array([8, 2]))
    {1: 2}
    """
    if isinstance(strategy, Mapping):
        return _asked(strategy, classes, counts)
    if isinstance(strategy, Real) and not isinstance(strategy, bool):
        return _share(float(strategy), counts)
    if not isinstance(strategy, str):
        raise out_of_range("sampling_strategy", f"one of {', '.join(STRATEGIES)}, a float or a dict", strategy)
    if strategy not in STRATEGIES:
        raise unknown("sampling_strategy", strategy, STRATEGIES)
    smallest, largest = int(counts.argmin()), int(counts.argmax())
    left_out = {"minority": set(range(len(counts))) - {smallest}, "not minority": {smallest}, "all": set()}
    skipped = left_out.get(strategy, {largest})
    lacking = counts.max() - counts
    return {place: int(rows) for place, rows in enumerate(lacking) if rows and place not in skipped}


def _asked(strategy: Mapping[Any, int], classes: ndarray, counts: ndarray) -> dict[int, int]:
    known = {str(value): place for place, value in enumerate(classes.tolist())}
    found = {}
    for name, total in strategy.items():
        if str(name) not in known:
            raise unknown("class", str(name), known)
        place = known[str(name)]
        if int(total) < counts[place]:
            raise DataError(
                f"class {name!r} has {counts[place]} rows already; sampling_strategy asks for {total} in all. "
                "Ask for at least as many as there are."
            )
        found[place] = int(total) - int(counts[place])
    return {place: rows for place, rows in sorted(found.items()) if rows}


def _share(share: float, counts: ndarray) -> dict[int, int]:
    if len(counts) != 2:
        raise UsageError(
            f"sampling_strategy {share:g} is a share of two classes; there are {len(counts)}: give a dict."
        )
    if not 0 < share <= 1:
        raise out_of_range("sampling_strategy", "a share in (0, 1]", share)
    small = int(counts.argmin())
    rows = int(share * counts.max()) - int(counts.min())
    if rows < 0:
        raise DataError(
            f"the classes stand at {counts.min() / counts.max():.3g} already; sampling_strategy {share:g} would need "
            "fewer rows. Ask for more."
        )
    return {small: rows} if rows else {}


def interpolated(points: ndarray, n: int, k: int, random: np.random.Generator) -> tuple[ndarray, ndarray, ndarray]:
    """n pairs of points and how far between: base (n,), one of its k nearest others (n,), share (n,) in [0, 1).

    Every point is the base of as many pairs as any other, but for one. Raises `DataError` for fewer than 2 points.
    """
    if len(points) < 2:
        raise DataError(f"between {len(points)} row there is nothing to interpolate; at least 2 are needed.")
    k = min(k, len(points) - 1)
    near = NearestNeighbors(n_neighbors=k + 1).fit(points).kneighbors(points, return_distance=False)
    # of equal points a point may not come first among its own neighbours
    own = near == np.arange(len(points))[:, None]
    own[~own.any(1), -1] = True
    others = near[~own].reshape(len(points), k)
    base = _evenly(len(points), n, random)
    return base, others[base, random.integers(k, size=n)], random.random(n)


def smote(points: ndarray, n: int, k: int = 5, random: np.random.Generator | None = None) -> ndarray:
    """n rows on the lines between rows of one class (m, F) and their k nearest of that class.

        made = x + u (x' - x),   u uniform on [0, 1)

    Reference: Chawla et al. (2002), "SMOTE: synthetic minority over-sampling technique".

    >>> made = smote(np.array([[0.0, 0.0], [2.0, 2.0]]), 50, random=np.random.default_rng(0))
    >>> bool((made[:, 0] == made[:, 1]).all() and made.min() >= 0 and made.max() <= 2)
    True
    """
    base, other, share = interpolated(points, n, k, random if random is not None else np.random.default_rng())
    made: ndarray = points[base] + share[:, None] * (points[other] - points[base])
    return made


def repeated(points: ndarray, n: int, random: np.random.Generator) -> ndarray:
    """n rows drawn from rows of one class with replacement."""
    drawn: ndarray = points[random.integers(len(points), size=n)]
    return drawn


def _evenly(rows: int, n: int, random: np.random.Generator) -> ndarray:
    """n places among the rows, each as often as any other, but for one."""
    laps = [random.permutation(rows) for _ in range(-(-n // rows))]
    return np.concatenate(laps)[:n] if laps else np.zeros(0, np.int64)
