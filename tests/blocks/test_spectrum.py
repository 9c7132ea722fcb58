"""Short-time spectra: what is known of them in closed form, and that they come back."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from diabolo.blocks.overlap import cross_faded, window_starts
from diabolo.blocks.spectrum import griffin_lim, istft, mel_matrix, stft


@pytest.mark.parametrize("length", [1, 5, 63, 64, 1000, 1001])
def test_a_signal_of_any_length_comes_back_from_its_spectrum(length: int) -> None:
    signal = torch.randn(3, length)
    spectra = stft(signal, 64, 16)
    assert spectra.shape == (3, 1 + length // 16, 33)
    torch.testing.assert_close(istft(spectra, 64, 16, length), signal, atol=1e-5, rtol=0)


def test_a_sine_has_its_amplitude_in_its_bin() -> None:
    sine = 0.25 * torch.cos(torch.arange(2000) * 2 * torch.pi * 8 / 64)
    inside = stft(sine, 64, 16)[8:-8].abs()
    torch.testing.assert_close(inside[:, 8], torch.full((len(inside),), 0.25), atol=1e-5, rtol=0)
    assert bool((inside.argmax(1) == 8).all())


def test_a_tone_is_in_the_band_around_its_frequency() -> None:
    bank = mel_matrix(20, 257, 16000)
    centre = bank @ torch.arange(257.0) * (8000 / 256)
    assert bool((centre.diff() > 0).all()), "bands rise in frequency"
    tone = torch.zeros(257)
    tone[64] = 1.0  # 2,000 Hz
    assert abs(float(centre[(bank @ tone).argmax()]) - 2000) < 250


def test_griffin_lim_finds_a_phase_that_fits_the_magnitude() -> None:
    time = torch.arange(4000) / 8000
    magnitude = stft(torch.sin(2 * torch.pi * (300 * time + 400 * time**2)), 256, 64).abs()
    off = [
        float((stft(griffin_lim(magnitude, 256, 64, 4000, steps), 256, 64).abs() - magnitude).norm() / magnitude.norm())
        for steps in (0, 8, 64)
    ]
    assert off[0] > off[1] > off[2]
    assert off[2] < 0.1


@pytest.mark.parametrize("length, window, hop", [(100, 20, 10), (97, 20, 7), (20, 20, 5), (12, 20, 5), (100, 20, 20)])
def test_windows_cover_a_row_and_give_it_back_exactly(length: int, window: int, hop: int) -> None:
    row = np.random.default_rng(0).normal(size=(length, 2))
    starts = window_starts(length, window, hop)
    assert starts[0] == 0 and starts[-1] + window >= length and (np.diff(starts) <= hop).all()
    parts = [row[start : start + window] for start in starts]
    np.testing.assert_allclose(cross_faded(parts, starts, length), row, atol=1e-12)


@pytest.mark.parametrize("hop", [100, 150, 180])
def test_a_window_that_is_off_makes_no_jump(hop: int) -> None:
    starts = window_starts(1000, 200, hop)
    off = [np.full(200, float(place == 2)) for place in range(len(starts))]
    row = cross_faded(off, starts, 1000)
    assert row.max() > 0.99 and row.min() == 0
    assert np.abs(np.diff(row)).max() < 8 / (200 - hop)
