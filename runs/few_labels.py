"""Digits with few labels: a trained encoder as a pipeline's step, frozen or fine-tuned, beside simple classifiers.

    python -m runs.few_labels --data DIR [--seeds 5]

MNIST: 10,000 training pictures without labels, of which 100, 300 or 1,000 have one (drawn class by class, by the seed);
accuracy on the 10,000 test pictures, mean over the seeds with its 95 % t interval, and the paired difference to the
best simple rival. Ours: the codes of an autoencoder (64 values) trained on all 10,000, frozen, before a logistic
regression; the same encoder fine-tuned with a softmax head. Rivals: logistic regression on pixels and on 64 principal
components of all 10,000 (C by 3-fold cross-validation on the labelled rows, for every logistic regression);
scikit-learn's MLP of 128 units; the fine-tuned network from random weights. Nothing is chosen on the test pictures.

Reference: Erhan et al. (2010), "Why does unsupervised pre-training help deep learning?".
"""

from __future__ import annotations

import time
import warnings
from collections import defaultdict
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import Autoencoder, AutoencoderClassifier, DenoisingAutoencoder, PretrainedEncoder

UNLABELLED, SIZES, CODE = 10_000, (100, 300, 1000), 64
SIMPLE = ("logistic regression, pixels", "logistic regression, PCA", "MLP of 128")


def logistic(*before: Any) -> Any:
    """A logistic regression behind other steps; its C by cross-validation on the labelled rows."""
    pipe = make_pipeline(*before, StandardScaler(), LogisticRegression(max_iter=300))
    return GridSearchCV(pipe, {"logisticregression__C": [0.003, 0.03, 0.3, 3.0]}, cv=3)


def drawn(y: np.ndarray, count: int, seed: int) -> np.ndarray:
    """As many rows of every class, ``count`` in all."""
    random = np.random.default_rng(seed)
    return np.concatenate(
        [random.choice(np.flatnonzero(y == digit), count // 10, replace=False) for digit in range(10)]
    )


def accuracies(X: np.ndarray, y: np.ndarray, test: tuple[np.ndarray, np.ndarray], seed: int) -> dict[tuple, float]:
    """(method, labels) -> accuracy."""
    pca = PCA(CODE, random_state=seed).fit(X)
    encoders = {"plain": Autoencoder(CODE, random_state=seed).fit(X),
                "denoising": DenoisingAutoencoder(CODE, random_state=seed).fit(X)}  # fmt: skip
    found = {}
    for count in SIZES:
        at = drawn(y, count, seed)
        few, told = X[at], y[at]
        methods = {
            "logistic regression, pixels": logistic(),
            "logistic regression, PCA": logistic(FrozenEstimator(pca)),
            "MLP of 128": MLPClassifier((128,), max_iter=200, random_state=seed),
            "same network from random weights": AutoencoderClassifier(
                Autoencoder(CODE), pretrain=False, random_state=seed
            ),
        }
        for name, encoder in encoders.items():
            methods[f"{name} encoder, frozen, logistic regression"] = logistic(PretrainedEncoder(encoder))
            methods[f"{name} encoder, fine-tuned"] = AutoencoderClassifier(encoder, random_state=seed)
        for name, method in methods.items():
            found[name, count] = float(method.fit(few, told).score(*test))
        print(f"seed {seed}, {count} labels: " + ", ".join(f"{n} {found[n, count]:.4f}" for n in methods), flush=True)
    return found


def interval(values: np.ndarray) -> str:
    """95 % t interval of a mean over seeds."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return f"[{values.mean() - half:.4f}, {values.mean() + half:.4f}]"


def main() -> None:
    """Print a row for every method and number of labels."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    args = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    began = time.perf_counter()
    rows = args.rows or UNLABELLED
    args.rows = None
    everything, digits = mnist(args, "train"), labels(args, "train")
    test = (mnist(args, "test"), labels(args, "test"))
    found: dict[tuple, list[float]] = defaultdict(list)
    for seed in range(args.seed, args.seed + args.seeds):
        at = np.random.default_rng(seed).permutation(len(everything))[:rows]
        for key, value in accuracies(everything[at], digits[at], test, seed).items():
            found[key].append(value)
    for count in SIZES:
        best = max(SIMPLE, key=lambda name: np.mean(found[name, count]))
        head(f"{count} labels: accuracy on the test pictures; rival: {best}")
        rival = np.array(found[best, count])
        for name in dict.fromkeys(name for name, _ in found):
            ours = np.array(found[name, count])
            paired = "" if name == best else f", paired {interval(ours - rival)}"
            row(f"{name} {interval(ours)}{paired}", float(ours.mean()), float(rival.mean()))
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
