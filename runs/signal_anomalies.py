"""Anomalies in signals: the detector beside a z-score, an isolation forest and PCA, on the same windows.

    python -m runs.signal_anomalies --data DIR --seeds 5 [--only nab]

All methods see the windows that the detector's processor cuts and standardises; AUROC, mean over seeds. Nothing is
chosen by labels in this script: windows are the processor's usual ones, the detector is the default one, and PCA is
given the better of 90 and 95 % of the variance, by the labels, so that it is not undersold.

nab        nab_known_cause, every series by itself, a value for every point (the mean over its windows), points inside
           the labelled windows are anomalies. "all": unsupervised, learnt from the whole series; the detector judges
           every stretch by the autoencoder of the others. "early": learnt from the first 15 % (NAB's probation, without
           anomalies), judged on the rest.
mimii      mimii_fan, log-mel windows of a second; 7 of the 14 normal clips, drawn by the seed, to learn from; the other
           7 and the 10 abnormal ones are judged, window by window.
ecg        ecg5000_train, beats of 140 steps; half of the normal beats, drawn by the seed, to learn from; the other half
           and all other classes are judged.

Rivals: isolation forest (scikit-learn, its defaults) and PCA residual on the windows as vectors; moving z-score: |x -
mean| / spread over the 64 values before (of sounds: of each band over the frames before, mean over the window; of
beats: of the beat so far); z-score: squared distance of the window from the training mean, in training spreads.

Reference: Ahmad, Lavin, Purdy & Agha (2017), "Unsupervised real-time anomaly detection for streaming data"; Purohit et
al. (2019), "MIMII dataset"; Dau et al. (2018), "The UCR time series archive".
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from sklearn.decomposition import PCA
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from diabolo import AutoencoderDetector, data
from diabolo.tasks.windows import along_rows, steps_out_of_fold

from .record import spread

WINDOW, EARLY = 64, 0.15
RIVALS = ("moving z-score", "isolation forest", "PCA residual")
SHARES = (0.9, 0.95)
Found = dict[str, float]


def rivals(train: np.ndarray, test: np.ndarray, seed: int) -> dict[str, np.ndarray]:
    """Scores of windows as vectors (N, F)."""
    mean, deviation = train.mean(0), train.std(0) + 1e-6
    found = {
        "z-score": np.square((test - mean) / deviation).mean(1),
        "isolation forest": -IsolationForest(random_state=seed).fit(train).score_samples(test),
    }
    for share in SHARES:
        pca = PCA(share, svd_solver="full").fit(train)
        found[f"PCA {share:g}"] = np.square(test - pca.inverse_transform(pca.transform(test))).sum(1)
    return found


def best_pca(found: Found) -> Found:
    """The better of the two sizes stands for PCA."""
    return {**found, "PCA residual": max(found[f"PCA {share:g}"] for share in SHARES)}


def moving(values: np.ndarray, window: int = WINDOW) -> np.ndarray:
    """|x - mean| / spread over the ``window`` values before, of every channel (T, C); 0 where there are too few."""
    before = np.concatenate([np.zeros((1, values.shape[1])), values.cumsum(0)])
    squares = np.concatenate([np.zeros((1, values.shape[1])), np.square(values).cumsum(0)])
    at = np.arange(len(values))
    first = np.maximum(at - window, 0)
    count = np.maximum(at - first, 1)[:, None]
    mean = (before[at] - before[first]) / count
    variance = np.maximum((squares[at] - squares[first]) / count - mean**2, 0)
    z = np.abs(values - mean) / np.sqrt(variance + 1e-6 * values.var(0) + 1e-12)
    return np.where((at >= 8)[:, None], z, 0.0)


def encoded(processor: Any, rows: Any) -> np.ndarray:
    """Windows (M, W, C) as the detector's autoencoder sees them."""
    return np.asarray(processor.collate(processor.encode(rows)).target)


# every set gives the AUROC of each method ---------------------------------------------------------------------


def nab(folder: Path, seed: int, share: float = 1.0) -> Iterator[tuple[str, Found]]:
    """The seven series, one after the other; ``share``: of each to learn from."""
    inside = json.loads((folder / "nab_known_cause" / "windows.json").read_text("utf-8"))
    for series in data.open(folder / "nab_known_cause", as_="series").rows:
        strange = np.zeros(series.steps, bool)
        for begin, end in inside[series.name]:
            strange |= (series.time >= np.datetime64(begin)) & (series.time <= np.datetime64(end))
        cut = round(share * series.steps)
        learn = [series.take(0, cut)]
        detector = AutoencoderDetector(random_state=seed).fit(data.open(learn, as_="series"))
        processor = detector.processor_
        windows = [encoded(processor, part).reshape(-1, processor.steps) for part in (learn, [series])]
        points = {
            name: along_rows(processor, [series], score)[0].values[:, 0]
            for name, score in rivals(*windows, seed).items()
        }
        points["moving z-score"] = moving(series.values)[:, 0]
        if share == 1:
            points["ours"] = steps_out_of_fold(detector, learn)[0].values[:, 0]
        else:
            points["ours"] = along_rows(processor, [series], -detector.score_samples([series]))[0].values[:, 0]
        judged = slice(cut if share < 1 else 0, None)
        areas = {name: float(roc_auc_score(strange[judged], score[judged])) for name, score in points.items()}
        yield Path(series.name).stem, areas


