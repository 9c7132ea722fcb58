"""How well a detector of sounds tells faults from normal recordings, and what it shows of the strangest ones."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from sklearn.covariance import LedoitWolf
from sklearn.decomposition import PCA
from sklearn.metrics import roc_auc_score

from ..data import Source
from ..data.process_log_mel import LogMelProcessor
from ..data.record import objects
from ..data.sound import Sound
from ..estimators.rows import bare
from .base import Assessment
from .exhibit import Exhibit, Strip
from .sound_clips import SoundMap, describe, has_maps, judged_clips, sound_maps
from .sound_pictures import signed, spectrum

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

COPIES = 4
"""Faults that are made of every held-out recording, at most `MOST` recordings."""
MOST, SHOWN = 60, 4
GAIN, TONE, RATTLE = (6.0, 15.0), (-8.0, 3.0), (-4.0, 6.0)
"""Decibels: by how much a band is louder or softer; of a tone and of a rattle beside the recording."""
LOWEST = 100.0
"""Hz."""
SHARE = 0.95
"""Of the variance that is left to the principal components."""


def with_fault(sound: Sound, random: np.random.Generator) -> Sound:
    """A recording with one fault that a machine may have: a band louder or softer, a tone, or a rattle in a band.

    >>> clip = Sound(np.sin(np.arange(4000) / 5).astype("float32"), 8000)
    >>> len(with_fault(clip, np.random.default_rng(0))), len(with_fault(clip, np.random.default_rng(1)))
    (4000, 4000)
    """
    samples = sound.mono().samples.astype(np.float64)
    hertz = np.fft.rfftfreq(len(samples), 1 / sound.rate)
    centre = np.exp(random.uniform(np.log(min(LOWEST, sound.rate / 8)), np.log(0.4 * sound.rate)))
    width = random.uniform(0.15, 0.5)
    band = np.exp(-0.5 * (np.log(np.maximum(hertz, 1e-3) / centre) / width) ** 2)
    time, loud = np.arange(len(samples)) / sound.rate, np.sqrt(np.square(samples).mean())
    kind = random.integers(3)
    if kind == 0:
        gain = random.choice([-1, 1]) * random.uniform(*GAIN)
        made = np.fft.irfft(np.fft.rfft(samples) * 10 ** (gain / 20 * band), len(samples))
    elif kind == 1:
        made = samples + loud * np.sqrt(2) * 10 ** (random.uniform(*TONE) / 20) * np.sin(2 * np.pi * centre * time)
    else:
        noise = np.fft.irfft(np.fft.rfft(random.normal(size=len(samples))) * band, len(samples))
        noise *= loud / max(np.sqrt(np.square(noise).mean()), 1e-12) * 10 ** (random.uniform(*RATTLE) / 20)
        made = samples + noise * (np.sin(2 * np.pi * random.uniform(0.5, 4) * time) > 0.6)
    return Sound(made.astype(np.float32), sound.rate)


def with_faults(rows: Any, seed: int) -> tuple[ndarray, ndarray]:
    """Recordings and after them copies of each with a fault, and which are these (N,) bool."""
    random, normal = np.random.default_rng(seed), list(rows)[:MOST]
    made = [with_fault(sound, random) for sound in normal for _ in range(COPIES)]
    return objects([*normal, *made]), np.arange(len(normal) + len(made)) >= len(normal)


# the simple methods ---------------------------------------------------------------------------------------------


def window_levels(processor: LogMelProcessor, rows: Any) -> Float[ndarray, "m b"]:
    """Mean level of every band over every window."""
    batch = processor.collate(processor.encode(bare(rows)))
    if batch.mask is None:
        return batch.target.mean(1).double().numpy()
    return (batch.target.sum(1) / batch.mask.sum(1, keepdim=True)).double().numpy()


def simple_scores(known: Float[ndarray, "n b"], tried: Float[ndarray, "m b"]) -> dict[str, ndarray]:
    """How strange rows are to simple methods, higher is stranger: each (m,)."""
    mean, spread = known.mean(0), known.std(0) + 1e-9
    pca = PCA(SHARE, svd_solver="full").fit(known)
    return {
        "PCA residual": np.square(tried - pca.inverse_transform(pca.transform(tried))).sum(1),
        "Mahalanobis": LedoitWolf().fit(known).mahalanobis(tried),
        "z-score": np.square((tried - mean) / spread).mean(1),
    }


def by_clip(values: ndarray, number: ndarray) -> ndarray:
    """Mean over the windows of every clip."""
    return np.bincount(number, values) / np.bincount(number)


def assess(detector: AutoencoderDetector, learn: Source, held: Source, seed: int) -> Assessment:
    """How well faults made in held-out recordings are told from these as they are, beside simple methods on log-mel
    levels; with the parts of the detector: spectra rebuilt, and codes. A rare class, where there is one, in place of
    made faults."""
    rows, strange, what = _trial(held, seed)
    processor = detector.processor_
    number = processor.places(rows)[0]  # type: ignore[attr-defined]
    scores = {"this model": judged_clips(detector, rows).score, **_parts(detector, rows, number)}
    simple = simple_scores(*(window_levels(processor, part) for part in (learn.rows, rows)))  # type: ignore[arg-type]
    rivals = {f"{name} on log-mel levels": by_clip(score, number) for name, score in simple.items()}
    areas = {name: float(roc_auc_score(strange, score)) for name, score in {**scores, **rivals}.items()}
    best = max(rivals, key=lambda name: areas[name])
    lead = areas["this model"] - areas[best]
    who = "better than" if lead > 0.02 else "no better than" if lead < -0.02 else "a tie with"
    return Assessment(
        f"{what}, among {int((~strange).sum())} held-out recordings",
        ("", "AUROC by recording"),
        tuple((name, f"{area:.3f}") for name, area in areas.items()),
        f"{who} {best}, the best of the simple methods: AUROC {lead:+.3f} (no interval: recordings are few)",
    )


def _trial(held: Source, seed: int) -> tuple[ndarray, ndarray, str]:
    labels = None if held.target is None else np.asarray(held.target).astype(str)
    if labels is not None:
        classes, counts = np.unique(labels, return_counts=True)
        if len(classes) == 2 and counts.min() >= 2:
            rare = classes[counts.argmin()]
            return held.rows, labels == rare, f"Recordings of class {str(rare)!r}"
    rows, strange = with_faults(held.rows, seed)
    return rows, strange, "Faults made in recordings (a band louder or softer, a tone, a rattle)"


def _parts(detector: AutoencoderDetector, rows: Any, number: ndarray) -> dict[str, ndarray]:
    """What the detector's measures say alone, clip by clip."""
    told = {"reconstruction": "  spectrum rebuilt alone", "density": "  codes alone", "peaks": "  bands alone"}
    logs = np.mean(
        [-detector._logs(place, witness.strangeness(rows)) for place, witness in enumerate(detector._witnesses())], 0
    )
    names = detector.facts_["measures"]
    return {told[name]: by_clip(log, number) for name, log in zip(names, logs, strict=True) if name in told}


