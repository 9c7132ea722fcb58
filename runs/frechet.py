"""What the scripts on generators share: MNIST in parts, Frechet distance in a fixed classifier's features, pictures.

Inception's weights are for photographs and are not here; the features are the 128 hidden units of a classifier of
digits, trained once on pictures no generator sees. Distances are between sets of 5,000 pictures: they may be compared
with each other, not with FIDs of papers.
"""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from benchmarks.common import labels, mnist
from numpy import ndarray
from PIL import Image
from sklearn.datasets import load_digits

from diabolo.core.metrics import frechet_distance
from diabolo.tasks.features import Features, taught

SHOWN = 5000
CLASSIFIER, TRAIN = slice(0, 10_000), slice(10_000, 20_000)
FRESH, OTHER = slice(20_000, 25_000), slice(25_000, 30_000)
"""Parts of MNIST's training pictures: the classifier's, the models', and two that only measure."""


@dataclass
class Judge:
    """Pictures to learn from and to measure with, and the features to measure in."""

    train: ndarray
    fresh: ndarray
    other: ndarray
    features: Features

    @classmethod
    def of(cls, args: argparse.Namespace) -> Judge:
        """MNIST in parts; the classifier is trained with a seed of its own."""
        X, y = mnist(args, "train"), labels(args, "train")
        return cls(X[TRAIN], X[FRESH], X[OTHER], _classifier(X[CLASSIFIER], y[CLASSIFIER], X[FRESH], y[FRESH], 20))

    @classmethod
    def of_digits(cls) -> Judge:
        """scikit-learn's digits: 1,200 to learn from, 597 fresh; the classifier knows the labels of the first."""
        held = load_digits()
        X, y = (held.data / 16).astype(np.float32), held.target
        order = np.random.default_rng(2017).permutation(len(X))
        known, fresh = order[:1200], order[1200:]
        net = _classifier(X[known], y[known], X[fresh], y[fresh], 100)
        return cls(X[known], X[fresh], X[known[: len(fresh)]], net)

    def distance(self, pictures: ndarray) -> float:
        """Frechet distance of pictures to as many fresh ones."""
        return frechet_distance(self.features(pictures), self.features(self.fresh))

    def floor(self) -> float:
        """The distance of real pictures to real pictures."""
        return self.distance(self.other)

    def gaussian(self) -> float:
        """The distance of draws from a Gaussian fitted to the pixels: the rival that knows no digits."""
        draw = np.random.default_rng(0).multivariate_normal(self.train.mean(0), np.cov(self.train.T), len(self.fresh))
        return self.distance(draw.clip(0, 1).astype(np.float32))

    def spoilt(self, pictures: ndarray, recon: ndarray) -> float:
        """Squared error of reconstructions in the features."""
        return float(np.square(self.features(pictures) - self.features(recon)).sum(1).mean())


def _classifier(X: ndarray, y: ndarray, X_fresh: ndarray, y_fresh: ndarray, epochs: int) -> Features:
    found = taught(X, y, (X_fresh, y_fresh), epochs=epochs)
    print(f"classifier's accuracy on fresh pictures: {found.accuracy:.4f}", flush=True)
    return found


def kept(out: Path, key: str, measure: Callable[[], dict[str, float]]) -> dict[str, float]:
    """A measurement, from the disk if it was made before: a script that was cut off goes on where it stopped."""
    path = out / f"{key}.json"
    if not path.exists():
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(measure()), "utf-8")
    held: dict[str, float] = json.loads(path.read_text("utf-8"))
    print(f"{key}: " + ", ".join(f"{name} {value:.4g}" for name, value in held.items()), flush=True)
    return held


def grid(rows: list[ndarray], path: Path, columns: int = 20) -> None:
    """Write rows of square pictures as a PNG."""
    side = math.isqrt(rows[0].shape[1])
    lines = [np.hstack(list(pictures[:columns].reshape(-1, side, side))) for pictures in rows]
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray((255 - 255 * np.vstack(lines).clip(0, 1)).astype(np.uint8)).save(path)
