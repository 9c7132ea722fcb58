"""The three parts of the KL: their sum, their values on a mixture of known densities, and the critic's estimate."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal

from diabolo.core import AutoencoderModule, Batch, Latent, Output, make
from diabolo.core.errors import UsageError
from diabolo.penalties.density_ratio import DensityRatio, shuffled
from diabolo.penalties.total_correlation import DimensionKL, MutualInformation, TotalCorrelation
from diabolo.priors.normal import StandardNormal

N, D = 40, 2
MODULE = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), StandardNormal(D))  # type: ignore[arg-type]


def posteriors(copies: int = 1) -> Independent:
    """Means on a slanted line: the average posterior is far from independent."""
    generator = torch.Generator().manual_seed(4)
    along = torch.randn(N, 1, generator=generator, dtype=torch.float64)
    mean = torch.cat([along, 0.8 * along + 0.3 * torch.randn(N, 1, generator=generator, dtype=torch.float64)], 1)
    std = torch.full((N, D), 0.3, dtype=torch.float64)
    return Independent(Normal(mean.repeat(copies, 1), std.repeat(copies, 1)), 1)


def output(q: Independent) -> Output:
    z = q.rsample()
    return Output(Latent(z, q.mean, q), z)


def batch(n: int) -> Batch:
    return Batch(torch.zeros(n, 1), torch.zeros(n, 1))


def average(penalty: Any, times: int = 500) -> float:
    q = posteriors()
    return float(torch.stack([penalty(MODULE, batch(N), output(q)) for _ in range(times)]).mean())


def known() -> dict[str, float]:
    """The parts on the mixture of all posteriors: a Monte Carlo mean of densities in closed form, many draws."""
    q = posteriors()
    base = q.base_dist
    alike = Categorical(torch.ones(N, dtype=torch.float64))
    joint = MixtureSameFamily(alike, q)
    z = q.sample(torch.Size([4000]))
    single = sum(
        MixtureSameFamily(alike, Normal(base.loc[:, d], base.scale[:, d])).log_prob(z[..., d]) for d in range(D)
    )
    prior = Independent(Normal(torch.zeros(D).double(), 1.0), 1).log_prob(z)
    mixed = joint.log_prob(z)
    return {
        "mutual-information": float((q.log_prob(z) - mixed).mean()),
        "total-correlation": float((mixed - single).mean()),
        "dimension-kl": float((single - prior).mean()),
    }


@pytest.mark.parametrize("part", [MutualInformation, TotalCorrelation, DimensionKL])
def test_with_all_rows_in_the_batch_each_part_is_that_of_the_mixture(part: Any) -> None:
    assert average(part(rows=N)) == pytest.approx(known()[part.part_name], abs=1e-2)


@pytest.mark.parametrize("estimator", ["stratified", "weighted"])
def test_the_three_parts_sum_to_the_expected_divergence(estimator: str) -> None:
    q, parts = (
        posteriors(),
        [part(estimator=estimator, rows=1000) for part in (MutualInformation, TotalCorrelation, DimensionKL)],
    )
    closed = torch.distributions.kl_divergence(q, MODULE.prior(MODULE)).mean()  # type: ignore[misc]
    sums = []
    for _ in range(500):
        out = output(q)
        sums.append(sum(part(MODULE, batch(N), out) for part in parts))
    assert float(torch.stack(sums).mean()) == pytest.approx(float(closed), abs=1e-2)


def test_stratified_weights_give_the_density_without_bias_from_batches() -> None:
    """E over batches of sum_j w_ij q(z_i | x_j) is the average posterior over all rows."""
    q = posteriors()
    z = q.mean[0]
    densities = q.log_prob(z).exp()
    rows, found = 8, []
    for _ in range(5000):
        others = 1 + torch.randperm(N - 1)[: rows - 1]
        weight = (N - 1) / (N * (rows - 1))
        found.append(densities[0] / N + weight * densities[others].sum())
    assert float(torch.stack(found).mean()) == pytest.approx(float(densities.mean()), rel=2e-2)
    penalty = TotalCorrelation(rows=N)
    torch.testing.assert_close(
        penalty._log_weights(rows, z).exp(),
        torch.where(torch.eye(rows, dtype=torch.bool), 1 / N, (N - 1) / (N * (rows - 1))).double(),
    )


def test_independent_codes_have_no_total_correlation_and_slanted_ones_much() -> None:
    generator = torch.Generator().manual_seed(0)
    mean = torch.randn(400, 2, generator=generator)
    slanted = mean[:, :1].expand(-1, 2)
    terms = []
    for centre in (mean, slanted):
        q = Independent(Normal(centre, 0.3), 1)
        terms.append(float(TotalCorrelation(rows=400)(MODULE, batch(400), output(q))))
    exact = -0.5 * math.log(1 - (1 / 1.09) ** 2)
    assert abs(terms[0]) < 0.12 and terms[1] == pytest.approx(exact, abs=0.2)


def test_the_gradient_reaches_mean_and_spread_and_the_size_is_told() -> None:
    mean, std = torch.randn(20, 2, requires_grad=True), torch.full((20, 2), 0.5, requires_grad=True)
    penalty = TotalCorrelation()
    penalty.size(500)
    assert penalty.count == 500 and "count" in penalty.state_dict()
    penalty(MODULE, batch(20), output(Independent(Normal(mean, std), 1))).backward()
    assert mean.grad.ne(0).all() and std.grad.ne(0).all()  # type: ignore[union-attr]


def test_a_batch_of_one_is_finite_and_other_posteriors_are_refused() -> None:
    q = Independent(Normal(torch.zeros(1, 2), 1.0), 1)
    assert TotalCorrelation()(MODULE, batch(1), output(q)).isfinite()
    z = torch.zeros(3, 2)
    with pytest.raises(UsageError, match="'total-correlation' needs one draw from a posterior of independent values"):
        TotalCorrelation()(MODULE, batch(3), Output(Latent(z, z), z))
    with pytest.raises(UsageError, match="estimator must be 'stratified' or 'weighted'"):
        TotalCorrelation(estimator="exact")
    with pytest.raises(UsageError, match="rows must be an int of at least 1"):
        MutualInformation(rows=0)


# ── FactorVAE's critic ────────────────────────────────────────────────────────────────────────────


def test_shuffling_keeps_every_column_and_breaks_their_ties() -> None:
    z = torch.randn(2000, 1).expand(-1, 3).contiguous()
    mixed = shuffled(z)
    assert torch.equal(mixed.sort(0).values, z.sort(0).values)
    assert torch.corrcoef(mixed.T).fill_diagonal_(0).abs().max() < 0.1


def trained_critic(rho: float) -> float:
    torch.manual_seed(0)
    penalty: DensityRatio = make("penalty", "density-ratio(hidden=(32,))", features=2)
    optimizer = torch.optim.Adam(penalty.own_parameters(), lr=5e-3)
    root = torch.linalg.cholesky(torch.tensor([[1.0, rho], [rho, 1.0]]))

    def out() -> Output:
        z = torch.randn(512, 2) @ root.T
        return Output(Latent(z, z), z)

    for _ in range(200):
        optimizer.zero_grad()
        penalty.own_loss(MODULE, batch(512), out()).backward()
        optimizer.step()
    return float(torch.stack([penalty(MODULE, batch(512), out()).detach() for _ in range(20)]).mean())


@pytest.mark.parametrize("rho", [0.0, 0.8])
def test_a_trained_critics_logit_is_the_total_correlation_of_a_gaussian(rho: float) -> None:
    assert trained_critic(rho) == pytest.approx(-0.5 * math.log(1 - rho**2), abs=0.12)


def test_the_encoder_feels_the_term_and_not_the_critics_own_loss() -> None:
    penalty: DensityRatio = make("penalty", "density-ratio", features=2)
    z: Tensor = torch.randn(16, 2, requires_grad=True)
    out = Output(Latent(z, z), z)
    penalty(MODULE, batch(16), out).backward()
    assert z.grad is not None and z.grad.ne(0).any()
    z.grad = None
    penalty.own_loss(MODULE, batch(16), out.detach()).backward()
    assert z.grad is None and all(p.grad is not None for p in penalty.own_parameters())
