"""Network 'gains': nothing is made up, loudness does not count, and any length goes."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from diabolo.blocks.spectrum import stft, weighed
from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.networks.gains import Gains

INNER = "conv(dims=1, channels=(6,), kernel=3, stride=1, flat=False)"


def pair(steps: int, channels: int = 1, **more: Any) -> tuple[Any, Any]:
    torch.manual_seed(0)
    return Gains(**{"frame": 32, "step": 8, "network": INNER, **more}).build((steps, channels), 4, 4, (steps, channels))


@pytest.mark.parametrize("steps", [1, 7, 31, 32, 200, 1003])
def test_gains_of_one_give_the_input_back_and_of_zero_nothing(steps: int) -> None:
    x = torch.randn(3, steps, 1)
    encoder, decoder = pair(steps)
    code = encoder(x)
    for bias, expected in ((40.0, x), (-100.0, torch.zeros_like(x))):
        decoder.inner.register_forward_hook(lambda _m, _i, out, b=bias: torch.full_like(out, b))
        assert torch.allclose(decoder(code, Batch(x, x)), expected, atol=2e-5)
        decoder.inner._forward_hooks.clear()


def test_the_same_gain_everywhere_is_a_change_of_loudness() -> None:
    signal, gains = torch.randn(2, 500), torch.full((1 + 500 // 16, 33), 0.3)
    assert torch.allclose(weighed(signal, gains, 64, 16), 0.3 * signal, atol=1e-5)


def test_the_code_does_not_know_how_loud_a_row_is() -> None:
    encoder, _ = pair(400)
    x = torch.randn(2, 400, 1)
    assert torch.allclose(encoder(x), encoder(100 * x), atol=1e-4)


def test_padding_is_not_heard() -> None:
    encoder, _ = pair(400)
    x, mask = torch.randn(1, 400, 1), torch.arange(400)[None] < 300
    other = torch.where(mask[..., None], x, 9.0)
    assert torch.equal(encoder(x, mask), encoder(other, mask))


def test_every_channel_is_weighed_by_the_gains_of_their_mean() -> None:
    encoder, decoder = pair(300, channels=2)
    x = torch.randn(2, 300, 2)
    z = encoder(x)
    alone = weighed(x[..., 1], decoder.gains(z), 32, 8)
    assert torch.allclose(decoder(z, Batch(x, x))[..., 1], alone, atol=1e-6)


def test_silence_stays_silence_and_has_a_gradient_that_is_finite() -> None:
    encoder, decoder = pair(300)
    x = torch.zeros(2, 300, 1)
    recon = decoder(encoder(x), Batch(x, x))
    recon.sum().backward()
    assert not recon.any() and all(p.grad is None or p.grad.isfinite().all() for p in encoder.parameters())


def test_a_code_alone_decodes_to_noise_seen_through_the_gains() -> None:
    encoder, decoder = pair(800)
    z = encoder(torch.randn(1, 800, 1))
    made = decoder(z)[..., 0]
    quiet = stft(made, 32, 8).abs().mean() / stft(decoder.hiss[None, :, 0], 32, 8).abs().mean()
    assert 0.3 < quiet.item() < 0.7  # an untrained network keeps about a half


@pytest.mark.parametrize(
    ("more", "shape", "message"),
    [
        ({"step": 17}, (100, 1), r"step must be an int in \[1, frame / 2 = 16\]"),
        ({"frame": 2, "step": 1}, (100, 1), "frame must be an int of at least 4"),
        ({}, (4, 4, 4), "weighs waveforms"),
    ],
)
def test_misuse_is_named(more: dict[str, Any], shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Gains(**{"frame": 32, "step": 8, **more}).build(shape, 4, 4, shape)
