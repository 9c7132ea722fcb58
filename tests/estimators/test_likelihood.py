"""Importance sampling against an exact likelihood, the order of the bounds, and IWAE(1) = VAE."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor, nn

from diabolo import IWAE, VAE, FlowVAE, HierarchicalVAE, Trainer, VampVAE
from diabolo.core import AutoencoderModule, Batch, Latent, Objective, Output, make
from diabolo.core.errors import ModelError, UsageError
from diabolo.estimators import likelihood
from diabolo.estimators.likelihood import importance_bound

DIGITS = (load_digits().data / 16).astype("float32")
TRAINER = Trainer(epochs=15, validation=0.0)


def linear(spread: float = 1.0) -> tuple[AutoencoderModule, Any, Tensor]:
    """x = W z + noise with a posterior that is near the true one, and 12 rows with their exact log p(x)."""
    torch.manual_seed(0)
    load, noise = torch.randn(4, 2), 0.7
    z = torch.randn(12, 2)
    x = z @ load.T + noise * torch.randn(12, 4)
    covariance = load @ load.T + noise**2 * torch.eye(4)
    exact = torch.distributions.MultivariateNormal(torch.zeros(4), covariance).log_prob(x)
    precision = torch.eye(2) + load.T @ load / noise**2
    matrix = torch.linalg.solve(precision, load.T) / noise**2
    std = spread * precision.inverse().diagonal().sqrt()

    class Known(nn.Module):
        def forward(self, x: Tensor, mask: Any = None, cond: Any = None) -> Tensor:
            raw = torch.log(torch.expm1(std - 1e-4)).expand(len(x), 2)
            return torch.cat([x @ matrix.T, raw], 1)

    class Decode(nn.Module):
        def forward(self, z: Tensor, batch: Any = None) -> Tensor:
            return z @ load.T

    neck, prior = make("bottleneck", "gaussian", features=2), make("prior", "normal", features=2)
    module = AutoencoderModule(Known(), neck, Decode(), prior)  # type: ignore[arg-type]
    return module, (x, make("loss", f"gaussian(scale={noise})")), exact


def test_the_bound_reaches_the_exact_likelihood_of_a_linear_model() -> None:
    module, (x, loss), exact = linear()
    bound = importance_bound(module, loss, Batch(x, x), 20_000)
    torch.testing.assert_close(bound, exact, rtol=0, atol=0.02)


def test_bounds_rise_with_the_number_of_draws_and_stay_below() -> None:
    module, (x, loss), exact = linear(spread=1.6)
    many = Batch(x.repeat(300, 1), x.repeat(300, 1))
    bounds = [float(importance_bound(module, loss, many, k).mean()) for k in (1, 5, 50)]
    assert bounds[0] + 0.05 < bounds[1] < bounds[2] < float(exact.mean()) + 0.02


def test_it_does_not_depend_on_the_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    module, (x, loss), exact = linear()
    monkeypatch.setattr(likelihood, "CHUNK", 30)
    torch.testing.assert_close(importance_bound(module, loss, Batch(x, x), 5001), exact, rtol=0, atol=0.04)


def test_the_objective_with_importance_is_minus_the_bound_of_its_draws() -> None:
    module, (x, loss), _ = linear(spread=1.6)
    batch, draws = Batch(x, x), 7
    posterior = module.bottleneck.posterior(module.features(x))  # type: ignore[operator]
    z = posterior.rsample((draws,)).transpose(0, 1).flatten(0, 1)
    repeated = torch.distributions.Independent(
        torch.distributions.Normal(*(t.repeat_interleave(draws, 0) for t in (posterior.mean, posterior.stddev))), 1
    )
    out = Output(Latent(z, posterior.mean, repeated, draws=draws), module.decode(z))
    objective = Objective(loss, [make("penalty", "kl(sampled=True)")], 1.0)
    spread = batch.repeat(draws)
    prior = module.prior(module)  # type: ignore[misc]
    weights = -loss(module.decode(z), spread.target) + prior.log_prob(z) - repeated.log_prob(z)
    bound = weights.view(len(x), draws).logsumexp(1) - math.log(draws)
    torch.testing.assert_close(objective.per_sample(module, batch, out), -bound)


def test_iwae_of_one_draw_is_the_vae_but_for_the_estimate_of_its_kl() -> None:
    one = IWAE(3, samples=1, hidden=(8,), trainer=TRAINER, random_state=0).fit(DIGITS[:100])
    recipe = VAE(3, hidden=(8,), random_state=0)
    vae = recipe.plan(DIGITS[:100])
    assert "importance" not in one.history_[-1]["train"]
    vae.module_.load_state_dict(one.module_.state_dict())
    batch = Batch(*(torch.from_numpy(DIGITS[:50]).repeat(200, 1),) * 2)
    with torch.no_grad():
        totals = []
        for model in (one, vae):
            torch.manual_seed(0)
            totals.append(model.objective_.terms(model.module_, batch, model.module_(batch))["kl"].mean())
    torch.testing.assert_close(totals[0], totals[1], rtol=2e-2, atol=0)


@pytest.mark.parametrize(
    "model",
    [
        IWAE(4, samples=3, trainer=TRAINER, random_state=0),
        FlowVAE(4, steps=2, prior="flow(steps=2)", trainer=TRAINER, random_state=0),
        FlowVAE(4, flow="planar", steps=2, trainer=TRAINER, random_state=0),
        HierarchicalVAE(4, trainer=TRAINER, random_state=0),
        VampVAE(4, components=10, trainer=TRAINER, random_state=0),
    ],
    ids=lambda model: type(model).__name__,
)
def test_of_every_model_the_bounds_are_ordered_and_decided_by_the_seed(model: Any) -> None:
    model.fit(DIGITS[:500])
    X = DIGITS[500:700]
    bounds = [float(model.log_likelihood(X, k, random_state=0).mean()) for k in (1, 20, 200)]
    assert bounds[0] < bounds[1] < bounds[2]
    np.testing.assert_array_equal(
        model.log_likelihood(X, 5, random_state=1), model.log_likelihood(X, 5, random_state=1)
    )
    assert model.reconstruct(X).shape == X.shape and model.score_samples(X).shape == (200,)


def test_what_it_needs_is_named() -> None:
    model = VAE(2, hidden=(4,), trainer=Trainer(epochs=1), random_state=0).fit(DIGITS[:50])
    with pytest.raises(UsageError, match="n_samples must be an int of at least 1; got 0"):
        model.log_likelihood(DIGITS[:5], 0)
    model.module_.prior = None
    with pytest.raises(ModelError, match="has no posterior and prior"):
        model.log_likelihood(DIGITS[:5])
