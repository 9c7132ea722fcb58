"""Speed of `transform` from memory, and the time one row takes.

    python -m benchmarks.encode_speed --data DIR

784-128-64-32-16, float32 rows in memory, the batch of choice: each size in ``--batches`` is handed to `transform` call
by call (0: all rows in one call), in turn with the products alone. The limit is what the encoder's fp32 matrix products
take at the best of those sizes (`benchmarks.products`). One row: the 50th and 99th percentile of single calls
on a (1, 784) array, in microseconds. Weights do not change the speed, so the model trains for one epoch only.

Reference: bars of issue 2: 60 % of the limit; 100 microseconds.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from functools import partial

import numpy as np

from diabolo import Autoencoder, Trainer

from .common import head, interleave, mnist, parser, row
from .peers import SIZES
from .products import limit


def main() -> None:
    """Print the rates and the latency."""
    options = parser(__doc__)
    options.add_argument("--batches", type=int, nargs="+", default=[0, 16384, 4096, 1024])
    options.add_argument("--rounds", type=int, default=7)
    options.add_argument("--calls", type=int, default=5000)
    args = options.parse_args()
    x = mnist(args, "train")
    model = Autoencoder(SIZES[-1], hidden=SIZES[1:-1], trainer=Trainer(epochs=1), random_state=args.seed).fit(x[:2048])
    head("Encoding 784-128-64-32-16 from memory")
    runs: dict[str, Callable[[int], float]] = {}
    for batch in args.batches:
        size = min(batch or len(x), len(x))
        runs[f"transform of {size:,} rows a call"] = partial(_rate, model, x, size)
    for batch in {min(size, len(x)) for size in (1024, 4096, 16384)}:
        runs[f"products, {batch}"] = partial(_limit, batch)
    model.transform(x)
    found = {name: statistics.median(rates) for name, rates in interleave(runs, args.rounds).items()}
    most = max(rate for name, rate in found.items() if name.startswith("products"))
    rates = {name: rate for name, rate in found.items() if name.startswith("transform")}
    best = max(rates, key=rates.__getitem__)
    for name, rate in rates.items():
        row(f"{name}: rows/s, against the product limit", rate, most, "ratio >= 0.6" if name == best else "")
    times = _latencies(model, x[:1].copy(), args.calls)
    row(f"one row, median of {args.calls} calls: µs", float(np.percentile(times, 50)), bar="ours <= 100")
    row("one row, 99th percentile: µs", float(np.percentile(times, 99)))


def _rate(model: Autoencoder, x: np.ndarray, size: int, number: int) -> float:
    began, done = time.perf_counter(), 0
    while done < len(x) or time.perf_counter() - began < 0.3:
        done += len(model.transform(x[done % len(x) : done % len(x) + size]))
    return done / (time.perf_counter() - began)


def _limit(batch: int, number: int) -> float:
    return limit(SIZES, batch, training=False, rounds=1).rate


def _latencies(model: Autoencoder, x: np.ndarray, calls: int) -> np.ndarray:
    """Microseconds of single calls, after a hundred to warm up."""
    times = np.empty(calls + 100)
    for i in range(len(times)):
        began = time.perf_counter()
        model.transform(x)
        times[i] = time.perf_counter() - began
    return times[100:] * 1e6


if __name__ == "__main__":
    main()
