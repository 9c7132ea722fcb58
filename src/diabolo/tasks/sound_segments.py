"""Where a recording changes: boundaries by how much the codes before a moment differ from those after it."""

from __future__ import annotations

import copy
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import correlate1d

from ..core.errors import ModelError, out_of_range
from ..data import Source
from ..data.record import objects
from ..data.sound import Sound
from ..data.sound_windows import SoundProcessor
from ..estimators.base import BaseAutoencoder
from .base import TaskModel

STEP = 0.01
"""Seconds from one code to the next."""
STRETCH = 30.0
"""Seconds of a recording that are encoded at a time."""
MARGIN = 0.1
"""Seconds of sound on both sides of a stretch that are heard and not judged, beside a window."""
TAPER = 0.4
"""Standard deviation of the kernel's Gaussian taper, as a share of its half width."""


@dataclass(frozen=True)
class Track:
    """The codes of one recording along time.

    codes    (F, D)  one every ``step`` seconds
    first    seconds, the middle of the first code's window
    step     seconds
    seconds  how long the recording is
    """

    codes: ndarray
    first: float
    step: float
    seconds: float

    @property
    def times(self) -> ndarray:
        """Seconds of every code (F,)."""
        return self.first + self.step * np.arange(len(self.codes))


@dataclass(frozen=True)
class Segmented:
    """What was found in one recording.

    boundaries  (B,) seconds, in order, without the ends
    novelty     (F,) how much the code changes, 1: the mean over all recordings given
    times       (F,) seconds
    seconds     how long it is
    """

    boundaries: ndarray
    novelty: ndarray
    times: ndarray
    seconds: float

    @property
    def segments(self) -> ndarray:
        """Begin and end of every segment (B + 1, 2), in seconds; end to end they are the recording."""
        edges = np.concatenate([[0.0], self.boundaries, [self.seconds]])
        return np.stack([edges[:-1], edges[1:]], 1)


def sound_segments(
    model: Any, X: Any, *, width: float = 0.3, threshold: float = 2.0, least: float = 0.1
) -> list[Segmented]:
    """Segments of recordings between changes of code.

        windows, one every 10 ms ──▶ codes ──standardised──▶ novelty(t) = | mean after t - mean before t |
                                                              └─▶ peaks above a threshold ─▶ boundaries

    Parameters
    ----------
    model : a fitted autoencoder of sounds whose windows are short beside a segment, such as 0.1 s.
    X : sounds, or a source of them.
    width : seconds on each side of a moment that are compared, more than 0.
    threshold : how high a peak must be, in means of the novelty over all of X, at least 0.
    least : seconds between two boundaries at least, at least 0.

    Silence and recordings shorter than two windows have no boundary. Raises `ModelError` for a model of other data,
    `UsageError` for parameters out of range.

    Reference: Foote (2000), "Automatic audio segmentation using a measure of audio novelty".

    >>> from diabolo import Autoencoder, Trainer
    >>> time = np.arange(4000) / 4000
    >>> low, high = (np.sin(2 * np.pi * pitch * time).astype("float32") for pitch in (300, 900))
    >>> clip = objects([Sound(np.concatenate([low, high]), 4000)])
    >>> source = Source(clip, "audio", processor="log-mel(window=0.1, mels=16)")
    >>> model = Autoencoder(4, trainer=Trainer(epochs=5), random_state=0).fit(source)
    >>> [round(float(at), 1) for at in sound_segments(model, clip)[0].boundaries]
    [1.0]
    """
    for name, value in (("width", width), ("threshold", threshold), ("least", least)):
        fine = isinstance(value, int | float) and (value > 0 if name == "width" else value >= 0) and value < math.inf
        if not fine:
            raise out_of_range(name, f"a number {'above' if name == 'width' else 'of at least'} 0", value)
    tracks = [track_of(model, sound) for sound in (X.rows if isinstance(X, Source) else X)]
    curves = novelty_of(tracks, width)
    found = []
    for track, curve in zip(tracks, curves, strict=True):
        places = peaks(curve, threshold, max(1, round(least / track.step)))
        inside = track.times[places]
        edge = track.first + least  # the first and last frames hold the silence beyond the ends
        inside = inside[(inside > edge) & (inside < track.seconds - edge)]
        found.append(Segmented(inside, curve, track.times, track.seconds))
    return found


def must_hear(model: Any) -> SoundProcessor:
    """The processor of a model of sounds. Raises `ModelError` for a model of anything else."""
    processor = model.processor_
    if isinstance(processor, SoundProcessor):
        return processor
    name = vars(type(processor)).get("part_name")
    raise ModelError(
        f"this model reads its data by processor {name!r}, and only recordings of sound are cut by change of code; "
        "train one on sounds: diabolo fit RECORDINGS --processor 'log-mel(window=0.1)' --out MODEL."
    )


