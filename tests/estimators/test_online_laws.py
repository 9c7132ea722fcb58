"""Online learning against the recursion written by hand, and optimisers that cannot learn online."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo import Autoencoder, Trainer
from diabolo.core.errors import UsageError

RATE, FIRST = 0.05, 16


def rows(n: int = 80, width: int = 6) -> np.ndarray:
    random = np.random.default_rng(0)
    return (0.5 * random.normal(size=(n, 2)) @ random.normal(size=(2, width))).clip(-1, 1).astype("float32")


def weights(model: Autoencoder) -> list[np.ndarray]:
    """Encoder and decoder of a linear autoencoder: W (D, F), b (D,), V (F, D), c (F,)."""
    held = [p.detach().double().numpy().copy() for p in model.module_.parameters()]
    assert [p.ndim for p in held] == [2, 1, 2, 1]
    return held


def test_row_by_row_it_is_the_sgd_recursion_of_a_linear_autoencoder() -> None:
    """W <- W - lr dL/dW with L = |V (W x + b) + c - x|^2 of one row at a time."""
    X = rows()
    trainer = Trainer(optimizer="sgd(momentum=0.0)", lr=RATE, schedule="constant", batch_size=FIRST)
    model = Autoencoder(2, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=0)
    model.partial_fit(X[:FIRST])
    w, b, v, c = weights(model)
    for row in X[FIRST:]:
        model.partial_fit(row[None])
        x = row.astype(float)
        z = w @ x + b
        error = 2 * (v @ z + c - x)
        back = v.T @ error
        w, b = w - RATE * np.outer(back, x), b - RATE * back
        v, c = v - RATE * np.outer(error, z), c - RATE * error
    for ours, by_hand in zip(weights(model), (w, b, v, c), strict=True):
        np.testing.assert_allclose(ours, by_hand, rtol=1e-4, atol=1e-6)


def test_a_line_search_takes_all_rows_at_once_and_says_so() -> None:
    X = rows()
    model = Autoencoder(2, hidden=(), trainer=Trainer(optimizer="lbfgs", epochs=3), random_state=0).fit(X)
    chosen = {choice.name: choice for choice in model.choices_}
    assert chosen["batch_size"].value == "full" and "line search" in chosen["batch_size"].why
    with pytest.raises(UsageError, match=r"batch_size must be 'full' for optimizer 'lbfgs'.*got 32"):
        Autoencoder(2, trainer=Trainer(optimizer="lbfgs", batch_size=32)).fit(X)
    with pytest.raises(UsageError, match="for partial_fit take sgd or adam"):
        Autoencoder(2, trainer=Trainer(optimizer="lbfgs")).partial_fit(X)


def test_lbfgs_finds_what_first_order_methods_do_not_in_as_many_epochs() -> None:
    """On a linear autoencoder it reaches the closed form, PCA, to 1 in 10 000."""
    X = rows(200) + 0.1 * np.random.default_rng(1).normal(size=(200, 6)).astype("float32")
    trainer = Trainer(optimizer="lbfgs", epochs=20, schedule="constant", validation=0.0)
    model = Autoencoder(2, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=0).fit(X)
    centred = (X - X.mean(0)).astype(float)
    optimum = np.linalg.eigvalsh(centred.T @ centred)[:-2].sum()
    ours = float(np.square(model.reconstruct(X).astype(float) - X).sum())
    assert optimum * (1 - 1e-6) <= ours <= optimum * (1 + 1e-4)