def mimii(folder: Path, seed: int) -> Found:
    """Windows of clips that were not learnt from."""
    source = data.open(folder / "mimii_fan" / "fan_id_00_ch0.zip", as_="audio", processor="log-mel")
    strange = np.asarray(source.target).astype(str) == "abnormal"
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~strange))
    learn, judged = np.sort(normal[:7]), np.concatenate([np.sort(normal[7:]), np.flatnonzero(strange)])
    detector = AutoencoderDetector(random_state=seed).fit(source.take(learn))
    processor = detector.processor_
    train, test = (encoded(processor, source.rows[index]) for index in (learn, judged))
    number = processor.places(source.rows[judged])[0]
    found = rivals(train.reshape(len(train), -1), test.reshape(len(test), -1), seed)
    found["moving z-score"] = np.concatenate([_moving_frames(test[number == clip]) for clip in range(len(judged))])
    found["ours"] = -detector.score_samples(source.take(judged))
    return _areas(strange[judged][number], found)


def _moving_frames(windows: np.ndarray) -> np.ndarray:
    """Mean over each window of the moving z-score of its frames; successive windows of a clip lie end to end."""
    flat = windows.reshape(-1, windows.shape[-1]).astype(np.float64)
    return moving(flat).reshape(len(windows), -1).mean(1)


def ecg(folder: Path, seed: int) -> Found:
    """Beats that were not learnt from."""
    source = data.open(folder / "ecg5000_train" / "ECG5000_TRAIN.txt", as_="series", target="x0",
                       processor="series(window=None)")  # fmt: skip
    strange = np.asarray(source.target).astype(float).astype(int) != 1
    normal = np.random.default_rng(seed).permutation(np.flatnonzero(~strange))
    half = len(normal) // 2
    learn, judged = normal[:half], np.concatenate([normal[half:], np.flatnonzero(strange)])
    detector = AutoencoderDetector(random_state=seed).fit(source.take(learn))
    train, test = (encoded(detector.processor_, source.rows[index])[..., 0] for index in (learn, judged))
    found = rivals(train, test, seed)
    found["moving z-score"] = np.array([moving(beat[:, None].astype(np.float64)).max() for beat in test])
    found["ours"] = -detector.score_samples(source.take(judged))
    return _areas(strange[judged], found)


def _areas(strange: np.ndarray, scores: dict[str, np.ndarray]) -> Found:
    return {name: float(roc_auc_score(strange, score)) for name, score in scores.items()}


# and the tables -----------------------------------------------------------------------------------------------


def mean_of(found: list[Found]) -> Found:
    """Mean of every method."""
    return {name: float(np.mean([one[name] for one in found])) for name in found[0]}


def report(title: str, found: list[Found]) -> bool:
    """A row for every rival; says whether ours is ahead of all three."""
    found = [best_pca(one) for one in found]
    head(f"{title}; ours {spread([one['ours'] for one in found])}")
    ours, ahead = mean_of(found)["ours"], []
    for name in (*RIVALS, "z-score"):
        rival = mean_of(found)[name]
        bar = f"ours > {rival:.4f}" if name in RIVALS else ""
        wins = sum(one["ours"] > one[name] for one in found)
        met = row(f"against {name}, ahead in {wins} of {len(found)} seeds", ours, rival, bar)
        ahead.append(met or name not in RIVALS)
    return all(ahead)


def main() -> None:
    """Print a table for every set, and on how many of them ours is ahead of all three rivals."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--only", choices=("nab", "mimii", "ecg"))
    args = options.parse_args()
    folder, seeds = Path(args.data), range(args.seed, args.seed + args.seeds)
    began, ahead = time.perf_counter(), {}
    if args.only in (None, "ecg"):
        ahead["ecg"] = report("ecg5000_train: half of the normal beats", [ecg(folder, seed) for seed in seeds])
    if args.only in (None, "mimii"):
        ahead["mimii"] = report("mimii_fan: 7 normal clips", [mimii(folder, seed) for seed in seeds])
    if args.only in (None, "nab"):
        for share, title in ((1.0, "all"), (EARLY, "early")):
            each = [dict(nab(folder, seed, share)) for seed in seeds]
            met = report(f"nab_known_cause, {title}: mean of seven series", [mean_of(list(e.values())) for e in each])
            ahead.update({"nab": met} if share == 1 else {})
            for name in each[0]:
                print(f"  {name}: " + ", ".join(f"{k} {v:.3f}" for k, v in mean_of([e[name] for e in each]).items()))
    print(f"\nahead of all three rivals on {sum(ahead.values())} of {len(ahead)}: {ahead}")
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
