"""Mixture and flow priors: densities against scikit-learn and torch, EM, and where training starts."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Latent, make
from diabolo.core.errors import DataError, UsageError


class Codes(AutoencoderModule):
    def encode(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        return Latent(x, x)


def codes(n: int = 600) -> Tensor:
    """Three clusters far from unit scale, slanted."""
    centres = torch.tensor([[0.0, 0.0], [30.0, 0.0], [0.0, 50.0]])
    root = torch.tensor([[2.0, 0.0], [1.5, 0.7]])
    return centres[torch.arange(n) % 3] + torch.randn(n, 2) @ root.T


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_em_finds_what_scikit_learn_finds(covariance: str) -> None:
    z = codes()
    prior = make("prior", f"mixture(components=3, covariance={covariance!r})", features=2)
    assert prior.fit(z, seed=0)
    theirs = GaussianMixture(3, covariance_type=covariance, random_state=0).fit(z.double().numpy())
    fresh = codes()
    np.testing.assert_allclose(
        prior.density().log_prob(fresh).detach(), theirs.score_samples(fresh.double().numpy()), rtol=0, atol=0.05
    )


@pytest.mark.parametrize("covariance", ["diag", "full"])
def test_samples_have_the_codes_mean_and_covariance(covariance: str) -> None:
    z = codes()
    prior = make("prior", f"mixture(components=3, covariance={covariance!r})", features=2)
    prior.fit(z)
    drawn = prior.density().sample(torch.Size([20_000]))
    torch.testing.assert_close(drawn.mean(0), z.mean(0), rtol=0, atol=0.6)
    torch.testing.assert_close(drawn.T.cov(), z.T.cov(), rtol=0.05, atol=10.0)


def test_fewer_codes_than_components_leave_the_rest_without_weight() -> None:
    prior = make("prior", "mixture(components=10)", features=2)
    z = codes(4)
    prior.fit(z)
    drawn = prior.density().sample(torch.Size([200]))
    assert torch.cdist(drawn, z).min(1).values.max() < 2
    with pytest.raises(DataError, match="a mixture is fitted to at least 2 codes; got 1"):
        prior.fit(z[:1])


@pytest.mark.parametrize("text", ["mixture(components=3)", "mixture(components=3, covariance='full')", "flow(steps=2)"])
def test_trained_by_gradient_it_starts_near_the_codes_and_gets_closer(text: str) -> None:
    z = codes(300) / 20 + 5
    prior = make("prior", text, features=2)
    module = Codes(nn.Identity(), nn.Identity(), nn.Identity(), prior)  # type: ignore[arg-type]
    blank = -float(prior(module).log_prob(z).mean().detach())
    with torch.no_grad():
        prior.begin(module, Batch(z, z))
    start = -float(prior(module).log_prob(z).mean().detach())
    optimizer = torch.optim.Adam(prior.parameters(), lr=0.02)
    for _ in range(60):
        optimizer.zero_grad()
        loss = -prior(module).log_prob(z).mean()
        loss.backward()
        optimizer.step()
    assert start < blank and float(loss.detach()) < start - 0.3
    assert all(p.grad is not None and p.grad.isfinite().all() for p in prior.parameters())


def test_positions_are_draws_of_their_own() -> None:
    z = codes(60).view(20, 3, 2)
    one, other = (make("prior", "mixture(components=3)", features=2) for _ in range(2))
    one.fit(z)
    other.fit(z.flatten(0, 1))
    torch.testing.assert_close(one.density().log_prob(z), other.density().log_prob(z))
    assert one.density().log_prob(z).shape == (20, 3)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("mixture(components=0)", "components must be an int of at least 1"),
        ("mixture(covariance='tied')", "covariance must be 'diag' or 'full'; got 'tied'"),
        ("flow(kind='spline')", "kind must be 'coupling' or 'autoregressive'; got 'spline'"),
        ("vamp", "'vamp' holds pseudo-inputs and needs shape"),
        ("vamp(components=0, shape=(3,))", "components must be an int of at least 1"),
    ],
)
def test_ranges(text: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("prior", text, features=2)