# what is shown --------------------------------------------------------------------------------------------------


def exhibits(detector: AutoencoderDetector, source: Source) -> Sequence[Exhibit]:
    """The strangest recordings and the least strange one: spectrum, what was expected, and both maps. () for others."""
    if not has_maps(detector):
        return ()
    clips = judged_clips(detector, source)
    order = np.argsort(-clips.score, kind="stable")
    shown = [*order[:SHOWN], *([order[-1]] if len(order) > SHOWN else [])]
    maps = sound_maps(detector, source.take(np.asarray(shown)))
    names = [_name(source, place) for place in range(len(source))]
    strips = tuple(
        _strip(f"{names[place]}: score {clips.score[place]:.2f}, p = {clips.p[place]:.2g}; {describe(found)}", found)
        for place, found in zip(shown, maps, strict=True)
    )
    lines = [(names[i], f"{clips.score[i]:.2f}", f"{clips.p[i]:.3f}", f"{clips.worst[i]:.2f}") for i in order]
    return (
        Exhibit(
            "Strange sounds",
            "Time runs to the right, frequency upwards. Maps count in spreads of the training recordings: red is "
            "louder, blue is softer than usual (third picture) or than the autoencoder expects (fourth). The last "
            "strip is the least strange recording.",
            strips, ("recording", "score", "p", "strangest window begins at (s)"), tuple(lines),
        ),
    )  # fmt: skip


def drawn(detector: AutoencoderDetector, source: Source) -> list[ndarray]:
    """One picture a recording, uint8 (H, W, 3): its spectrum, and below it how far that is from usual."""
    made = []
    for found in sound_maps(detector, source):
        upper = spectrum(found.level, float(found.level.min()), float(found.level.max()))
        made.append(np.concatenate([upper, signed(found.strange)]))
    return made


def _name(source: Source, place: int) -> str:
    return str(place) if source.keys is None else str(source.keys.iloc[place, 0])


def _strip(title: str, found: SoundMap) -> Strip:
    low, high = float(found.level.min()), float(found.level.max())
    pictures = (
        spectrum(found.level, low, high), spectrum(found.expected, low, high), signed(found.strange),
        signed(found.rebuilt),
    )  # fmt: skip
    return Strip(title, pictures, ("log-mel", "rebuilt", "away from usual", "away from rebuilt"))
