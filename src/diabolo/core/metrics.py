"""How good a reconstruction is, and how sure one can be of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def squared_error(
    data: Float[ndarray, "n *s"], recon: Float[ndarray, "n *s"], scored: ndarray | None = None
) -> Float[ndarray, " n"]:
    """Squared error of each row, summed over its entries (those scored, where a mask is given)."""
    difference = data - recon
    if scored is not None:
        difference = np.where(scored, difference, 0.0)
    flat = difference.reshape(len(difference), -1)
    return np.einsum("ij,ij->i", flat, flat, dtype=np.float64)


def code_shares(indices: ndarray, codes: int) -> Float[ndarray, " codes"]:
    """How often each of ``codes`` codes stands in an array of indices of any shape, as shares that sum to 1."""
    return np.bincount(np.asarray(indices).ravel(), minlength=codes) / max(1, np.asarray(indices).size)


def used(indices: ndarray, codes: int) -> float:
    """Share of the codes that stand in ``indices`` at least once, in [0, 1].

    >>> used(np.array([[0, 1], [1, 1]]), 4)
    0.5
    """
    return float((code_shares(indices, codes) > 0).mean())


def perplexity(indices: ndarray, codes: int) -> float:
    """exp of the entropy of the codes: how many are in use, rare ones counting less; from 1 to ``codes``.

    >>> round(perplexity(np.array([0, 1, 2, 2]), 8), 3)
    2.828
    """
    shares = code_shares(indices, codes)
    return float(np.exp(-np.sum(shares * np.log(np.where(shares > 0, shares, 1.0)))))


@dataclass(frozen=True)
class Interval:
    """An estimate with a bootstrap interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.4g} [{self.low:.4g}, {self.high:.4g}]"


def bootstrap_mean(values: Float[ndarray, " n"], *, level: float = 0.95, draws: int = 1000, seed: int = 0) -> Interval:
    """Mean with a percentile bootstrap interval (Efron 1979), rows drawn with replacement."""
    return _interval(values, np.ones_like(values), level, draws, seed)


def bootstrap_ratio(
    values: Float[ndarray, " n"], others: Float[ndarray, " n"], *, level: float = 0.95, draws: int = 1000, seed: int = 0
) -> Interval:
    """Ratio of two means over the same rows, paired: rows are drawn together."""
    return _interval(values, others, level, draws, seed)


def _interval(top: ndarray, bottom: ndarray, level: float, draws: int, seed: int) -> Interval:
    n = len(top)
    random = np.random.default_rng(seed)
    ratios = np.empty(draws)
    for draw in range(draws):
        weight = np.bincount(random.integers(n, size=n), minlength=n)
        ratios[draw] = (weight @ top) / max(weight @ bottom, 1e-300)
    low, high = np.quantile(ratios, [(1 - level) / 2, (1 + level) / 2])
    return Interval(float(top.mean() / max(bottom.mean(), 1e-300)), float(low), float(high))
