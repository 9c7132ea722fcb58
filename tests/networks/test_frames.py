"""Network 'frames': what stands in padded frames reaches neither codes, losses nor gradients; time is not ignored."""

from __future__ import annotations

import pytest
import torch

from diabolo.blocks.identity import Identity
from diabolo.core import AutoencoderModule, Batch, Objective, make
from diabolo.core.errors import UsageError
from diabolo.losses.squared import Squared

T, D = 5, 3
PICTURES = [(8, 6), (7, 5, 3)]


def autoencoder(picture: tuple[int, ...], steps: int = T) -> AutoencoderModule:
    torch.manual_seed(0)
    shape = (steps, *picture)
    encoder, decoder = make("network", "frames(channels=(3, 4), vector=6, width=8)").build(shape, D, D, shape)
    return AutoencoderModule(encoder, Identity(D), decoder).eval()


def batch(picture: tuple[int, ...], fill: float = 0.0, steps: int = T) -> Batch:
    x = torch.randn(3, T, *picture, generator=torch.Generator().manual_seed(1))
    x = torch.cat([x, torch.zeros(3, steps - T, *picture)], 1)
    mask = torch.arange(steps) < torch.tensor([[T], [3], [1]])
    real = mask.reshape(*mask.shape, *(1,) * len(picture))
    return Batch(torch.where(real, x, fill), torch.where(real, x, 0.0), mask=mask, scored=mask)


@pytest.mark.parametrize("picture", PICTURES)
@pytest.mark.parametrize("fill", [1e6, float("nan")])
def test_padding_leaks_nothing(picture: tuple[int, ...], fill: float) -> None:
    module, objective = autoencoder(picture), Objective(Squared())
    found = []
    for seen in (batch(picture), batch(picture, fill)):
        out = module(seen)
        loss, _ = objective(module, seen, out)
        found.append([out.latent.code, loss, *torch.autograd.grad(loss, list(module.parameters()))])
    assert all(torch.equal(clean, dirty) for clean, dirty in zip(*found, strict=True))


@pytest.mark.parametrize("picture", PICTURES)
def test_more_padding_changes_neither_codes_nor_losses(picture: tuple[int, ...]) -> None:
    short, long = autoencoder(picture), autoencoder(picture, T + 4)
    long.load_state_dict(short.state_dict())
    small, large = batch(picture), batch(picture, steps=T + 4)
    first, second = short(small), long(large)
    torch.testing.assert_close(first.latent.code, second.latent.code)
    costs = [Squared()(out.recon, b.target, b.scored) for out, b in ((first, small), (second, large))]
    torch.testing.assert_close(*costs)


def test_every_real_frame_moves_the_code_and_so_does_their_order() -> None:
    module = autoencoder((8, 6))
    x = batch((8, 6)).target[:1].requires_grad_()
    (gradient,) = torch.autograd.grad(module.code(x).sum(), x)
    assert gradient.abs().flatten(2).amax(2).gt(0).all()
    assert not torch.allclose(module.code(x), module.code(x.flip(1)))


def test_rows_that_are_no_videos_are_refused() -> None:
    with pytest.raises(UsageError, match=r"needs rows \(T, H, W\)"):
        make("network", "frames").build((5, 8), D, D, (5, 8))
