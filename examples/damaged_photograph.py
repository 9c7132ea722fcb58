"""A damaged photograph and nothing else: its missing pixels from the pixels that are left.

    python examples/damaged_photograph.py

A third of the pixels of a photograph is gone. The model hides some of those that are left, learns to give them back,
and then fills what is really missing. The truth is used for one thing only: to measure at the end.
"""

from __future__ import annotations

import sys

import numpy as np
from sklearn.datasets import load_sample_image

from diabolo import Autoencoder, Inpainter, Trainer
from diabolo.tasks.inpaint_rivals import linear, nearest, psnr


def main(epochs: int = 9) -> None:
    truth = load_sample_image("china.jpg")[60:220, 240:400]
    missing = np.random.default_rng(0).random(truth.shape[:2]) < 0.33  # True: missing, as in scikit-image
    damaged = np.where(missing[..., None], 0, truth).astype(np.uint8)

    small = Autoencoder(16, network="u-shaped(width=16, depth=1)", loss="squared")  # without: wider, and 1,000 steps
    trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=4e-3)
    model = Inpainter(small, tile=32, trainer=trainer, random_state=0).fit([damaged], [missing])
    filled = model.transform([damaged], [missing])[0]

    untouched = bool((filled == truth)[~missing].all())
    print(f"{missing.sum():,} of {missing.size:,} pixels are missing; the others are as they were: {untouched}")
    scaled = truth.astype(np.float32) / 255
    for name, said in (
        ("nearest known pixel", nearest(scaled, ~missing)),
        ("linear between known pixels", linear(scaled, ~missing)),
        ("learnt from the damaged photograph", filled / 255),
    ):
        print(f"{name:36s} {psnr(scaled, said, missing):.2f} dB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
