"""Faulty fans by their sound: the detector beside PCA residuals and Mahalanobis distances on log-mel, by recording.

    python -m runs.machine_sounds --data DIR [--seeds 10] [--made]

MIMII, fan 00: 14 normal and 10 abnormal recordings of 10 s. In every split 7 normal recordings, drawn by the seed, are
learnt from; the other 7 and the 10 abnormal ones are judged, AUROC by recording (never by window), mean over splits.

Nothing is chosen by labels: pooling and measures are those of best AUROC for faults made in normal recordings (--made
prints them: 9 normal recordings to learn from, the other 5 and six faults made in each to judge; a band louder or
softer, a tone, a rattle). Rivals, each in three forms, the best of which counts for all of them: residual of principal
components (95 % of the variance) and Mahalanobis distance (Ledoit & Wolf's covariance) of log-mel frames, of mean
levels over a second, and of windows of a second as they are (PCA alone); the score of a recording is the mean. A plain
z-score of mean levels stands beside them. A picture of the strangest recording's map is written to runs/out/.
Bar: not below the best of the rivals.

Reference: Purohit et al. (2019), "MIMII dataset: sound dataset for malfunctioning industrial machine investigation and
inspection"; Ledoit & Wolf (2004), "A well-conditioned estimator for large-dimensional covariance matrices".
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray
from sklearn.metrics import roc_auc_score

from diabolo import AutoencoderDetector, data
from diabolo.core import make
from diabolo.data.record import objects
from diabolo.tasks.sound_clips import SPECTRA, judged_clips, sound_maps
from diabolo.tasks.sound_faults import SHARE, by_clip, simple_scores, with_fault
from diabolo.tasks.sound_pictures import signed, spectrum

from .record import spread

OUT = Path(__file__).parent / "out"
LEARN, MADE, POOLS = 7, 6, (8, 32, 125)
FRAMES_APART = 5
"""Every fifth frame stands for all."""


def levels(source: data.Source) -> ndarray:
    """Log-mel frames of every recording (N, F, 64)."""
    mel = make("processor", "log-mel").fit(source.rows)
    return np.stack([mel._levels(samples).numpy() for samples in mel._heard(source.rows)]).astype(np.float64)


def rivals(frames: ndarray, learn: ndarray, judged: ndarray) -> dict[str, ndarray]:
    """Scores of recordings (judged,)."""
    found: dict[str, ndarray] = {}
    count = len(judged)
    number = lambda rows: np.repeat(np.arange(count), len(rows) // count)  # noqa: E731
    seconds = np.stack([frames[:, begin : begin + 125].mean(1) for begin in range(0, frames.shape[1] - 124, 62)], 1)
    for form, rows in (("frames", frames[:, ::FRAMES_APART]), ("levels over 1 s", seconds)):
        known, tried = (rows[index].reshape(-1, rows.shape[-1]) for index in (learn, judged))
        for name, score in simple_scores(known, tried).items():
            found[f"{name}, {form}"] = by_clip(score, number(tried))
    windows = frames[:, : frames.shape[1] // 125 * 125].reshape(len(frames), -1, 125 * frames.shape[2])
    known, tried = (windows[index].reshape(-1, windows.shape[-1]) for index in (learn, judged))
    found["PCA residual, windows"] = by_clip(_residual(known, tried), number(tried))
    return found


def _residual(known: ndarray, tried: ndarray) -> ndarray:
    """What is left of long rows beside the principal components of fewer rows, by their inner products."""
    mean = known.mean(0)
    values, vectors = np.linalg.eigh((known - mean) @ (known - mean).T)
    order = np.argsort(-values)
    kept = order[: int(np.searchsorted(np.cumsum(values[order]) / values.sum(), SHARE)) + 1]
    axes = (known - mean).T @ vectors[:, kept] / np.sqrt(values[kept])
    away = tried - mean
    left: ndarray = np.square(away).sum(1) - np.square(away @ axes).sum(1)
    return left


def made(source: data.Source, strange: ndarray, seeds: range) -> None:
    """AUROC for faults made in normal recordings, by pooling; the detector as it is and its measures alone."""
    for pool in POOLS:
        every = []
        for seed in seeds:
            random = np.random.default_rng(100 + seed)
            normal = random.permutation(np.flatnonzero(~strange))
            held = source.rows[normal[9:]]
            tried = objects([*held, *(with_fault(sound, random) for sound in held for _ in range(MADE))])
            wrong = np.arange(len(tried)) >= len(held)
            learn = replace(source.take(np.sort(normal[:9])), processor=f"log-mel(pool={pool})")
            detector = AutoencoderDetector(random_state=seed).fit(learn)
            every.append(float(roc_auc_score(wrong, judged_clips(detector, tried).score)))
        print(f"made faults, pool={pool}: {spread(every)}", flush=True)


def show(detector: Any, source: data.Source, place: int) -> None:
    """The spectrum and both maps of one recording, one below the other, as a PNG."""
    from PIL import Image

    found = sound_maps(detector, source.take(np.array([place])))[0]
    parts = [spectrum(found.level, found.level.min(), found.level.max()), signed(found.strange), signed(found.rebuilt)]
    OUT.mkdir(exist_ok=True)
    Image.fromarray(np.concatenate(parts)).save(OUT / "machine_sound.png")


def main() -> None:
    """A table over the splits."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--made", action="store_true", help="only faults made in normal recordings")
    args = options.parse_args()
    source = data.open(Path(args.data) / "mimii_fan" / "fan_id_00_ch0.zip", as_="audio")
    strange = np.asarray(source.target).astype(str) == "abnormal"
    began, every, seeds = time.perf_counter(), [], range(args.seed, args.seed + args.seeds)
    if args.made:
        made(source, strange, seeds)
        return
    frames = levels(source)
    for seed in seeds:
        normal = np.random.default_rng(seed).permutation(np.flatnonzero(~strange))
        learn = np.sort(normal[:LEARN])
        judged = np.concatenate([np.sort(normal[LEARN:]), np.flatnonzero(strange)])
        detector = AutoencoderDetector(random_state=seed).fit(source.take(learn))
        scores = {"ours": judged_clips(detector, source.take(judged)).score, **rivals(frames, learn, judged)}
        every.append({name: float(roc_auc_score(strange[judged], score)) for name, score in scores.items()})
        print(f"split {seed}: " + ", ".join(f"{k} {v:.3f}" for k, v in every[-1].items()), flush=True)
        if seed == args.seed:
            show(detector, source, int(np.flatnonzero(strange)[0]))
    means = {name: float(np.mean([one[name] for one in every])) for name in every[0]}
    best = max((name for name in means if name.startswith(("PCA", "Maha"))), key=lambda name: means[name])
    head(f"mimii_fan, AUROC by recording, {SPECTRA}; ours {spread([one['ours'] for one in every])}")
    row(f"best of PCA and Mahalanobis: {best}", means["ours"], means[best], f"ours >= {means[best]:.4g}")
    for name, value in means.items():
        if name not in ("ours", best):
            row(name, means["ours"], value)
    ahead = sum(one["ours"] >= one[best] for one in every)
    print(f"not below {best} in {ahead} of {len(every)}; {time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
