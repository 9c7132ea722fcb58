"""scikit-learn's digits, codes of 8, 16 and 32, five seeds: held-out squared error against PCA of the same size.

    python -m runs.demo_digits

A quarter of the 1,797 digits is held out, drawn anew with each seed; everything else is `Autoencoder`'s default.
Printed: mean of ours and of PCA, and of their ratio its mean and its spread (lowest, highest), won or lost.

Reference: bar of issue 2 for a code of 16: at least 25 % under PCA.
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.common import head, row

from diabolo import Autoencoder, data
from diabolo.tasks.reduce import compare

BARS = {16: "ratio <= 0.75"}
SHARE = 0.25


def main() -> None:
    """Print one row a code size."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--codes", type=int, nargs="+", default=[8, 16, 32])
    options.add_argument("--seeds", type=int, default=5)
    args = options.parse_args()
    head(f"Digits, held-out squared error, {args.seeds} seeds")
    for size in args.codes:
        found = np.array([_errors(size, seed) for seed in range(args.seeds)])
        ratios = found[:, 0] / found[:, 1]
        spread = f"{ratios.min():.3f} to {ratios.max():.3f}, sd {ratios.std(ddof=min(1, args.seeds - 1)):.3f}"
        ours, pca = found.mean(0).tolist()
        row(f"code of {size}, against PCA-{size} ({spread})", ours, pca, BARS.get(size, ""), float(ratios.mean()))


def _errors(size: int, seed: int) -> tuple[float, float]:
    source = data.open("digits")
    order = np.random.default_rng(seed).permutation(len(source))
    held, learn = source.take(order[: int(SHARE * len(source))]), source.take(order[int(SHARE * len(source)) :])
    model = Autoencoder(size, random_state=seed).fit(learn)
    encode = model.processor_.encode
    result = compare(model, encode(learn.rows), encode(held.rows), seed=seed)
    return result.model.value, result.pca.value


if __name__ == "__main__":
    main()
