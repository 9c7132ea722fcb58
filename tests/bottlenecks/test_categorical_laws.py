"""Categorical variables: the relaxation's limits, the divergence in closed form, the temperature's way down."""

from __future__ import annotations

import math

import pytest
import torch
from torch.distributions import Categorical as Reference
from torch.distributions import kl_divergence

from diabolo.blocks.one_hot import OneHots, one_hot
from diabolo.bottlenecks.categorical import Categorical
from diabolo.core import AutoencoderModule, Batch, Output, make
from diabolo.core.errors import UsageError
from diabolo.priors.categorical import UniformCategorical

LOGITS = torch.tensor([[[0.0, 1.0, -1.0], [2.0, 0.0, 0.5]], [[0.3, 0.1, 0.0], [-1.0, 0.0, 1.0]]])


def test_density_entropy_and_divergence_are_those_of_independent_categoricals() -> None:
    q, reference = OneHots(LOGITS), Reference(logits=LOGITS)
    index = torch.tensor([[1, 2], [0, 0]])
    torch.testing.assert_close(q.log_prob(one_hot(index, 3)), reference.log_prob(index).sum(1))
    torch.testing.assert_close(q.entropy(), reference.entropy().sum(1))
    p = OneHots(torch.randn(2, 3))
    expected = kl_divergence(reference, Reference(logits=p.log_probs)).sum(1)
    torch.testing.assert_close(kl_divergence(q, p), expected)
    assert q.batch_shape == (2,) and q.event_shape == (6,)


def test_the_kl_penalty_is_g_log_c_minus_the_entropy_and_monte_carlo_agrees() -> None:
    neck, prior = Categorical(6, classes=3), UniformCategorical(6, classes=3)
    h = LOGITS.flatten(1)
    module = AutoencoderModule(torch.nn.Identity(), neck, torch.nn.Identity(), prior)
    latent = neck.eval()(h)
    cost = make("penalty", "kl")(module, Batch(h, h), Output(latent, h))
    torch.testing.assert_close(cost, 2 * math.log(3) - latent.posterior.entropy())
    z = latent.posterior.sample((20_000,))
    estimate = (latent.posterior.log_prob(z) - prior(module).log_prob(z)).mean(0)
    torch.testing.assert_close(estimate, cost, atol=0.02, rtol=0)


def test_samples_are_one_hot_with_the_posterior_frequencies() -> None:
    q = OneHots(LOGITS)
    z = q.sample((20_000,)).unflatten(-1, (2, 3))
    assert (z.sum(-1) == 1).all() and ((z == 0) | (z == 1)).all()
    torch.testing.assert_close(z.mean(0), q.probs, atol=0.015, rtol=0)


def test_the_relaxed_sample_has_the_posterior_frequencies_at_its_largest_entry() -> None:
    """Gumbel's trick: argmax of log p + g is a draw from p, at any temperature."""
    neck = Categorical(3).train()
    z = neck(LOGITS[0, :1].expand(20_000, 3)).z
    torch.testing.assert_close(z.sum(1), torch.ones(20_000))
    frequencies = torch.bincount(z.argmax(1), minlength=3) / 20_000
    torch.testing.assert_close(frequencies, LOGITS[0, 0].softmax(0), atol=0.015, rtol=0)


def test_the_colder_the_nearer_to_one_hot() -> None:
    neck, h = Categorical(5).train(), torch.zeros(4000, 5)
    peaks = []
    for temperature in (10.0, 1.0, 0.1, 0.01):
        neck.temperature.fill_(temperature)
        peaks.append(float(neck(h).z.amax(1).mean()))
    assert peaks == sorted(peaks) and peaks[0] < 0.3 and peaks[-1] > 0.99


def test_straight_through_samples_are_one_hot_with_the_relaxed_gradient() -> None:
    h, slope = torch.randn(50, 6), torch.randn(50, 6)
    found = {}
    for hard in (False, True):
        torch.manual_seed(3)
        given = h.clone().requires_grad_()
        z = Categorical(6, classes=3, straight_through=hard).train()(given).z
        found[hard] = z, torch.autograd.grad((z * slope).sum(), given)[0]
    assert set(found[True][0].unique().tolist()) == {0.0, 1.0}
    torch.testing.assert_close(found[True][1], found[False][1])
    assert torch.equal(found[True][0].view(50, 2, 3).argmax(-1), found[False][0].view(50, 2, 3).argmax(-1))


def test_the_code_is_the_most_likely_class_and_evaluation_draws_true_samples() -> None:
    neck = Categorical(6, classes=3).eval()
    latent = neck(LOGITS.flatten(1))
    assert latent.indices.tolist() == [[1, 0], [0, 2]]
    torch.testing.assert_close(latent.code, latent.posterior.mode)
    assert set(latent.z.unique().tolist()) == {0.0, 1.0}
    assert torch.equal(neck.codes_to_indices(latent.code), latent.indices)


def test_the_temperature_falls_geometrically_to_its_end() -> None:
    neck = Categorical(4, warm=2.0, cold=0.5)
    seen = [float(neck.temperature)]
    for step in range(4):
        neck.after_step(step, 4)
        seen.append(float(neck.temperature))
    torch.testing.assert_close(torch.tensor(seen), 2.0 * 0.25 ** (torch.arange(5) / 4))


def test_parameters_out_of_range() -> None:
    for message, params in (
        ("classes must be an int of at least 2; got 1", {"features": 4, "classes": 1}),
        ("features must be a multiple of the 3 classes; got 4", {"features": 4, "classes": 3}),
        (r"cold must be above 0 and at most warm \(1.0\); got 2", {"features": 4, "cold": 2}),
    ):
        with pytest.raises(UsageError, match=message):
            Categorical(**params)
    with pytest.raises(UsageError, match="features must be a multiple of the 3 classes; got 4"):
        UniformCategorical(4, classes=3)
