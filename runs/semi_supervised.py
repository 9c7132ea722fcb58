"""MNIST with 100 labels: M1 and a classifier, M2, and M1+M2; test error in per cent.

    python -m runs.semi_supervised --data DIR --seeds 1
    python -m runs.semi_supervised --data DIR --unlabelled 20000     # less time, fewer unlabelled rows

Ten labelled images a class, drawn by the seed; the other training images are given without their class. Beside
them, on the same 100 labels: the same kind of network without the unlabelled rows, k nearest neighbours, logistic
regression on the pixels, and a support vector machine on principal components. M1's machine learns from 4,000
unlabelled codes too, by training itself, in place of the paper's transductive one; principal components are given the
same. Settings were chosen on training images outside the labelled ones (``--tune``). A run that was cut off goes on
where it stopped.

Reference: Kingma et al. (2014), "Semi-supervised learning with deep generative models", table 1: M1 11.82 %,
M2 11.97 %, M1+M2 3.33 %.
"""

from __future__ import annotations

import argparse
import warnings
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, number, parser, row
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.semi_supervised import SelfTrainingClassifier
from sklearn.svm import SVC

from diabolo import VAE, Autoencoder, AutoencoderClassifier, Checkpoint, SemiSupervisedVAE, Trainer
from diabolo.train import Callback

from .record import record

EACH, POOL = 10, 4000
SIZE = 50
BARS = {"supervised": "", "M1": "ours <= 15", "M2": "ours < 13", "M1+M2": "ours < 7"}
PUBLISHED = {"M1": "11.82 (transductive SVM on M1's code)", "M2": "11.97", "M1+M2": "3.33"}


class Log(Callback):
    """One line an epoch."""

    def on_epoch(self, loop: Any) -> None:
        terms = " ".join(f"{name} {value:.4g}" for name, value in loop.history[-1]["train"].items())
        print(f"  stage {loop.stage_index}, epoch {loop.epoch}/{loop.epochs}: {terms}", flush=True)


