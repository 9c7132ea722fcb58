"""How good a reconstruction is, how much a code holds, how far samples are from data, and how sure one can be."""

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


def si_sdr(reference: Float[ndarray, "*n t"], estimate: Float[ndarray, "*n t"]) -> Float[ndarray, "*n"]:
    """Scale-invariant signal-to-distortion ratio of each signal, in decibels; higher is better.

        10 log10( |a s|^2 / |a s - s_hat|^2 ),   a = <s_hat, s> / |s|^2

    The loudness of the estimate does not count. 0 / 0 is nan (a silent reference), a perfect estimate inf.

    Reference: Le Roux et al. (2019), "SDR - half-baked or well done?", equation 4 and 5.

    >>> time = np.arange(1000) / 1000
    >>> s, n = np.sin(2 * np.pi * 5 * time), np.cos(2 * np.pi * 5 * time)
    >>> round(float(si_sdr(s, 3 * (s + 0.1 * n))), 6)
    20.0
    """
    s, given = np.asarray(reference, dtype=np.float64), np.asarray(estimate, dtype=np.float64)
    with np.errstate(divide="ignore", invalid="ignore"):
        share = (given * s).sum(-1, keepdims=True) / np.square(s).sum(-1, keepdims=True)
        true, wrong = share * s, share * s - given
        return np.asarray(10 * np.log10(np.square(true).sum(-1) / np.square(wrong).sum(-1)))


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


def active_units(codes: Float[ndarray, "n *p d"], threshold: float = 1e-2) -> int:
    """How many values of a code move with the data: those whose variance over the rows is above ``threshold``.

    ``codes`` are posterior means, E[z | x], over all rows and positions. A collapsed model has none.

    Reference: Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders", section 5.2.

    >>> active_units(np.array([[0.0, 1.0], [0.0, -1.0]]))
    1
    """
    flat = np.asarray(codes, dtype=np.float64).reshape(-1, codes.shape[-1])
    return int((flat.var(0) > threshold).sum())


def kl_per_dimension(mean: Float[ndarray, "n *p d"], std: Float[ndarray, "n *p d"]) -> Float[ndarray, " d"]:
    """KL of diagonal Gaussians from the standard normal, in nats a dimension: mean over rows, summed over positions.

        KL_j = mean over n of  1/2 (mean^2 + std^2 - 1 - log std^2)

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", appendix B.

    >>> kl_per_dimension(np.array([[1.0, 0.0]]), np.ones((1, 2))).tolist()
    [0.5, 0.0]
    """
    m, s = np.asarray(mean, dtype=np.float64), np.asarray(std, dtype=np.float64)
    cost = 0.5 * (m**2 + s**2 - 1 - 2 * np.log(s))
    return cost.reshape(len(cost), -1, cost.shape[-1]).sum(1).mean(0)


def frechet_distance(a: Float[ndarray, "n d"], b: Float[ndarray, "m d"]) -> float:
    """Squared distance between the Gaussians that two sets of features suggest; 0 for equal ones.

        |mean_a - mean_b|^2 + tr(C_a + C_b - 2 (C_a C_b)^(1/2))

    Symmetric; with few rows it is biased upwards, so compare sets of equal sizes.

    Reference: Heusel et al. (2017), "GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium", equation 6 (Frechet 1957; Dowson & Landau 1982).

    >>> x = np.random.default_rng(0).normal(size=(500, 3))
    >>> round(frechet_distance(x, x + 2.0), 6), round(abs(frechet_distance(x, x)), 6)
    (12.0, 0.0)
    """
    first, second = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    cov_a, cov_b = np.atleast_2d(np.cov(first, rowvar=False)), np.atleast_2d(np.cov(second, rowvar=False))
    return frechet_of_gaussians(first.mean(0), cov_a, second.mean(0), cov_b)


def frechet_of_gaussians(
    mean: Float[ndarray, " d"],
    cov: Float[ndarray, "d d"],
    other: Float[ndarray, " d"],
    other_cov: Float[ndarray, "d d"],
) -> float:
    """The same of two Gaussians by their means and covariances.

    >>> frechet_of_gaussians(np.zeros(2), np.eye(2), np.array([3.0, 0.0]), 4 * np.eye(2))
    11.0
    """
    # the square root of C_a C_b has the trace of the root of the symmetric C_a^(1/2) C_b C_a^(1/2): no complex numbers
    values, vectors = np.linalg.eigh(cov)
    root = (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
    cross = np.sqrt(np.linalg.eigvalsh(root @ other_cov @ root).clip(min=0)).sum()
    apart = np.square(mean - other).sum()
    return float(apart + np.trace(cov) + np.trace(other_cov) - 2 * cross)


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
