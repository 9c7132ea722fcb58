"""The pyramid: features of several depths, coarse to fine."""

from __future__ import annotations

import pytest
import torch

from diabolo.core import make
from diabolo.core.errors import UsageError
from diabolo.networks.pyramid import Pyramid


def test_the_coarse_features_pass_through_all_layers_and_the_fine_ones_through_the_first() -> None:
    encoder, _ = Pyramid(hidden=(9, 6), activation="tanh").build((5,), (2, 3), 4, (5,))
    x = torch.randn(7, 5)
    (w0, b0), (w1, b1) = ((stage[0].weight, stage[0].bias) for stage in encoder.stages)
    below = torch.tanh(x @ w0.T + b0)
    above = torch.tanh(below @ w1.T + b1)
    coarse, fine = encoder(x)
    torch.testing.assert_close(coarse, encoder.heads[0](above))
    torch.testing.assert_close(fine, encoder.heads[1](below))


def test_a_gradient_of_the_fine_features_leaves_the_deeper_layers_alone() -> None:
    encoder, _ = Pyramid(hidden=(9, 6)).build((5,), (2, 3), 4, (5,))
    encoder(torch.randn(7, 5))[1].sum().backward()
    assert encoder.stages[0][0].weight.grad is not None and encoder.stages[1][0].weight.grad is None


def test_features_can_be_joined_where_one_number_is_asked_for() -> None:
    encoder, decoder = make("network", "pyramid(hidden=(4,))").build((5,), 6, 3, (5,))
    assert encoder(torch.zeros(2, 5)).shape == (2, 6) and decoder(torch.zeros(2, 3)).shape == (2, 5)


def test_a_centred_stack_gives_at_the_mean_what_an_uncentred_one_gives_at_zero() -> None:
    encoder, _ = Pyramid(hidden=(9, 6)).build((5,), (2, 3), 4, (5,))
    at_zero, mean = [h.detach() for h in encoder(torch.zeros(1, 5))], torch.randn(5)
    encoder.centre(mean)
    for before, after in zip(at_zero, encoder(mean[None]), strict=True):
        torch.testing.assert_close(after, before)


def test_a_pyramid_without_layers_is_refused() -> None:
    with pytest.raises(UsageError, match=r"hidden must be the width of at least one layer.*got \(\)"):
        Pyramid(hidden=())
