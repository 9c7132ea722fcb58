"""Sparse models on real rows: few units a row, most units in use, reconstructions of some worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.datasets import load_digits

from diabolo import KSparseAutoencoder, SparseAutoencoder, Spec, TopKAutoencoder, Trainer
from diabolo.core.errors import UsageError

X = (load_digits().data / 16).astype("float32")
LEARN, HELD = X[:1400], X[1400:]
QUICK = Trainer(epochs=20, batch_size=64)


def error(model: Any) -> float:
    return float(np.square(HELD - model.reconstruct(HELD)).sum(1).mean())


SPREAD = float(np.square(HELD - LEARN.mean(0)).sum(1).mean())


@pytest.mark.parametrize("kind", ["batch-top-k", "l1", "kl", "jump-relu", "matryoshka"])
def test_every_kind_reconstructs_with_units_that_are_mostly_silent(kind: str) -> None:
    model = SparseAutoencoder(128, kind=kind, k=8, trainer=QUICK, random_state=0).fit(LEARN)
    codes = model.transform(HELD)
    assert error(model) < 0.35 * SPREAD
    if kind != "kl":  # sigmoid units are never 0
        assert float((codes != 0).sum(1).mean()) < {"batch-top-k": 11, "matryoshka": 8.01}.get(kind, 80)
    assert float((codes > 0.1 * codes.max()).any(0).mean()) > 0.2, "dead"


def test_mean_activities_are_drawn_to_their_target() -> None:
    def mean(sparsity: float) -> float:
        model = SparseAutoencoder(128, kind="kl", rho=0.05, sparsity=sparsity, trainer=QUICK, random_state=0)
        return float(model.fit(LEARN).transform(LEARN).mean())

    assert abs(mean(1.0) - 0.05) < 0.02 < abs(mean(0.0) - 0.05)


def test_prefixes_of_a_nested_code_reconstruct_by_themselves() -> None:
    def cut(kind: str) -> float:
        model = SparseAutoencoder(128, kind=kind, k=16, trainer=QUICK, random_state=0).fit(LEARN)
        codes = model.transform(HELD)
        codes[:, 32:] = 0
        return float(np.square(HELD - model.inverse_transform(codes)).sum(1).mean())

    assert cut("matryoshka") < 0.5 * cut("batch-top-k")


@pytest.mark.parametrize("model", [KSparseAutoencoder, TopKAutoencoder])
def test_a_code_has_exactly_k_active_units_and_most_units_work(model: Any) -> None:
    fitted = model(128, k=8, trainer=QUICK, random_state=0).fit(LEARN)
    codes = fitted.transform(HELD)
    assert (codes != 0).sum(1).max() == 8 and error(fitted) < 0.35 * SPREAD
    assert float((fitted.transform(X) != 0).any(0).mean()) > 0.5, "dead"


def test_activations_of_any_scale_are_taken() -> None:
    random = np.random.default_rng(0)
    activations = (1e3 * random.normal(size=(500, 12)) + 5e3).astype("float32")
    model = SparseAutoencoder(trainer=Trainer(epochs=30), random_state=0).fit(activations)
    assert model.n_components_ == 48
    recon = model.reconstruct(activations)
    assert np.square(activations - recon).sum() < 0.6 * np.square(activations - activations.mean(0)).sum()


def test_an_unknown_kind_is_named() -> None:
    with pytest.raises(UsageError, match="kind 'l2' is unknown; did you mean 'l1'"):
        SparseAutoencoder(kind="l2").fit(LEARN)


def test_other_networks_go_with_it() -> None:
    model = SparseAutoencoder(32, network=Spec("dense", hidden=(32,)), trainer=Trainer(epochs=2), random_state=0)
    assert model.fit(LEARN).transform(HELD).shape == (len(HELD), 32)
