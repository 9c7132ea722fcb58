"""Several draws of z a row: means, weights, and the importance-weighted bound, against sums written out."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Bottleneck, Latent, Objective, Output, Penalty, make

B, D, K = 4, 3, 5


class Several(Bottleneck):
    """K noisy copies of the features."""

    def __init__(self, weights: Tensor | None = None) -> None:
        super().__init__()
        self.in_features = self.out_features = D
        self.weights = weights

    def code(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        return h

    def forward(self, h: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        z = h.repeat_interleave(K, 0)
        return Latent(z + torch.randn_like(z), h, draws=K, weights=self.weights)


class Square(Penalty):
    """A term for each draw."""

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        return out.latent.z.square().sum(1)


def composed(weights: Tensor | None = None) -> tuple[AutoencoderModule, Batch, Output]:
    module = AutoencoderModule(nn.Identity(), Several(weights), nn.Identity())  # type: ignore[arg-type]
    module.encoder.forward = lambda x, mask=None, cond=None: x  # type: ignore[method-assign]
    module.decoder.forward = lambda z, batch=None: z  # type: ignore[method-assign]
    x = torch.randn(B, D)
    batch = Batch(x, x)
    return module, batch, module(batch)


def costs(batch: Batch, out: Output) -> Tensor:
    """Reconstruction plus penalty of every draw (B, K), row by row."""
    z = out.latent.z.view(B, K, D)
    return (z - batch.target[:, None]).square().sum(2) + z.square().sum(2)


def test_without_importance_every_term_is_its_mean_over_the_draws() -> None:
    module, batch, out = composed()
    objective = Objective(make("loss", "squared"), [Square()])
    assert out.recon.shape == (B * K, D)
    torch.testing.assert_close(objective.per_sample(module, batch, out), costs(batch, out).mean(1))


def test_with_importance_the_terms_sum_to_the_bound_and_it_is_no_higher() -> None:
    module, batch, out = composed()
    objective = Objective(make("loss", "squared"), [Square()], importance=1.0)
    bound = -torch.logsumexp(-costs(batch, out), 1) + math.log(K)
    torch.testing.assert_close(objective.per_sample(module, batch, out), bound)
    assert (objective.terms(module, batch, out)["importance"] <= 0).all()


def test_weights_are_those_of_a_sum_over_classes() -> None:
    weights = torch.softmax(torch.randn(B, K), 1)
    module, batch, out = composed(weights)
    objective = Objective(make("loss", "squared"), [Square()])
    torch.testing.assert_close(objective.per_sample(module, batch, out), (weights * costs(batch, out)).sum(1))


def test_a_repeated_batch_keeps_the_draws_of_a_row_together() -> None:
    batch = Batch(torch.arange(2.0)[:, None], torch.zeros(2, 1), label=torch.tensor([7, 8]))
    assert batch.repeat(3).label.tolist() == [7, 7, 7, 8, 8, 8]
    assert batch.repeat(1) is batch


def test_terms_of_one_name_are_numbered() -> None:
    module, batch, out = composed()
    terms = Objective(make("loss", "squared"), [Square(), Square(2.0)]).terms(module, batch, out)
    assert list(terms) == ["reconstruction", "square", "square-2"]
    torch.testing.assert_close(terms["square-2"], 2 * terms["square"])


@pytest.mark.parametrize(("weight", "tied"), [(1.0, True), (0.0, False)])
def test_a_prior_is_tied_by_a_term_that_counts(weight: float, tied: bool) -> None:
    assert Objective(make("loss", "squared"), [make("penalty", f"kl(weight={weight})")]).ties_prior == tied
