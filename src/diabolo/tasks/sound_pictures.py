"""Spectra and maps over time and frequency as pictures: time to the right, frequency upwards."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float, UInt8
from numpy import ndarray

from ..blocks.spectrum import mel_matrix, stft
from ..data.sound import Sound

HEIGHT, WIDTH, WIDEST = 128, 256, 320
"""Pixels: at least so high and wide, at most so wide."""
LIMIT = 6.0
"""Spreads at which a signed map is at its full colour."""
MELS = 64
SCALE = np.array([(10, 8, 40), (75, 15, 110), (170, 45, 95), (240, 115, 40), (252, 250, 190)], dtype=np.float64)
RANGE = 70.0
"""Decibels below the loudest that are told apart."""


def spectrum(level: Float[ndarray, "f b"], low: float, high: float) -> UInt8[ndarray, "h w 3"]:
    """Levels from dark (``low``) to bright (``high``).

    >>> spectrum(np.zeros((4, 2)), 0.0, 1.0).shape
    (128, 256, 3)
    """
    share = np.clip((np.asarray(level, dtype=np.float64) - low) / max(high - low, 1e-9), 0, 1)
    place = share * (len(SCALE) - 1)
    below = np.minimum(place.astype(np.int64), len(SCALE) - 2)
    part = (place - below)[..., None]
    return _upright(SCALE[below] * (1 - part) + SCALE[below + 1] * part)


def signed(away: Float[ndarray, "f b"], limit: float = LIMIT) -> UInt8[ndarray, "h w 3"]:
    """Deviations from blue (``-limit``) over white to red (``limit``).

    >>> signed(np.array([[0.0, 9.0]]))[-1, 0].tolist(), signed(np.array([[0.0, 9.0]]))[0, 0].tolist()
    ([255, 255, 255], [200, 30, 30])
    """
    share = np.clip(np.asarray(away, dtype=np.float64) / limit, -1, 1)[..., None]
    end = np.where(share > 0, np.array([200.0, 30.0, 30.0]), np.array([40.0, 70.0, 200.0]))
    return _upright(255 + (end - 255) * np.abs(share))


def picture_of(sound: Sound, high: float | None = None) -> UInt8[ndarray, "h w 3"]:
    """The log-mel spectrum of a sound, the loudest (or ``high`` decibels) brightest, down to 70 dB below."""
    import torch

    frame = max(8, 2 * round(0.016 * sound.rate))
    magnitude = stft(torch.from_numpy(sound.mono().samples), frame, max(1, frame // 4)).abs()
    bank = mel_matrix(MELS, frame // 2 + 1, sound.rate)
    level = (20 * (magnitude @ bank.T).clamp_min(1e-6).log10()).numpy()
    top = float(level.max()) if high is None else high
    return spectrum(level, top - RANGE, top)


def loudest(sound: Sound) -> float:
    """The level that `picture_of` takes as brightest, to show several sounds alike."""
    import torch

    frame = max(8, 2 * round(0.016 * sound.rate))
    magnitude = stft(torch.from_numpy(sound.mono().samples), frame, max(1, frame // 4)).abs()
    return float(20 * (magnitude @ mel_matrix(MELS, frame // 2 + 1, sound.rate).T).max().clamp_min(1e-6).log10())


def _upright(picture: Float[ndarray, "f b 3"]) -> UInt8[ndarray, "h w 3"]:
    """Time to the right and frequency upwards, enlarged by whole pixels; long ones are thinned out."""
    steps, bands = picture.shape[:2]
    if steps > WIDEST:
        picture = picture[np.linspace(0, steps - 1, WIDEST).round().astype(np.int64)]
    upright = np.rint(picture).astype(np.uint8).transpose(1, 0, 2)[::-1]
    rows, columns = -(-HEIGHT // bands), -(-WIDTH // upright.shape[1])
    return np.ascontiguousarray(upright.repeat(rows, 0).repeat(columns, 1))
