"""A chain of Gaussians against the joint Gaussian it is, when every conditional is linear."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributions import Distribution, Independent, MultivariateNormal, Normal

from diabolo.blocks.chain import Chain

SIZES = (1, 2)
SLOPE = torch.tensor([[0.5], [-2.0]])


def first(above: Tensor) -> Distribution:
    return Independent(Normal(torch.tensor([0.3]), torch.tensor([0.8])), 1)


def second(above: Tensor) -> Distribution:
    return Independent(Normal(above @ SLOPE.T + 1.0, torch.tensor([0.5, 2.0])), 1)


def chain() -> Chain:
    return Chain([first, second], SIZES, torch.zeros(0))


def joint() -> MultivariateNormal:
    """N of (z1, a z1 + 1 + noise)."""
    load = torch.cat([torch.ones(1, 1), SLOPE])
    noise = torch.diag(torch.tensor([0.0, 0.25, 4.0]))
    return MultivariateNormal(torch.tensor([0.3, 1.15, 0.4]), load @ load.T * 0.64 + noise)


def test_the_density_is_that_of_the_joint_gaussian_for_any_shape() -> None:
    z = torch.randn(4, 5, 3)
    torch.testing.assert_close(chain().log_prob(z), joint().log_prob(z))


def test_draws_have_the_joint_mean_and_covariance() -> None:
    z = chain().sample(torch.Size([60_000]))
    torch.testing.assert_close(z.mean(0), joint().mean, rtol=0, atol=0.05)
    torch.testing.assert_close(z.T.cov(), joint().covariance_matrix, rtol=0.05, atol=0.05)


def test_the_code_is_the_chain_of_means() -> None:
    torch.testing.assert_close(chain().mean, torch.tensor([0.3, 1.15, 0.4]))


def test_divergences_sum_on_average_to_the_joint_divergence() -> None:
    def other(above: Tensor) -> Distribution:
        return Independent(Normal(-above @ SLOPE.T, torch.ones(2)), 1)

    p, q = Chain([first, other], SIZES, torch.zeros(0)), chain()
    z = q.sample(torch.Size([60_000]))
    parts = torch.stack(q.divergences(p, z))
    assert parts.shape == (2, 60_000) and parts[0].eq(0).all()
    torch.testing.assert_close(parts.sum(0).mean(), (q.log_prob(z) - p.log_prob(z)).mean(), rtol=2e-2, atol=0)


def test_draws_have_a_gradient_and_samples_none() -> None:
    mean = torch.zeros(6, 1, requires_grad=True)
    q = Chain([lambda above: Independent(Normal(mean, 1.0), 1), second], SIZES, mean, (6,))
    assert q.rsample().shape == (6, 3) and q.rsample((4,)).shape == (4, 6, 3)
    q.rsample()[:, 2].sum().backward()
    torch.testing.assert_close(mean.grad, torch.full((6, 1), -2.0))
    assert not q.sample().requires_grad
