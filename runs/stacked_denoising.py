"""MNIST with 10,000 training images: a net of three hidden layers, pre-trained as a stack of denoising autoencoders.

    python -m runs.stacked_denoising --data DIR --seeds 3

784-1000-1000-1000-10, sigmoid units, 10 % masking noise, 10 epochs a layer, then the whole is taught its classes; the
same net from random weights stands beside it, and a support vector machine. Training: the first 12,000 images,
2,000 of which are held out to keep the best epoch; the error is that of the 10,000 test images (the paper's
"basic" set has 50,000 others). A run that was cut off goes on where it stopped.

Reference: Vincent et al. (2010), "Stacked denoising autoencoders", table 3: SDAE-3 2.84 %, stacked autoencoders
3.46 %, SVM 3.03 %.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from sklearn.svm import SVC

from diabolo import AutoencoderClassifier, Checkpoint, StackedAutoencoder, Trainer

from .record import record, spread

TRAIN, VALIDATION = 10_000, 2_000
WIDTHS = (1000, 1000, 1000)
COMMAND = "python -m runs.stacked_denoising --data DIR --seeds {seeds}"


def net(args: argparse.Namespace, seed: int, pretrain: bool) -> AutoencoderClassifier:
    """The classifier, with or without pre-training."""
    state = Checkpoint(args.out / f"sdae-{pretrain}-{seed}-{args.epochs}.state", resume=True, every=30.0)
    knobs: dict[str, Any] = {"batch_size": 100, "optimizer": "adam"}
    pile = StackedAutoencoder(
        WIDTHS[-1], hidden=WIDTHS[:-1], network="dense(activation='sigmoid', tied=True)", loss="bernoulli",
        corruption="masking(share=0.1)", pretrain_epochs=args.pretrain_epochs, fine_tune=False,
        trainer=Trainer(epochs=args.pretrain_epochs, lr=args.pretrain_lr, **knobs),
    )  # fmt: skip
    trainer = Trainer(
        epochs=args.epochs, lr=args.lr, validation=VALIDATION / (TRAIN + VALIDATION), patience=None,
        callbacks=[state], **knobs,
    )  # fmt: skip
    return AutoencoderClassifier(pile, pretrain=pretrain, trainer=trainer, random_state=seed)


def error(y: np.ndarray, said: np.ndarray) -> float:
    """Per cent of wrong classes."""
    return 100 * float(np.mean(y != said))


def main() -> None:
    """Train every seed with and without pre-training, and print the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--pretrain-epochs", type=int, default=10)
    options.add_argument("--lr", type=float, default=1e-3)
    options.add_argument("--pretrain-lr", type=float, default=1e-3)
    options.add_argument("--tune", action="store_true", help="the error is that of 10,000 other training images")
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    X, y = mnist(args, "train"), labels(args, "train")
    fresh = slice(TRAIN + VALIDATION, 2 * TRAIN + VALIDATION)
    X_test, y_test = (X[fresh], y[fresh]) if args.tune else (mnist(args, "test"), labels(args, "test"))
    X, y = X[: TRAIN + VALIDATION], y[: TRAIN + VALIDATION]
    head(f"784-1000-1000-1000-10 on MNIST-10k: {'held-out' if args.tune else 'test'} error, %")
    found: dict[bool, list[float]] = {True: [], False: []}
    for seed in range(args.seeds):
        for pretrain in (True, False):
            found[pretrain].append(error(y_test, net(args, seed, pretrain).fit(X, y).predict(X_test)))
        row(f"seed {seed}: pre-trained, from random weights", found[True][-1], found[False][-1])
    svm = error(y_test, SVC(C=5, gamma=0.02).fit(X[:TRAIN], y[:TRAIN]).predict(X_test))
    row("mean of pre-trained, SVM (rbf)", float(np.mean(found[True])), svm, "ours <= 3.2")
    gain = float(np.mean(found[False]) - np.mean(found[True]))
    row("points gained by pre-training", gain, None, "ours >= 0.3")
    if not args.tune:
        record(
            "stacked", "MNIST 10k, test error % after fine-tuning", found[True],
            published="2.84 (Vincent et al. 2010, other 50k test images)",
            rival=f"same net from random weights {spread(found[False])}; SVM {svm:.3g}",
            command=COMMAND.format(seeds=args.seeds),
        )  # fmt: skip


if __name__ == "__main__":
    main()
