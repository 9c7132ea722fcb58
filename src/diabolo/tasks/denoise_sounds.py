"""Noise taken out of sounds: gains over the spectrum, learnt from clean recordings or from noisy ones alone."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import Spec
from ..core.errors import DataError, out_of_range
from ..core.metrics import si_sdr
from ..data import Source, processor_for
from ..data import open as open_source
from ..data.process_audio import AudioProcessor
from ..data.record import objects
from ..data.sound import Sound
from ..data.sound_windows import checked
from ..estimators.base import BaseAutoencoder
from ..estimators.denoising import DenoisingAutoencoder
from ..estimators.rows import bare
from ..train import Trainer
from . import noise_floor
from .base import Assessment
from .exhibit import Exhibit, Strip
from .sound_pictures import loudest, picture_of

CODE, WINDOW = 64, 0.5
"""Values of a code, one code a frame; seconds of a window."""
STEPS, BATCH, RATE = 1200, 32, 2e-3
"""Of training, where nothing was asked for."""
TRIALS, SHOWN = 40, 4
"""Recordings that a denoiser is judged by, and that are shown."""
SILENT = 1e-5


def source_of(X: Any) -> Source:
    """Sounds as windows of half a second at one loudness, unless another way was asked for.

    Raises `DataError` for rows that are no sounds and for silence.
    """
    X = open_source(X) if isinstance(X, str | Path) else X
    sounds = checked(bare(X))
    if all(float(np.abs(sound.samples).max(initial=0)) < SILENT for sound in sounds):
        raise DataError("all recordings are silent: there is nothing to learn from.")
    source = X if isinstance(X, Source) else Source(objects(sounds), "audio")
    return replace(source, processor=source.processor or f"audio(window={WINDOW}, level='clip')")


def rate_of(source: Source) -> int:
    """The rate that recordings are read at. Raises `UsageError` for a processor of spectra."""
    reader = processor_for(source)
    if not isinstance(reader, AudioProcessor):
        raise out_of_range("processor", "'audio(…)': noise is taken out of waveforms", source.processor)
    rates = [sound.rate for sound in source.rows]
    return reader.rate or max(set(rates), key=rates.count)


def usual_autoencoder(rate: int) -> DenoisingAutoencoder:
    """Convolutions over frames of 32 ms whose output are gains."""
    frame, step = noise_floor.frame_of(rate)
    return DenoisingAutoencoder(CODE, network=Spec("gains", frame=frame, step=step), loss="squared")


def recording_of(noise: Any, rate: int) -> ndarray:
    """Recordings of noise end to end (N,), at one rate, each at the same loudness.

    Raises `DataError` for what is no sound, or silent.
    """
    sounds = checked(bare(open_source(noise) if isinstance(noise, str | Path) else noise))
    parts = [sound.mono().at(rate).samples for sound in sounds]
    parts = [part / np.sqrt(np.square(part).mean()) for part in parts if np.abs(part).max(initial=0) > SILENT]
    if not parts:
        raise DataError("the recordings of noise are silent; give some in which it is heard.")
    made: ndarray = np.concatenate(parts).astype(np.float32)
    return made


def steps_for(trainer: Trainer | None, windows: int) -> Trainer:
    """A copy of a trainer in which "auto" is what suits gains: about 1,200 steps or 20 passes, small batches."""
    made = Trainer(**(trainer or Trainer()).get_params(deep=False))
    made.validation = 0.0  # rows are heard without noise there, and gains of 1 would look best
    if made.optimizer == "auto":
        made.set_params(optimizer="adamw", lr=RATE if made.lr == "auto" else made.lr)
    if made.batch_size == "auto":
        made.batch_size = BATCH
    if made.epochs == "auto":
        batch = made.batch_size if isinstance(made.batch_size, int) else windows
        made.epochs = int(np.clip(STEPS // max(1, math.ceil(windows / batch)), 20, 200))
    return made


def denoised(model: BaseAutoencoder, X: Any, *, clean: bool = True) -> ndarray:
    """Sounds without their noise, at the model's rate, each as long and as loud as it was given.

    clean : whether it learnt from clean ones; a model of noisy ones takes half of the noise away: its step is doubled.
    """
    rows = bare(open_source(X) if isinstance(X, str | Path) else X)
    found: ndarray = model.reconstruct(rows)
    if clean:
        return found
    processor: Any = model.processor_
    given = [samples.reshape(one.samples.shape) for samples, one in zip(processor._heard(rows), found, strict=True)]
    return objects(
        Sound((2 * one.samples - noisy).clip(-1, 1), one.rate) for one, noisy in zip(found, given, strict=True)
    )


# how good it is -------------------------------------------------------------------------------------------------


def with_noise(
    sound: Sound, ratio: float, random: np.random.Generator, recording: ndarray | None = None
) -> tuple[Sound, ndarray]:
    """A sound in noise at a ratio in decibels, and the noise (T,): white, or a stretch of a recording (N,)."""
    samples = sound.mono().samples
    noise = random.normal(size=len(samples))
    if recording is not None:
        noise = recording[(random.integers(len(recording)) + np.arange(len(samples))) % len(recording)].astype(float)
    power = float(np.square(samples, dtype=np.float64).mean()) / max(float(np.square(noise).mean()), 1e-20)
    noise *= math.sqrt(power) / 10 ** (ratio / 20)
    return Sound(samples + noise.astype(np.float32), sound.rate), noise.astype(np.float32)


def gains_of(
    model: BaseAutoencoder, rows: Sequence[Sound], ratio: float, seed: int, *, clean: bool = True, noise: Any = None
) -> dict[str, ndarray]:
    """SI-SDR gained by every method on every recording in noise, in decibels: name -> (N,).

    rows : clean, of one channel, at the model's rate.
    """
    random = np.random.default_rng(seed)
    recording = None if noise is None else recording_of(noise, rows[0].rate)
    noisy, added = zip(*(with_noise(sound, ratio, random, recording) for sound in rows), strict=True)
    guessed = [noise_floor.noise_power(sound.samples, sound.rate) for sound in noisy]
    true = [noise_floor.power_of(part, sound.rate) for part, sound in zip(added, noisy, strict=True)]
    found: dict[str, list[Sound]] = {
        "this model": list(denoised(model, objects(noisy), clean=clean)),
        "spectral subtraction, estimated noise": list(map(noise_floor.subtracted, noisy, guessed)),
        "Wiener filter, estimated noise": list(map(noise_floor.wiener, noisy, guessed)),
        "Wiener filter, true noise spectrum": list(map(noise_floor.wiener, noisy, true)),
        "ideal ratio mask (knows the clean sound)": list(map(noise_floor.ratio_mask, noisy, rows)),
    }
    before = _quality(rows, noisy)
    return {name: _quality(rows, made) - before for name, made in found.items()}


def _quality(rows: Sequence[Sound], heard: Sequence[Sound]) -> ndarray:
    """SI-SDR of every recording (N,)."""
    return np.array([si_sdr(one.samples, other.samples) for one, other in zip(rows, heard, strict=True)])


def assess(
    model: BaseAutoencoder, held: Source, *, ratio: float = 5.0, seed: int = 0, noise: Any = None
) -> Assessment | None:
    """SI-SDR gained on held-out clean recordings in noise, white or as recorded, beside simple methods.

    None: all are silent.
    """
    processor: Any = model.processor_
    rows = [sound.mono().at(processor.hz) for sound in list(held.rows)[:TRIALS]]
    rows = [sound for sound in rows if float(np.abs(sound.samples).max()) > SILENT]
    if not rows:
        return None
    gains = gains_of(model, rows, ratio, seed, noise=noise)
    means = {"nothing done": 0.0, **{name: float(values.mean()) for name, values in gains.items()}}
    fair = [name for name in means if "estimated" in name]
    best = max(fair, key=lambda name: means[name])
    lead = gains["this model"] - gains[best]
    error = 1.96 * float(lead.std()) / math.sqrt(len(lead))
    who = "better than" if lead.mean() > error else "no better than" if lead.mean() < -error else "a tie with"
    kind = "white" if noise is None else "recorded"
    return Assessment(
        f"{len(rows)} held-out recordings in {kind} noise at {ratio:g} dB",
        ("", "SI-SDR gained, dB"),
        tuple((name, f"{value:+.2f}") for name, value in means.items()),
        f"{who} {best}: {lead.mean():+.2f} dB ± {error:.2f}",
    )


def levels(rows: Sequence[Sound]) -> list[str]:
    """One line a sound on its noise: 'noise at -41.2 dB of full scale, 5.1 dB below the signal'."""
    return [_told(*noise_floor.noise_level(sound)) for sound in rows]


def _told(level: float, ratio: float) -> str:
    if math.isnan(ratio):
        return "silent"
    if not math.isfinite(level):
        return "no noise found"
    beside = "nothing else is heard" if ratio == -math.inf else f"{ratio:.1f} dB below the signal"
    return f"noise at {level:.1f} dB of full scale, {beside}"


def exhibits(model: BaseAutoencoder, source: Source, *, clean: bool = True, seed: int = 0) -> Sequence[Exhibit]:
    """Spectra of recordings: clean ones in noise at 5 dB and denoised, or noisy ones as they are and denoised."""
    processor: Any = model.processor_
    given = [sound.mono().at(processor.hz) for sound in list(source.rows)[:SHOWN]]
    random = np.random.default_rng(seed)
    noisy = [with_noise(sound, 5.0, random)[0] if clean else sound for sound in given]
    back = denoised(model, objects(noisy), clean=clean)
    strips = []
    for place, (own, heard, one) in enumerate(zip(given, noisy, back, strict=True)):
        high = loudest(heard)
        shown = ([("clean", own)] if clean else []) + [("noisy", heard), ("denoised", one)]
        name = str(place) if source.keys is None else str(source.keys.iloc[place, 0])
        title = f"{name}: {_told(*noise_floor.noise_level(heard))}"
        strips.append(Strip(title, tuple(picture_of(s, high) for _, s in shown), tuple(c for c, _ in shown)))
    text = "Time runs to the right, frequency upwards; 70 dB from black to white, the same in all pictures of a line."
    return (Exhibit("Sounds without their noise", text, tuple(strips)),)
