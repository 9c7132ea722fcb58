"""MNIST with 1,000 labels: a convolutional net that starts from a convolutional autoencoder, and from random weights.

    python -m runs.conv_pretrain --data DIR --seeds 5

The autoencoder sees ``--pretrain`` training images without their classes; then 1,000 of them, drawn by the seed, teach
a softmax on its code and the whole encoder. Beside it the very same net from random weights, and logistic regression on
the pixels. Test error in per cent.

Reference: Masci et al. (2011), "Stacked convolutional auto-encoders for hierarchical feature extraction", table 2:
0.71 % with, 0.79 % without pre-training, on all labels.
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from sklearn.linear_model import LogisticRegression

from diabolo import Autoencoder, AutoencoderClassifier, Trainer

from .record import record, spread

KNOWN = 1000
NET = "conv(channels=(16, 32), image=(28, 28))"


def net(args: argparse.Namespace, seed: int, pretrain: bool) -> AutoencoderClassifier:
    """The classifier, with or without pre-training."""
    knobs = {"batch_size": 100, "optimizer": "adam", "validation": 0.0}
    encoder = Autoencoder(
        64, network=NET, loss="bernoulli", corruption="masking(share=0.25)",
        trainer=Trainer(epochs=args.pretrain_epochs, lr=3e-3, **knobs),
    )  # fmt: skip
    trainer = Trainer(epochs=args.epochs, lr=args.lr, **knobs)
    return AutoencoderClassifier(encoder, pretrain=pretrain, trainer=trainer, random_state=seed)


def error(y: np.ndarray, said: np.ndarray) -> float:
    """Per cent of wrong classes."""
    return 100 * float(np.mean(y != said))


def main() -> None:
    """Train every seed with and without pre-training, and print the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--pretrain", type=int, default=30_000, help="images without classes")
    options.add_argument("--pretrain-epochs", type=int, default=4)
    options.add_argument("--epochs", type=int, default=60)
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--tune", action="store_true", help="the error is that of the last 10,000 training images")
    args = options.parse_args()
    X, y = mnist(args, "train"), labels(args, "train")
    X_test, y_test = (X[50_000:], y[50_000:]) if args.tune else (mnist(args, "test"), labels(args, "test"))
    X, y = X[: args.pretrain], y[: args.pretrain]
    head(f"MNIST, {KNOWN} labels of {len(X):,}: {'held-out' if args.tune else 'test'} error, %")
    found: dict[bool, list[float]] = {True: [], False: []}
    lines = []
    for seed in range(args.seeds):
        few = np.random.default_rng(seed).choice(len(X), KNOWN, replace=False)
        known = np.full(len(X), -1)
        known[few] = y[few]
        for pretrain in (True, False):
            rows, classes = (X, known) if pretrain else (X[few], y[few])
            found[pretrain].append(error(y_test, net(args, seed, pretrain).fit(rows, classes).predict(X_test)))
        lines.append(error(y_test, LogisticRegression(C=0.1, max_iter=1000).fit(X[few], y[few]).predict(X_test)))
        row(f"seed {seed}: pre-trained, from random weights", found[True][-1], found[False][-1])
    gains = np.subtract(found[False], found[True])
    row("points gained, mean", float(gains.mean()), None, "ours >= 1.0")
    row("pre-trained, logistic regression on pixels", float(np.mean(found[True])), float(np.mean(lines)))
    if not args.tune:
        record(
            "classifier", f"MNIST, {KNOWN} labels, convolutional, test error %", found[True],
            published="0.71 with, 0.79 without pre-training, on 60,000 labels (Masci et al. 2011)",
            rival=f"same net from random weights {spread(found[False])}; logistic regression {spread(lines)}",
            command=f"python -m runs.conv_pretrain --data DIR --seeds {args.seeds}",
        )  # fmt: skip


if __name__ == "__main__":
    main()
