"""Signals as short-time spectra and back: the STFT, mel bands, and a phase where none is known."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from jaxtyping import Complex, Float
from numpy import ndarray
from torch import Tensor

MOMENTUM = 0.99
"""How far an iteration of Griffin-Lim overshoots; Perraudin et al. found 0.99 best."""
TINY = 1e-12


def stft(signal: Float[Tensor, "*b t"], frame: int, step: int) -> Complex[Tensor, "*b f k"]:
    """Spectra of frames of ``frame`` samples, one every ``step``: (*B, 1 + T // step, 1 + frame // 2), complex64.

    Frame i lies around sample i · step, under a Hann window whose weights sum to 2, so that a sine of amplitude 1 has
    magnitude 1. Zeros stand before and after the signal.

    >>> sine = torch.sin(torch.arange(800) * 2 * torch.pi / 8)
    >>> round(float(stft(sine, 64, 16)[10:-10].abs().max()), 3)
    1.0
    """
    flat = signal.reshape(-1, signal.shape[-1])
    spectra = torch.stft(
        flat, frame, step, window=_window(frame), center=True, pad_mode="constant", return_complex=True
    )
    return spectra.mT.reshape(*signal.shape[:-1], *spectra.mT.shape[1:])


def istft(spectra: Complex[Tensor, "*b f k"], frame: int, step: int, length: int) -> Float[Tensor, "*b t"]:
    """The signal (*B, length) whose STFT is nearest by least squares (Griffin & Lim 1984); exact for a true one.

    >>> signal = torch.randn(2, 1003)
    >>> bool((istft(stft(signal, 64, 16), 64, 16, 1003) - signal).abs().max() < 1e-5)
    True
    """
    flat = spectra.reshape(-1, *spectra.shape[-2:]).mT
    signal = torch.istft(flat, frame, step, window=_window(frame), center=True, length=length)
    return signal.reshape(*spectra.shape[:-2], length)


def weighed(
    signal: Float[Tensor, "*b t"], gains: Float[Tensor, "*b f k"], frame: int, step: int
) -> Float[Tensor, "*b t"]:
    """The signal with every bin of its STFT multiplied by a gain; with gains of 1 it is the signal itself.

    >>> signal = torch.randn(3, 500)
    >>> bool((weighed(signal, torch.ones(3, 32, 33), 64, 16) - signal).abs().max() < 1e-5)
    True
    """
    return istft(stft(signal, frame, step) * gains, frame, step, signal.shape[-1])


@lru_cache(maxsize=16)
def _window(frame: int) -> Tensor:
    window = torch.hann_window(frame)
    return window * (2 / window.sum())


def griffin_lim(
    magnitude: Float[Tensor, "*b f k"], frame: int, step: int, length: int, iterations: int = 32, seed: int = 0
) -> Float[Tensor, "*b t"]:
    """A signal (*B, length) whose STFT has about this magnitude; the phase is found by going to and fro.

        c ◀── magnitude · phase(t),   t ◀── c' + momentum (c' - c'_before),   c' = STFT(ISTFT(c))

    The first phase is random, from the seed. Reference: Griffin & Lim (1984), "Signal estimation from modified
    short-time Fourier transform"; Perraudin, Balazs & Søndergaard (2013), "A fast Griffin-Lim algorithm".
    """
    random = torch.Generator().manual_seed(seed)
    turn = 2 * torch.pi * torch.rand(magnitude.shape, generator=random)
    guess, before = torch.polar(magnitude, turn), torch.zeros((), dtype=torch.complex64)
    for _ in range(iterations):
        there = stft(istft(guess, frame, step, length), frame, step)
        ahead = there + MOMENTUM * (there - before)
        guess, before = magnitude * ahead / ahead.abs().clamp_min(TINY), there
    return istft(guess, frame, step, length)


def hz_to_mel(hz: ndarray | float) -> ndarray:
    """The mel scale, 2595 log10(1 + f / 700) (O'Shaughnessy 1987, "Speech communication", p. 150).

    >>> round(float(hz_to_mel(1000.0)))
    1000
    """
    return np.asarray(2595 * np.log10(1 + np.asarray(hz) / 700))


def mel_to_hz(mel: ndarray | float) -> ndarray:
    """Inverse of `hz_to_mel`."""
    return np.asarray(700 * (10 ** (np.asarray(mel) / 2595) - 1))


def mel_matrix(mels: int, bins: int, rate: float) -> Float[Tensor, "m k"]:
    """Triangular bands of equal width in mel, from 0 Hz to half the rate, over the ``bins`` of a spectrum (mels, bins).

    Every row sums to 1, so a band holds the mean magnitude in it. Bands that would fall between two bins are as wide
    as a bin: none is empty.

    >>> bank = mel_matrix(40, 129, 8000)
    >>> bank.shape, bool(torch.allclose(bank.sum(1), torch.ones(40))), bool((bank >= 0).all())
    (torch.Size([40, 129]), True, True)
    """
    edges = mel_to_hz(np.linspace(0, float(hz_to_mel(rate / 2)), mels + 2))
    apart = rate / 2 / (bins - 1)
    hertz = np.arange(bins) * apart
    low, middle, high = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising = 1 - (middle - hertz) / np.maximum(middle - low, apart)
    falling = 1 - (hertz - middle) / np.maximum(high - middle, apart)
    bank = np.minimum(rising, falling).clip(0)
    return torch.from_numpy(bank / bank.sum(1, keepdims=True)).float()
