"""Tests of two samples: their p-values are uniform without a difference, and small with one."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from diabolo.core.errors import DataError, UsageError
from diabolo.penalties.discrepancy import Discrepancy
from diabolo.tasks import two_sample
from diabolo.tasks.two_sample import (
    categories_test,
    holm,
    mmd_test,
    numbers_permuted,
    numbers_test,
    relabelled,
    stretches,
)

FIRST = np.arange(60) < 25


def uniform(p: np.ndarray) -> float:
    """p-value of the hypothesis that these p-values are uniform, ties broken at random."""
    return float(stats.kstest(p, "uniform").pvalue)


def test_labels_keep_the_sizes_and_the_groups() -> None:
    labels = relabelled(FIRST, 50, seed=1)
    assert labels.shape == (51, 60) and (labels[0] == FIRST).all() and (labels.sum(1) == 25).all()
    assert len(np.unique(labels, axis=0)) > 45
    groups = np.repeat(np.arange(12), 5)
    moved = relabelled(FIRST, 50, seed=1, groups=groups)
    assert (moved == np.repeat(moved[:, ::5], 5, axis=1)).all() and (moved.sum(1) == 25).all()
    with pytest.raises(UsageError, match="permutations"):
        relabelled(FIRST, 0, seed=0)


def test_mmd_is_what_the_definition_says(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(two_sample, "BLOCK", 7)
    rows = np.random.default_rng(0).normal(size=(60, 3))
    labels = relabelled(FIRST, 3, seed=0)
    z = torch.from_numpy(rows)
    median = float(torch.pdist(z).square().median())
    k = sum(torch.exp(-torch.cdist(z, z).square() / (median * s)) for s in two_sample.SCALES).numpy()
    np.fill_diagonal(k, 0.0)
    a, b = labels[0], ~labels[0]
    square = k[a][:, a].sum() / (25 * 24) + k[b][:, b].sum() / (35 * 34) - 2 * k[a][:, b].mean()
    assert mmd_test(rows, labels).statistic == pytest.approx(square, abs=1e-12)


def test_the_kernel_is_the_penalty_s() -> None:
    a, b = torch.randn(9, 2), torch.randn(9, 2)
    for kernel in ("imq", "rbf"):
        part = Discrepancy(kernel=kernel)
        assert part.pairs(a, b).sum() == pytest.approx(float(part._sum(a, b)), rel=1e-5)


def test_p_values_are_uniform_without_a_difference() -> None:
    draw = np.random.default_rng(0)
    mmd, numbers, categories = [], [], []
    for seed in range(300):
        rows = draw.normal(size=(60, 2))
        mmd.append(mmd_test(rows, relabelled(FIRST, 99, seed)).p_value - draw.random() / 100)
        numbers.append(numbers_test(draw.exponential(size=600), draw.exponential(size=450)).p_value)
        categories.append(
            categories_test(draw.multinomial(500, [0.5, 0.3, 0.2]), draw.multinomial(400, [0.5, 0.3, 0.2])).p_value
        )
    for p in (mmd, numbers, categories):
        assert uniform(np.array(p)) > 0.01


def test_small_samples_and_ties_raise_no_false_alarm() -> None:
    draw = np.random.default_rng(1)
    small = [numbers_test(draw.normal(size=12), draw.normal(size=9)).p_value for _ in range(400)]
    ties = [numbers_test(draw.integers(0, 3, 80), draw.integers(0, 3, 90)).p_value for _ in range(400)]
    rare = [categories_test(draw.multinomial(30, np.ones(20) / 20), draw.multinomial(30, np.ones(20) / 20)).p_value
            for _ in range(400)]  # fmt: skip
    for p in (small, ties, rare):
        assert (np.array(p) <= 0.05).mean() <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 400)


def test_power() -> None:
    draw = np.random.default_rng(2)
    labels = relabelled(np.arange(400) < 200, 199, 0)
    base = draw.multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], size=400)
    shifted, turned, wider = base.copy(), base.copy(), base.copy()
    shifted[200:] += 0.5
    turned[200:, 1] *= -1
    wider[200:] *= 1.6
    assert mmd_test(base, labels).p_value > 0.01
    for changed in (shifted, turned, wider):
        assert mmd_test(changed, labels).p_value == 0.005
    assert numbers_test(turned[:200, 1], turned[200:, 1]).p_value > 0.01  # no column alone shows it
    assert mmd_test(np.zeros((400, 2)), labels).p_value == 1.0


def test_closed_forms() -> None:
    assert numbers_test(np.arange(3.0), np.arange(3.0) + 10).p_value == pytest.approx(2 / 20)
    assert categories_test(np.array([30, 10]), np.array([20, 20])).statistic == pytest.approx(16 / 3)
    assert categories_test(np.array([30, 10]), np.array([20, 20])).p_value == pytest.approx(
        stats.chi2_contingency([[30, 10], [20, 20]], correction=False).pvalue
    )
    assert numbers_test(np.zeros(0), np.ones(3)).p_value == 1.0
    assert categories_test(np.array([0, 0]), np.array([3, 4])).p_value == 1.0
    assert categories_test(np.array([7, 0]), np.array([9, 0])).p_value == 1.0


def test_holm_holds_the_level_and_finds_what_is_there() -> None:
    draw = np.random.default_rng(3)
    p = draw.random((2000, 12))
    false = np.mean([(holm(row) <= 0.05).any() for row in p])
    assert 0.03 < false < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000)
    p[:, :3] = 1e-6
    rest = np.mean([(holm(row)[3:] <= 0.05).any() for row in p])
    assert rest < 0.05 + 3 * np.sqrt(0.05 * 0.95 / 2000) and all((holm(row)[:3] < 0.05).all() for row in p)


def test_many_columns_by_permutation() -> None:
    draw = np.random.default_rng(4)
    labels = relabelled(FIRST, 199, 0)
    values = draw.normal(size=(60, 5))
    found, adjusted = numbers_permuted(values, labels)
    for test, column in zip(found, values.T, strict=True):
        exact = stats.ks_2samp(column[FIRST], column[~FIRST], method="exact")
        assert test.statistic == pytest.approx(exact.statistic, abs=1e-6)
        assert test.p_value == pytest.approx(exact.pvalue, abs=0.12)
    assert all(a >= t.p_value for a, t in zip(adjusted, found, strict=True))
    same, together = numbers_permuted(np.repeat(values[:, :1], 5, 1), labels)
    assert together[0] == same[0].p_value  # equal columns count as one
    false = [numbers_permuted(draw.normal(size=(60, 5)), relabelled(FIRST, 99, s))[1].min() <= 0.05 for s in range(300)]
    assert np.mean(false) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 300)


def test_stretches_of_windows() -> None:
    assert stretches(np.repeat(np.arange(9), 3)).tolist() == np.repeat(np.arange(9), 3).tolist()
    groups = stretches(np.repeat([0, 1], [50, 30]))
    assert np.bincount(groups).max() == 4 and (np.diff(groups) >= 0).all()
    assert groups[49] != groups[50]  # none holds windows of two rows
    assert len(np.unique(stretches(np.zeros(1000, int)))) == 20
    with pytest.raises(DataError, match="no windows"):
        stretches(np.zeros(0, int))
