"""A network told a condition: it listens, and told nothing it is the plain one."""

from __future__ import annotations

import pytest
import torch

from diabolo.blocks.conditional import Told
from diabolo.core import Batch, make
from diabolo.core.errors import UsageError

NETWORKS = {
    "dense": ("dense(hidden=(8,))", (6,)),
    "conv": ("conv(channels=(4,))", (6, 5, 2)),
    "positions": ("conv(channels=(4,), flat=False)", (6, 4, 1)),
}


@pytest.mark.parametrize(("text", "shape"), NETWORKS.values(), ids=NETWORKS.keys())
def test_both_sides_listen(text: str, shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    encoder, decoder = Told(make("network", text), 3).build(shape, 2, 2, shape)
    x, cond = torch.randn(3, *shape), torch.eye(3)
    torch.testing.assert_close(encoder(x, None, cond), encoder.body(x))
    with torch.no_grad():
        encoder.pictures.normal_()
    h = encoder(x, None, cond)
    torch.testing.assert_close(h, encoder.body(x + encoder.pictures))
    torch.testing.assert_close(encoder(x), encoder.body(x))
    z = torch.randn_like(h)
    same = z[:1].expand_as(z)
    out = decoder(same, Batch(x, x, cond=cond))
    assert out.shape == x.shape and not torch.allclose(out[0], out[1])
    torch.testing.assert_close(decoder(z), decoder(z, Batch(x, x, cond=torch.zeros(3, 3))))


def test_for_a_dense_layer_the_picture_is_the_condition_joined_to_the_input() -> None:
    encoder, _ = Told(make("network", "dense(hidden=())"), 3).build((4,), 2, 2, (4,))
    with torch.no_grad():
        encoder.pictures.normal_()
    x, cond = torch.randn(3, 4), torch.eye(3)
    linear = encoder.body.body.first
    joined = torch.cat([linear.weight, linear.weight @ encoder.pictures.T], 1)
    torch.testing.assert_close(encoder(x, None, cond), torch.cat([x, cond], 1) @ joined.T + linear.bias)


def test_whole_numbers_are_refused() -> None:
    encoder, _ = Told(make("network", "dense(hidden=())"), 3).build((4,), 2, 2, (4,))
    with pytest.raises(UsageError, match=r"real-valued rows; these are torch\.int64"):
        encoder(torch.zeros(2, 4, dtype=torch.long), None, torch.eye(3)[:2])
