"""Laws every penalty and every prior obeys; a new one is picked up by its name."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Decoder, Encoder, Objective, Penalty, Spec, lookup, make, names
from diabolo.core.schedules import Linear

B, WIDTH, FEATURES = 6, 5, 3
EXAMPLES: dict[str, dict[str, Any]] = {}
"""Parameters of penalties whose defaults do not suit this small model."""
SAMPLED: set[str] = {
    "adversarial", "code-norm", "contractive", "data-critic", "decoder-gradient", "feature-matching", "l1",
    "score-matching", "total-variation",
    "code-likelihood", "density-ratio", "dimension-kl", "discrepancy", "mutual-information", "total-correlation",
}  # fmt: skip
"""Penalties that draw or compare samples of z, whose terms differ from call to call."""

DECODER_ONLY = {"data-critic", "decoder-gradient"}
"""Penalties that the encoder must not feel, or does not where the decoder is linear."""
NECKS = {"top-down": "hierarchical", "autoregressive": "vq"}
"""Bottlenecks of priors that borrow from theirs."""


BOTTLENECKS: dict[str, Any] = {
    "sparsity": Spec("activated", activation="sigmoid"),
    "dead-units": Spec("top-k", k=1, patience=1),
}
"""Bottlenecks of penalties that are only for codes of a kind; the others are tried with a Gaussian one."""


class TinyEncoder(Encoder):
    def __init__(self, features: int) -> None:
        super().__init__()
        self.layer = nn.Linear(WIDTH, features)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return torch.tanh(self.layer(x))


class TinyDecoder(Decoder):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(FEATURES, WIDTH)

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        return self.layer(z)


@pytest.fixture
def module(request: pytest.FixtureRequest) -> AutoencoderModule:
    torch.manual_seed(0)
    asked = request.getfixturevalue("penalty").name if "penalty" in request.fixturenames else ""
    bottleneck = make("bottleneck", BOTTLENECKS.get(asked, "gaussian"), features=FEATURES)
    if asked == "dead-units":
        bottleneck.idle[1:] = 10**9
        bottleneck.watch = lambda z, mask: None
    prior = make("prior", "normal", features=FEATURES)
    return AutoencoderModule(TinyEncoder(bottleneck.in_features), bottleneck, TinyDecoder(), prior)


@pytest.fixture(params=[(), (4,)], ids=["table", "sequence"])
def batch(request: pytest.FixtureRequest) -> Batch:
    x = torch.randn(B, *request.param, WIDTH, generator=torch.Generator().manual_seed(1))
    return Batch(x, x)


@pytest.fixture(params=names("penalty"))
def penalty(request: pytest.FixtureRequest) -> Penalty:
    return make("penalty", Spec(request.param, **EXAMPLES.get(request.param, {})), features=FEATURES, shape=(WIDTH,))


def test_a_finite_term_for_each_sample_or_one_for_all(
    penalty: Penalty, module: AutoencoderModule, batch: Batch
) -> None:
    term = penalty(module, batch, module(batch))
    assert term.shape in {(B,), ()} and term.isfinite().all()


def test_the_gradient_reaches_the_encoder(penalty: Penalty, module: AutoencoderModule, batch: Batch) -> None:
    penalty(module, batch, module(batch)).mean().backward()
    decoder_only = type(penalty).part_name in DECODER_ONLY
    gradient = (module.decoder if decoder_only else module.encoder).layer.weight.grad
    assert not decoder_only or module.encoder.layer.weight.grad is None
    assert gradient is not None and gradient.isfinite().all() and gradient.ne(0).any()


def test_the_term_goes_by_the_registered_name_and_its_weight_scales_it(
    penalty: Penalty, module: AutoencoderModule, batch: Batch
) -> None:
    objective = Objective(make("loss", "squared"), [penalty])
    out = module(batch)
    states = torch.get_rng_state()
    terms = []
    for weight in (1.0, 2.0, Linear(0.0, 4.0)):
        penalty.weight = weight
        torch.set_rng_state(states)
        terms.append(objective.terms(module, batch, out, step=3, total=4)[type(penalty).part_name])
    torch.testing.assert_close([2 * terms[0], 3 * terms[0]], terms[1:])


def test_order_of_the_batch_is_irrelevant(penalty: Penalty, module: AutoencoderModule, batch: Batch) -> None:
    order = torch.randperm(B, generator=torch.Generator().manual_seed(2))
    permuted = batch.map(lambda tensor: tensor[order])
    term, other = penalty(module, batch, module(batch)), penalty(module, permuted, module(permuted))
    if type(penalty).part_name in SAMPLED:
        return
    torch.testing.assert_close(other, term[order] if term.ndim else term)


@pytest.mark.parametrize("name", names("prior"))
def test_a_prior_scores_its_own_samples_and_any_batch(name: str, module: AutoencoderModule) -> None:
    prior = make("prior", name, features=FEATURES, shape=(WIDTH,))
    module.bottleneck = make("bottleneck", NECKS.get(name, "gaussian"), features=FEATURES)
    distribution = prior(module)
    sample = distribution.sample(torch.Size([B]))
    assert sample.shape == (B, FEATURES)
    assert distribution.log_prob(sample).shape == (B,)
    assert distribution.log_prob(sample.reshape(2, 3, FEATURES)).shape == (2, 3)
    assert distribution.log_prob(sample).isfinite().all()


@pytest.mark.parametrize(("axis", "name"), [(axis, name) for axis in ("penalty", "prior") for name in names(axis)])
def test_docstring_names_its_reference_and_has_an_example(axis: str, name: str) -> None:
    text = lookup(axis, name).__doc__ or ""
    assert re.search(r"Reference: .*\((19|20)\d\d\)", text, re.DOTALL) and ">>>" in text


def test_examples_name_registered_penalties() -> None:
    assert EXAMPLES.keys() <= set(names("penalty"))
