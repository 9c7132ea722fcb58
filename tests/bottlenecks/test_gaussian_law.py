"""The reparameterised sample has the law its posterior states."""

from __future__ import annotations

import pytest
import torch
from torch.nn import functional

from diabolo.blocks.identity import Identity
from diabolo.bottlenecks.gaussian import SMALLEST_STD, Gaussian
from diabolo.core.errors import UsageError


def test_samples_have_the_posteriors_mean_and_variance() -> None:
    h = torch.randn(1, 2, 6)
    latent = Gaussian(3)(h.expand(40_000, 2, 6))
    mean, raw = h[0].chunk(2, -1)
    std = functional.softplus(raw) + SMALLEST_STD
    torch.testing.assert_close(latent.posterior.mean[0], mean)
    torch.testing.assert_close(latent.posterior.stddev[0], std)
    torch.testing.assert_close(latent.z.mean(0), mean, rtol=0, atol=0.05)
    torch.testing.assert_close(latent.z.std(0), std, rtol=0.03, atol=0)


def test_the_gradient_reaches_mean_and_std() -> None:
    h = torch.randn(4, 6, requires_grad=True)
    Gaussian(3)(h).z.square().sum().backward()
    mean, raw = h.grad.chunk(2, -1)
    assert mean.ne(0).all() and raw.ne(0).all()


def test_the_gradient_is_that_of_rsample() -> None:
    h = torch.randn(4, 6, requires_grad=True)
    torch.manual_seed(7)
    latent = Gaussian(3)(h)
    (ours,) = torch.autograd.grad(latent.z.sin().sum(), h)
    noise = ((latent.z - latent.posterior.mean) / latent.posterior.stddev).detach()
    mean, raw = h.chunk(2, -1)
    rebuilt = mean + (functional.softplus(raw) + SMALLEST_STD) * noise
    (theirs,) = torch.autograd.grad(rebuilt.sin().sum(), h)
    torch.testing.assert_close(ours, theirs)


def test_certainty_has_a_floor() -> None:
    latent = Gaussian(1)(torch.tensor([[0.0, -1e4]]))
    assert latent.posterior.stddev.item() == pytest.approx(SMALLEST_STD)
    assert latent.posterior.log_prob(latent.z).isfinite()


def test_every_call_draws_again_and_the_code_does_not_move() -> None:
    bottleneck, h = Gaussian(3), torch.randn(4, 6)
    first, second = bottleneck(h), bottleneck(h)
    assert not torch.equal(first.z, second.z) and torch.equal(first.code, second.code)


def test_identity_changes_nothing() -> None:
    h = torch.randn(2, 5, 3)
    latent = Identity(3)(h)
    assert latent.z is h and latent.code is h and latent.posterior is None and not latent.losses


@pytest.mark.parametrize("bottleneck", [Gaussian, Identity])
def test_features_below_one_are_refused(bottleneck: type) -> None:
    with pytest.raises(UsageError, match="features must be an int of at least 1; got 0"):
        bottleneck(0)
