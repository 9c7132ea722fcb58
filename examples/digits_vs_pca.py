"""Real digits: the held-out error of an autoencoder beside that of PCA with a code of the same size."""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from diabolo import Autoencoder, Trainer


def error(original: np.ndarray, copy: np.ndarray) -> float:
    """Mean squared error of an image, summed over its pixels."""
    return float(((original - copy) ** 2).sum(axis=1).mean())


def main(epochs: int = 100) -> None:
    digits = load_digits().data / 16
    train, test = train_test_split(digits, test_size=0.2, random_state=0)
    print(f"{'code':>4}  {'PCA':>7}  {'autoencoder':>11}")
    for size in (8, 16, 32):
        pca = PCA(size, random_state=0).fit(train)
        model = Autoencoder(n_components=size, trainer=Trainer(epochs=epochs), random_state=0).fit(train)
        linear = error(test, pca.inverse_transform(pca.transform(test)))
        ours = error(test, model.reconstruct(test))
        print(f"{size:>4}  {linear:>7.4f}  {ours:>11.4f}  {'won' if ours < linear else 'lost'}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
