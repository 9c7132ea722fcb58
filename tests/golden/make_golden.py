"""Writes the golden models of the present format. Run it once for a new format, never again for an old one.

    python tests/golden/make_golden.py

Every folder holds a saved model, ``rows.npy`` and what the model made of them: ``codes.npy`` and ``recon.npy``.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def models() -> dict[str, Any]:
    """Name -> a small estimator that is not fitted."""
    from diabolo import VAE, Autoencoder, Trainer

    trainer = Trainer(epochs=2, batch_size=8)
    return {
        "autoencoder": Autoencoder(2, network="dense", hidden=(4,), trainer=trainer, random_state=0),
        "conv": Autoencoder(2, network="conv(channels=(2, 3), norm='batch')", trainer=trainer, random_state=0),
        "vae": VAE(2, hidden=(4,), trainer=trainer, random_state=0),
    }


def rows(name: str) -> np.ndarray:
    """24 rows of 5 numbers far from unit scale, or 24 pictures of 6 x 5."""
    random = np.random.default_rng(0)
    if name == "conv":
        return random.integers(0, 256, (24, 6, 5), dtype=np.uint8)
    return (random.normal(size=(24, 5)) * 10 + 3).astype("float32")


def main() -> None:
    from diabolo.estimators.saving import FORMAT

    for name, model in models().items():
        folder = HERE / f"format{FORMAT}-{name}"
        if folder.exists():
            sys.exit(f"{folder.name} exists: golden models of a format are never written again.")
        X = rows(name)
        fitted = model.fit(X)
        fitted.save(folder)
        np.save(folder / "rows.npy", X)
        np.save(folder / "codes.npy", fitted.transform(X))
        np.save(folder / "recon.npy", fitted.reconstruct(X))


if __name__ == "__main__":
    main()
