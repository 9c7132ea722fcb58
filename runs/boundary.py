"""Borders of pictures: the error of a small convolutional autoencoder there, by padding and by the boundary loss.

    python -m runs.boundary --seeds 3

1,200 smooth random fields of 24 x 24 (waves whose phase and direction vary, so that borders look like the inside),
400 held out. Printed: squared error a pixel at the border (two pixels wide) and inside, and their ratio, for zero
padding, reflective padding, the boundary-weighted loss, and both. Bar: the border error of each cure below that of zero
padding.

Reference: Liu et al. (2018), "Partial convolution based padding"; Innamorati et al. (2018), "Learning on the edge".
"""

from __future__ import annotations

import argparse

import numpy as np
from benchmarks.common import head, row

from diabolo import Autoencoder, Spec, Trainer

from .record import spread

SIDE, BORDER = 24, 2
CASES = {
    "zeros": ("zeros", "squared"),
    "reflect": ("reflect", "squared"),
    "boundary loss": ("zeros", Spec("boundary", width=BORDER, weight=3.0)),
    "reflect + boundary loss": ("reflect", Spec("boundary", width=BORDER, weight=3.0)),
}


def fields(n: int, random: np.random.Generator) -> np.ndarray:
    """(n, 24, 24) sums of two waves."""
    at = np.stack(np.meshgrid(np.arange(SIDE), np.arange(SIDE), indexing="ij"), -1)
    waves = random.normal(scale=0.35, size=(n, 2, 2)), random.uniform(0, 2 * np.pi, (n, 2, 1, 1))
    return np.sin(np.einsum("nwd,ijd->nwij", waves[0], at) + waves[1]).sum(1).astype("float32")


def errors(padding: str, loss: str | Spec, seed: int, epochs: int) -> tuple[float, float]:
    """Squared error a pixel at the border and inside, on held-out fields."""
    random = np.random.default_rng(seed)
    learn, held = fields(1200, random), fields(400, random)
    network = Spec("conv", channels=(8, 16), kernel=3, flat=False, padding=padding)
    trainer = Trainer(epochs=epochs, batch_size=64, optimizer="adam", lr=3e-3)
    model = Autoencoder(4, network=network, loss=loss, trainer=trainer, random_state=seed).fit(learn)
    wrong = np.square(held - model.reconstruct(held)).mean(0)
    inside = np.zeros((SIDE, SIDE), dtype=bool)
    inside[BORDER:-BORDER, BORDER:-BORDER] = True
    return float(wrong[~inside].mean()), float(wrong[inside].mean())


def main() -> None:
    """Print three rows a case."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=15)
    args = options.parse_args()
    head("Squared error a pixel, border and inside")
    plain: list[float] = []
    for name, (padding, loss) in CASES.items():
        found = [errors(padding, loss, seed, args.epochs) for seed in range(args.seeds)]
        border, inside = [e[0] for e in found], [e[1] for e in found]
        plain = plain or border
        bar = "" if name == "zeros" else "ratio < 1"
        row(f"{name}: border ({spread(border)})", float(np.mean(border)), float(np.mean(plain)), bar)
        row(f"{name}: inside ({spread(inside)})", float(np.mean(inside)))


if __name__ == "__main__":
    main()
