"""KL against the analytic formula, Monte Carlo, and padding; weight decay against its formula."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from scipy import stats
from torch import Tensor, nn
from torch.distributions import Independent, Normal, StudentT

from diabolo.core import AutoencoderModule, Batch, Latent, Output
from diabolo.core.errors import UsageError
from diabolo.core.schedules import Linear
from diabolo.penalties.decay import WeightDecay
from diabolo.penalties.kl import KL
from diabolo.priors.normal import StandardNormal

B, D = 5, 3


def model(encoder: nn.Module | None = None, decoder: nn.Module | None = None) -> AutoencoderModule:
    """A module with a standard normal prior; its networks matter to weight decay alone."""
    networks: Any = (encoder or nn.Identity(), nn.Identity(), decoder or nn.Identity())
    return AutoencoderModule(*networks, StandardNormal(D))


def output(posterior: Any, z: Tensor | None = None) -> Output:
    z = posterior.mean if z is None else z
    return Output(Latent(z, posterior.mean, posterior), z)


def gaussian(*positions: int) -> Independent:
    mean, raw = torch.randn(2, B, *positions, D)
    return Independent(Normal(mean, nn.functional.softplus(raw)), 1)


def empty(mask: Tensor | None = None) -> Batch:
    return Batch(torch.zeros(B, 1), torch.zeros(B, 1), mask)


def formula(posterior: Independent) -> Tensor:
    mean, variance = posterior.mean, posterior.variance
    return 0.5 * (mean**2 + variance - 1 - variance.log()).sum(-1)


def test_two_gaussians_have_the_papers_closed_form() -> None:
    posterior = gaussian()
    torch.testing.assert_close(KL()(model(), empty(), output(posterior)), formula(posterior))


def test_the_prior_itself_costs_nothing() -> None:
    posterior = Independent(Normal(torch.zeros(B, D), torch.ones(B, D)), 1)
    assert KL()(model(), empty(), output(posterior)).eq(0).all()


def test_closed_form_agrees_with_monte_carlo() -> None:
    posterior = gaussian()
    z = posterior.sample(torch.Size([200_000]))
    estimate = (posterior.log_prob(z) - StandardNormal(D)(model()).log_prob(z)).mean(0)
    torch.testing.assert_close(KL()(model(), empty(), output(posterior)), estimate, rtol=1e-2, atol=1e-2)


def test_without_a_closed_form_the_sample_estimates_it() -> None:
    heavy = stats.t(df=10, loc=0.5, scale=0.8)
    expected = D * heavy.expect(lambda z: heavy.logpdf(z) - stats.norm.logpdf(z))
    posterior = Independent(StudentT(10.0, torch.full((200_000, D), 0.5), 0.8), 1)
    estimate = KL()(model(), empty(), output(posterior, posterior.sample()))
    assert estimate.shape == (200_000,)
    assert estimate.mean().item() == pytest.approx(expected, abs=1e-2)


def test_the_estimate_has_a_gradient_through_the_sample() -> None:
    mean = torch.zeros(B, D, requires_grad=True)
    posterior = Independent(StudentT(10.0, mean, 0.8), 1)
    KL()(model(), empty(), output(posterior, posterior.rsample())).sum().backward()
    assert mean.grad.ne(0).all()


def test_positions_are_summed() -> None:
    posterior = gaussian(4, 2)
    torch.testing.assert_close(KL()(model(), empty(), output(posterior)), formula(posterior).sum((1, 2)))


def test_padding_is_free() -> None:
    posterior = gaussian(4)
    mask = torch.arange(4) < torch.tensor([[4], [3], [2], [1], [0]])
    cost = KL()(model(), empty(mask), output(posterior))
    torch.testing.assert_close(cost, (formula(posterior) * mask).sum(1))
    assert cost[-1] == 0


def test_a_mask_of_inputs_does_not_cut_a_code_without_positions() -> None:
    posterior = gaussian()
    mask = torch.zeros(B, 4, dtype=torch.bool)
    torch.testing.assert_close(KL()(model(), empty(mask), output(posterior)), formula(posterior))


def test_what_it_needs_is_named() -> None:
    with pytest.raises(UsageError, match="bottleneck 'gaussian'"):
        KL()(model(), empty(), Output(Latent(torch.zeros(B, D), torch.zeros(B, D)), torch.zeros(B, D)))
    without = model()
    without.prior = None
    with pytest.raises(UsageError, match="prior 'normal'"):
        KL()(without, empty(), output(gaussian()))


def test_sampled_is_log_q_less_log_p_at_z_and_agrees_with_the_closed_form_on_average() -> None:
    posterior = gaussian()
    z = posterior.sample(torch.Size([100_000])).transpose(0, 1)
    many = Independent(Normal(posterior.mean[:, None], posterior.stddev[:, None]), 1)
    cost = KL(sampled=True)(model(), empty(), output(many, z)) / 100_000
    torch.testing.assert_close(cost, formula(posterior), rtol=1e-2, atol=1e-2)
    one = posterior.rsample()
    expected = posterior.log_prob(one) - StandardNormal(D)(model()).log_prob(one)
    torch.testing.assert_close(KL(sampled=True)(model(), empty(), output(posterior, one)), expected)


def each(posterior: Independent) -> Tensor:
    return 0.5 * (posterior.mean**2 + posterior.variance - 1 - posterior.variance.log())


@pytest.mark.parametrize("group", [1, 2, 3])
def test_free_bits_are_the_sum_over_groups_of_the_larger_of_lambda_and_the_batch_mean(group: int) -> None:
    posterior, bits = gaussian(), 0.4 * group
    groups = torch.stack([part.sum(1) for part in each(posterior).split(group, 1)], 1)
    expected = groups.mean(0).clamp_min(bits).sum()
    cost = KL(free_bits=bits, group=group)(model(), empty(), output(posterior))
    assert cost.shape == (B,)
    torch.testing.assert_close(cost.mean(), expected)


def test_free_bits_give_no_gradient_below_and_the_full_one_above() -> None:
    mean = torch.tensor([[0.1, 3.0], [-0.1, 2.0]], requires_grad=True)
    posterior = Independent(Normal(mean, 1.0), 1)
    module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), StandardNormal(2))  # type: ignore[arg-type]
    KL(free_bits=0.5)(module, Batch(mean, mean), output(posterior)).mean().backward()
    torch.testing.assert_close(mean.grad, torch.tensor([[0.0, 1.5], [0.0, 1.0]]))


def test_scores_pay_the_plain_divergence() -> None:
    posterior = gaussian()
    torch.testing.assert_close(KL(free_bits=5.0).eval()(model(), empty(), output(posterior)), formula(posterior))


def test_free_bits_over_positions_and_padding() -> None:
    posterior = gaussian(4)
    mask = torch.arange(4) < torch.tensor([[4], [3], [2], [1], [0]])
    expected = (each(posterior) * mask[..., None]).sum(1).mean(0).clamp_min(0.5).sum()
    torch.testing.assert_close(KL(free_bits=0.5)(model(), empty(mask), output(posterior)).mean(), expected)


def test_capacity_is_the_distance_to_a_divergence_that_grows() -> None:
    posterior, penalty = gaussian(), KL(capacity="linear(end=4.0, share=0.5)")
    cost = formula(posterior)
    torch.testing.assert_close(penalty(model(), empty(), output(posterior)), cost)
    penalty.after_step(step=1, total=8)
    torch.testing.assert_close(penalty(model(), empty(), output(posterior)), (cost - 2.0).abs())
    torch.testing.assert_close(penalty.eval()(model(), empty(), output(posterior)), (cost - 4.0).abs())
    assert not penalty.state_dict()


def test_the_weight_may_be_a_schedule_by_its_text() -> None:
    assert KL("linear(share=0.5)").weight(1, 4) == 0.5 and KL(Linear(end=2.0)).weight(4, 4) == 2.0  # type: ignore[operator]
    with pytest.raises(UsageError, match="schedule 'linera' is unknown; did you mean 'linear'"):
        KL("linera")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"free_bits": -1.0}, "free_bits must be a number of nats, at least 0"),
        ({"group": 0}, "group must be an int of at least 1"),
        ({"weight": None}, "weight must be a number or a schedule"),
        ({"capacity": True}, "capacity must be a number or a schedule"),
    ],
)
def test_ranges(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        KL(**given)


def test_weight_decay_is_half_the_squared_norm_of_matrices() -> None:
    encoder, decoder = nn.Sequential(nn.Linear(3, 2), nn.LayerNorm(2)), nn.Linear(2, 3)
    out = output(gaussian())
    expected = 0.5 * (encoder[0].weight.square().sum() + decoder.weight.square().sum())
    cost = WeightDecay()(model(encoder, decoder), empty(), out)
    torch.testing.assert_close(cost, expected)
    cost.backward()
    torch.testing.assert_close(decoder.weight.grad, decoder.weight.detach())
    assert decoder.bias.grad is None


def test_tied_weights_decay_once() -> None:
    layer = nn.Linear(3, 3)
    tied = WeightDecay()(model(layer, layer), empty(), output(gaussian()))
    torch.testing.assert_close(tied, 0.5 * layer.weight.square().sum())


def test_weight_decay_without_matrices_is_zero() -> None:
    nothing = nn.Identity()
    cost = WeightDecay()(model(nothing, nothing), empty(), output(gaussian()))
    assert cost.shape == () and cost == 0
