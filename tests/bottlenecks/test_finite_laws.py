"""Finite scalar quantisation: every index a code, every level within reach."""

from __future__ import annotations

from math import prod
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.bottlenecks.finite import FSQ
from diabolo.core import AutoencoderModule, Batch
from diabolo.core.errors import UsageError
from diabolo.core.metrics import used


class Passing(nn.Module):
    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        return x


LEVELS = [(8, 6, 5), (8, 5, 5, 5), (3, 4), (7,)]


@pytest.mark.parametrize("levels", LEVELS, ids=str)
def test_every_index_is_a_code_and_back(levels: tuple[int, ...]) -> None:
    bottleneck = FSQ(len(levels), levels)
    size = prod(levels)
    indices = torch.arange(size)
    codes = bottleneck.indices_to_codes(indices)
    assert bottleneck.sizes == (size,) and codes.unique(dim=0).shape == (size, len(levels))
    assert torch.equal(bottleneck.codes_to_indices(codes), indices)


@pytest.mark.parametrize("count", [3, 4, 5, 6, 7, 8, 16])
def test_every_level_is_reached_and_evenly_spaced(count: int) -> None:
    bottleneck = FSQ(1, (count,))
    h = torch.linspace(-12, 12, 4001).unsqueeze(1)
    found = bottleneck.code(h).unique()
    expected = (torch.arange(count) - count // 2) / (count // 2)
    torch.testing.assert_close(found, expected)
    assert (bottleneck.code(h).diff(dim=0) >= 0).all()
    assert bottleneck.code(torch.zeros(1, 1)) == 0


def test_of_an_even_number_of_levels_the_middle_ones_have_equal_room() -> None:
    """The offset of 1/2 puts both bounds half a level beyond the outermost ones: −4 … 3 of eight."""
    bounded = FSQ(1, (8,)).bound(torch.tensor([[-40.0], [0.0], [40.0]]))
    torch.testing.assert_close(bounded.flatten(), torch.tensor([-4.0, 0.0, 3.0]), atol=5e-3, rtol=0)


def test_the_gradient_is_that_of_the_bound() -> None:
    bottleneck = FSQ(3, (8, 6, 5))
    h = torch.randn(9, 3, requires_grad=True)
    slope = torch.randn(9, 3)
    latent = bottleneck(h)
    (gradient,) = torch.autograd.grad((latent.z * slope).sum(), h, retain_graph=True)
    (expected,) = torch.autograd.grad((bottleneck.bound(h) / torch.tensor([4, 3, 2]) * slope).sum(), h)
    torch.testing.assert_close(gradient, expected)
    assert torch.equal(latent.z, latent.code) and not latent.losses


@pytest.mark.parametrize(("features", "sizes"), [(2, (30,)), (6, (120, 120)), (7, (120, 120, 5)), (8, (120, 120, 30))])
def test_levels_are_used_again_where_there_are_more_values(features: int, sizes: tuple[int, ...]) -> None:
    bottleneck = FSQ(features, (5, 6, 4))
    assert bottleneck.sizes == sizes
    codes = bottleneck.code(3 * torch.randn(50, 4, features))
    indices = bottleneck.codes_to_indices(codes)
    assert indices.shape == ((50, 4) if len(sizes) == 1 else (50, 4, len(sizes)))
    assert (indices.view(200, -1) < torch.tensor(sizes)).all()
    torch.testing.assert_close(bottleneck.indices_to_codes(indices), codes)


def test_the_first_features_fill_the_levels_whatever_their_scale() -> None:
    x = torch.randn(500, 3) * torch.tensor([1e-3, 1.0, 50.0]) + torch.tensor([0.0, -4.0, 900.0])
    bottleneck = FSQ(3, (8, 6, 5))
    assert bottleneck.code(x)[:, 0].unique().numel() == 1
    bottleneck.begin(AutoencoderModule(Passing(), bottleneck, Passing()), Batch(x, x))
    codes = bottleneck.code(x)
    assert [column.unique().numel() for column in codes.T] == [8, 6, 5]
    assert used(bottleneck.codes_to_indices(codes).numpy(), 240) > 0.7


def test_equal_codes_are_equal_bits() -> None:
    codes = FSQ(2, (5, 5)).code(torch.tensor([[-0.01, 0.01]]))
    assert codes.view(torch.int32).tolist() == [[0, 0]]


def test_parameters_out_of_range() -> None:
    with pytest.raises(UsageError, match=r"levels must be ints of at least 3; got \(8, 2\)"):
        FSQ(2, (8, 2))
    with pytest.raises(UsageError, match=r"levels must be ints of at least 3; got \(\)"):
        FSQ(2, ())
    with pytest.raises(UsageError, match="features must be an int of at least 1; got 0"):
        FSQ(0)
