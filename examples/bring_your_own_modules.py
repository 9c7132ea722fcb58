"""Two modules of your own as encoder and decoder: Diabolo trains, scores, saves and loads them."""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_digits
from torch import Tensor, nn

from diabolo import Autoencoder, Trainer, load


class Squeeze(nn.Module):
    """An encoder: any module from the data's shape to the code."""

    def __init__(self, code: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Linear(64, 48), nn.SiLU(), nn.LayerNorm(48), nn.Linear(48, code))

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


def stretch(code: int) -> nn.Module:
    """A decoder: any module from the code back to the data's shape."""
    return nn.Sequential(nn.Linear(code, 48), nn.SiLU(), nn.Linear(48, 64))


def main(epochs: int = 50) -> None:
    digits = load_digits().data / 16
    trainer = Trainer(epochs=epochs)
    model = Autoencoder(10, network=(Squeeze(10), stretch(10)), trainer=trainer, random_state=0).fit(digits)
    print(f"squared error of an image: {((digits - model.reconstruct(digits)) ** 2).sum(axis=1).mean():.4f}")

    # A saved model holds weights and shapes, never code: the modules are given again when it is loaded.
    model.save("own-modules")
    again = load("own-modules", encoder=Squeeze(10), decoder=stretch(10))
    print("same codes after loading:", np.array_equal(model.transform(digits), again.transform(digits)))


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
