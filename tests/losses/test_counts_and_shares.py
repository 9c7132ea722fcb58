"""Likelihoods of counts and distances of shares against SciPy, and against one another in their limits."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.spatial.distance import jensenshannon

from diabolo.core import make
from diabolo.core.errors import UsageError
from diabolo.losses.divergence import Divergence
from diabolo.losses.negative_binomial import NegativeBinomial
from diabolo.losses.poisson import Poisson
from diabolo.losses.shares import Multinomial

RANDOM = torch.Generator().manual_seed(0)
COUNTS = torch.poisson(torch.full((6, 4), 2.0, dtype=torch.float64), generator=RANDOM)
RECON = torch.randn(6, 4, generator=RANDOM, dtype=torch.float64)
SHARES = torch.rand(6, 4, generator=RANDOM, dtype=torch.float64)


def test_poisson_is_scipys_log_mass() -> None:
    expected = -stats.poisson(np.exp(RECON.numpy())).logpmf(COUNTS.numpy())
    np.testing.assert_allclose(Poisson().elementwise(RECON, COUNTS), expected, rtol=1e-9)


@pytest.mark.parametrize("theta", [0.1, 1.0, 50.0])
def test_negative_binomial_is_scipys_log_mass(theta: float) -> None:
    cost = NegativeBinomial(dispersion=theta).double().elementwise(RECON, COUNTS)
    expected = -stats.nbinom(theta, theta / (theta + np.exp(RECON.numpy()))).logpmf(COUNTS.numpy())
    np.testing.assert_allclose(cost, expected, rtol=1e-6)


def test_negative_binomial_is_torchs_too() -> None:
    theta, logits = 3.0, RECON - np.log(3.0)
    expected = -torch.distributions.NegativeBinomial(theta, logits=logits).log_prob(COUNTS)
    torch.testing.assert_close(NegativeBinomial(theta).double().elementwise(RECON, COUNTS), expected, rtol=1e-6, atol=0)


def test_surplus_zeros_mix_a_point_at_zero_with_the_counts() -> None:
    surplus = torch.linspace(-2, 2, 24, dtype=torch.float64).reshape(6, 4)
    cost = NegativeBinomial(2.0, zero_inflated=True).double().elementwise(torch.stack([RECON, surplus], -1), COUNTS)
    share = 1 / (1 + np.exp(-surplus.numpy()))
    mass = (1 - share) * stats.nbinom(2.0, 2.0 / (2.0 + np.exp(RECON.numpy()))).pmf(COUNTS.numpy())
    np.testing.assert_allclose(cost, -np.log(mass + share * (COUNTS.numpy() == 0)), rtol=1e-6)


@pytest.mark.parametrize("inflated", [False, True])
def test_the_masses_sum_to_one_and_their_mean_is_the_link(inflated: bool) -> None:
    loss = NegativeBinomial(1.5, zero_inflated=inflated).double()
    x = torch.arange(400, dtype=torch.float64)[:, None]
    recon = torch.tensor([[1.2, -0.4]], dtype=torch.float64)[:, None] if inflated else torch.tensor([[1.2]]).double()
    mass = torch.exp(-loss.elementwise(recon.expand(400, *recon.shape[1:]), x))
    assert mass.sum().item() == pytest.approx(1.0, abs=1e-9)
    assert (mass * x).sum().item() == pytest.approx(loss.link(recon).item(), rel=1e-6)


def test_variance_of_the_negative_binomial() -> None:
    loss, x = NegativeBinomial(2.5).double(), torch.arange(600, dtype=torch.float64)[:, None]
    mass = torch.exp(-loss(torch.full_like(x, np.log(4.0)), x))
    variance = (mass * (x[:, 0] - 4.0) ** 2).sum().item()
    assert variance == pytest.approx(4.0 + 16.0 / 2.5, rel=1e-6)


def test_without_dispersion_it_is_poisson() -> None:
    torch.testing.assert_close(
        NegativeBinomial(1e7).double()(RECON, COUNTS), Poisson()(RECON, COUNTS), rtol=1e-5, atol=1e-5
    )


def test_seldom_surplus_zeros_change_nothing() -> None:
    pair = torch.stack([RECON, torch.full_like(RECON, -40.0)], -1)
    torch.testing.assert_close(
        NegativeBinomial(2.0, zero_inflated=True).double()(pair, COUNTS), NegativeBinomial(2.0).double()(RECON, COUNTS)
    )


def test_a_learned_dispersion_finds_the_one_the_counts_were_drawn_with() -> None:
    theta = np.array([0.5, 5.0])
    drawn = np.random.default_rng(0).negative_binomial(theta, theta / (theta + 6.0), size=(20_000, 2))
    loss, target = NegativeBinomial(shape=(2,)), torch.from_numpy(drawn).float()
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=40)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = loss(torch.full_like(target, np.log(6.0)), target).mean()
        cost.backward()
        return cost

    optimiser.step(closure)
    np.testing.assert_allclose(loss.log_dispersion().exp().detach(), theta, rtol=0.06)


def test_multinomial_is_scipys_log_mass_without_its_coefficient() -> None:
    shares = torch.softmax(RECON, 1).numpy()
    shares /= shares.sum(1, keepdims=True)
    totals, counts = COUNTS.sum(1).numpy(), COUNTS.numpy()
    full = [-stats.multinomial(n, p).logpmf(x) for n, p, x in zip(totals, shares, counts, strict=True)]
    coefficient = torch.lgamma(COUNTS.sum(1) + 1) - torch.lgamma(COUNTS + 1).sum(1)
    np.testing.assert_allclose(Multinomial()(RECON, COUNTS) - coefficient, full, rtol=1e-9)


def test_multinomial_of_some_entries_is_that_of_these_alone() -> None:
    scored = torch.tensor([True, True, False, True]).expand(6, 4)
    alone = Multinomial()(RECON[:, [0, 1, 3]], COUNTS[:, [0, 1, 3]])
    torch.testing.assert_close(Multinomial()(RECON, COUNTS, scored), alone)


def test_divergence_is_scipys_entropy_both_ways() -> None:
    p, q = (SHARES / SHARES.sum(1, keepdim=True)).numpy(), torch.softmax(RECON, 1).numpy()
    np.testing.assert_allclose(Divergence(smooth=0.0)(RECON, SHARES), stats.entropy(p, q, axis=1), rtol=1e-9)
    reverse = Divergence("reverse", smooth=1e-12)(RECON, SHARES)
    np.testing.assert_allclose(reverse, stats.entropy(q, p, axis=1), rtol=1e-6)
    both = Divergence("jensen-shannon", smooth=1e-12)(RECON, SHARES)
    np.testing.assert_allclose(both, jensenshannon(p, q, axis=1) ** 2, rtol=1e-6)


@pytest.mark.parametrize("direction", ["forward", "reverse", "jensen-shannon"])
def test_divergence_knows_shares_alone(direction: str) -> None:
    loss = Divergence(direction)
    torch.testing.assert_close(loss(RECON + 5.0, 7.0 * SHARES), loss(RECON, SHARES))
    assert (loss(RECON, SHARES) > 0).all()
    assert loss(RECON, torch.zeros_like(SHARES)).eq(0).all()


def test_jensen_shannon_of_strangers_is_log_two() -> None:
    apart = torch.tensor([[50.0, -50.0]], dtype=torch.float64)
    cost = Divergence("jensen-shannon", smooth=1e-9)(apart, torch.tensor([[0.0, 1.0]]).double())
    assert cost.item() == pytest.approx(np.log(2), rel=1e-6)


def test_over_the_last_axis_every_position_is_a_distribution() -> None:
    loss, recon, target = Divergence(over="last", smooth=0.0), RECON.reshape(3, 2, 4), SHARES.reshape(3, 2, 4)
    rows = Divergence(smooth=0.0)(RECON, SHARES).reshape(3, 2).sum(1)
    torch.testing.assert_close(loss(recon, target), rows)


def test_shares_come_back_in_the_units_of_the_data() -> None:
    loss = Multinomial().double()
    loss.measure(COUNTS)
    back = loss.link(RECON)
    torch.testing.assert_close(back.sum(1), COUNTS.sum(1).mean().expand(6))


@pytest.mark.parametrize("name", ["poisson", "negative-binomial(dispersion=1.0)", "multinomial", "divergence"])
def test_negative_data_are_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"at least 0; the data reach down to -1"):
        make("loss", name).measure(torch.tensor([[-1.0, 2.0]]))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("negative-binomial", "needs shape"),
        ("negative-binomial(dispersion=0)", "dispersion must be 'entry', 'shared' or"),
        ("divergence(direction='back')", "direction must be 'forward'"),
        ("divergence(direction='reverse', smooth=0)", r"smooth must be in \(0, 1\)"),
        ("multinomial(over='first')", "over must be 'row' or 'last'"),
    ],
)
def test_parameters_out_of_range(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make("loss", spec)
