"""Starting from another model: its weights, its reading of rows, and one side kept as it is."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from diabolo import VAE, Autoencoder, Trainer, load
from diabolo.core.errors import UsageError

QUICK = Trainer(epochs=3, batch_size=16)


def rows(seed: int = 0, n: int = 60) -> np.ndarray:
    return (np.random.default_rng(seed).normal(size=(n, 5)) * 30 + 100).astype("float32")


def ae(k: Any = "auto", **params: Any) -> Autoencoder:
    return Autoencoder(k, **{"trainer": QUICK, "random_state": 0, **params})


@pytest.fixture(scope="module")
def first() -> Autoencoder:
    return ae(2, network="dense", hidden=(6,)).fit(rows())


def weights(model: Any, side: str) -> list[torch.Tensor]:
    return [tensor.clone() for name, tensor in model.module_.state_dict().items() if name.startswith(f"{side}.")]


def same(a: list[torch.Tensor], b: list[torch.Tensor]) -> bool:
    return all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def test_a_plan_from_a_model_is_that_model(first: Autoencoder) -> None:
    other = ae().start_from(first).plan(rows(1))
    np.testing.assert_array_equal(other.transform(rows(1)), first.transform(rows(1)))
    np.testing.assert_array_equal(other.reconstruct(rows(1)), first.reconstruct(rows(1)))


@pytest.mark.parametrize("frozen", ["encoder", "decoder"])
@pytest.mark.parametrize("optimizer", ["muon(weight_decay=1.0)", "adam"])
def test_a_frozen_side_keeps_every_bit_and_the_other_learns(first: Autoencoder, frozen: str, optimizer: str) -> None:
    trainer = Trainer(epochs=3, batch_size=16, optimizer=optimizer)
    model = ae(trainer=trainer).start_from(first, freeze=frozen).fit(rows(1))
    free = "decoder" if frozen == "encoder" else "encoder"
    assert same(weights(model, frozen), weights(first, frozen))
    assert not same(weights(model, free), weights(first, free))


def test_a_frozen_batch_norm_keeps_its_statistics() -> None:
    source = ae(2, network="dense(norm='batch')", hidden=(6,)).fit(rows())
    model = ae().start_from(source, freeze="encoder").fit(rows(1))
    assert same(weights(model, "encoder"), weights(source, "encoder"))


def test_the_model_started_from_is_not_changed(first: Autoencoder) -> None:
    before = weights(first, "")
    ae().start_from(first).fit(rows(1))
    assert same(weights(first, ""), before)


def test_without_freezing_both_sides_learn(first: Autoencoder) -> None:
    model = ae().start_from(first).fit(rows(1))
    assert not same(weights(model, "encoder"), weights(first, "encoder"))
    assert {
        choice.why for choice in model.choices_ if choice.name in ("n_components", "network", "hidden", "loss")
    } == {"as in the model it starts from"}


def test_a_good_start_is_ahead(first: Autoencoder) -> None:
    long = ae(2, network="dense", hidden=(6,), trainer=Trainer(epochs=60, batch_size=16)).fit(rows())
    short = Trainer(epochs=1, batch_size=16, lr=1e-4)
    warm, cold = ae(trainer=short).start_from(long).fit(rows()), ae(2, hidden=(6,), trainer=short).fit(rows())
    assert warm.score(rows()) > cold.score(rows())


def test_a_loaded_model_can_be_started_from(first: Autoencoder, tmp_path: Path) -> None:
    first.save(tmp_path / "m")
    model = ae().start_from(load(tmp_path / "m"), freeze="decoder").fit(rows(1))
    assert same(weights(model, "decoder"), weights(first, "decoder"))
    model.save(tmp_path / "n")
    np.testing.assert_array_equal(load(tmp_path / "n").transform(rows(1)), model.transform(rows(1)))


def test_a_model_that_started_from_another_can_be_pickled(first: Autoencoder) -> None:
    model = ae().start_from(first, freeze="encoder").fit(rows(1)).partial_fit(rows(2))
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(rows()), model.transform(rows()))
    assert same(weights(model, "encoder"), weights(first, "encoder"))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (ae(3), r"the model to start from has \[2, 6\] at 'encoder\.\S+' where this one has \[3, 6\]; leave network"),
        (ae(hidden=(7,)), r"where this one has \[7, 5\]"),
        (VAE(trainer=QUICK), r"has .* at '\S+' where this one has"),
    ],
)
def test_models_that_do_not_fit_say_where(first: Autoencoder, model: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        model.start_from(first).fit(rows(1))


def test_rows_of_another_width_do_not_fit(first: Autoencoder) -> None:
    with pytest.raises(ValueError, match=r"X has 4 features, but the model is expecting 5|expecting 5 features"):
        ae().start_from(first).fit(rows(1)[:, :4])


def test_only_a_side_can_be_frozen(first: Autoencoder) -> None:
    with pytest.raises(UsageError, match=r"freeze must be 'encoder', 'decoder' or None; got 'both'"):
        ae().start_from(first, freeze="both")


def test_only_a_fitted_model_can_be_started_from() -> None:
    with pytest.raises(ValueError, match=r"not fitted"):
        ae().start_from(ae())
