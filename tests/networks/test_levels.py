"""A deep autoencoder taken apart into levels is the same network, layer by layer."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import nn

from diabolo.core import make
from diabolo.core.errors import UsageError
from diabolo.networks.levels import levels

NETWORKS: dict[str, tuple[str, tuple[int, ...]]] = {
    "dense": ("dense(hidden=(8, 6))", (12,)),
    "sigmoid": ("dense(hidden=(8, 6), activation='sigmoid')", (12,)),
    "batch norm": ("dense(hidden=(8, 6), norm='batch')", (12,)),
    "linear": ("dense(hidden=(8,), activation='linear')", (3, 4)),
    "tied": ("dense(hidden=(8, 6), tied=True)", (12,)),
    "no hidden layer": ("dense(hidden=())", (12,)),
    "conv": ("conv(channels=(4, 6))", (9, 7, 2)),
    "conv, pooled": ("conv(channels=(4, 6), pool='max', hidden=(5,))", (8, 8)),
    "conv, positions": ("conv(channels=(4, 6), flat=False)", (8, 8, 1)),
}


@pytest.fixture(params=NETWORKS.values(), ids=NETWORKS.keys())
def pair(request: pytest.FixtureRequest) -> Any:
    text, shape = request.param
    torch.manual_seed(0)
    encoder, decoder = make("network", text).build(shape, 3, 3, shape)
    return encoder.eval(), decoder.eval(), torch.randn(5, *shape)


def test_one_level_after_the_other_is_the_whole(pair: Any) -> None:
    encoder, decoder, x = pair
    pile = levels(encoder, decoder)
    for level in pile:
        level.down.eval(), level.up.eval()
    h = x
    for level in pile:
        h = level.down(h)
    torch.testing.assert_close(h, encoder(x))
    z = h
    for level in reversed(pile):
        z = level.up(z)
        z = z if level.activation is None else level.activation(z)
    torch.testing.assert_close(z, decoder(h))


def test_levels_give_back_what_they_are_given_and_own_the_layers(pair: Any) -> None:
    encoder, decoder, x = pair
    pile = levels(encoder, decoder)
    assert [level.activation is None for level in pile] == [True] + [False] * (len(pile) - 1)
    for level in pile:
        code = level.down(x)
        assert code.shape[-1] == level.width and level.up(code).shape == x.shape
        x = code
    deep = {id(p) for p in [*encoder.parameters(), *decoder.parameters()]}
    owned = [id(p) for level in pile for p in [*level.down.parameters(), *level.up.parameters()]]
    assert set(owned) == deep and len(owned) == len(deep)


def test_other_networks_are_refused() -> None:
    with pytest.raises(UsageError, match="'dense' and 'conv'; this one is CustomEncoder"):
        levels(*make("network", "custom", encoder=nn.Linear(2, 1), decoder=nn.Linear(1, 2)).build((2,), 1, 1, (2,)))
