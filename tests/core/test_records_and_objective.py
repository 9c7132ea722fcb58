"""The records that travel between rooms, the module that fills them, and the objective that reads them."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from diabolo.blocks.identity import Identity
from diabolo.core import AutoencoderModule, Batch, Decoder, Encoder, Latent, Objective, Output, Penalty, make
from diabolo.core.errors import ModelError
from diabolo.core.schedules import Linear

B, WIDTH, FEATURES = 6, 4, 2


class TinyEncoder(Encoder):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, FEATURES)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return self.layer(x)


class TinyDecoder(Decoder):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        return self.layer(z)


class Size(Penalty):
    """A penalty of one value a sample."""

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        return out.latent.z.square().sum(1)


@pytest.fixture
def module() -> AutoencoderModule:
    return AutoencoderModule(
        TinyEncoder(), Identity(FEATURES), TinyDecoder(), make("prior", "normal", features=FEATURES)
    )


@pytest.fixture
def batch() -> Batch:
    x = torch.randn(B, WIDTH)
    return Batch(x, x)


def test_map_reaches_every_tensor_and_nothing_else() -> None:
    posterior = Normal(torch.zeros(1), torch.ones(1))
    latent = Latent(torch.ones(2), torch.ones(2), posterior, losses={"commitment": torch.ones(2)})
    doubled = Output(latent, torch.ones(3)).map(lambda tensor: 2 * tensor)
    tensors = (doubled.recon, doubled.latent.z, doubled.latent.code, doubled.latent.losses["commitment"])
    assert all(tensor.eq(2).all() for tensor in tensors)
    assert doubled.latent.posterior is posterior and doubled.latent.indices is None
    assert latent.z.eq(1).all()


def test_detach_cuts_every_tensor_from_the_graph() -> None:
    x = torch.ones(2, 2, requires_grad=True)
    posterior = Independent(Normal(2 * x, torch.ones(2, 2)), 1)
    out = Output(Latent(2 * x, 3 * x, posterior, losses={"commitment": 4 * x}), 5 * x)
    cut = out.detach()
    tensors = (cut.recon, cut.latent.z, cut.latent.code, cut.latent.losses["commitment"])
    assert not any(tensor.requires_grad for tensor in tensors)
    assert out.recon.requires_grad and torch.equal(cut.recon, out.recon)
    # a posterior that detach lets through must not carry the graph along
    assert cut.latent.posterior is None or not cut.latent.posterior.mean.requires_grad


def test_records_are_frozen_and_a_batch_knows_its_length(batch: Batch) -> None:
    assert len(batch) == B
    with pytest.raises(dataclasses.FrozenInstanceError):
        batch.x = batch.target  # type: ignore[misc]


def test_the_total_is_the_sum_of_the_terms_means(module: AutoencoderModule, batch: Batch) -> None:
    objective = Objective(make("loss", "squared"), [Size(0.5), make("penalty", "weight-decay(weight=0.1)")])
    out = module(batch)
    total, means = objective(module, batch, out)
    assert list(means) == ["reconstruction", "size", "weight-decay"]
    assert total.item() == pytest.approx(sum(mean.item() for mean in means.values()), rel=1e-6)
    assert means["reconstruction"].item() == pytest.approx((out.recon - batch.x).square().sum(1).mean().item())
    assert means["size"].item() == pytest.approx(0.5 * out.latent.z.square().sum(1).mean().item())


def test_the_bottlenecks_own_losses_are_terms(module: AutoencoderModule, batch: Batch) -> None:
    out = module(batch)
    out = dataclasses.replace(out, latent=dataclasses.replace(out.latent, losses={"commitment": torch.ones(B)}))
    total, means = Objective(make("loss", "squared"))(module, batch, out)
    assert total.item() == pytest.approx(means["reconstruction"].item() + 1.0)


def test_per_sample_adds_what_a_sample_costs_and_leaves_scalars_out(module: AutoencoderModule, batch: Batch) -> None:
    out = module(batch)
    objective = Objective(make("loss", "squared"), [Size(0.5), make("penalty", "weight-decay")])
    expected = (out.recon - batch.x).square().sum(1) + 0.5 * out.latent.z.square().sum(1)
    torch.testing.assert_close(objective.per_sample(module, batch, out), expected)


def test_a_weight_follows_its_schedule_and_scores_use_the_last_value(module: AutoencoderModule, batch: Batch) -> None:
    objective, out = Objective(make("loss", "squared"), [Size(Linear(0.0, 2.0))]), module(batch)
    size = out.latent.z.square().sum(1)
    for step, weight in ((0, 0.0), (5, 1.0), (10, 2.0)):
        torch.testing.assert_close(objective.terms(module, batch, out, step, 10)["size"], weight * size)
    torch.testing.assert_close(
        objective.per_sample(module, batch, out), (out.recon - batch.x).square().sum(1) + 2 * size
    )


def test_unscored_samples_cost_nothing(module: AutoencoderModule, batch: Batch) -> None:
    scored = torch.arange(B) < 2
    cost = Objective(make("loss", "squared")).per_sample(
        module, dataclasses.replace(batch, scored=scored), module(batch)
    )
    assert torch.equal(cost != 0, scored)


def test_reconstruct_and_code_agree_with_forward_where_nothing_is_random(
    module: AutoencoderModule, batch: Batch
) -> None:
    torch.testing.assert_close(module.reconstruct(batch).recon, module(batch).recon)
    torch.testing.assert_close(module.code(batch.x), module.encode(batch.x).code)


def test_samples_come_from_the_prior_or_the_model_says_it_has_none(module: AutoencoderModule) -> None:
    sample = module.sample(3)
    assert sample.shape == (3, WIDTH) and not sample.requires_grad
    module.prior = None
    with pytest.raises(ModelError, match="not trained with a prior"):
        module.sample(3)
