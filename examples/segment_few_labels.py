"""What every pixel is, from four labelled pictures and sixty without labels.

    python examples/segment_few_labels.py

The pictures show a patch of level stripes among upright ones: the same grey levels, so that a pixel alone says nothing.
All pictures train the encoder (pixels are hidden and asked for); four of them teach it the classes.
"""

from __future__ import annotations

import sys

import numpy as np

from diabolo import Autoencoder, Segmenter, Trainer
from diabolo.tasks.segment_rivals import mean_iou


def stripes(count: int, seed: int, side: int = 24) -> tuple[np.ndarray, np.ndarray]:
    """Pictures (N, H, W) in [0, 1], and the class of every pixel: 1 in the patch, 0 around it."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    pictures, labels = np.empty((count, side, side), np.float32), np.zeros((count, side, side), int)
    for picture, label in zip(pictures, labels, strict=True):
        top, left = draw.integers(1, side - 12, 2)
        label[top : top + 11, left : left + 11] = 1
        upright, level = (np.sin(2 * np.pi * axis / 5 + draw.uniform(0, 6)) for axis in (x, y))
        picture[:] = 0.5 + 0.3 * np.where(label == 1, level, upright) + draw.normal(0, 0.03, label.shape)
    return pictures, labels


def main(epochs: int = 250) -> None:
    X, y = stripes(64, seed=0)
    y[4:] = -1  # the labels of four pictures are known
    test, truth = stripes(40, seed=1)
    small = Autoencoder(8, network="u-shaped(width=8, depth=1)")
    for name, pretrain in (("pre-trained on all pictures", True), ("without pre-training", False)):
        trainer = Trainer(epochs=epochs, batch_size=4, optimizer="adamw", lr=4e-3)
        before = Trainer(epochs=max(1, epochs // 10), batch_size=8, optimizer="adamw", lr=4e-3)
        model = Segmenter(small.set_params(trainer=before), pretrain=pretrain, trainer=trainer, random_state=0)
        said = model.fit(X, y).predict(test)
        print(f"{name:30s} mean IoU {100 * mean_iou(list(truth), list(said), model.classes_):.1f} %")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
