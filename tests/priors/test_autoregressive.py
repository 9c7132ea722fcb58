"""A prior over indices is a distribution: it sums to one, learns known frequencies, and looks only back."""

from __future__ import annotations

from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Objective, make
from diabolo.core.errors import UsageError
from diabolo.data import MemoryFeed
from diabolo.estimators.after import Indexed
from diabolo.priors.autoregressive import Autoregressive
from diabolo.train import Stage, Trainer


class Passing(nn.Module):
    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        return x


def module(neck: str, features: int, positions: tuple[int, ...] = (), **params: Any) -> AutoencoderModule:
    bottleneck = make("bottleneck", neck, features=features)
    prior = Autoregressive(features, bottleneck.sizes, positions, **{"width": 16, "layers": 1, **params})
    return AutoencoderModule(Passing(), bottleneck, Passing(), prior)  # type: ignore[arg-type]


def every_code(made: AutoencoderModule, length: int) -> Tensor:
    """All codes there are: every tuple of indices."""
    sizes = made.bottleneck.sizes * (length // len(made.bottleneck.sizes))
    indices = torch.tensor(list(product(*(range(size) for size in sizes))))
    several = (len(made.bottleneck.sizes),) if len(made.bottleneck.sizes) > 1 else ()
    return made.bottleneck.indices_to_codes(indices.view(len(indices), *made.prior.positions, *several))


@pytest.mark.parametrize(
    ("neck", "features", "positions", "length"),
    [
        ("fsq(levels=(3, 4))", 2, (3,), 3),
        ("fsq(levels=(4, 3))", 3, (), 2),
        ("vq(codes=5)", 2, (2, 1), 2),
        ("vq(codes=4, groups=2)", 4, (2,), 4),
        ("categorical(classes=3)", 6, (), 2),
    ],
)
def test_all_codes_together_have_probability_one(
    neck: str, features: int, positions: tuple[int, ...], length: int
) -> None:
    """Also with indices of different sizes: twelve values and four make 48."""
    made = module(neck, features, positions)
    for parameter in made.prior.parameters():
        nn.init.normal_(parameter, std=0.5)
    density = made.prior(made)
    assert made.prior.length == length and density.event_shape == (*positions, features)
    codes = every_code(made, length)
    assert density.log_prob(codes).exp().sum().item() == pytest.approx(1, abs=1e-4)
    assert density.sample((4, 2)).shape == (4, 2, *positions, features)


def test_an_index_depends_on_those_before_it_alone() -> None:
    prior = Autoregressive(2, (6,), (5,), width=16)
    indices = torch.randint(6, (3, 5))
    logits = prior.logits(indices[:, :-1])
    for changed in range(4):
        other = indices.clone()
        other[:, changed] = (other[:, changed] + 1) % 6
        moved = (prior.logits(other[:, :-1]) - logits).abs().amax((0, 2)) > 1e-6
        assert moved.tolist() == [place > changed for place in range(5)]


def test_samples_have_the_frequencies_of_the_density() -> None:
    made = module("fsq(levels=(3, 3))", 2, (2,))
    for parameter in made.prior.parameters():
        nn.init.normal_(parameter, std=0.5)
    density = made.prior(made)
    codes = every_code(made, 2)
    sample = made.bottleneck.codes_to_indices(density.sample((6000,)))
    counts = torch.bincount(sample[:, 0] * 9 + sample[:, 1], minlength=81) / 6000
    torch.testing.assert_close(counts, density.log_prob(codes).exp(), atol=0.02, rtol=0)


def test_maximum_likelihood_finds_the_entropy_of_a_chain() -> None:
    """Indices of a Markov chain over three values: cost per code falls to the entropy of the codes."""
    torch.manual_seed(0)
    step = torch.tensor([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    chain = [torch.randint(3, (1000,))]
    for _ in range(3):
        chain.append(torch.multinomial(step[chain[-1]], 1).flatten())
    made = module("fsq(levels=(3,))", 1, (4,), width=16)
    made.bottleneck = Indexed(made.bottleneck)
    codes = made.bottleneck.indices_to_codes(torch.stack(chain, 1))
    objective = Objective(None, [make("penalty", "code-likelihood")])
    feed = MemoryFeed({"x": codes}, lambda tensors: Batch(tensors["x"], tensors["x"]))
    trainer = Trainer(epochs=12, batch_size=100, optimizer="adam", lr=1e-2)
    history = trainer.fit([Stage(made, objective, trainable=lambda name: name.startswith("prior."))], feed, seed=0)
    counts = torch.stack(chain, 1).unique(dim=0, return_counts=True)[1] / 1000
    entropy = -float((counts * counts.log()).sum())
    assert entropy < made.prior(made).log_prob(codes).neg().mean().item() < entropy + 0.06
    assert history[0]["train"]["code-likelihood"] > entropy + 0.2


def test_what_has_no_indices_is_refused() -> None:
    made = module("fsq(levels=(3, 3))", 2)
    made.bottleneck = make("bottleneck", "identity", features=2)
    with pytest.raises(UsageError, match="it needs a discrete bottleneck: vq, fsq"):
        made.prior(made)
    with pytest.raises(UsageError, match="it needs a discrete bottleneck: vq, fsq"):
        Autoregressive(2, ())
    made.bottleneck = make("bottleneck", "fsq(levels=(5, 5))", features=2)
    with pytest.raises(UsageError, match=r"has sizes \(9,\), the bottleneck's indices \(25,\)"):
        made.prior(made)
    made = module("vq(codes=4)", 2, (3,))
    with pytest.raises(UsageError, match=r"over codes of shape \(3, 2\); got \(8, 5, 2\)"):
        made.prior(made).log_prob(torch.zeros(8, 5, 2))
    with pytest.raises(UsageError, match=r"heads must be a divisor of width \(10\); got 4"):
        Autoregressive(2, (4,), width=10)
