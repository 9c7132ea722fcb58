"""New pictures: drawn from a prior, between two, by arithmetic; and how good they are, in figures."""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits

from diabolo import VAE, Trainer, interpolate, sample_quality
from diabolo.tasks.features import taught
from diabolo.tasks.latent_paths import direction, moved

SHADES = " .:-=+*#"


def main(epochs: int = 40) -> None:
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    X, y = digits.images[order].astype(np.float32), digits.target[order]
    half = len(X) // 2
    train, test, known = X[:half], X[half:], y[:half]

    # KL that counts little, and a density of the codes learnt afterwards, make sharper samples than N(0, I).
    trainer = Trainer(epochs=epochs)
    plain = VAE(8, trainer=trainer, random_state=0).fit(train)
    better = VAE(8, beta=0.1, trainer=trainer, random_state=0).fit(train)
    better.fit_prior(train, "mixture(components=20, covariance='full')")

    features = taught(train.reshape(half, -1) / 16, known)
    for name, model in (("VAE, N(0, I)", plain), ("small beta, mixture", better)):
        made = model.sample(len(test), random_state=0).reshape(len(test), -1) / 16
        found = sample_quality(test.reshape(len(test), -1) / 16, made, features)
        print(
            f"{name}: Frechet {found.frechet}, precision {found.precision.value:.2f}, recall {found.recall.value:.2f}"
        )
        print(f"  {found.verdict}")

    zero, one = (train[known == digit][:1] for digit in (0, 1))
    print("from a zero to a one:")
    show(interpolate(better, zero, one, 7))
    print("a zero with more and more of what makes an eight:")
    show(moved(better, zero, direction(better, train, known, 8), (0.0, 0.5, 1.0, 1.5)))


def show(pictures: np.ndarray) -> None:
    """Pictures side by side, in characters."""
    levels = np.clip(pictures / 16 * (len(SHADES) - 1), 0, len(SHADES) - 1).round().astype(int)
    for line in range(pictures.shape[1]):
        print("  ".join("".join(SHADES[level] for level in picture[line]) for picture in levels))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
