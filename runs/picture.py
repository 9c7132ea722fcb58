"""The README's picture: held-out digits, what a code of 8 gives back, and PCA with 8 components.

python runs/picture.py [--out docs/images/demo.png]
"""

from __future__ import annotations

import argparse

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA

from diabolo import Autoencoder

SHOWN, SIZE = 14, 8


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default="docs/images/demo.png")
    out = parser.parse_args().out
    digits = load_digits()
    order = np.random.default_rng(0).permutation(len(digits.images))
    train, held = digits.images[order[449:]].astype(np.float32), digits.images[order[:449]].astype(np.float32)
    model = Autoencoder(SIZE, random_state=0).fit(train)
    pca = PCA(SIZE).fit(train.reshape(len(train), -1))
    linear = pca.inverse_transform(pca.transform(held.reshape(len(held), -1))).reshape(held.shape)
    recon = model.reconstruct(held)
    errors = [np.square(held - made).sum((1, 2)).mean() for made in (recon, linear)]
    labels = ["original", f"autoencoder\nerror {errors[0]:.0f}", f"PCA\nerror {errors[1]:.0f}"]
    figure, axes = plt.subplots(3, SHOWN, figsize=(9.6, 2.3), layout="constrained")
    for row, (label, pictures) in enumerate(zip(labels, (held, recon, linear), strict=True)):
        for axis, picture in zip(axes[row], pictures[:SHOWN], strict=True):
            axis.imshow(picture, cmap="gray_r", vmin=0, vmax=16)
            axis.set(xticks=[], yticks=[])
            for side in axis.spines.values():
                side.set_visible(False)
        axes[row][0].set_ylabel(label, rotation=0, ha="right", va="center", fontsize=9)
    figure.suptitle(f"64 pixels through a code of {SIZE}: digits the model has not seen", fontsize=10)
    figure.savefig(out, dpi=150, metadata={"Software": None})
    print(f"{out}: squared error a digit {errors[0]:.1f}, PCA {errors[1]:.1f}")


if __name__ == "__main__":
    main()
