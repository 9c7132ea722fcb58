"""Recordings put end to end, so that it is known where they change; and boundaries by energy, the rival."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import uniform_filter1d

from ..data.sound import Sound
from ..data.sound_windows import SHORT
from .sound_segments import boundary_scores, peaks

STRETCH = (0.4, 1.6)
"""Seconds of the stretches that are taken of long recordings."""
FADE = 0.005
"""Seconds over which a stretch is faded in and out, so that a joint makes no click."""
SMOOTHINGS, DEPTHS, LEASTS = (0.02, 0.04, 0.08), tuple(range(-5, -45, -5)), (0.1, 0.2, 0.3)
STEP = 0.01


@dataclass(frozen=True)
class Splice:
    """Pieces of recordings end to end. joints: (pieces - 1,) seconds."""

    sound: Sound
    joints: ndarray


def spliced(rows: Sequence[Sound] | Any, count: int, pieces: int, rate: int, seed: int) -> list[Splice]:
    """Splices of recordings drawn at random, at one rate; two pieces side by side are of different recordings.

    >>> clips = [Sound(np.full(n, 0.1, np.float32), 1000) for n in (300, 500)]
    >>> [splice.joints.tolist() in ([0.3], [0.5]) for splice in spliced(clips, 2, 2, 1000, seed=0)]
    [True, True]
    """
    random = np.random.default_rng(seed)
    whole = float(np.percentile([sound.seconds for sound in rows], 95)) <= SHORT
    made = []
    for _ in range(count):
        parts: list[ndarray] = []
        last = -1
        for _ in range(pieces):
            last = int((last + 1 + random.integers(len(rows) - (last >= 0))) % len(rows))
            parts.append(_piece(rows[last].mono().at(rate).samples, rate, whole, random))
        ends = np.cumsum([len(part) for part in parts])
        made.append(Splice(Sound(np.concatenate(parts), rate), ends[:-1] / rate))
    return made


def _piece(samples: ndarray, rate: int, whole: bool, random: np.random.Generator) -> ndarray:
    if whole:
        return samples
    length = min(len(samples), round(random.uniform(*STRETCH) * rate))
    begin = int(random.integers(len(samples) - length + 1))
    piece = samples[begin : begin + length].copy()
    fade = min(len(piece) // 2, round(FADE * rate))
    ramp = (np.arange(fade, dtype=np.float32) + 0.5) / max(1, fade)
    piece[:fade] *= ramp
    piece[len(piece) - fade :] *= ramp[::-1]
    return piece


def level_curve(sound: Sound, smoothing: float) -> Float[ndarray, " f"]:
    """Decibels below the loud parts of a recording (its 95th percentile), every 10 ms, over ``smoothing`` seconds."""
    hop = max(1, round(STEP * sound.rate))
    power = uniform_filter1d(np.square(sound.mono().samples, dtype=np.float64), max(1, round(smoothing * sound.rate)))
    level = 10 * np.log10(np.maximum(power[::hop], 1e-12))
    found: ndarray = level - np.percentile(level, 95)
    return found


def energy_boundaries(known: Sequence[Splice], tried: Sequence[Splice], tolerance: float) -> list[ndarray]:
    """Boundaries at the dips of the level that go below a threshold; smoothing, threshold and distance are those of
    best F1 on ``known``."""

    def found(splices: Sequence[Splice], smoothing: float, depth: float, least: float) -> list[ndarray]:
        return [
            STEP * peaks(-level_curve(one.sound, smoothing), -depth, max(1, round(least / STEP))) for one in splices
        ]

    def score(choice: tuple[float, float, float]) -> float:
        pairs = zip(found(known, *choice), known, strict=True)
        hit, some, true = np.sum([boundary_scores(at, one.joints, tolerance) for at, one in pairs], 0)
        return float(2 * hit / max(1, some + true))

    choices = [(a, float(b), c) for a in SMOOTHINGS for b in DEPTHS for c in LEASTS]
    return found(tried, *max(choices, key=score))
