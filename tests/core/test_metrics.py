"""Metrics against closed forms and SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import linalg
from torch.distributions import Normal, kl_divergence

from diabolo.core.metrics import active_units, frechet_distance, kl_per_dimension, si_sdr


def test_frechet_distance_is_the_formula_with_scipys_root() -> None:
    random = np.random.default_rng(0)
    a = random.normal(size=(400, 5)) @ random.normal(size=(5, 5))
    b = random.normal(size=(300, 5)) @ random.normal(size=(5, 5)) + 1
    covs = [np.cov(x, rowvar=False) for x in (a, b)]
    root = linalg.sqrtm(covs[0] @ covs[1]).real
    expected = np.square(a.mean(0) - b.mean(0)).sum() + np.trace(covs[0] + covs[1] - 2 * root)
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-6)
    assert frechet_distance(b, a) == pytest.approx(expected, rel=1e-6)


def test_frechet_distance_of_scaled_axes_and_of_a_dead_feature() -> None:
    x = np.random.default_rng(0).normal(size=(2000, 2))
    x = (x - x.mean(0)) / x.std(0, ddof=1)
    x[:, 1] = 0
    assert frechet_distance(x, 3 * x) == pytest.approx((3 - 1) ** 2, rel=1e-6)
    assert frechet_distance(x[:, :1], 3 * x[:, :1]) == pytest.approx(4, rel=1e-6)


def test_active_units_counts_what_moves_over_rows_and_positions() -> None:
    codes = np.random.default_rng(0).normal(size=(50, 4, 3)) * [1.0, 0.05, 0.2]
    assert active_units(codes) == 2 and active_units(codes, threshold=1e-4) == 3
    assert active_units(np.full((9, 3), 7.0)) == 0


def test_kl_per_dimension_is_torchs() -> None:
    mean, std = torch.randn(6, 4, 3, dtype=torch.float64), torch.rand(6, 4, 3, dtype=torch.float64) + 0.1
    expected = kl_divergence(Normal(mean, std), Normal(torch.zeros(3).double(), 1.0)).sum(1).mean(0)
    np.testing.assert_allclose(kl_per_dimension(mean.numpy(), std.numpy()), expected)


def test_si_sdr_does_not_hear_loudness_and_counts_orthogonal_noise_exactly() -> None:
    rng = np.random.default_rng(0)
    s, n = rng.normal(size=(2, 5, 400))
    n -= (n * s).sum(1, keepdims=True) / (s * s).sum(1, keepdims=True) * s
    n *= np.sqrt((s * s).sum(1, keepdims=True) / (n * n).sum(1, keepdims=True))
    np.testing.assert_allclose(si_sdr(s, s + 0.1 * n), 20.0, atol=1e-8)
    np.testing.assert_allclose(si_sdr(s, -7 * (s + 0.1 * n)), 20.0, atol=1e-8)
    np.testing.assert_allclose(si_sdr(s, s + 10 * n), -20.0, atol=1e-8)