def track_of(model: Any, sound: Sound) -> Track:
    """Codes of one recording, a window every 10 ms; long ones are encoded stretch by stretch."""
    inner: BaseAutoencoder = model.autoencoder_ if isinstance(model, TaskModel) else model
    processor = must_hear(inner)
    reader, fine = copy.copy(inner), copy.copy(processor)
    fine.stride = max(1, round(STEP / processor.step_seconds))
    reader.processor_ = fine
    samples = fine._samples(sound, 0)
    seconds = len(samples) / fine.hz
    codes = np.concatenate(list(_codes(reader, samples)))
    return Track(codes, min(fine.window_seconds, seconds) / 2, fine.stride * fine.step_seconds, seconds)


def _codes(reader: Any, samples: ndarray) -> Iterator[ndarray]:
    """Codes (F, D) of windows a stride apart, stretch by stretch: each is heard with a margin on both sides, whose
    codes are left out, so that a recording has no edges but its own."""
    processor = reader.processor_
    apart = round(processor.stride * processor.step_seconds * processor.hz)
    margin = math.ceil((MARGIN + processor.window_seconds) * processor.hz / apart)
    count, whole = round(STRETCH * processor.hz / apart), _windows(processor, len(samples))
    for first in range(0, whole, count):
        before = min(margin, first)
        begin = (first - before) * apart
        end = len(samples) if first + count >= whole else (first + count + margin) * apart
        stretch = Sound(samples[begin:end].reshape(-1) if processor.mono else samples[begin:end], processor.hz)
        codes = reader.transform(objects([stretch]))
        yield codes.reshape(len(codes), -1)[before : before + min(count, whole - first)]


def _windows(processor: SoundProcessor, length: int) -> int:
    """Windows of a sound that lie a stride apart; the one that is pushed back to end with the sound is none."""
    return 1 + max(0, processor.rows_of(length) - processor.steps) // processor.stride


def novelty_of(tracks: Sequence[Track], width: float) -> list[Float[ndarray, " f"]]:
    """The novelty of every track, in means over all of them; codes are standardised over all."""
    if not tracks:
        return []
    every = np.concatenate([track.codes for track in tracks]).astype(np.float64)
    mean, spread = every.mean(0), every.std(0)
    spread = np.where(spread > 1e-6 * (1 + spread.max()), spread, np.inf)
    curves = [novelty((track.codes - mean) / spread, max(1, round(width / track.step))) for track in tracks]
    usual = float(np.mean(np.concatenate(curves)))
    return [curve / (usual or 1.0) for curve in curves]


def novelty(codes: Float[ndarray, "f d"], half: int) -> Float[ndarray, " f"]:
    """How much codes after a moment differ from those before it: Foote's checkerboard on minus squared distances.

        novelty(t)² = 1/2 Σᵢⱼ K(i, j) S(t + i, t + j) = | Σᵢ k(i) z(t + i) |²,    S = -|zᵢ - zⱼ|²,  K = k kᵀ

    k: a Gaussian taper of ``half`` codes on each side, negative before the moment, of weight 1 on each side. The square
    makes a difference of means of what would cost half² distances at every moment. The ends are continued.

    >>> steps = np.repeat([[0.0], [3.0]], 10, axis=0)
    >>> found = novelty(steps, 3)
    >>> int(found.argmax()), round(float(found.max()), 6)
    (10, 3.0)
    """
    side = np.exp(-0.5 * ((np.arange(half) + 0.5) / (TAPER * half)) ** 2)
    kernel = np.concatenate([-side[::-1], side]) / side.sum()
    found = correlate1d(np.asarray(codes, dtype=np.float64), kernel, axis=0, mode="nearest", origin=0)
    return np.sqrt(np.square(found).sum(1))


def peaks(curve: Float[ndarray, " f"], threshold: float, apart: int) -> ndarray:
    """Where a curve has a maximum above a threshold, the highest first, none nearer than ``apart`` to a higher one.

    >>> peaks(np.array([0, 2, 0, 3, 0, 0, 1.0, 0]), 1.5, 3).tolist()
    [3]
    """
    low = np.concatenate([[-np.inf], curve, [-np.inf]])
    maxima = np.flatnonzero((low[1:-1] > low[:-2]) & (low[1:-1] >= low[2:]) & (curve > threshold))
    taken: list[int] = []
    for place in maxima[np.argsort(-curve[maxima], kind="stable")]:
        if all(abs(place - other) >= apart for other in taken):
            taken.append(int(place))
    return np.sort(np.asarray(taken, dtype=np.int64))


def boundary_scores(
    found: Float[ndarray, " b"], true: Float[ndarray, " t"], tolerance: float = 0.05
) -> tuple[int, int, int]:
    """Boundaries that were hit, found and true: a true one is hit by at most one found within ``tolerance`` seconds.

    The matching is the largest there is: in order, the earliest that fits. F1 = 2 hit / (found + true).
    Reference: Turnbull, Lanckriet, Pampalk & Goto (2007), "A supervised approach for detecting boundaries in music".

    >>> boundary_scores(np.array([1.0, 2.0, 2.02]), np.array([0.98, 2.01, 3.0]))
    (2, 3, 3)
    """
    hits, place, found = 0, 0, np.sort(found)
    for at in np.sort(true):
        while place < len(found) and found[place] < at - tolerance - 1e-9:
            place += 1
        if place < len(found) and found[place] <= at + tolerance + 1e-9:
            hits, place = hits + 1, place + 1
    return hits, len(found), len(true)
