"""Do two samples come from one distribution? Tests on vectors, numbers and categories, and many of them at once."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float
from numpy import ndarray
from scipy import stats

from ..core.errors import DataError, out_of_range
from ..penalties.discrepancy import Discrepancy

BLOCK = 512
"""Rows of the kernel matrix that are held at a time."""
SCALES = (0.25, 1.0, 4.0)
"""Widths of the kernel, in units of the median squared distance."""
EXACT = 500
"""Up to so many values a side the Kolmogorov-Smirnov distribution is the exact one."""
LEAST_EXPECTED = 5
"""Categories of which fewer are expected in either sample are counted together."""
MANY = 1000
"""Rows the median distance is taken of."""
ROUNDING = 1e-6
"""Statistics that differ by less are equal."""


@dataclass(frozen=True)
class Finding:
    """What a test found: its statistic, the p-value, and how large the difference is, from 0 (none) to 1."""

    statistic: float
    p_value: float
    effect: float


def relabelled(
    first: Bool[ndarray, " n"], permutations: int, seed: int, groups: ndarray | None = None
) -> Bool[ndarray, "p n"]:
    """Which rows count as the first sample: as they are (row 0), then permuted; rows of one group move together.

    >>> relabelled(np.array([True, True, False]), 4, seed=0).sum(1).tolist()
    [2, 2, 2, 2, 2]
    """
    if not isinstance(permutations, int) or permutations < 1:
        raise out_of_range("permutations", "an int of at least 1", permutations)
    names, member = np.unique(np.arange(len(first)) if groups is None else groups, return_inverse=True)
    side = np.zeros(len(names), bool)
    side[member] = first
    draw = np.random.default_rng(seed)
    sides = np.concatenate([side[None], draw.permuted(np.tile(side, (permutations, 1)), axis=1)])
    found: ndarray = sides[:, member]
    return found


def mmd_test(rows: Float[ndarray, "n d"], labels: Bool[ndarray, "p n"]) -> Finding:
    """Maximum mean discrepancy of two samples of vectors, by permutation.

        MMD^2 = mean k(a, a') + mean k(b, b') - 2 mean k(a, b)
        p = (1 + #{permuted >= observed}) / (1 + permutations)

    k is a sum of Gaussian kernels whose widths are multiples of the median squared distance of all rows. The kernel
    matrix is made block by block, all permutations of a block by one product. Exact at any size where rows (or groups)
    are exchangeable under no difference. ``effect``: MMD as a share of the largest there can be.

    rows : both samples, one after the other. labels : as `relabelled` gives them, row 0 the true one.

    Reference: Gretton et al. (2012), "A kernel two-sample test", section 6 (median heuristic: section 8).

    >>> draw = np.random.default_rng(0)
    >>> rows = np.concatenate([draw.normal(size=(60, 2)), draw.normal(size=(60, 2)) + 1])
    >>> mmd_test(rows, relabelled(np.arange(120) < 60, 199, seed=0)).p_value
    0.005
    """
    z = torch.from_numpy(np.ascontiguousarray(rows, dtype=np.float64))
    z = z * (2 * z.shape[1] / _median_square(z)) ** 0.5  # the penalty's unit: N(0, I) has the median 2 D
    w = torch.from_numpy(labels.astype(np.float64))
    kernel = Discrepancy(kernel="rbf", scales=SCALES)
    near, every = torch.zeros_like(w), 0.0
    for block in torch.arange(len(z)).split(BLOCK):
        pairs = kernel.pairs(z[block], z)
        pairs[torch.arange(len(block)), block] = 0.0
        near += w[:, block] @ pairs
        every += float(pairs.sum())
    n, m = w.sum(1), (1 - w).sum(1)
    own, between = (w * near).sum(1), ((1 - w) * near).sum(1)
    other = every - own - 2 * between
    squares = own / (n * (n - 1)).clamp_min(1) + other / (m * (m - 1)).clamp_min(1) - 2 * between / (n * m)
    found = squares.numpy()
    return Finding(float(found[0]), _share_above(found), float(np.sqrt(max(0.0, found[0]) / (2 * len(SCALES)))))


def _median_square(z: torch.Tensor) -> float:
    """Median squared distance of some rows, 1 where most are equal."""
    some = z[torch.linspace(0, len(z) - 1, min(MANY, len(z))).round().long()]
    return float(torch.pdist(some).square().median()) or float(torch.pdist(some).square().mean()) or 1.0


def _share_above(found: ndarray) -> float:
    """How many of all values are at least the first one (itself too); rounding errors count as equal."""
    return float((found >= found[0] - 1e-12 * abs(found[0])).mean())


def numbers_test(a: Float[ndarray, " n"], b: Float[ndarray, " m"]) -> Finding:
    """Two-sample Kolmogorov-Smirnov test; ``effect`` is its statistic, the largest gap of the cumulative shares.

    With ties (few different values) the p-value is too large rather than too small.

    Reference: Smirnov (1939); Hodges (1958), "The significance probability of the Smirnov two-sample test".

    >>> numbers_test(np.arange(20.0), np.arange(20.0) + 10).effect
    0.5
    """
    if not len(a) or not len(b):
        return Finding(0.0, 1.0, 0.0)
    found = stats.ks_2samp(a, b, method="exact" if max(len(a), len(b)) <= EXACT else "asymp")
    return Finding(float(found.statistic), float(min(1.0, found.pvalue)), float(found.statistic))


def numbers_permuted(
    values: Float[ndarray, "n d"], labels: Bool[ndarray, "p n"]
) -> tuple[list[Finding], Float[ndarray, " d"]]:
    """The same of many columns by permutation, and their p-values corrected for the number of columns.

    The largest statistic over the columns is what a permutation is compared by, so that columns which depend on one
    another cost little.

    Reference: Westfall & Young (1993), "Resampling-based multiple testing", single-step maxT.
    """
    gaps = np.stack([_gaps(column, labels) for column in values.T], axis=1)
    own = (gaps >= gaps[0] - ROUNDING).mean(0)
    adjusted = (gaps.max(1)[:, None] >= gaps[0] - ROUNDING).mean(0)
    return [Finding(float(gap), float(p), float(gap)) for gap, p in zip(gaps[0], own, strict=True)], adjusted


def _gaps(column: Float[ndarray, " n"], labels: Bool[ndarray, "p n"]) -> Float[ndarray, " p"]:
    """Kolmogorov-Smirnov statistic for every labelling."""
    order = np.argsort(column, kind="stable")
    ordered = column[order]
    ends = np.append(ordered[1:] > ordered[:-1], True)  # within ties the shares are not defined
    first = labels[:, order].cumsum(1, dtype=np.float32)
    second = np.arange(1, len(column) + 1, dtype=np.float32) - first
    gaps: ndarray = np.abs(first / first[:, -1:] - second / second[:, -1:])[:, ends].max(1)
    return gaps


def categories_test(a: Float[ndarray, " k"], b: Float[ndarray, " k"]) -> Finding:
    """Chi-squared test of two samples of categories, given as counts; ``effect`` is Cramer's V.

    Categories of which fewer than 5 are expected in either sample are counted together.

    Reference: Pearson (1900); Cramer (1946), "Mathematical methods of statistics", section 21.9.

    >>> categories_test(np.array([50, 50]), np.array([50, 50])).p_value, categories_test([50, 0], [0, 50]).effect
    (1.0, 1.0)
    """
    table = np.array([a, b], dtype=np.float64)
    table = table[:, table.sum(0) > 0]
    total = table.sum()
    if min(table.sum(1), default=0) == 0:
        return Finding(0.0, 1.0, 0.0)
    rare = (table.sum(0) * table.sum(1).min() / total) < LEAST_EXPECTED
    if rare.sum() > 1:
        table = np.concatenate([table[:, ~rare], table[:, rare].sum(1, keepdims=True)], axis=1)
    expected = table.sum(1, keepdims=True) * table.sum(0) / total
    statistic = float((np.square(table - expected) / expected).sum())
    freedom = table.shape[1] - 1
    p = float(stats.chi2.sf(statistic, freedom)) if freedom else 1.0
    return Finding(statistic, p, float(np.sqrt(statistic / total)))


def holm(p: Float[ndarray, " k"]) -> Float[ndarray, " k"]:
    """p-values corrected so that one false finding among all is no likelier than the level, whatever their dependence.

    Reference: Holm (1979), "A simple sequentially rejective multiple test procedure".

    >>> holm(np.array([0.01, 0.04, 0.03])).round(4).tolist()
    [0.03, 0.06, 0.06]
    """
    p = np.asarray(p, dtype=np.float64)
    order = np.argsort(p, kind="stable")
    steps = np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1))
    adjusted = np.empty(len(p))
    adjusted[order] = np.minimum(1.0, steps)
    return adjusted


def stretches(number: ndarray, *, rows: int = 8, length: int = 4, most: int = 20) -> ndarray:
    """Groups of windows that may be exchanged for one another: whole rows (a recording) where there are some, else
    stretches of successive windows, because windows that touch are alike.

    number : the row of every window, in order. rows : from so many on, rows are the groups. length : windows of a
    stretch at least. most : stretches, about.

    >>> stretches(np.zeros(12, int)).tolist()
    [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]
    """
    number = np.asarray(number)
    if not len(number):
        raise DataError("there are no windows to compare.")
    if len(np.unique(number)) >= rows:
        return number
    size = max(length, -(-len(number) // most))
    begins = np.flatnonzero(np.append(True, number[1:] != number[:-1]))
    place = np.arange(len(number)) - np.repeat(begins, np.diff(np.append(begins, len(number))))
    breaks = np.append(True, (place[1:] % size == 0) | (place[1:] == 0))
    groups: ndarray = breaks.cumsum() - 1
    return groups
