"""What is estimated of noise, and filters with known answers."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch

from diabolo.core.metrics import si_sdr
from diabolo.data.sound import Sound
from diabolo.tasks import noise_floor as floor


def speech(seconds: float = 3.0, rate: int = 8000) -> np.ndarray:
    """Tones with pauses: 40 % of the time."""
    time = np.arange(round(seconds * rate)) / rate
    return (np.sin(2 * np.pi * 440 * time) * (time % 0.5 < 0.2)).astype(np.float32)


def hiss(count: int, level: float) -> np.ndarray:
    return (level * np.random.default_rng(0).normal(size=count)).astype(np.float32)


@pytest.mark.parametrize("level", [0.001, 0.03, 0.3])
@pytest.mark.parametrize("rate", [8000, 16000])
def test_the_level_of_white_noise_is_found_within_a_decibel(level: float, rate: int) -> None:
    clean = speech(rate=rate)
    found, ratio = floor.noise_level(Sound(clean + hiss(len(clean), level), rate))
    assert abs(found - 20 * math.log10(level)) < 1
    assert abs(ratio - 10 * math.log10(np.square(clean).mean() / level**2)) < 1.5


def test_power_by_bin_is_parsevals() -> None:
    noise = hiss(16000, 0.1)
    assert floor.samples_power(floor.power_of(noise, 8000), 8000) == pytest.approx(np.square(noise).mean(), rel=0.02)


def test_silence_and_pure_noise_are_told() -> None:
    level, ratio = floor.noise_level(Sound(np.zeros(4000, np.float32), 8000))
    assert level == -math.inf and math.isnan(ratio)
    assert floor.noise_level(Sound(hiss(16000, 0.1), 8000))[1] < -5


@pytest.mark.parametrize("count", [1, 5, 40, 300])
def test_short_sounds_go_through(count: int) -> None:
    sound = Sound(hiss(count, 0.1), 8000)
    power = floor.noise_power(sound.samples, 8000)
    for way in (floor.subtracted, floor.wiener, floor.plain_wiener):
        made = way(sound, power).samples
        assert made.shape == sound.samples.shape and np.isfinite(made).all()


@pytest.mark.parametrize("way", [floor.subtracted, floor.wiener, floor.plain_wiener])
def test_no_noise_changes_nothing(way: object) -> None:
    sound = Sound(hiss(4000, 0.1), 8000)
    made = way(sound, torch.zeros(129)).samples  # type: ignore[operator]
    np.testing.assert_allclose(made, sound.samples, atol=1e-4)


def test_the_ideal_mask_of_a_clean_sound_is_one() -> None:
    sound = Sound(speech(), 8000)
    np.testing.assert_allclose(floor.ratio_mask(sound, sound).samples, sound.samples, atol=1e-5)


def test_filters_that_know_more_do_better() -> None:
    clean = speech()
    noise = hiss(len(clean), 0.3)
    noisy = Sound(clean + noise, 8000)
    true = floor.power_of(noise, 8000)
    gained = [
        float(si_sdr(clean, made.samples))
        for made in (noisy, floor.plain_wiener(noisy, true), floor.wiener(noisy, true),
                     floor.ratio_mask(noisy, Sound(clean, 8000)))
    ]  # fmt: skip
    assert gained == sorted(gained) and gained[1] > gained[0] + 3
