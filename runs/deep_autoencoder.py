"""The deep autoencoder 784-1000-500-250-30 on MNIST, without pre-training: test squared error an image.

    python -m runs.deep_autoencoder --data DIR --epochs 12
    python -m runs.deep_autoencoder --data DIR --epochs 100     # full run; start it again to resume

The state is written to ``--out`` as training goes, so a run that was cut off goes on where it stopped. Settings may be
compared with ``--tune``: then 5,000 training images are held out, the error printed is theirs and the test
images are not touched. PCA-30 stands beside it.

Reference: Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks", Science 313:
3.00 for the autoencoder, 13.87 for PCA.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

from benchmarks.common import head, mnist, number, parser, row, squared

from diabolo import Autoencoder, Checkpoint, Trainer
from diabolo.train import Callback

from .pca_mnist import COMPONENTS, pca_error

HIDDEN = (1000, 500, 250)
HELD_OUT = 5000
BARS = {12: "ours <= 7.0"}
FULL = "ours <= 3.5"


class Log(Callback):
    """One line an epoch: error of the training rows, and seconds by the wall clock since the last line."""

    def on_start(self, loop: Any) -> None:
        self.last = time.perf_counter()

    def on_epoch(self, loop: Any) -> None:
        now = time.perf_counter()
        spent, self.last = now - self.last, now
        error = number(loop.history[-1]["train"]["loss"])
        print(f"epoch {loop.epoch}/{loop.epochs}: {error}, {spent:.1f} s", flush=True)


def main() -> None:
    """Train, or go on training, and print the table."""
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--optimizer", default="adamw")
    options.add_argument("--lr", type=float, default=2e-3)
    options.add_argument("--batch-size", type=int, default=256)
    options.add_argument("--activation", default="silu")
    options.add_argument("--tune", action="store_true", help="hold out training images and leave the test images alone")
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    train = mnist(args, "train")
    if args.tune:
        train, fresh = train[:-HELD_OUT], train[-HELD_OUT:]
    else:
        fresh = mnist(args, "test")
    args.out.mkdir(parents=True, exist_ok=True)
    knobs = (args.epochs, args.optimizer, args.lr, args.batch_size, args.activation, args.seed, len(train))
    name = "-".join(["deep", *map(str, knobs)])
    state = Checkpoint(args.out / f"{name}.state", resume=True, every=30.0)
    trainer = Trainer(epochs=args.epochs, batch_size=args.batch_size, lr=args.lr, optimizer=args.optimizer,
                      validation=0.0, callbacks=[state, Log()])  # fmt: skip
    model = Autoencoder(COMPONENTS, hidden=HIDDEN, network=f"dense(activation={args.activation!r})", trainer=trainer,
                        random_state=args.seed).fit(train)  # fmt: skip
    head(f"784-1000-500-250-30, {name}: {'held-out' if args.tune else 'test'} squared error an image")
    bar = "" if args.tune else BARS.get(args.epochs, FULL if args.epochs > max(BARS) else "")
    row(f"{args.epochs} epochs, against PCA-30", squared(fresh, model.reconstruct(fresh)), pca_error(train, fresh), bar)


if __name__ == "__main__":
    main()
