"""PCA-30 and the linear autoencoder on MNIST: test squared error an image.

    python -m runs.pca_mnist --data DIR

Pixels / 255, centred by the training mean, 30 components, error summed over the 784 pixels, mean over the 10,000 test
images. A linear autoencoder spans the same subspace at its optimum, so PCA's figure is its limit.

Reference: Hinton & Salakhutdinov (2006), Science 313: PCA 13.87; recomputed 13.8663. Baldi & Hornik (1989) for the
linear autoencoder. Uncentred it would be 13.88, on the training rows 14.207.
"""

from __future__ import annotations

import numpy as np
from benchmarks.common import head, mnist, parser, row, squared

from diabolo import Autoencoder, Trainer
from diabolo.tasks import principal

COMPONENTS = 30
CHUNK = 5000


def pca_error(train: np.ndarray, test: np.ndarray) -> float:
    """Test squared error a row of PCA-30, in float64."""
    linear = principal.fit(
        lambda: (train[i : i + CHUNK].astype(np.float64) for i in range(0, len(train), CHUNK)), COMPONENTS
    )
    return squared(test.astype(np.float64), linear.reconstruct(test.astype(np.float64)))


def main() -> None:
    """Print both."""
    options = parser(__doc__)
    options.add_argument("--epochs", type=int, default=10, help="of the linear autoencoder")
    args = options.parse_args()
    train, test = mnist(args, "train"), mnist(args, "test")
    head("MNIST, code of 30: test squared error an image")
    pca = pca_error(train, test)
    row("PCA-30", pca, 13.8663, "ours >= 13.8653 and ours <= 13.8673")
    trainer = Trainer(epochs=args.epochs, validation=0.0)
    model = Autoencoder(COMPONENTS, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=args.seed)
    error = squared(test, model.fit(train).reconstruct(test))
    row(f"linear autoencoder, {args.epochs} epochs, against PCA-30", error, pca, "ours <= 13.94")


if __name__ == "__main__":
    main()
