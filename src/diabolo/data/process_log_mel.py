"""Sounds as log-mel spectra: frames of band levels in decibels."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..blocks.overlap import cross_faded
from ..blocks.spectrum import griffin_lim, istft, mel_matrix, stft
from ..core import Batch, Restored, Spec, register
from ..core.errors import out_of_range, unknown
from .limits import check_memory
from .record import objects
from .sound import Sound
from .sound_windows import SoundProcessor, per_window, window_length

LEVELS = ("keep", "clip", "band")
PHASES = ("griffin-lim", "keep")
UNIT = 100
"""Levels are kept in hundredths of a decibel."""
LEAST = -120.0
"""Decibels of full scale below which nothing is told apart."""
SPREAD = 3.0


@register("processor", "log-mel")
class LogMelProcessor(SoundProcessor, Restored):
    """Log-mel spectra: a window is a row (F, mels) of frames, band levels in decibels, standardised.

        Sounds ──STFT──▶ |magnitude| ──mel bands──▶ dB, int16 (M, F, mels) ──collate──▶ float32 … recon
        recon ──▶ dB ──pseudo-inverse of the bands──▶ magnitude ──phase──▶ Sounds, mixed to one channel

    The spectrum of a whole clip is taken, then cut into windows, so there are no edges in between. Frames beyond the
    end of a clip are masked, and not scored.

    Parameters
    ----------
    rate, window, hop : as `AudioProcessor`; windows hold whole frames.
    mels : number of mel bands; None: all bins of the spectrum as they are (a log-magnitude STFT).
    frame, step : milliseconds of a frame, and from one to the next (at most half a frame).
    floor : decibels below 0: what is softer than the loudest band of its clip by more is raised to that.
    level : "keep"; "clip": every clip's mean level is taken away; "band": every band's mean over the clip is (the
        colour of the microphone and the voice; Atal 1974). `reconstruct` brings them back.
    phase : what `reconstruct` gives the magnitudes: "griffin-lim" finds one, "keep" takes that of the original.
        Codes alone (`inverse_transform`) know no phase: there it is always found.
    iterations : of Griffin-Lim.
    pool : so many frames become one, at the mean of their levels: sounds that last, such as machines', are told apart
        by what stays when the noise of single frames is averaged out. They come back as steps.

    Raises `DataError` for rows that are no sounds.

    Reference: Davis & Mermelstein (1980), "Comparison of parametric representations for monosyllabic word
    recognition"; Griffin & Lim (1984).

    >>> clips = [Sound(np.sin(np.arange(n) / 3).astype("float32"), 8000) for n in (6000, 5000)]
    >>> spectra = LogMelProcessor(mels=20).fit(clips)
    >>> batch = spectra.collate(spectra.encode(clips))
    >>> spectra.shape, [len(sound) for sound in spectra.restore(batch.target, clips)]
    ((94, 20), [6000, 5000])
    """

    def __init__(
        self,
        rate: int | None = None,
        window: float | None = None,
        hop: float = 0.5,
        mels: int | None = 64,
        frame: float = 32.0,
        step: float = 8.0,
        floor: float = -80.0,
        level: str = "keep",
        phase: str = "griffin-lim",
        iterations: int = 32,
        pool: int = 1,
    ) -> None:
        super().__init__(rate, window, hop, True)
        if mels is not None and not (isinstance(mels, int) and mels > 0):
            raise out_of_range("mels", "an int above 0, or None", mels)
        if not 0 < step <= frame / 2:
            raise out_of_range("step", f"in (0, frame / 2 = {frame / 2:g}] ms", step)
        if not LEAST < floor < 0:
            raise out_of_range("floor", f"in ({LEAST:g}, 0) decibels", floor)
        if level not in LEVELS:
            raise unknown("level", level, LEVELS)
        if phase not in PHASES:
            raise unknown("phase", phase, PHASES)
        if not (isinstance(pool, int) and pool > 0):
            raise out_of_range("pool", "an int above 0, in frames", pool)
        self.pool = pool
        self.mels, self.frame, self.step, self.floor = mels, float(frame), float(step), float(floor)
        self.level, self.phase, self.iterations = level, phase, int(iterations)
        self.mean, self.spread, self.usual = [0.0], 1.0, [0.0]

    # what a frame is ----------------------------------------------------------------------------------------

    @property
    def _size(self) -> int:
        """Samples of a frame, even."""
        return max(4, 2 * round(self.frame * self.hz / 2000))

    @property
    def _apart(self) -> int:
        """Samples from one frame to the next."""
        return min(max(1, round(self.step * self.hz / 1000)), self._size // 2)

    @property
    def _bands(self) -> int:
        return self.mels if self.mels is not None else self._size // 2 + 1

    def _bank(self) -> Tensor:
        bins = self._size // 2 + 1
        return torch.eye(bins) if self.mels is None else mel_matrix(self.mels, bins, self.hz)

    def rows_of(self, length: int) -> int:
        """Steps of a clip of so many samples: frames, or means of ``pool`` of them."""
        return -(-(1 + length // self._apart) // self.pool)

    def _levels(self, samples: ndarray) -> Tensor:
        """Decibels (rows, bands) of one clip (T, 1)."""
        return means_of(self._framed(samples), self.pool)

    def _framed(self, samples: ndarray) -> Tensor:
        """Decibels (frames, bands) of one clip (T, 1), no lower than its floor."""
        magnitude = stft(torch.from_numpy(samples[:, 0]), self._size, self._apart).abs()
        decibel = 20 * torch.log10((magnitude @ self._bank().T).clamp_min(10 ** (LEAST / 20)))
        return torch.maximum(decibel, decibel.max() + self.floor)

    def _taken(self, levels: Tensor) -> Tensor:
        """What is taken away of a clip's levels, one value or one a band."""
        if self.level == "keep":
            return torch.zeros(1)
        return levels.mean(0) if self.level == "band" else levels.mean().reshape(1)

    # there --------------------------------------------------------------------------------------------------

    def fit(self, rows: Any) -> Self:
        """Learn the rate, the window, every band's mean and the spread of all."""
        heard = self._listen(rows)
        width = window_length([len(samples) for samples in heard], self.hz, self.window)
        self.steps = self.rows_of(width)
        self.stride = max(1, round(self.hop * self.steps))
        levels = [self._levels(samples) for samples in heard]
        taken = [self._taken(one) for one in levels]
        every = torch.cat([one - its for one, its in zip(levels, taken, strict=True)]).double()
        mean = every.mean(0)
        self.mean, self.usual = mean.tolist(), torch.stack(taken).median(0).values.tolist()
        self.spread = SPREAD * (float((every - mean).square().mean().sqrt()) or 1.0)
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Windows ``x`` (M, F, bands) int16, hundredths of a decibel; real ``lengths`` (M,); what is ``taken`` away."""
        heard = self._heard(rows)
        starts = self._starts([self.rows_of(len(samples)) for samples in heard])
        count = sum(len(found) for found in starts)
        check_memory(
            2 * count * self.steps * self._bands,
            f"{count:,} windows of {self.steps} frames",
            "Take fewer sounds (--include), or less overlap: --processor 'log-mel(hop=1.0)'.",
        )
        x = torch.zeros((count, self.steps, self._bands), dtype=torch.int16)
        lengths, taken, place = torch.zeros(count, dtype=torch.long), [], 0
        for samples, found in zip(heard, starts, strict=True):
            levels = self._levels(samples)
            taken.append(self._taken(levels).numpy())
            for start in found:
                piece = levels[start : start + self.steps]
                x[place, : len(piece)], lengths[place] = (piece * UNIT).round().to(torch.int16), len(piece)
                place += 1
        return {"x": x, "lengths": lengths, "taken": torch.from_numpy(per_window(taken, starts))}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        mask = torch.arange(self.steps) < tensors["lengths"][:, None]
        x = (tensors["x"] / UNIT - tensors["taken"][:, None] - torch.tensor(self.mean)) / self.spread
        if bool(mask.all()):
            return Batch(x, x)
        x = torch.where(mask[..., None], x, 0.0)
        return Batch(x, x, mask=mask, scored=mask)

    # and back -----------------------------------------------------------------------------------------------

    def invert(self, data: Tensor) -> ndarray:
        """Data (M, F, bands), NaN after the end, as an object array of `Sound`, one a window, phase found."""
        values = data.detach().cpu().float().reshape(-1, self.steps, self._bands)
        levels = values * self.spread + torch.tensor(self.mean) + torch.tensor(self.usual)
        ends = (~values.isnan().all(-1)).sum(1)
        made = np.empty(len(values), object)
        for end in ends.unique().tolist():
            which = (ends == end).nonzero()[:, 0]
            length = max(1, (end * self.pool - 1) * self._apart)
            signals = self._found(self._magnitude(self._spread_out(levels[which, :end])), length)
            for place, signal in zip(which.tolist(), signals, strict=True):
                made[place] = self._sound(signal)
        return made

    def restore(self, data: Tensor, rows: Any) -> ndarray:
        """Sounds as long as ``rows``: windows cross-faded, levels brought back, and the phase that was asked for."""
        values = data.detach().cpu().float() * self.spread + torch.tensor(self.mean)
        made, place = [], 0
        for samples in self._heard(rows):
            frames = self.rows_of(len(samples))
            starts = self._starts([frames])[0]
            parts = [window[: min(self.steps, frames)].numpy() for window in values[place : place + len(starts)]]
            place += len(starts)
            levels = torch.from_numpy(cross_faded(parts, starts, frames)).float() + self._taken(self._levels(samples))
            whole = self._spread_out(levels)[: 1 + len(samples) // self._apart]
            made.append(self._sound(self._with_phase(self._magnitude(whole), samples)))
        return objects(made)

    def _with_phase(self, magnitude: Tensor, samples: ndarray) -> Tensor:
        if self.phase == "griffin-lim":
            return self._found(magnitude, len(samples))
        spectra = stft(torch.from_numpy(samples[:, 0]), self._size, self._apart)
        return istft(torch.polar(magnitude, spectra.angle()), self._size, self._apart, len(samples))

    def _spread_out(self, levels: Tensor) -> Tensor:
        """Every row (…, rows, bands) as the ``pool`` frames it is the mean of."""
        return levels if self.pool == 1 else levels.repeat_interleave(self.pool, -2)

    def _magnitude(self, levels: Tensor) -> Tensor:
        """Magnitudes of the bins from decibels of the bands, by the pseudo-inverse; none below zero."""
        bands = 10 ** (levels.clamp_max(0.0) / 20)
        return (bands @ torch.linalg.pinv(self._bank()).T).clamp_min(0.0)

    def _found(self, magnitude: Tensor, length: int) -> Tensor:
        return griffin_lim(magnitude, self._size, self._apart, length, self.iterations)

    def _sound(self, signal: Tensor) -> Sound:
        return Sound(signal.clamp(-1, 1).numpy(), self.hz)

    def places(self, rows: Any) -> tuple[ndarray, ndarray, ndarray]:
        """Row, and begin and end in seconds, of every window."""
        lengths = self._lengths(rows)
        frames = [self.rows_of(length) for length in lengths]
        return self._placed(frames, self.step_seconds, [length / self.hz for length in lengths])

    def join(self, windows: Any, rows: Any) -> ndarray:
        """Windows, as sounds, cross-faded into sounds as long as ``rows``; `restore` does better from their spectra."""
        made, place = [], 0
        for length in self._lengths(rows):
            starts = self._starts([self.rows_of(length)])[0]
            parts = [window.samples for window in windows[place : place + len(starts)]]
            made.append(Sound(cross_faded(parts, starts * self.pool * self._apart, length).astype(np.float32), self.hz))
            place += len(starts)
        return objects(made)

    @property
    def step_seconds(self) -> float:
        """How long a step is: from one frame, or mean of frames, to the next."""
        return self.pool * self._apart / self.hz

    @property
    def window_seconds(self) -> float:
        """How long a window is."""
        return (self.steps * self.pool - 1) * self._apart / self.hz

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared")}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.steps, self._bands)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        names = ("rate", "window", "hop", "mels", "frame", "step", "floor", "level", "phase", "iterations", "pool")
        fitted = ("hz", "steps", "stride", "mean", "spread", "usual")
        return {
            "parameters": {name: getattr(self, name) for name in names},
            "fitted": {name: getattr(self, name) for name in fitted},
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(**state["parameters"])
        vars(made).update(state["fitted"])
        return made


def means_of(levels: Tensor, pool: int) -> Tensor:
    """Rows (F, B) averaged by ``pool`` from the first on; the last mean is of those that are left.

    >>> means_of(torch.tensor([[1.0], [3.0], [7.0]]), 2).tolist()
    [[2.0], [7.0]]
    """
    if pool == 1:
        return levels
    parts = levels.split(pool)
    return torch.stack([part.mean(0) for part in parts])
