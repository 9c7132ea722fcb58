"""Sounds as waveforms: windows of samples, 16-bit in memory."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..blocks.overlap import cross_faded
from ..core import Batch, Spec, register
from ..core.errors import unknown
from .limits import check_memory
from .record import objects
from .sound import FULL, Sound
from .sound_windows import SoundProcessor, per_window, window_length
from .write_audio import in_16_bits

LEVELS = ("keep", "clip")
SPREAD = 3.0
"""Samples are brought to a standard deviation of 1/3, as pixels have."""


@register("processor", "audio")
class AudioProcessor(SoundProcessor):
    """Waveforms: every sound is cut into windows, and a window is a row (T, C) of samples.

        Sounds ──one rate, one channel, cut──▶ int16 (M, T, C) ──collate──▶ float32, mask … recon ──join──▶ Sounds

    Windows shorter than T are padded with zeros, which are masked and not scored. Overlapping windows are cross-faded,
    so a reconstruction has no seams. It comes at the model's rate.

    Parameters
    ----------
    rate : Hz, or None: the commonest of the rows at fit; sounds of other rates are resampled.
    window : seconds of a window. None: where clips are short (95 of 100 at most 2 s) the longest of them, or their
        95th percentile where that is much shorter, so that a clip is one window; else 1 s.
    hop : share of a window from one to the next, in (0, 1]; 1: no overlap.
    mono : whether channels are mixed to one.
    level : "keep", or "clip": every clip is brought to one loudness (RMS) and brought back by `join`. Then soft clips
        count as much as loud ones.

    Raises `DataError` for rows that are no sounds, and for other channels than at fit.

    >>> clips = [Sound(np.sin(np.arange(n) / 3).astype("float32"), 8000) for n in (600, 500)]
    >>> audio = AudioProcessor().fit(clips)
    >>> batch = audio.collate(audio.encode(clips))
    >>> audio.shape, [len(sound) for sound in audio.join(audio.invert(batch.target), clips)]
    ((600, 1), [600, 500])
    """

    def __init__(
        self,
        rate: int | None = None,
        window: float | None = None,
        hop: float = 0.5,
        mono: bool = True,
        level: str = "keep",
    ) -> None:
        super().__init__(rate, window, hop, mono)
        if level not in LEVELS:
            raise unknown("level", level, LEVELS)
        self.level, self.scale, self.usual = level, 1.0, 1.0

    def fit(self, rows: Any) -> Self:
        """Learn the rate, the window, and how loud sounds are."""
        heard = self._listen(rows)
        self.steps = window_length([len(samples) for samples in heard], self.hz, self.window)
        self.stride = max(1, round(self.hop * self.steps))
        self.usual = float(np.median(self._loudness(heard)))
        energy = sum(float(np.square(samples, dtype=np.float64).sum()) for samples in heard)
        power = energy / sum(samples.size for samples in heard)
        self.scale = SPREAD * (1.0 if self.level == "clip" else power**0.5 or 1.0)
        return self

    def _loudness(self, heard: list[ndarray]) -> list[float]:
        """RMS of every clip, 1 for silent ones; 1 for all where the level is kept."""
        if self.level == "keep":
            return [1.0] * len(heard)
        return [float(np.square(samples, dtype=np.float64).mean() ** 0.5) or 1.0 for samples in heard]

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Windows ``x`` (M, T, C) int16, their real ``lengths`` (M,), and ``loudness`` (M,) of the clip."""
        heard = self._heard(rows)
        starts = self._starts([len(samples) for samples in heard])
        count = sum(len(found) for found in starts)
        check_memory(
            2 * count * self.steps * self.channels,
            f"{count:,} windows of {self.window_seconds:.3g} s",
            "Take fewer sounds (--include), a lower rate or less overlap: --processor 'audio(rate=8000, hop=1.0)'.",
        )
        x = np.zeros((count, self.steps, self.channels), np.int16)
        lengths, place = np.zeros(count, np.int64), 0
        for samples, found in zip(heard, starts, strict=True):
            whole = in_16_bits(samples)
            for start in found:
                piece = whole[start : start + self.steps]
                x[place, : len(piece)], lengths[place] = piece, len(piece)
                place += 1
        loud = per_window(self._loudness(heard), starts)
        return {"x": torch.from_numpy(x), "lengths": torch.from_numpy(lengths), "loudness": torch.from_numpy(loud)}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].float() / (FULL * self.scale * tensors["loudness"][:, None, None])
        mask = torch.arange(self.steps) < tensors["lengths"][:, None]
        return Batch(x, x) if bool(mask.all()) else Batch(x, x, mask=mask, scored=mask)

    def invert(self, data: Tensor) -> ndarray:
        """Data (M, T, C), NaN after the end, as an object array of `Sound`, one a window, at the usual loudness."""
        values = data.detach().cpu().float().reshape(-1, self.steps, self.channels)
        ends = (~values.isnan().all(-1)).sum(1).tolist()
        samples = (values * (self.scale * self.usual)).numpy()
        return objects(self._sound(row[:end]) for row, end in zip(samples, ends, strict=True))

    def _sound(self, samples: ndarray) -> Sound:
        samples = samples.clip(-1, 1).astype(np.float32)
        return Sound(samples[:, 0] if self.channels == 1 else samples, self.hz)

    def places(self, rows: Any) -> tuple[ndarray, ndarray, ndarray]:
        """Row, and begin and end in seconds, of every window."""
        lengths = self._lengths(rows)
        return self._placed(lengths, 1 / self.hz, [length / self.hz for length in lengths])

    def join(self, windows: Any, rows: Any) -> ndarray:
        """Windows cross-faded into sounds as long and as loud as ``rows``, at the model's rate."""
        heard, made, place = self._heard(rows), [], 0
        for samples, loud in zip(heard, self._loudness(heard), strict=True):
            starts = self._starts([len(samples)])[0]
            parts = [window.samples.reshape(len(window), -1) for window in windows[place : place + len(starts)]]
            made.append(self._sound(cross_faded(parts, starts, len(samples)) * (loud / self.usual)))
            place += len(starts)
        return objects(made)

    def rows_of(self, length: int) -> int:
        """Steps of a sound of so many samples: as many."""
        return length

    @property
    def step_seconds(self) -> float:
        """How long a step is: a sample."""
        return 1 / self.hz

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared"), "network": waveform_network(self.steps)}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps, self.channels)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        return {
            "parameters": {name: getattr(self, name) for name in ("rate", "window", "hop", "mono", "level")},
            "fitted": {name: getattr(self, name) for name in ("hz", "steps", "stride", "channels", "scale", "usual")},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(**state["parameters"])
        vars(made).update(state["fitted"])
        return made


def waveform_network(steps: int) -> Spec:
    """One-dimensional convolutions that make a window four times shorter at every level, down to about 16 positions.

    >>> str(waveform_network(5000))
    'conv(dims=1, channels=(16, 32, 64, 128), kernel=8, stride=4)'
    """
    levels = int(np.clip(round(np.log(max(steps, 1) / 16) / np.log(4)), 1, 6))
    return Spec("conv", dims=1, channels=tuple(min(128, 16 * 2**level) for level in range(levels)), kernel=8, stride=4)
