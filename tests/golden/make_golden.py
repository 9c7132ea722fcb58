"""Writes the golden models of the present format. Run it once for a new format, never again for an old one.

    python tests/golden/make_golden.py

Every folder holds a saved model, ``rows.npy`` and what the model made of them: ``codes.npy`` and ``recon.npy``.
"""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import numpy as np

HERE = Path(__file__).parent


def models() -> dict[str, Any]:
    """Name -> a small estimator that is not fitted."""
    from diabolo import Autoencoder, AutoencoderClassifier, AutoencoderRegressor, Trainer
    from diabolo.core import lookup, names

    trainer = Trainer(epochs=2, batch_size=8)
    given = {"trainer": trainer, "random_state": 0}
    plain = Autoencoder(2, network="dense", hidden=(4,), **given)
    special = {
        "autoencoder": plain,
        "conv": Autoencoder(2, network="conv(channels=(2, 3), norm='batch')", **given),
        "classifier": AutoencoderClassifier(plain, **given),
        "regressor": AutoencoderRegressor(plain, **given),
        "masked": lookup("model", "masked")(2, width=8, depth=1, **given),
        "sequence": lookup("model", "sequence")(2, network="recurrent(width=4)", **given),
        "hierarchical-vae": lookup("model", "hierarchical-vae")(2, **given),
    }
    for name in names("model"):
        if name not in special:
            cls = lookup("model", name)
            takes = inspect.signature(cls).parameters
            small = {key: (4,) for key in ("hidden", "critic") if key in takes}
            special[name] = cls(2, **small, **given)
    return special


def rows(name: str) -> np.ndarray:
    """24 rows of 5 numbers far from unit scale, or of 5 counts, or 24 pictures of 6 x 5."""
    random = np.random.default_rng(0)
    if name == "conv":
        return random.integers(0, 256, (24, 6, 5), dtype=np.uint8)
    if name == "count-vae":
        return random.poisson(4.0, (24, 5)).astype("float32")
    return (random.normal(size=(24, 5)) * 10 + 3).astype("float32")


def main() -> None:
    from diabolo.estimators.saving import FORMAT

    for name, model in models().items():
        folder = HERE / f"format{FORMAT}-{name}"
        if folder.exists():  # golden models of a format are never written again
            continue
        X = rows(name)
        fitted = model.fit(X, (X.reshape(len(X), -1)[:, 0] > 3).astype(int))
        fitted.save(folder)
        np.save(folder / "rows.npy", X)
        np.save(folder / "codes.npy", fitted.transform(X))
        np.save(folder / "recon.npy", fitted.reconstruct(X))


if __name__ == "__main__":
    main()
