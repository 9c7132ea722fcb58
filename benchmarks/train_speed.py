"""Training speed of 784-128-64-32-16 on MNIST, against a plain PyTorch loop, pythae, PyOD and Keras.

    python -m benchmarks.train_speed --data DIR

60,000 rows float32 in [0, 1], squared error, Adam at 1e-3 on all sides, batches of 256 and 1024. The contenders
train in turn, A B C A B C …, each time anew with the round's seed; the first epoch is warm-up, the others give
samples a second. Printed: medians over the rounds, the median of the rounds' ratios, the test MSE after the same
number of epochs, and the share of what the machine's fp32 matrix products allow (`benchmarks.products`).

Reference: on two idle cores the plain loop reached 55 to 74 k samples/s at batch 256, the others 35 to 45 k; the bars
are those of issue 2.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial

import numpy as np

from . import peers
from .common import head, interleave, median_ratio, mnist, parser, row
from .products import limit

OURS: dict[str, dict[str, object]] = {
    "diabolo": {},
    "diabolo compiled": {"compile": True},
    "diabolo bf16": {"precision": "bf16"},
    "diabolo compiled bf16": {"compile": True, "precision": "bf16"},
}
PEERS: dict[str, peers.Train] = {"pythae": peers.pythae, "PyOD": peers.pyod, "Keras (torch)": peers.keras}


def main() -> None:
    """Print the tables of the batch sizes asked for."""
    options = parser(__doc__)
    options.add_argument("--batches", type=int, nargs="+", default=[256, 1024])
    options.add_argument("--epochs", type=int, default=5, help="of one training, at least 2")
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only", nargs="+", help="names of contenders, such as diabolo pythae; plain is always there")
    args = options.parse_args()
    x, test = mnist(args, "train"), mnist(args, "test")
    trains = {"plain loop": peers.plain, **{name: peers.diabolo(**device) for name, device in OURS.items()}, **PEERS}
    if args.only:
        trains = {name: train for name, train in trains.items() if name == "plain loop" or name in args.only}
    for batch in args.batches:
        compare(trains, x, test, batch, args.epochs, args.rounds, args.seed)


def compare(
    trains: dict[str, peers.Train], x: np.ndarray, test: np.ndarray, batch: int, epochs: int, rounds: int, seed: int
) -> None:
    """One batch size: all contenders, then the limit."""
    head(f"Training 784-128-64-32-16 on {len(x):,} rows, batch {batch}, {epochs} epochs, {rounds} rounds")
    runs: dict[str, Callable[[int], peers.Result]] = {}
    for name, train in trains.items():
        try:
            peers.measure(train, x[: 2 * batch], test[:10], batch, 2, seed)
        except ImportError as error:
            row(f"{name} is not installed ({error})", "–")
            continue
        runs[name] = partial(_run, train, x, test, batch, epochs, seed)
    found = interleave(runs, rounds)
    rates = {name: [result.rate for result in results] for name, results in found.items()}
    errors = {name: statistics.median(result.error for result in results) for name, results in found.items()}
    middle = {name: statistics.median(values) for name, values in rates.items()}
    ours = [name for name in found if name in OURS]
    fp32 = [name for name in ours if "bf16" not in name]
    for name in ours:
        ratio, each = median_ratio(rates[name], rates["plain loop"])
        row(f"{name}: samples/s, against the plain loop (rounds: {each})", middle[name], middle["plain loop"],
            ratio=ratio)  # fmt: skip
        row(f"{name}: test MSE", errors[name], errors["plain loop"], "ratio <= 1")
    for title, names, bar in (("best in fp32", fp32, "ratio >= 1.8"), ("best in any precision", ours, "ratio >= 2.3")):
        if names:
            best = max(names, key=middle.__getitem__)
            ratio, _ = median_ratio(rates[best], rates["plain loop"])
            row(f"{title} ({best}), against the plain loop", middle[best], middle["plain loop"], bar, ratio)
    for name in found:
        if name in PEERS and fp32:
            best = max(fp32, key=middle.__getitem__)
            ratio, _ = median_ratio(rates[best], rates[name])
            row(f"{best}, against {name} (its MSE {errors[name]:.4f})", middle[best], middle[name], "ratio > 1", ratio)
    _shares(middle, fp32, batch)


def _shares(middle: dict[str, float], fp32: list[str], batch: int) -> None:
    sizes = (*peers.SIZES, *peers.SIZES[-2::-1])
    most = limit(sizes, batch, training=True)
    what = f"share of the fp32 product limit ({most.flops / 1e9:.0f} GFLOP/s, {most.backend})"
    for name in ("plain loop", *fp32):
        bar = "ratio >= 0.5" if batch == 1024 and name == max(fp32, key=middle.__getitem__) else ""
        row(f"{name}: {what}", middle[name], most.rate, bar)


def _run(
    train: peers.Train, x: np.ndarray, test: np.ndarray, batch: int, epochs: int, seed: int, number: int
) -> peers.Result:
    return peers.measure(train, x, test, batch, epochs, seed + number)


if __name__ == "__main__":
    main()
