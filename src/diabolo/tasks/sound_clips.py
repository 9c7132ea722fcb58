"""Anomalies of recordings: one verdict a clip, and a map of what is strange at which time and frequency."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from ..blocks.spectrum import mel_to_hz
from ..core import Batch
from ..core.errors import UsageError
from ..data import Source, kind_of
from ..data.process_log_mel import LogMelProcessor
from ..data.record import objects
from ..data.sound_windows import SoundProcessor
from ..estimators.rows import bare
from . import conformal

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

SPECTRA = "log-mel(pool=32)"
"""How a detector reads sounds where nothing else is asked for: levels of 64 bands, averaged over a quarter of a second.
Levels are kept, for a machine that is louder than it was is strange; frames are averaged, for the level of a band
wavers by 5 dB from frame to frame and by 1 dB from clip to clip."""


def heard(X: Any) -> Any:
    """Sounds as a source that says how a detector reads them; all else, and what was asked for, as it is."""
    if kind_of(bare(X)) != "audio" or (isinstance(X, Source) and X.processor is not None):
        return X
    source = X if isinstance(X, Source) else Source(objects(X), "audio")
    return replace(source, processor=SPECTRA)


def numbers(place: int, processor: Any, rows: Any) -> dict[str, ndarray]:
    """Of sounds: which clip every window that was held out is of, under the name it is kept by."""
    return {f"{place}.clip": processor.places(rows)[0]} if isinstance(processor, SoundProcessor) else {}


@dataclass(frozen=True)
class Clips:
    """What a detector says of whole recordings.

    score  (N,) higher is stranger: mean over the windows of a clip
    p      (N,) conformal p-value: how often a clip that was held out is as strange
    worst  (N,) seconds at which the strangest window begins
    least  the smallest p-value there can be
    """

    score: ndarray
    p: ndarray
    worst: ndarray
    least: float

    def anomalies(self, alpha: float, contamination: float | None = None) -> ndarray:
        """Which clips are anomalies (N,) bool: at a rate of false discoveries, or the strangest share of them; 0: those
        stranger than all that were held out."""
        if contamination is None:
            return conformal.discoveries(self.p, alpha)
        if contamination == 0:
            return self.p <= self.least * (1 + 1e-9)
        count = round(contamination * len(self.score))
        return np.argsort(np.argsort(-self.score, kind="stable"), kind="stable") < count


def judged_clips(detector: AutoencoderDetector, X: Any) -> Clips:
    """Verdicts on whole recordings, from those on their windows.

        windows ──strangeness──▶ mean over a clip ──▶ score
                                                   └─▶ share of the clips held out at fit that score as high ──▶ p

    With n clips held out no p-value is below 1 / (n + 1). Raises `UsageError` for a detector of other data.

    >>> from diabolo import AutoencoderDetector, Trainer
    >>> from diabolo.data.sound import Sound
    >>> rng = np.random.default_rng(0)
    >>> clips = objects([Sound(0.1 * rng.normal(size=4000).astype("float32"), 2000) for _ in range(8)])
    >>> detector = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(clips)
    >>> loud = objects([clips[0], Sound(3 * clips[1].samples, 2000)])
    >>> int(judged_clips(detector, loud).score.argmax())
    1
    """
    processor, rows = must_listen(detector), bare(X)
    number, start, _ = processor.places(rows)
    found, above, total, windows = [], np.zeros(len(rows)), 0, np.zeros(len(number))
    for place, strange in enumerate(detector._strangeness(X)):
        held = _means(detector.arrays_[f"{place}.held"], detector.arrays_[f"{place}.clip"])
        found.append(_means(strange, number))
        above += conformal.at_least(np.sort(held), found[-1])
        total += len(held)
        windows += strange
    order = np.lexsort((-windows, number))
    worst = start[order[np.unique(number[order], return_index=True)[1]]]
    return Clips(np.mean(found, 0), (1 + above) / (1 + total), worst, 1 / (1 + total))


def must_listen(detector: AutoencoderDetector) -> SoundProcessor:
    """The processor of a detector of sounds. Raises `UsageError` for a detector of anything else."""
    processor = detector.processor_
    if isinstance(processor, SoundProcessor):
        return processor
    raise UsageError("only recordings of sound are judged clip by clip; this detector was trained on other data.")


def _means(values: ndarray, number: ndarray) -> ndarray:
    """Mean of the values of every clip, numbered from 0 without gaps."""
    return np.bincount(number, values) / np.maximum(np.bincount(number), 1)


# where in a clip ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class SoundMap:
    """What is strange in one recording, along time (F) and frequency (bands, low to high).

    level     (F, bands) decibels
    expected  (F, bands) decibels, what the autoencoder makes of it
    strange   (F, bands) how far the level is from usual, in spreads of the training clips; signed
    rebuilt   (F, bands) how far it is from what is expected, in spreads of the training error; signed
    seconds   of a step
    edges     (bands + 1,) Hz
    """

    level: ndarray
    expected: ndarray
    strange: ndarray
    rebuilt: ndarray
    seconds: float
    edges: ndarray

    def furthest(self) -> tuple[int, float]:
        """The band whose mean level is furthest from usual, and how far, in spreads; signed."""
        means = self.strange.mean(0)
        band = int(np.abs(means).argmax())
        return band, float(means[band])


def has_maps(detector: AutoencoderDetector) -> bool:
    """Whether a detector hears spectra, of which there are maps."""
    return isinstance(detector.processor_, LogMelProcessor) and "peaks" in detector.facts_["measures"]


def sound_maps(detector: AutoencoderDetector, X: Any) -> list[SoundMap]:
    """Maps of what is strange in recordings: overlapping windows averaged, mean over the detector's autoencoders.

    Raises `UsageError` for a detector that hears no log-mel spectra.
    """
    processor = must_listen(detector)
    if not isinstance(processor, LogMelProcessor) or not has_maps(detector):
        raise UsageError("maps are of time and frequency: train the detector with --processor 'log-mel(pool=32)'.")
    rows = bare(X)
    parts = [_layers(witness, X) for witness in detector._witnesses()]
    layers = np.mean(parts, 0)
    number, start, _ = processor.places(rows)
    first = np.rint(start / processor.step_seconds).astype(np.int64)
    counts = [processor.rows_of(length) for length in processor._lengths(rows)]
    edges = _edges(processor)
    maps = []
    for clip, count in enumerate(counts):
        level, expected, strange, rebuilt = _laid(layers[number == clip], first[number == clip], count)
        maps.append(SoundMap(level, expected, strange, rebuilt, processor.step_seconds, edges))
    return maps


def bands(detector: AutoencoderDetector, X: Any) -> list[str]:
    """The band of every recording that is furthest from usual, as a text; '' for detectors of waveforms."""
    if not has_maps(detector):
        return [""] * len(bare(X))
    return [describe(found) for found in sound_maps(detector, X)]


def _layers(witness: Any, X: Any) -> Float[ndarray, "m 4 f b"]:
    """Level, expected level, deviation from usual and from the reconstruction of every window."""
    processor, model = witness.model.processor_, witness.model
    size = witness.arrays["scale"].numel()

    def seen(batch: Batch) -> Tensor:
        x, away = witness._seen(batch)[:, model.n_components_ :].split(size, 1)
        shape = (len(x), *processor.target_shape)
        x, away, scale = x.reshape(shape), away.reshape(shape), witness.arrays["scale"].reshape(shape[1:])
        mean, unit = torch.tensor(processor.mean), processor.spread
        usual = (x - witness.arrays["band_mean"]) / witness.arrays["entry_scale"]
        return torch.stack([x * unit + mean, (x + away) * unit + mean, usual, -away / scale], 1)

    found: ndarray = model._apply(X, lambda batch: seen(batch).flatten(1))
    return found.reshape(len(found), 4, *processor.target_shape)


def _laid(windows: Float[ndarray, "m 4 f b"], first: ndarray, count: int) -> list[ndarray]:
    """Windows averaged where they overlap, on a clip of so many steps."""
    total, times = np.zeros((4, count, windows.shape[-1])), np.zeros(count)
    for window, begin in zip(windows, first, strict=True):
        steps = min(window.shape[1], count - begin)
        total[:, begin : begin + steps] += window[:, :steps]
        times[begin : begin + steps] += 1
    return list(total / np.maximum(times, 1)[:, None])


def _edges(processor: LogMelProcessor) -> ndarray:
    """Hz between the bands."""
    bands = processor.target_shape[1]
    if processor.mels is None:
        return np.linspace(0, processor.hz / 2, bands + 1)
    from ..blocks.spectrum import hz_to_mel

    return mel_to_hz((np.arange(bands + 1) + 0.5) * float(hz_to_mel(processor.hz / 2)) / (bands + 1))


def describe(found: SoundMap) -> str:
    """One line on what is strange: '380-440 Hz louder by 9.1 spreads'."""
    band, away = found.furthest()
    low, high = found.edges[band : band + 2]
    return f"{low:.0f}-{high:.0f} Hz {'louder' if away > 0 else 'softer'} by {abs(away):.1f} spreads"
