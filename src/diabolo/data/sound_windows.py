"""What processors of sounds share: one rate, one number of channels, and how clips are cut into windows."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections import Counter
from typing import Any

import numpy as np
from numpy import ndarray

from ..blocks.overlap import window_starts
from ..core import Processor, Windowed
from ..core.errors import DataError, UsageError, out_of_range
from .sound import Sound

SHORT = 2.0
"""Seconds: where 95 of 100 clips are no longer, a clip is one window."""
USUAL = 1.0
"""Seconds of a window of longer clips."""
ODD = 1.25
"""A window is as long as the longest clip, unless that is so many times the 95th percentile."""


class SoundProcessor(Processor, Windowed, ABC):
    """Rows of `Sound` at one rate, cut into windows of one length that overlap; subclasses say what a step is.

    Fitted: ``hz`` the rate; ``steps`` of a window; ``stride`` from one window to the next; ``channels``.
    """

    def __init__(self, rate: int | None, window: float | None, hop: float, mono: bool) -> None:
        if rate is not None and not (isinstance(rate, int) and rate > 0):
            raise out_of_range("rate", "an int above 0, in Hz, or None", rate)
        if window is not None and not 0 < window < math.inf:
            raise out_of_range("window", "a number of seconds above 0, or None", window)
        if not 0 < hop <= 1:
            raise out_of_range("hop", "a share of the window in (0, 1]", hop)
        self.rate, self.window, self.hop, self.mono = rate, window, float(hop), bool(mono)
        self.hz, self.steps, self.stride, self.channels = 0, 0, 0, 1

    def _heard(self, rows: Any) -> list[ndarray]:
        """Samples (T, C) of every row, at the fitted rate and with the fitted number of channels."""
        return [self._samples(sound, number) for number, sound in enumerate(checked(rows))]

    def _samples(self, sound: Sound, number: int) -> ndarray:
        sound = (sound.mono() if self.mono else sound).at(self.hz)
        samples = sound.samples.reshape(len(sound), -1)
        if samples.shape[1] != self.channels:
            raise DataError(
                f"sound {number} has {samples.shape[1]} channels, but the model is expecting {self.channels}; "
                "mix it, or fit with processor 'audio(mono=True)'."
            )
        if not len(samples) or not np.isfinite(samples).all():
            what = "holds NaN or infinity" if len(samples) else "has no samples"
            raise DataError(f"sound {number} {what}; leave it out.")
        return samples

    def _listen(self, rows: Any) -> list[ndarray]:
        """Decide on the rate and the channels, and give the samples of every row."""
        sounds = checked(rows)
        self.hz = self.rate or Counter(sound.rate for sound in sounds).most_common(1)[0][0]
        self.channels = 1 if self.mono else sounds[0].channels
        return self._heard(rows)

    def _lengths(self, rows: Any) -> list[int]:
        """Samples of every row at the fitted rate."""
        return [max(1, round(len(sound) * self.hz / sound.rate)) for sound in checked(rows)]

    def _starts(self, lengths: list[int]) -> list[ndarray]:
        """Where the windows of every row begin, in steps."""
        return [window_starts(length, self.steps, self.stride) for length in lengths]

    def _placed(self, lengths: list[int], seconds: float, ends: list[float]) -> tuple[ndarray, ndarray, ndarray]:
        """`places`, for rows of so many steps of ``seconds`` each, that end at ``ends``."""
        starts = self._starts(lengths)
        row = np.repeat(np.arange(len(starts)), [len(found) for found in starts])
        begin = np.concatenate(starts)
        last = np.minimum((begin + self.steps) * seconds, np.asarray(ends)[row])
        return row, begin * seconds, last

    @abstractmethod
    def rows_of(self, length: int) -> int:
        """Steps of a sound of so many samples."""

    @property
    @abstractmethod
    def step_seconds(self) -> float:
        """How long a step is."""

    @property
    def window_seconds(self) -> float:
        """How long a window is."""
        return self.steps / self.hz


def checked(rows: Any) -> list[Sound]:
    """Rows that are all sounds. Raises `DataError` naming the first that is not."""
    sounds = list(rows)
    if not sounds:
        raise DataError("there are no sounds: X is empty.")
    for number, sound in enumerate(sounds):
        if not isinstance(sound, Sound):
            raise DataError(
                f"row {number} is no sound but {type(sound).__name__}; give diabolo.data.Sound(samples, rate)."
            )
    return sounds


def window_length(lengths: list[int], rate: int, window: float | None) -> int:
    """Samples of a window: as asked; else the longest clip (or the 95th percentile) of short ones, or a second.

    >>> window_length([3000, 4000], 8000, None), window_length([80000], 8000, None), window_length([9], 8000, 0.5)
    (4000, 8000, 4000)
    """
    if window is not None:
        steps = round(window * rate)
        if steps < 1:
            raise UsageError(f"a window of {window} s has no sample at {rate} Hz; make it longer.")
        return steps
    usual, longest = float(np.percentile(lengths, 95)), max(lengths)
    if usual > SHORT * rate:
        return round(USUAL * rate)
    return longest if longest <= ODD * usual else math.ceil(usual)


def per_window(values: list[Any], starts: list[ndarray]) -> ndarray:
    """One value a row, repeated for each of its windows."""
    return np.repeat(np.asarray(values, np.float32), [len(found) for found in starts], axis=0)
