"""Sounds: noise taken out, recordings cut where they change, faulty machines found. Runs in about 8 s.

    python examples/sounds.py

The sounds are made here; `diabolo.data.open("folder of WAV files")` reads your own.
"""

from __future__ import annotations

import sys

import numpy as np

from diabolo import AutoencoderDetector, Denoiser, SoundSegmenter, Trainer
from diabolo.core.metrics import si_sdr
from diabolo.data import objects
from diabolo.data.sound import Sound
from diabolo.tasks.denoise_sounds import levels, with_noise
from diabolo.tasks.sound_clips import describe, judged_clips, sound_maps

RATE, RANDOM = 2000, np.random.default_rng(0)


def tones(count: int) -> np.ndarray:
    """Half a second each, of one pitch with overtones, louder and softer."""
    time, made = np.arange(RATE // 2) / RATE, []
    for _ in range(count):
        pitch, beat = RANDOM.uniform(60, 250), RANDOM.uniform(2, 6)
        tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in (1, 2, 3))
        made.append(Sound((0.15 * (1 + 0.5 * np.sin(2 * np.pi * beat * time)) * tone).astype(np.float32), RATE))
    return objects(made)


def machines(count: int, fault: float = 0.0) -> np.ndarray:
    """Two and a half seconds of a hum in noise; a fault whistles at 600 Hz."""
    time, made = np.arange(5 * RATE // 2) / RATE, []
    for _ in range(count):
        hum = RANDOM.uniform(0.08, 0.12) * np.sin(2 * np.pi * 100 * time) + 0.05 * RANDOM.normal(size=len(time))
        made.append(Sound((hum + fault * np.sin(2 * np.pi * 600 * time)).astype(np.float32), RATE))
    return objects(made)


def main(epochs: int = 10) -> None:
    """Three models, a few lines each."""
    clips, fresh = tones(40), tones(8)

    denoiser = Denoiser(trainer=Trainer(epochs=epochs), random_state=0).fit(clips)
    noisy = objects(with_noise(sound, 5.0, RANDOM)[0] for sound in fresh)
    clean = denoiser.transform(noisy)
    before, after = (
        float(np.mean([si_sdr(a.samples, b.samples) for a, b in zip(fresh, heard, strict=True)]))
        for heard in (noisy, clean)
    )
    print(f"denoised: SI-SDR {before:.1f} -> {after:.1f} dB; the first: {levels(noisy)[0]}")

    segmenter = SoundSegmenter(splices=80, pieces=4, trainer=Trainer(epochs=epochs), random_state=0).fit(clips)
    long = Sound(np.concatenate([sound.samples for sound in fresh[:4]]), RATE)
    found = segmenter.segment([long])[0]
    print("cut at " + ", ".join(f"{at:.2f}" for at in found.boundaries) + " s; pieces were put together every 0.50 s")

    detector = AutoencoderDetector(random_state=0).fit(machines(16))
    rows = objects([*machines(3), *machines(1, fault=0.05)])
    verdict = judged_clips(detector, rows)
    worst = int(verdict.score.argmax())
    print(f"strangest recording: number {worst} of {len(rows)}, p = {verdict.p[worst]:.2f}, ", end="")
    print(describe(sound_maps(detector, rows)[worst]))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
