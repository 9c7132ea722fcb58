"""The exact bars on MNIST: PCA with 30 components, and the linear autoencoder that must reach it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from diabolo import Autoencoder, Trainer, data
from diabolo.tasks import principal
from diabolo.tasks.reduce import compare

PCA_30 = 13.8663
"""Squared error per test picture, pixels in [0, 1], of the 30 principal components of the training pictures."""


@pytest.fixture(scope="module")
def mnist(data_dir: Path) -> tuple[np.ndarray, np.ndarray]:
    train, test = (data.open(data_dir / "mnist" / f"{part}-images-idx3-ubyte.gz").rows for part in ("train", "t10k"))
    return flat(train), flat(test)


def flat(pictures: np.ndarray) -> np.ndarray:
    return pictures.reshape(len(pictures), -1).astype("float32") / 255


def test_thirty_principal_components(mnist: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = mnist

    def chunks() -> Iterator[np.ndarray]:
        yield from np.array_split(train, 20)

    found = principal.fit(chunks, 30)
    error = float(np.square(found.reconstruct(test.astype("float64")) - test).sum(1).mean())
    assert error == pytest.approx(PCA_30, abs=1e-3)


def test_a_linear_autoencoder_reaches_them(mnist: tuple[np.ndarray, np.ndarray]) -> None:
    train, test = mnist
    trainer = Trainer(epochs=6, batch_size=250, optimizer="adam", lr=3e-3, validation=0.0)
    model = Autoencoder(30, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=0).fit(train)
    error = float(np.square(model.reconstruct(test) - test).sum(1).mean())
    assert PCA_30 - 1e-3 < error <= 13.94
    judged = compare(model, model.processor_.encode(train), model.processor_.encode(test))
    assert judged.pca.value == pytest.approx(PCA_30, abs=1e-3)
    assert judged.model.value == pytest.approx(error, abs=1e-3)