def pick(y: np.ndarray, seed: int) -> np.ndarray:
    """Ten rows of each class."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.choice(np.flatnonzero(y == digit), EACH, replace=False) for digit in range(10)])


def trainer(args: argparse.Namespace, name: str, epochs: int) -> Trainer:
    """Adam, no held-out rows: 100 labels are all there are."""
    state = args.out / f"{name}-{epochs}-{args.unlabelled}-{args.tune}.state"
    watch = [Checkpoint(state, resume=True, every=30.0), Log()]
    return Trainer(epochs=epochs, batch_size=args.batch, optimizer="adam", lr=args.lr, validation=0.0, callbacks=watch)


def error(y: np.ndarray, said: np.ndarray) -> float:
    """Per cent of wrong classes."""
    return 100 * float(np.mean(y != said))


def rivals(X: np.ndarray, y: np.ndarray, few: np.ndarray, fresh: tuple[np.ndarray, np.ndarray]) -> dict[str, float]:
    """Error of the simple methods on the same labels; PCA saw all rows."""
    made = {
        "k-NN": KNeighborsClassifier(1),
        "logistic regression": LogisticRegression(C=0.1, max_iter=2000),
        "PCA-30 + SVM": make_pipeline(PCA(30, random_state=0).fit(X[:20_000]), SVC(C=10, gamma="scale")),
    }
    found = {}
    for name, model in made.items():
        if name.startswith("PCA"):
            pca, svm = model[0], model[1]
            found[name] = error(fresh[1], svm.fit(pca.transform(X[few]), y[few]).predict(pca.transform(fresh[0])))
            found[f"{name}, self-trained"] = error(fresh[1], self_trained(pca.transform, X, y, few, fresh[0]))
        else:
            found[name] = error(fresh[1], model.fit(X[few], y[few]).predict(fresh[0]))
    return found


def self_trained(codes: Any, X: np.ndarray, y: np.ndarray, few: np.ndarray, fresh: np.ndarray) -> np.ndarray:
    """Classes of fresh rows by a machine that, ten times, takes the 400 rows it is surest of into what it learns."""
    more = np.setdiff1d(np.random.default_rng(2).choice(len(X), min(POOL, len(X)), replace=False), few)
    told = np.concatenate([y[few], np.full(len(more), -1)])
    machine = SVC(C=10, gamma="scale", probability=True, random_state=0)
    model = SelfTrainingClassifier(machine, criterion="k_best", k_best=400, max_iter=10)
    return np.asarray(model.fit(codes(X[np.concatenate([few, more])]), told).predict(codes(fresh)))


def ours(args: argparse.Namespace, seed: int, X: np.ndarray, y: np.ndarray, few: np.ndarray) -> Any:
    """(name, predict) of each of our models, trained when it is asked for."""
    known = np.full(len(y), -1)
    known[few] = y[few]
    common: dict[str, Any] = {"loss": "bernoulli", "random_state": seed}
    plain = Trainer(epochs=100, batch_size=20, optimizer="adam", lr=1e-3, validation=0.0)
    net = AutoencoderClassifier(
        Autoencoder(SIZE, hidden=(500,), network="dense(activation='softplus')", loss="bernoulli"),
        hidden=(), pretrain=False, trainer=plain, random_state=seed,
    )  # fmt: skip
    yield "supervised", lambda fresh: net.fit(X[few], y[few]).predict(fresh)
    both = SemiSupervisedVAE(
        SIZE, hidden=(500, 500), network="dense(activation='softplus')", alpha=args.alpha, stacked=True,
        trainer=trainer(args, f"m1m2-{seed}-{args.alpha}", args.stacked_epochs), **common,
    )  # fmt: skip
    yield "M1+M2", lambda fresh: both.fit(X, known).predict(fresh)
    m1 = VAE(SIZE, hidden=(500, 500), network="dense(activation='softplus')",
             trainer=trainer(args, f"m1-{seed}", args.epochs), **common)  # fmt: skip

    def on_m1(fresh: np.ndarray) -> np.ndarray:
        return self_trained(m1.fit(X).transform, X, y, few, fresh)

    yield "M1", on_m1
    m2 = SemiSupervisedVAE(
        SIZE, hidden=(500,), network="dense(activation='softplus')", alpha=args.alpha,
        trainer=trainer(args, f"m2-{seed}-{args.alpha}", args.epochs), **common,
    )  # fmt: skip
    yield "M2", lambda fresh: m2.fit(X, known).predict(fresh)


def main() -> None:
    """Train, or go on training, and print the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--unlabelled", type=int, default=60_000, help="training images in use")
    options.add_argument("--epochs", type=int, default=30)
    options.add_argument("--stacked-epochs", type=int, default=60)
    options.add_argument("--alpha", type=float, default=1.0)
    options.add_argument("--lr", type=float, default=1e-3)
    options.add_argument("--batch", type=int, default=200)
    options.add_argument("--only", nargs="*", help="some of: supervised M1 M2 M1+M2")
    options.add_argument("--tune", action="store_true", help="the error is that of the last 10,000 training images")
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    warnings.simplefilter("ignore", FutureWarning)  # probabilities of an SVC, which the surest rows are told by
    X, y = mnist(args, "train"), labels(args, "train")
    fresh = (X[50_000:], y[50_000:]) if args.tune else (mnist(args, "test"), labels(args, "test"))
    last = min(args.unlabelled, 50_000) if args.tune else args.unlabelled
    X, y = X[:last], y[:last]
    head(f"MNIST, 100 labels of {len(X):,}: {'held-out' if args.tune else 'test'} error, %")
    found: dict[str, list[float]] = {}
    simple: dict[str, list[float]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        few = pick(y, seed)
        for name, value in rivals(X, y, few, fresh).items():
            simple.setdefault(name, []).append(value)
        best = min(simple, key=lambda name: float(np.mean(simple[name])))
        for name, predict in ours(args, seed, X, y, few):
            if not args.only or name in args.only:
                found.setdefault(name, []).append(error(fresh[1], predict(fresh[0])))
                row(f"seed {seed}: {name}, {best}", found[name][-1], simple[best][-1], BARS[name])
    told = ", ".join(f"{name} {number(float(np.mean(values)))}" for name, values in simple.items())
    print(f"\nrivals: {told}", flush=True)
    if not args.tune:
        keep(args, found, told, len(X))


def keep(args: argparse.Namespace, found: dict[str, list[float]], told: str, rows: int) -> None:
    """Write the results down."""
    command = f"python -m runs.semi_supervised --data DIR --seeds {args.seeds} --unlabelled {args.unlabelled}"
    lone = f"supervised net {float(np.mean(found['supervised'])):.3g}; " if "supervised" in found else ""
    for name in found.keys() & PUBLISHED.keys():
        model = "vae" if name == "M1" else "semi-supervised-vae"
        what = f"{name}, MNIST 100 labels of {rows:,}, test error %"
        record(model, what, found[name], published=PUBLISHED[name], rival=lone + told, command=command)


if __name__ == "__main__":
    main()
