"""Choosing columns: simple rankings, what is rebuilt from those chosen by ridge regression, and what is redundant."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray
from scipy.linalg import qr

from ..blocks.column_choice import Residual, by_column, greedy
from ..core.metrics import bootstrap_ratio
from .base import Assessment

REDUNDANT = 1e-3
"""A column of which those taken leave less than this share of the variance adds nothing."""
ENOUGH = 0.05
"""n_features="auto": columns are taken until the rest is rebuilt but for this share of its variance."""
RIDGE = 1e-3


def settled(ranking: Sequence[int], products: ndarray, owner: ndarray, count: int) -> list[int]:
    """``count`` columns: down the ranking, without those that the ones before rebuild; then the most telling others.

    >>> same = np.array([[1.0, 1.0, 0.0], [1.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    >>> settled([1, 0], same, np.array([0, 1, 2]), 2)
    [1, 2]
    """
    left = Residual(products, owner)
    for column in ranking:
        if len(left.taken) < count and left.unknown()[column] > REDUNDANT * left.whole[column]:
            left.take(column)
    while len(left.taken) < count:
        left.take(left.best())
    return left.taken


def enough(products: ndarray, owner: ndarray) -> tuple[int, float]:
    """How many columns it takes to rebuild the rest but for `ENOUGH` of its variance, linearly; and what they leave."""
    left, whole = Residual(products, owner), 0.0
    whole = float(left.whole.sum())
    for count in range(1, left.count + 1):
        unknown = float(left.take(left.best()).unknown().sum())
        if unknown <= ENOUGH * whole or count == left.count:
            return count, unknown / max(whole, 1e-300)
    return left.count, 0.0


def rankings(x: ndarray, owner: ndarray, products: ndarray, count: int, seed: int) -> dict[str, list[int]]:
    """``count`` columns by each of the simple methods. ``x``: values as they are given, in the user's units."""
    columns = int(owner.max()) + 1
    raw = np.bincount(owner, weights=x.var(0))
    return {
        "greedy, linear": greedy(products, owner, count),
        "pivoted QR": _pivoted(products, owner)[:count],
        "PCA loadings": _by_loadings(products, owner, count),
        "variance": np.argsort(-raw, kind="stable")[:count].tolist(),
        "random": np.random.default_rng(seed).permutation(columns)[:count].tolist(),
    }


def _pivoted(products: ndarray, owner: ndarray) -> list[int]:
    """Columns in the order in which QR with pivoting takes their first value (Golub & Van Loan, section 5.5.6)."""
    values, vectors = np.linalg.eigh(products)
    order = qr((vectors * np.sqrt(values.clip(min=0))).T, mode="r", pivoting=True)[1]
    return list(dict.fromkeys(owner[order].tolist()))


def _by_loadings(products: ndarray, owner: ndarray, count: int) -> list[int]:
    """Principal components in turn, each naming the column of its largest loading that has no name yet.

    Reference: Jolliffe (1972), "Discarding variables in a principal component analysis. I", method B4.
    """
    values, vectors = np.linalg.eigh(products)
    found: dict[int, None] = {}
    for component in range(len(values)):
        loading = np.bincount(owner, weights=np.square(vectors[:, -1 - component % len(values)]))
        found[next(c for c in np.argsort(-loading, kind="stable").tolist() if c not in found)] = None
        if len(found) == count:
            break
    return list(found)


def ridge(x: ndarray, kept: Sequence[int], owner: ndarray) -> tuple[ndarray, ndarray]:
    """Weights (values kept, F) and means (F,) that rebuild all values from those of the kept columns."""
    means, spread = x.mean(0), x.std(0)
    unit = np.where(spread > 1e-6 * np.abs(x).max(0, initial=1e-30), spread, 1.0)
    scaled = (x - means) / unit
    inside = np.flatnonzero(np.isin(owner, kept))
    z = scaled[:, inside]
    products = z.T @ z / len(z) + RIDGE * np.eye(len(inside))
    weights = np.linalg.solve(products, z.T @ scaled / len(z))
    return weights * unit / unit[inside, None], means


def rebuilt(x: ndarray, kept: Sequence[int], owner: ndarray, weights: ndarray, means: ndarray) -> ndarray:
    """Rows (N, F) rebuilt from the values of their kept columns."""
    inside = np.flatnonzero(np.isin(owner, kept))
    found: ndarray = (x[:, inside] - means[inside]) @ weights + means
    return found


def lost(x: ndarray, recon: ndarray, owner: ndarray, spread: ndarray, known: ndarray | None = None) -> ndarray:
    """Squared error of every column of every row (N, C), in units of the column's variance ``spread`` (C,).

    ``known`` (N, C): cells that were there; a missing one counts for nothing. A column that does not vary counts as 0.
    """
    errors = by_column(np.square(x - recon), owner)
    shares = errors / np.where(spread > 0, spread, 1.0) * (spread > 0)
    return shares if known is None else np.where(known, shares, 0.0)


def variances(x: ndarray, owner: ndarray) -> ndarray:
    """Variance of every column (C,), summed over its values; float noise is 0."""
    still = x.std(0) <= 1e-6 * np.abs(x).max(0, initial=1e-30)
    return np.bincount(owner, weights=np.where(still, 0.0, x.var(0)))


def judged(found: dict[str, ndarray], methods: dict[str, list[int]], ours: ndarray, seed: int) -> Assessment:
    """The table: what is lost of a left-out column, mean and median, for each method's columns."""

    def line(name: str, errors: ndarray, columns: list[int]) -> tuple[str, str, str]:
        left = np.setdiff1d(np.arange(errors.shape[1]), columns)
        each = errors[:, left].mean(0)
        return name, f"{each.mean():.3g}", f"{np.median(each):.3g}"

    first, *others = found
    kept = methods[first]
    rows = [line(f"{first}, by the decoder", ours, kept)]
    rows += [line(f"{name}, by ridge regression", errors, methods[name]) for name, errors in found.items()]
    totals = {name: _outside(errors, methods[name]) for name, errors in found.items()}
    rival = min(others, key=lambda name: float(totals[name].mean()))
    floor = 1e-9
    ratio = bootstrap_ratio(totals[first] + floor, totals[rival] + floor, seed=seed)
    who = "better than" if ratio.high < 1 else "no better than" if ratio.low > 1 else "a tie with"
    verdict = (
        f"{who} the columns of the best simple method, {rival}, with the same linear rebuilder: "
        f"{ratio.value:.3g} of its error [{ratio.low:.3g}, {ratio.high:.3g}]"
    )
    title = f"What is lost of a left-out column on {len(ours)} held-out rows (share of its variance)"
    return Assessment(title, ("", "mean", "median"), tuple(rows), verdict)


def _outside(errors: ndarray, columns: list[int]) -> ndarray:
    """The error of every row over the columns left out (N,)."""
    left = np.setdiff1d(np.arange(errors.shape[1]), columns)
    return np.asarray(errors[:, left].sum(1))
