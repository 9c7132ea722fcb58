"""A sound: samples and their rate."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, require
from .record import Row

FULL = 32768
"""What full scale is in 16 bits."""


@dataclass(frozen=True, eq=False)
class Sound(Row):
    """One recording.

    samples  float32 (T,), or (T, C) for C channels, in [-1, 1]
    rate     samples a second, in Hz

    >>> Sound(np.zeros(4000, np.float32), 8000).seconds
    0.5
    """

    kind: ClassVar[str] = "audio"
    samples: ndarray
    rate: int

    def __len__(self) -> int:
        """Samples (of one channel)."""
        return len(self.samples)

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.rate

    @property
    def channels(self) -> int:
        """How many channels there are; 1 for samples (T,)."""
        return 1 if self.samples.ndim == 1 else self.samples.shape[1]

    def mono(self) -> Sound:
        """The mean of its channels, samples (T,)."""
        return self if self.samples.ndim == 1 else Sound(self.samples.mean(1, dtype=np.float32), self.rate)

    def at(self, rate: int) -> Sound:
        """Resampled to another rate by soxr, band-limited; the length is rounded, and at least one sample."""
        if rate == self.rate:
            return self
        soxr = require("soxr", "audio", "resampling sounds")
        return Sound(_of_length(soxr.resample(self.samples, self.rate, rate), len(self) * rate / self.rate), rate)


def _of_length(samples: ndarray, length: float) -> ndarray:
    """Exactly as long as the rates say: a resampler may round another way."""
    steps = max(1, round(length))
    if len(samples) < steps:
        samples = np.concatenate([samples, np.zeros((steps - len(samples), *samples.shape[1:]), samples.dtype)])
    return np.ascontiguousarray(samples[:steps], dtype=np.float32)


def decode_sound(name: str, data: bytes) -> Sound:
    """The sound of one WAV, FLAC, OGG or MP3 file. Raises `DataError` naming it if it is empty or cannot be read."""
    soundfile = require("soundfile", "audio", "reading sounds")
    try:
        samples, rate = soundfile.read(io.BytesIO(data), dtype="float32")
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        raise DataError(f"{name}: {reason(error)}") from error
    if not len(samples):
        raise DataError(f"{name}: it is empty")
    if not np.isfinite(samples).all():
        raise DataError(f"{name}: it holds NaN or infinity")
    return Sound(samples[:, 0] if samples.ndim == 2 and samples.shape[1] == 1 else samples, int(rate))


def reason(error: Exception) -> str:
    """What soundfile says, without the address of the buffer it was given.

    >>> reason(RuntimeError("Error opening <_io.BytesIO object at 0x7f>: Format not recognised."))
    'Format not recognised'
    """
    return str(error).rpartition(">: ")[2].strip().rstrip(".") or type(error).__name__
