"""Time until the test error is low enough: Diabolo's defaults against the plain loop's 20 and 50 epochs.

    python -m benchmarks.time_to_error --data DIR [--full]

784-128-64-32-16 on MNIST. Ours: n_components=16, hidden=(128, 64, 32), everything else default but the epochs, one
run a target; the clock is `fit` as a whole, compilation and the preparation of the rows included, imports not. The
plain loop: batch 128, Adam at 1e-3; it reached test MSE .0165 after 20 epochs and .0122 after 50. Its time is measured
over ``--plain-epochs`` before and after our runs and extended in proportion; with ``--full`` it runs its 50 epochs and
its errors are printed. Test MSE is the mean over the 784 pixels, in [0, 1].

Reference: the plain loop on two idle cores: 21 s and 52 s. Bars: issue 2.
"""

from __future__ import annotations

import time

import numpy as np
import torch
from torch import nn

from diabolo import Autoencoder, Trainer

from .common import head, mnist, mse, parser, row, seconds
from .peers import SIZES, applied, fit_plainly, stack

BATCH = 128
TARGETS = (0.0165, 0.0122)
PLAIN_EPOCHS = (20, 50)


def main() -> None:
    """Print both targets."""
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, nargs=2, default=[2, 4], help="ours, for .0165 and for .0122")
    options.add_argument("--plain-epochs", type=int, default=3, help="of the plain loop, timed before and after")
    options.add_argument("--full", action="store_true", help="run the plain loop's 50 epochs")
    args = options.parse_args()
    x, test = mnist(args, "train"), mnist(args, "test")
    Autoencoder(2, trainer=Trainer(epochs=1, batch_size=32), random_state=0).fit(x[:64])
    head("Time of fit until the test MSE is reached, 784-128-64-32-16")
    before = _plain_epoch(x, args)
    ours = [_ours(x, test, epochs, args.seed) for epochs in args.epochs]
    epoch = (before + _plain_epoch(x, args)) / 2
    times = [epoch * count for count in PLAIN_EPOCHS]
    if args.full:
        times = _full(x, test, args.seed)
    how = "measured" if args.full else f"{epoch:.3g} s an epoch"
    for target, (spent, error, choices), count, rival, epochs in zip(
        TARGETS, ours, PLAIN_EPOCHS, times, args.epochs, strict=True
    ):
        reached = "" if error <= target else "; NOT REACHED"
        row(f"test MSE {target} by default, {epochs} epochs, {choices}{reached}", error, target, "ratio <= 1")
        shown = spent if not reached else f"{spent:.3g}, not reached"
        row(f"seconds to {target}; plain loop {count} epochs ({how})", shown, rival, "ratio <= 0.1")


def _ours(x: np.ndarray, test: np.ndarray, epochs: int, seed: int) -> tuple[float, float, str]:
    model = Autoencoder(SIZES[-1], hidden=SIZES[1:-1], trainer=Trainer(epochs=epochs), random_state=seed)
    spent, _ = seconds(lambda: model.fit(x))
    picked = {choice.name: choice.value for choice in model.choices_}
    return spent, mse(test, model.reconstruct(test)), f"batch {picked['batch_size']}, {picked['optimizer']}"


def _network(seed: int) -> nn.Sequential:
    torch.manual_seed(seed)
    return nn.Sequential(*stack(SIZES), *stack(SIZES[::-1]), nn.Sigmoid())


def _plain_epoch(x: np.ndarray, args: object) -> float:
    count: int = args.plain_epochs  # type: ignore[attr-defined]
    spent, _ = seconds(lambda: fit_plainly(_network(0), torch.from_numpy(x), BATCH, count))
    return spent / count


def _full(x: np.ndarray, test: np.ndarray, seed: int) -> list[float]:
    net, began = _network(seed), time.perf_counter()
    found: dict[int, tuple[float, float]] = {}
    outside = 0.0

    def note(epoch: int) -> bool:
        nonlocal outside
        if epoch + 1 in (5, 10, *PLAIN_EPOCHS):
            at = time.perf_counter()
            found[epoch + 1] = at - began - outside, mse(test, applied(net)(test))
            net.train()
            outside += time.perf_counter() - at
        return False

    fit_plainly(net, torch.from_numpy(x), BATCH, PLAIN_EPOCHS[-1], note)
    for epoch, (spent, error) in found.items():
        row(f"plain loop after {epoch} epochs: test MSE; rival: its seconds", error, spent, ratio=float("nan"))
    return [found[count][0] for count in PLAIN_EPOCHS]


if __name__ == "__main__":
    main()
