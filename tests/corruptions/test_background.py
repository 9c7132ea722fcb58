"""Noise behind a sound: as loud as it was asked to be, where the sound is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.corruptions.background import Background


def seeded() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def ratio(clean: torch.Tensor, heard: torch.Tensor) -> torch.Tensor:
    """Decibels of signal to noise of every row."""
    return 10 * (clean.square().sum((1, 2)) / (heard - clean).square().sum((1, 2))).log10()


@pytest.mark.parametrize("scale", [0.01, 1.0, 30.0])
def test_the_ratio_is_exact_for_every_row_and_loudness(scale: float) -> None:
    x = scale * torch.randn(5, 400, 1) * torch.rand(5, 1, 1)
    assert torch.allclose(ratio(x, Background(7, 7)(Batch(x, x), seeded()).x), torch.full((5,), 7.0), atol=1e-3)


def test_ratios_are_uniform_in_their_range() -> None:
    x = torch.randn(2000, 50, 1)
    found = ratio(x, Background(-5, 15)(Batch(x, x), seeded()).x)
    assert found.min() >= -5.01 and found.max() <= 15.01 and abs(float(found.mean()) - 5) < 0.5


def test_padding_stays_silent_and_does_not_count() -> None:
    mask = torch.arange(400)[None] < torch.tensor([[100], [400]])
    x = torch.where(mask[..., None], torch.randn(2, 400, 1), 0)
    heard = Background(3, 3)(Batch(x, x, mask=mask, scored=mask), seeded()).x
    assert not heard[0, 100:].any() and torch.allclose(ratio(x, heard), torch.full((2,), 3.0), atol=1e-3)


def test_a_silent_row_stays_silent() -> None:
    x = torch.zeros(2, 60, 1)
    for twice in (False, True):
        assert not Background(twice=twice)(Batch(x, x), seeded()).x.any()


def test_noise_is_a_stretch_of_the_recording() -> None:
    recording = np.arange(1, 31, dtype=np.float32)
    x = torch.ones(4, 12, 1)
    noise = Background(0, 0, recording)(Batch(x, x), seeded()).x - x
    for row in noise[..., 0]:
        steps = (row / row.max() * 1e6).diff()
        assert ((steps - steps.median()).abs() < 2.0).sum() >= len(steps) - 1  # a ramp, which may begin anew once


def test_twice_adds_as_much_noise_as_a_row_holds() -> None:
    time = torch.arange(8000) / 8000
    voice = torch.sin(2 * torch.pi * 440 * time) * (time % 0.25 < 0.1)
    own = 0.2 * torch.randn(6, 8000, generator=seeded())
    x = (voice + own)[..., None]
    added = Background(0, 0, twice=True)(Batch(x, x), seeded()).x - x
    decibel = 10 * (added.square().mean((1, 2)) / own.square().mean(1)).log10()
    assert decibel.abs().max() < 1.5


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"low": 3, "high": 1}, "low <= high"),
        ({"recording": []}, "recording"),
        ({"recording": [0.0, 0.0]}, "not all zero"),
        ({"recording": [np.nan]}, "finite"),
    ],
)
def test_misuse_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Background(**given)


def test_tokens_are_refused() -> None:
    with pytest.raises(UsageError, match="rows of samples"):
        Background()(Batch(torch.zeros(2, 5, dtype=torch.long), torch.zeros(2, 5)))
