"""Autoencoder and PCA against the best possible error on three known distributions (`benchmarks.distributions`).

    python -m benchmarks.known_distributions

Defaults but for the code's size, which is the true one; errors on fresh inliers, summed over the columns, mean over
seeds. The multi-modal set trains with its outliers. ``rival`` is what the row is held
against.
"""

from __future__ import annotations

import argparse

import numpy as np
from sklearn.decomposition import PCA

from diabolo import Autoencoder

from .common import head, row, squared
from .distributions import KNOWN, Known


def errors(known: Known, n: int, seed: int) -> tuple[float, float, float]:
    """Errors on 20,000 fresh inliers, trained on n rows: Autoencoder, the same with the Huber loss, PCA."""
    train, fresh = known.draw(n, 2 * seed, outliers=True), known.draw(20_000, 2 * seed + 1)
    model, pca = Autoencoder(known.k, random_state=seed).fit(train), PCA(known.k).fit(train)
    robust = Autoencoder(known.k, loss="huber", random_state=seed).fit(train)
    recons = model.reconstruct(fresh), robust.reconstruct(fresh), pca.inverse_transform(pca.transform(fresh))
    ours, huber, linear = (squared(fresh, recon) for recon in recons)
    return ours, huber, linear


def main() -> None:
    """Print ours, PCA and the best."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--n", type=int, default=4000)
    options.add_argument("--seeds", type=int, default=3)
    args = options.parse_args()
    head(f"Known distributions, {args.n:,} training rows, {args.seeds} seeds")
    for make in KNOWN:
        known = make()
        ours, huber, pca = np.mean([errors(known, args.n, seed) for seed in range(args.seeds)], 0).tolist()
        row(f"{known.name}: Autoencoder, against the best possible", ours, known.best)
        row(f"{known.name}: Autoencoder(loss='huber'), against the best possible", huber, known.best)
        row(f"{known.name}: PCA ({known.linear:.4g} expected), against the best possible", pca, known.best)
        row(f"{known.name}: Autoencoder, against PCA", ours, pca)


if __name__ == "__main__":
    main()
