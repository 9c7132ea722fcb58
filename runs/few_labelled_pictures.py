"""100 labelled pictures: a convolutional net that starts from an autoencoder of all pictures, and from random weights.

    python -m runs.few_labelled_pictures --data DIR [--seeds 5] [--sets mnist cifar10]

MNIST: the autoencoder sees ``--pretrain`` training pictures without their classes; 10 of each digit, drawn by the seed,
then teach a softmax on its code and the whole encoder. `cifar10_subset` likewise: 4,000 pictures, 10 of each class.
Accuracy on the test pictures, mean over the seeds, and the paired difference with its 95 % t interval. Beside it the
very same net, with the same head and the same steps, from random weights; the pre-trained encoder frozen; logistic
regression on pixels and on 64 principal components of all pictures (C by 3-fold cross-validation on the labelled rows);
the nearest labelled picture by pixels and by code. Network, corruption, epochs and rates were chosen on training
pictures that are in no part of what is compared (``--tune``: the last 10,000 of MNIST, the last fifth of CIFAR).

Reference: Masci et al. (2011), "Stacked convolutional auto-encoders for hierarchical feature extraction"; Erhan et al.
(2010), "Why does unsupervised pre-training help deep learning?".
"""

from __future__ import annotations

import argparse
import time
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from scipy import stats
from sklearn.decomposition import PCA
from sklearn.exceptions import ConvergenceWarning
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import Autoencoder, AutoencoderClassifier, Trainer, data

CODE, EACH = 64, 10
OURS, SAME = "pre-trained, fine-tuned", "same net from random weights"
IMAGES = {"mnist": (28, 28), "cifar10": (32, 32, 3)}
KNOBS = {"batch_size": 100, "optimizer": "adam", "validation": 0.0}


def pictures(args: argparse.Namespace, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Training pictures, their classes, test pictures, theirs."""
    if name == "mnist":
        X, y, X_test, y_test = mnist(args, "train"), labels(args, "train"), mnist(args, "test"), labels(args, "test")
    else:
        where = Path(args.data) / "cifar10_subset" / "cifar10_5000.zip"
        parts = [data.open(where, include=f"*{part}/*") for part in ("train", "test")]
        X, X_test = (part.rows.reshape(len(part), -1).astype(np.float32) / 255 for part in parts)
        y, y_test = (np.unique(part.target, return_inverse=True)[1] for part in parts)
        order = np.random.default_rng(0).permutation(len(X))
        X, y = X[order], y[order]
    if args.tune:
        held = len(X) // 6 if name == "mnist" else len(X) // 5
        return X[:-held][: args.pretrain], y[:-held][: args.pretrain], X[-held:], y[-held:]
    return X[: args.pretrain], y[: args.pretrain], X_test, y_test


def autoencoder(args: argparse.Namespace, name: str, seed: int) -> Autoencoder:
    """The convolutional autoencoder, not fitted."""
    image = IMAGES[name]
    return Autoencoder(
        CODE, network=args.network.format(image=image), loss="bernoulli",
        corruption=args.corruption.format(image=image),
        trainer=Trainer(epochs=args.pretrain_epochs * (1 if name == "mnist" else 5), lr=args.pretrain_lr, **KNOBS),
        random_state=seed,
    )  # fmt: skip


def logistic(*before: Any) -> Any:
    """A logistic regression behind other steps; its C by cross-validation on the labelled rows."""
    pipe = make_pipeline(*before, StandardScaler(), LogisticRegression(max_iter=300))
    return GridSearchCV(pipe, {"logisticregression__C": [0.003, 0.03, 0.3, 3.0]}, cv=3)


def accuracies(args: argparse.Namespace, name: str, parts: tuple[np.ndarray, ...], seed: int) -> dict[str, float]:
    """Method -> accuracy in per cent."""
    X, y, X_test, y_test = parts
    random = np.random.default_rng(seed)
    at = np.concatenate([random.choice(np.flatnonzero(y == one), EACH, replace=False) for one in np.unique(y)])
    few, told = X[at], y[at]
    base = autoencoder(args, name, seed)
    knobs = {"trainer": Trainer(epochs=args.epochs, lr=args.lr, **KNOBS), "random_state": seed}
    methods: dict[str, Any] = {SAME: AutoencoderClassifier(base, pretrain=False, **knobs)}
    found = {SAME: methods[SAME].fit(few, told).score(X_test, y_test)}
    base = autoencoder(args, name, seed).fit(X)
    pca = PCA(CODE, random_state=seed).fit(X)
    methods = {
        OURS: AutoencoderClassifier(base, **knobs),
        "pre-trained, frozen": AutoencoderClassifier(base, freeze=True, random_state=seed),
        "logistic regression, pixels": logistic(),
        "logistic regression, PCA": logistic(FrozenEstimator(pca)),
        "nearest labelled picture, pixels": KNeighborsClassifier(1),
    }
    for method, one in methods.items():
        found[method] = one.fit(few, told).score(X_test, y_test)
    near = KNeighborsClassifier(1).fit(base.transform(few), told)
    found["nearest labelled picture, code"] = near.score(base.transform(X_test), y_test)
    found = {method: 100 * float(value) for method, value in found.items()}
    print(f"seed {seed}: " + ", ".join(f"{method} {value:.2f}" for method, value in found.items()), flush=True)
    return found


def interval(values: np.ndarray) -> str:
    """95 % t interval of a mean over seeds."""
    half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values) if len(values) > 1 else np.nan
    return f"[{values.mean() - half:.2f}, {values.mean() + half:.2f}]"


def main() -> None:
    """Print a table for every set."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--sets", nargs="*", default=list(IMAGES), choices=list(IMAGES))
    options.add_argument("--pretrain", type=int, default=30_000, help="pictures without classes")
    options.add_argument("--pretrain-epochs", type=int, default=4)
    options.add_argument("--pretrain-lr", type=float, default=3e-3)
    options.add_argument("--epochs", type=int, default=150)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--network", default="conv(channels=(16, 32), pool='max', image={image})")
    options.add_argument("--corruption", default="warp(shift=2.0, stretch=0.15, image={image})")
    options.add_argument("--tune", action="store_true", help="accuracy on training pictures that are held out")
    args = options.parse_args()
    warnings.simplefilter("ignore", ConvergenceWarning)
    for name in args.sets:
        began = time.perf_counter()
        parts = pictures(args, name)
        head(f"{name}, {EACH} labels a class: {'held-out' if args.tune else 'test'} accuracy, %; rival: {SAME}")
        runs = [accuracies(args, name, parts, seed) for seed in range(args.seed, args.seed + args.seeds)]
        rival = np.array([run[SAME] for run in runs])
        for method in runs[0]:
            ours = np.array([run[method] for run in runs])
            row(f"{method} {interval(ours)}, paired {interval(ours - rival)}", float(ours.mean()), float(rival.mean()))
        gain = float(np.mean([run[OURS] - run[SAME] for run in runs]))
        row("points gained by pre-training, mean", gain, None, "ours >= 3" if name == "mnist" else "")
        print(f"{time.perf_counter() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
