"""Speech in noise: SI-SDR gained on speakers never heard, beside Wiener filters.

    python -m runs.speech_denoising --data DIR [--seeds 1] [--rows 1500] [--epochs 20] [--alone]

Free Spoken Digit Dataset, 4 speakers x 10 digits x 50 takes, 8 kHz. Each speaker is the test in turn: the denoiser
learns from clean recordings of the three others, in white noise at -5 to 15 dB drawn anew for every batch, and is
judged on 200 recordings of the fourth in white noise at 5 dB. Nothing is chosen on these: network, code and noise are
the defaults of the class. --alone learns from noisy recordings only: those of the three others in noise at 5 dB, never
the clean ones.

Rivals: the Wiener filter that is told the true noise spectrum (ratio of signal to noise frame by frame, and by the
decision-directed rule; the better of the two counts), the same and spectral subtraction with an estimated spectrum;
limit: the ideal ratio mask, which knows the clean recording. A noisy recording and the denoised one are written to
runs/out/. Bar: at least 4 dB, and not below the Wiener filter with the true spectrum.

Reference: Le Roux et al. (2019), "SDR - half-baked or well done?"; Scalart & Vieira Filho (1996), "Speech enhancement
based on a priori signal to noise estimation".
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray

from diabolo import Denoiser, Trainer, data
from diabolo.core.metrics import si_sdr
from diabolo.data.record import objects
from diabolo.tasks import noise_floor
from diabolo.tasks.denoise_sounds import denoised, gains_of, with_noise

OUT = Path(__file__).parent / "out"
RATIO, JUDGED = 5.0, 200
WIENER = ("Wiener filter, true noise spectrum", "the same, frame by frame")


def fit(train: ndarray, seed: int, epochs: int, clean: bool) -> Any:
    """A denoiser of the usual kind."""
    task = Denoiser(clean=clean, trainer=Trainer(epochs=epochs), random_state=seed)
    return task.fit(data.Source(train, "audio")).autoencoder_


def frame_by_frame(rows: list[Any], seed: int) -> ndarray:
    """SI-SDR gained by the plain Wiener filter with the true spectrum, in the noise that `gains_of` draws."""
    random, found = np.random.default_rng(seed), []
    for sound in rows:
        noisy, noise = with_noise(sound, RATIO, random)
        made = noise_floor.plain_wiener(noisy, noise_floor.power_of(noise, sound.rate))
        found.append(si_sdr(sound.samples, made.samples) - si_sdr(sound.samples, noisy.samples))
    return np.array(found)


def listen(model: Any, sound: Any, clean: bool) -> None:
    """Write a recording in noise, and without it."""
    OUT.mkdir(exist_ok=True)
    noisy = objects([with_noise(sound, RATIO, np.random.default_rng(0))[0]])
    data.write(OUT / "speech_noisy.wav", noisy, force=True)
    data.write(OUT / "speech_denoised.wav", denoised(model, noisy, clean=clean), force=True)


def main() -> None:
    """A table over the four speakers."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=20)
    options.set_defaults(rows=1500)
    options.add_argument("--alone", action="store_true", help="learn from noisy recordings alone")
    args = options.parse_args()
    source = data.open(Path(args.data) / "fsdd" / "recordings.zip")
    speaker = np.array([Path(name).stem.split("_")[1] for name in source.keys["file"]])
    began, every = time.perf_counter(), []
    for seed in range(args.seed, args.seed + args.seeds):
        for test in sorted(set(speaker)):
            random = np.random.default_rng(seed)
            train = source.rows[random.permutation(np.flatnonzero(speaker != test))[: args.rows]]
            rows = list(source.rows[random.permutation(np.flatnonzero(speaker == test))[:JUDGED]])
            if args.alone:
                train = objects(with_noise(sound, RATIO, random)[0] for sound in train)
            model = fit(train, seed, args.epochs, clean=not args.alone)
            gains = gains_of(model, rows, RATIO, seed, clean=not args.alone)
            gains[WIENER[1]] = frame_by_frame(rows, seed)
            every.append({name: float(values.mean()) for name, values in gains.items()})
            shown = ", ".join(f"{name} {value:.2f}" for name, value in every[-1].items())
            print(f"seed {seed}, {test}: {shown} ({time.perf_counter() - began:.0f} s)", flush=True)
            if test == "theo":
                listen(model, rows[0], clean=not args.alone)
    means = {name: float(np.mean([one[name] for one in every])) for name in every[0]}
    head(f"SI-SDR gained at {RATIO:g} dB of white noise, dB, mean over {len(every)} speakers and seeds")
    best = max(WIENER, key=lambda name: means[name])
    row("ours, nothing done", means["this model"], 0.0, "ours >= 4")
    row(f"ours, {best}", means["this model"], means[best], f"ours >= {means[best]:.4g}")
    for name, value in means.items():
        if name not in ("this model", best):
            row(f"ours, {name}", means["this model"], value)
    folds = [one["this model"] for one in every]
    print(f"ours by fold: {min(folds):.2f} to {max(folds):.2f}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
