"""Laws every bottleneck obeys; a new one is picked up by its name."""

from __future__ import annotations

import re
from typing import Any

import pytest
import torch
from torch import Tensor

from diabolo.core import Bottleneck, Spec, lookup, make, names

B, FEATURES = 4, 6
EXAMPLES: dict[str, dict[str, Any]] = {}
"""Parameters of bottlenecks whose defaults do not suit 6 features."""
POSITIONS = {"table": (), "sequence": (5,), "picture": (3, 2)}


def build(name: str) -> Bottleneck:
    torch.manual_seed(0)
    return make("bottleneck", Spec(name, **EXAMPLES.get(name, {})), features=FEATURES)


@pytest.fixture(params=names("bottleneck"))
def bottleneck(request: pytest.FixtureRequest) -> Bottleneck:
    return build(request.param)


@pytest.fixture(params=POSITIONS.values(), ids=POSITIONS.keys())
def h(request: pytest.FixtureRequest, bottleneck: Bottleneck) -> Tensor:
    random = torch.Generator().manual_seed(1)
    return torch.randn(B, *request.param, bottleneck.in_features, generator=random)


def test_features_are_last_and_positions_stay(bottleneck: Bottleneck, h: Tensor) -> None:
    latent = bottleneck(h)
    assert latent.z.shape == (B * latent.draws, *h.shape[1:-1], bottleneck.out_features)
    assert latent.code.shape == (*h.shape[:-1], bottleneck.out_features)
    assert latent.z.isfinite().all() and latent.code.isfinite().all()


def test_the_code_is_deterministic_and_the_one_forward_reports(bottleneck: Bottleneck, h: Tensor) -> None:
    bottleneck.eval()
    code = bottleneck.code(h)
    assert torch.equal(code, bottleneck.code(h))
    torch.testing.assert_close(bottleneck(h).code, code)


def test_positions_are_treated_alike(bottleneck: Bottleneck, h: Tensor) -> None:
    bottleneck.eval()
    flat = bottleneck.code(h.reshape(-1, h.shape[-1]))
    torch.testing.assert_close(bottleneck.code(h).reshape(flat.shape), flat)


def test_own_losses_are_per_sample(bottleneck: Bottleneck, h: Tensor) -> None:
    assert all(loss.shape == (B,) for loss in bottleneck(h).losses.values())


def test_a_posterior_stands_over_batch_and_positions(bottleneck: Bottleneck, h: Tensor) -> None:
    latent = bottleneck(h)
    if latent.posterior is not None:
        assert latent.posterior.log_prob(latent.z).shape == h.shape[:-1]


def test_what_stands_at_padded_positions_does_not_matter(bottleneck: Bottleneck) -> None:
    h = torch.randn(B, 5, bottleneck.in_features, generator=torch.Generator().manual_seed(1))
    mask = torch.arange(5) < torch.tensor([[5], [3], [1], [4]])
    other = torch.where(mask[..., None], h, 100.0)
    bottleneck.eval()
    torch.testing.assert_close(bottleneck.code(h, mask)[mask], bottleneck.code(other, mask)[mask])
    for name, loss in bottleneck(h, mask).losses.items():
        torch.testing.assert_close(loss, bottleneck(other, mask).losses[name])


def test_the_gradient_reaches_the_features(bottleneck: Bottleneck, h: Tensor) -> None:
    h = h.requires_grad_()
    latent = bottleneck(h)
    (gradient,) = torch.autograd.grad(latent.z.square().sum() + sum(v.sum() for v in latent.losses.values()), h)
    assert gradient.isfinite().all() and gradient.ne(0).any()


@pytest.mark.parametrize("name", names("bottleneck"))
def test_docstring_names_its_reference_and_has_an_example(name: str) -> None:
    text = lookup("bottleneck", name).__doc__ or ""
    assert re.search(r"Reference: .*\((19|20)\d\d\)", text, re.DOTALL) and ">>>" in text


def test_examples_name_registered_bottlenecks() -> None:
    assert EXAMPLES.keys() <= set(names("bottleneck"))
