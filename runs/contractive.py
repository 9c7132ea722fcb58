"""Contraction on MNIST: how flat the code becomes, what that costs in reconstruction, what a classifier makes of it.

    python -m runs.contractive --data DIR --seeds 3

784-500, sigmoid units, tied weights, cross-entropy, 20 epochs on 10,000 training images; a plain autoencoder, one
whose code's Jacobian is paid for, and one with weight decay. Both weights are chosen by one rule on 5,000 other
training images: the strongest whose squared error there is at most 1.5 times the plain one's. On the 10,000 test
images: the mean norm of the Jacobian, squared error, and the error of logistic regression on the codes. Bars: at most
half the plain norm at no more than 1.6 times its squared error.

Reference: Rifai et al. (2011), "Contractive auto-encoders", table 1: norm .73e-4 with contraction, 5.0e-4 with weight
decay, 17.5e-4 plain (1,000 units, 50,000 images, in the paper's own unit: only the ratios compare).
"""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, labels, mnist, parser, row, squared
from numpy import ndarray
from sklearn.linear_model import LogisticRegression

from diabolo import Autoencoder, Trainer
from diabolo.core import Batch, Spec
from diabolo.penalties.contractive import Contractive

from .record import record, spread

TRAIN, HELD, UNITS = 10_000, 5_000, 500
ALLOWED = 1.5
WEIGHTS = {"contractive": (0.03, 0.1, 0.2, 0.3, 0.5), "weight-decay": (1e-3, 3e-3, 0.01, 0.02, 0.05)}
CODE = Spec("activated", activation="sigmoid")


def fit(kind: str, weight: float, x: ndarray, epochs: int, seed: int) -> Any:
    """The autoencoder with one penalty, or none."""
    trainer = Trainer(epochs=epochs, batch_size=100, optimizer="adam", lr=1e-3, validation=0.0)
    penalties = [] if kind == "plain" else [Spec(kind, weight=weight)]
    return Autoencoder(
        UNITS, network="dense(tied=True)", hidden=(), bottleneck=CODE, loss="bernoulli", penalties=penalties,
        trainer=trainer, random_state=seed,
    ).fit(x)  # fmt: skip


def norm(model: Any, x: ndarray) -> float:
    """Mean over rows of the Frobenius norm (not squared) of the code's Jacobian."""
    rows = torch.from_numpy(x)
    with torch.no_grad():
        return float(Contractive(way="exact")(model.module_, Batch(rows, rows), None).sqrt().mean())  # type: ignore[arg-type]


def choose(kind: str, plain: float, x: ndarray, held: ndarray, epochs: int, seed: int) -> float:
    """The strongest weight whose squared error on held-out images stays within what is allowed; 0: none does."""
    kept = 0.0
    for weight in WEIGHTS[kind]:
        model = fit(kind, weight, x, epochs, seed)
        cost = squared(held, model.reconstruct(held)) / plain
        print(
            f"{kind} {weight:g}: held-out squared error {cost:.3f} of plain, norm {norm(model, held):.4g}", flush=True
        )
        if cost > ALLOWED:
            break
        kept = weight
    return kept


def error(model: Any, x: ndarray, y: ndarray, fresh: ndarray, truth: ndarray) -> float:
    """Test error of logistic regression on codes (on pixels without a model), per cent."""
    train, test = (x, fresh) if model is None else (model.transform(x), model.transform(fresh))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # a hundred iterations bring it close enough
        return 100 * (1 - float(LogisticRegression(max_iter=100).fit(train, y).score(test, truth)))


def main() -> None:
    """Choose both weights, train every seed, print the table and record the contraction."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=20)
    args = options.parse_args()
    every, fresh, y, truth = mnist(args, "train"), mnist(args, "test"), labels(args, "train"), labels(args, "test")
    x, held, y = every[:TRAIN], every[TRAIN : TRAIN + HELD], y[:TRAIN]
    base = squared(held, fit("plain", 0.0, x, args.epochs, args.seed).reconstruct(held))
    chosen = {"plain": 0.0, **{kind: choose(kind, base, x, held, args.epochs, args.seed) for kind in WEIGHTS}}
    found: dict[str, list[tuple[float, float, float]]] = {kind: [] for kind in chosen}
    for seed in range(args.seed, args.seed + args.seeds):
        for kind, weight in chosen.items():
            model = fit(kind, weight, x, args.epochs, seed)
            cost = squared(fresh, model.reconstruct(fresh))
            found[kind].append((norm(model, fresh), cost, error(model, x, y, fresh, truth)))
            print(f"seed {seed}, {kind} {weight:g}: norm, squared error, test error % {found[kind][-1]}", flush=True)
    _report(found, error(None, x, y, fresh, truth), args.seeds)


def _report(found: dict[str, list[tuple[float, float, float]]], raw: float, seeds: int) -> None:
    head(f"Contraction, 784-{UNITS} on {TRAIN} images of MNIST: test set, rival: the plain autoencoder")
    measures = {kind: np.mean(values, axis=0) for kind, values in found.items()}
    plain = measures["plain"]
    for kind in WEIGHTS:
        ours, bar = measures[kind], kind == "contractive"
        row(f"{kind}: norm of the Jacobian", float(ours[0]), float(plain[0]), "ratio <= 0.5" if bar else "")
        row(f"{kind}: squared error", float(ours[1]), float(plain[1]), "ratio <= 1.6" if bar else "")
        row(f"{kind}: test error of logistic regression, %", float(ours[2]), float(plain[2]))
    row("plain: test error, %, against raw pixels", float(plain[2]), raw)
    ratios = {kind: [a[0] / b[0] for a, b in zip(found[kind], found["plain"], strict=True)] for kind in WEIGHTS}
    record(
        "contractive", "MNIST 10k, norm of the Jacobian on test images over the plain autoencoder's",
        ratios["contractive"], published=".042 (1,000 units, 50k images)",
        rival=f"weight decay at as much squared error {spread(ratios['weight-decay'])}",
        command=f"python -m runs.contractive --data DIR --seeds {seeds}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
