"""The Laplace approximation of a Dirichlet, against draws from the Dirichlet itself."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn
from torch.distributions import Independent, Normal, kl_divergence

from diabolo.core import AutoencoderModule, make
from diabolo.core.errors import UsageError
from diabolo.penalties.kl import divergence


def density(features: int, alpha: float) -> Any:
    prior = make("prior", f"dirichlet(alpha={alpha})", features=features)
    return prior(AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), prior))  # type: ignore[arg-type]


@pytest.mark.parametrize(("features", "alpha"), [(3, 40.0), (10, 80.0)])
def test_mean_and_variance_are_those_of_centred_logarithms_of_shares(features: int, alpha: float) -> None:
    """Of a Dirichlet, log θ − mean log θ has mean 0 and variance ψ'(α) (1 − 1/K) → (1 − 1/K) / α."""
    torch.manual_seed(0)
    logs = torch.distributions.Dirichlet(torch.full((features,), alpha)).sample((100_000,)).log()
    z = logs - logs.mean(1, keepdim=True)
    found = density(features, alpha)
    torch.testing.assert_close(z.mean(0), found.mean, atol=2e-3, rtol=0)
    torch.testing.assert_close(z.var(0), found.variance, rtol=0.04, atol=0)


def test_shares_have_the_mean_of_the_dirichlet_and_grow_sparse_with_a_small_alpha() -> None:
    torch.manual_seed(0)
    few, many = (torch.softmax(density(8, alpha).sample((20_000,)), -1) for alpha in (0.05, 5.0))
    for shares in (few, many):
        torch.testing.assert_close(shares.mean(0), torch.full((8,), 1 / 8), atol=0.01, rtol=0)
    assert few.amax(1).mean() > 0.75 and many.amax(1).mean() < 0.3


def test_the_divergence_is_the_mean_over_draws() -> None:
    torch.manual_seed(0)
    p = density(5, 0.7)
    q = Independent(Normal(torch.randn(2, 5), torch.rand(2, 5) + 0.2), 1)
    z = q.sample(torch.Size([200_000]))
    drawn = (q.log_prob(z) - p.log_prob(z)).mean(0)
    torch.testing.assert_close(divergence(q, p, z[0]), drawn, rtol=0.02, atol=0.0)
    v = (1 - 1 / 5) / 0.7
    by_hand = 0.5 * ((q.variance + q.mean**2) / v - 1 - (q.variance / v).log()).sum(1)
    torch.testing.assert_close(kl_divergence(q, p), by_hand)


def test_one_share_is_allowed_and_nonsense_is_not() -> None:
    assert density(1, 2.0).variance.item() == pytest.approx(0.5)
    with pytest.raises(UsageError, match="alpha must be a number above 0"):
        density(3, 0.0)
    with pytest.raises(UsageError, match="features must be"):
        density(0, 1.0)
