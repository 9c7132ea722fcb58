"""Rare classes of pictures filled up: made in codes, beside SMOTE on pixels, warping, weights and nothing.

    python -m runs.rare_pictures --data DIR [--seeds 5] [--classifier logistic] [--keep FILE] [--out DIR]

Fashion-MNIST made 100 : 1: every seed draws five of the ten classes to be rare, 5 pictures each, 500 of each other
class, all from the training pictures. One classifier of fixed settings in all arms: logistic regression on pixels
(C = 0.01); with ``--classifier forest`` 100 trees. Arms: nothing, class weights, repeated rows, SMOTE on pixels
(k = 5), warping (`tasks.warped`, its defaults), and made rows: `AutoencoderSampler`, interpolation in the codes of an
autoencoder of its defaults, 8 epochs. Balanced accuracy on the 10,000 test pictures; intervals are paired over seeds
(Student's t; every seed is a new draw of classes and pictures).

The way (interpolation, not density) and the epochs were chosen on seed 100 and 3,000 training pictures that no arm was
taught by; no test picture chose anything. Bars: made rows ahead of nothing by 5 points at least, and not below SMOTE
or warping (the paired interval reaches 0), or the verdict says so.

Reference: Dablain, Krawczyk & Chawla (2022), "DeepSMOTE"; Chawla et al. (2002), "SMOTE"; Simard, Steinkraus & Platt
(2003) for the warping.
"""

from __future__ import annotations

import argparse
import warnings
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from numpy import ndarray
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer

from diabolo import AutoencoderSampler, Trainer
from diabolo.tasks.arms import WARPED, Arms
from diabolo.tasks.verdict import ARMS, OURS, corrected_interval, judge

from .frechet import grid
from .imbalanced import Kept

NAME, SIDE, COMMON, RARE, CLASSES = "fashion_mnist", 28, 500, 5, 10
WAY, SHOWN = "interpolation", 20


def flat(pictures: ndarray) -> ndarray:
    """Pictures (N, H, W) as rows in [0, 1]."""
    return pictures.reshape(len(pictures), -1) / np.float32(255)


CLASSIFIERS: dict[str, Any] = {
    "logistic": make_pipeline(FunctionTransformer(flat), LogisticRegression(C=0.01, max_iter=60)),
    "forest": make_pipeline(FunctionTransformer(flat), RandomForestClassifier(100)),
}


def main() -> None:
    """Measure every seed, print the table and the verdict, write pictures."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--classifier", choices=list(CLASSIFIERS), default="logistic")
    options.add_argument("--keep", help="file of what is done")
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)  # the same steps for all arms
    kept, seeds = Kept(args.keep), range(args.seed, args.seed + args.seeds)
    scores = [kept.get(f"{args.classifier} {seed}", partial(measured, args, seed)) for seed in seeds]
    report({arm: 100 * np.array([one[arm] for one in scores]) for arm in scores[0]}, args)


def bytes_of(args: argparse.Namespace, part: str) -> tuple[ndarray, ndarray]:
    """Pictures uint8 (N, 28, 28) and classes."""
    X = np.rint(mnist(args, part, NAME) * 255).astype(np.uint8).reshape(-1, SIDE, SIDE)
    return X, labels(args, part, NAME)


def drawn(args: argparse.Namespace, seed: int) -> tuple[ndarray, ndarray, ndarray]:
    """Training pictures and classes of a seed, and which classes are rare in it."""
    X, y = bytes_of(args, "train")
    random = np.random.default_rng(seed)
    rare = np.sort(random.permutation(CLASSES)[: CLASSES // 2])
    some = [random.choice(np.flatnonzero(y == c), RARE if c in rare else COMMON, replace=False) for c in range(CLASSES)]
    index = np.concatenate(some)
    return X[index], y[index], rare


def measured(args: argparse.Namespace, seed: int) -> dict[str, float]:
    """Balanced accuracy of every arm; pictures of the first seed on the disk."""
    X, y, rare = drawn(args, seed)
    base = AutoencoderSampler(how=WAY, trainer=Trainer(epochs=8))
    arms = Arms(X, y, CLASSIFIERS[args.classifier], base, seed)
    test, truth = bytes_of(args, "test")
    scores = {arm: arms.score(arm, test, truth, WAY) for arm in (*ARMS, WARPED, OURS)}
    if seed == args.seed:
        shown(arms, rare, args.out / "rare-pictures.png")
    return {arm: value for arm, value in scores.items() if value is not None}


def shown(arms: Arms, rare: ndarray, path: Path) -> None:
    """For every rare class: its pictures, then SMOTE's, warped and made ones."""
    lines = []
    for arm in ("SMOTE", WARPED, OURS):
        rows, y = arms.taught(arm, WAY)
        for c in rare:
            more = rows[len(arms.rows) :][y[len(arms.rows) :] == c]
            lines.append((c, np.concatenate([arms.rows[arms.y == c], more])[:SHOWN]))
    ordered = [pictures for c in rare for value, pictures in lines if value == c]
    grid([flat(pictures) for pictures in ordered], path, SHOWN)
    print(f"{path}: of classes {rare.tolist()} three lines each, {RARE} real ones and then SMOTE's, warped, made")


def report(scores: dict[str, ndarray], args: argparse.Namespace) -> None:
    """The table, the bars, and the verdict in words."""
    head(f"Fashion-MNIST 100:1, {args.classifier}: balanced accuracy in %, {len(scores[OURS])} seeds")
    for arm, values in scores.items():
        gain = corrected_interval(values - scores["nothing"], 0.0)
        row(f"{arm}: gain {gain}", float(values.mean()), float(scores["nothing"].mean()))
    gains = {rival: corrected_interval(scores[OURS] - scores[rival], 0.0) for rival in ("nothing", "SMOTE", WARPED)}
    row("made rows - nothing, points", gains["nothing"].value, 0.0, "ours >= 5")
    for rival in ("SMOTE", WARPED):
        row(
            f"made rows - {rival}, points: not below (paired 95 %: {gains[rival]})", gains[rival].high, 0.0, "ours >= 0"
        )
    found = judge({arm: values / 100 for arm, values in scores.items()}, [WAY] * len(scores[OURS]), 0.0)
    print(f"verdict: {found.verdict}")


if __name__ == "__main__":
    main()
