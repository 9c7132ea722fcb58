"""A noisy photograph and nothing else: the noise is taken out by what its own pixels say of each other.

    python examples/noisy_photograph.py

No clean picture is used to learn from. In training some pixels show the mean of their neighbours instead of themselves,
and the network is asked for them: the noise of a pixel cannot be guessed from others, what belongs to the picture can.
The truth is used for one thing only: to measure at the end.
"""

from __future__ import annotations

import sys

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.datasets import load_sample_image

from diabolo import Autoencoder, Denoiser, Trainer
from diabolo.tasks.decibels import psnr


def main(epochs: int = 12) -> None:
    truth = load_sample_image("china.jpg")[60:220, 240:400].astype(np.float32) / 255
    noisy = (truth + np.random.default_rng(0).normal(0, 0.1, truth.shape)).astype(np.float32)

    small = Autoencoder(16, network="u-shaped(width=16, depth=1)", loss="squared")  # without: wider, and 1,500 steps
    trainer = Trainer(epochs=epochs, batch_size=16, optimizer="adamw", lr=4e-3)
    model = Denoiser(small, clean=False, tile=32, trainer=trainer, random_state=0).fit([noisy])
    restored = model.transform([noisy])[0]

    print(model.noise_levels([noisy])[0])
    for name, said in (
        ("as it was given", noisy),
        ("median filter", median_filter(noisy, (3, 3, 1))),
        ("best Gaussian filter of three", max((gaussian_filter(noisy, (w, w, 0)) for w in (0.5, 0.8, 1.1)),
                                              key=lambda p: psnr(truth, p))),
        ("learnt from the noisy photograph", restored),
    ):  # fmt: skip
        print(f"{name:36s} {psnr(truth, np.clip(said, 0, 1)):.2f} dB")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
