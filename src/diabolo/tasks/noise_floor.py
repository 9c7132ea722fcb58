"""What is known of the noise in a recording, and the simple ways to take it away: what a denoiser is held against."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from ..blocks.spectrum import stft, weighed
from ..data.sound import Sound

FRAME = 0.032
"""Seconds of a frame; a quarter of it lies between two."""
QUIETEST = 0.2
"""The share of the frames that are taken to hold noise alone, in every bin."""
LEAST = 1e-20
OVER, RESIDUE = 1.0, 0.1
"""Spectral subtraction: how many times the noise is taken away, and how much of the magnitude stays at least."""
SMOOTH, FLOOR = 0.98, 1e-3
"""Of the decision-directed estimate: the weight of the frame before, and the least ratio of signal to noise."""


def frame_of(rate: int) -> tuple[int, int]:
    """Samples of a frame, even, and from one to the next.

    >>> frame_of(8000), frame_of(100)
    ((256, 64), (8, 2))
    """
    frame = max(8, 2 * round(FRAME * rate / 2))
    return frame, frame // 4


def noise_power(samples: Float[ndarray, " t"], rate: int) -> Float[Tensor, " k"]:
    """Estimated noise power in every bin (bins,), of frames of `frame_of`.

        N(k) = quantile₀.₂ over frames of |Y(k)|² / -ln(0.8)

    Noise is as loud all the time and speech is not, so the quietest fifth of the frames are taken for noise alone; of
    Gaussian noise |Y|² is exponential, which gives the factor. Too high where nothing ever pauses.

    Reference: Martin (2001), "Noise power spectral density estimation based on optimal smoothing and minimum
    statistics"; Stahl, Fischer & Bippus (2000), "Quantile based noise estimation for spectral subtraction and Wiener
    filtering".
    """
    frame, step = frame_of(rate)
    spectra = stft(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)), frame, step).abs().square()
    whole = spectra[2:-2] if len(spectra) > 8 else spectra  # frames that reach beyond the ends are softer
    return torch.quantile(whole, QUIETEST, dim=0) / -math.log(1 - QUIETEST)


def power_of(samples: Float[ndarray, " t"], rate: int) -> Float[Tensor, " k"]:
    """Mean power of a signal in every bin: of a recording of the noise alone it is the true noise spectrum."""
    frame, step = frame_of(rate)
    spectra = stft(torch.from_numpy(np.ascontiguousarray(samples, dtype=np.float32)), frame, step).abs().square()
    return (spectra[2:-2] if len(spectra) > 8 else spectra).mean(0)


def noise_level(sound: Sound) -> tuple[float, float]:
    """Estimated level of the noise, in decibels of full scale, and the signal-to-noise ratio, in decibels.

    Of a silent sound (-inf, nan); a ratio of -inf: nothing but noise was found.

    >>> rng = np.random.default_rng(0)
    >>> time = np.arange(16000) / 8000
    >>> voice = np.sin(2 * np.pi * 440 * time) * (time % 0.5 < 0.2)
    >>> level, ratio = noise_level(Sound((voice + 0.1 * rng.normal(size=16000)).astype("float32"), 8000))
    >>> round(level), round(ratio)
    (-20, 13)
    """
    samples = sound.mono().samples
    whole = float(np.square(samples, dtype=np.float64).mean())
    noise = samples_power(noise_power(samples, sound.rate), sound.rate)
    if whole <= LEAST:
        return -math.inf, math.nan
    clean = max(whole - noise, 0.0)
    with np.errstate(divide="ignore"):
        return float(10 * np.log10(noise)), float(10 * np.log10(clean) - 10 * np.log10(noise))


def samples_power(power: Float[Tensor, " k"], rate: int) -> float:
    """Mean square of the samples whose spectra have this power in every bin (Parseval)."""
    frame = frame_of(rate)[0]
    window = torch.hann_window(frame, dtype=torch.float64)
    window = window * (2 / window.sum())
    twice = torch.full((len(power),), 2.0, dtype=torch.float64)
    twice[0] = twice[-1] = 1.0
    return float((power.double() * twice).sum() / (frame * window.square().sum()))


# the simple ways ------------------------------------------------------------------------------------------------


def subtracted(sound: Sound, power: Float[Tensor, " k"]) -> Sound:
    """Spectral subtraction (Boll 1979; the floor by Berouti, Schwartz & Makhoul 1979).

    gain = max( 1 - sqrt(N) / |Y|, 0.1 )
    """
    magnitude = _spectra(sound).abs()
    return _through(sound, (1 - OVER * power.sqrt() / magnitude.clamp_min(LEAST)).clamp_min(RESIDUE))


def wiener(sound: Sound, power: Float[Tensor, " k"]) -> Sound:
    """The Wiener filter of a noise spectrum, its ratio of signal to noise by the decision-directed rule.

        ξ(t) = 0.98 |gain(t-1) Y(t-1)|² / N + 0.02 max( |Y(t)|² / N - 1, 0 ),    gain = ξ / (1 + ξ)

    Reference: Ephraim & Malah (1984), "Speech enhancement using a minimum mean-square error short-time spectral
    amplitude estimator"; Scalart & Vieira Filho (1996), "Speech enhancement based on a priori signal to noise
    estimation".
    """
    ratio = _spectra(sound).abs().square() / power.clamp_min(LEAST)
    gains, before = torch.empty_like(ratio), (ratio[0] - 1).clamp_min(0)
    for place, now in enumerate(ratio):
        prior = (SMOOTH * before + (1 - SMOOTH) * (now - 1).clamp_min(0)).clamp_min(FLOOR)
        gains[place] = prior / (1 + prior)
        before = gains[place].square() * now
    return _through(sound, gains)


def plain_wiener(sound: Sound, power: Float[Tensor, " k"]) -> Sound:
    """The Wiener filter whose signal power is |Y|² - N in every frame by itself."""
    signal = (_spectra(sound).abs().square() - power).clamp_min(0)
    return _through(sound, signal / (signal + power).clamp_min(LEAST))


def ratio_mask(sound: Sound, clean: Sound) -> Sound:
    """The ideal ratio mask |S|² / (|S|² + |N|²), for which signal and noise must be known: an upper bound."""
    signal = _spectra(clean).abs().square()
    noise = (_spectra(sound) - _spectra(clean)).abs().square()
    return _through(sound, signal / (signal + noise).clamp_min(LEAST))


def _spectra(sound: Sound) -> Tensor:
    return stft(torch.from_numpy(sound.mono().samples), *frame_of(sound.rate))


def _through(sound: Sound, gains: Float[Tensor, "f k"]) -> Sound:
    made = weighed(torch.from_numpy(sound.mono().samples), gains, *frame_of(sound.rate))
    return Sound(made.numpy(), sound.rate)
