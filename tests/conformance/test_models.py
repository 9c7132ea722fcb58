"""Laws every named model keeps, on 160 handwritten digits: one quick fit a model, shared by all of them.

A new model is found by its registered name. One that wants other rows or other parameters has an entry in EXAMPLES.
"""

from __future__ import annotations

import inspect
import pickle
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from diabolo import Trainer, load
from diabolo.core import Batch, lookup, names
from diabolo.core.errors import ModelError
from diabolo.data import MemoryFeed
from diabolo.report.doctor import examine

ROWS, EPOCHS = 160, 3
PATIENT = {"patience": None}


def digits() -> np.ndarray:
    """Pixels in [0, 1], (160, 64)."""
    return (load_digits().data[:ROWS] / 16).astype("float32")


def counts() -> np.ndarray:
    """Pixels as counts from 0 to 16, (160, 64)."""
    return load_digits().data[:ROWS].astype("float32")


def classes() -> np.ndarray:
    return load_digits().target[:ROWS]


EXAMPLES: dict[str, tuple[Callable[[], np.ndarray], dict[str, Any]]] = {
    "count-vae": (counts, {}),
    "hierarchical-vae": (digits, {"free_bits": 0.0}),  # after three epochs its nats are within the free ones
    "topic-model": (counts, {}),
}
"""Name -> (rows, parameters), where the usual ones will not do."""

STAY: dict[str, tuple[str, ...]] = {}
"""Name -> parameters (by the beginning of their names) that training is meant to leave as they are."""


def example(name: str) -> tuple[Any, np.ndarray, np.ndarray]:
    """A model, not fitted, its rows, and what y says of them."""
    rows, params = EXAMPLES.get(name, (digits, {}))
    cls = lookup("model", name)
    if "n_components" in inspect.signature(cls).parameters:
        params = {"n_components": 4, **params}
    trainer = Trainer(epochs=EPOCHS, batch_size=32, **PATIENT)  # type: ignore[arg-type]
    return cls(**params, trainer=trainer, random_state=0), rows(), classes()


@cache
def fitted(name: str) -> Any:
    model, X, y = example(name)
    return model.fit(X, y)


def batch_of(model: Any, X: np.ndarray, y: np.ndarray) -> Batch:
    """The rows as training sees them, labels and conditions beside them."""
    tensors = {**model.processor_.encode(X), **model._beside(X, y, len(X), fitting=False)}
    return next(MemoryFeed(tensors, model.processor_.collate).batches(len(X)))


every = pytest.mark.parametrize("name", names("model"))


@every
def test_codes_are_finite_float32_and_the_same_every_time(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    codes = model.transform(X)
    assert codes.dtype == np.float32 and codes.shape == (len(X), *model.code_shape_)
    assert np.isfinite(codes).all() and model.n_components_ == codes[0].size
    np.testing.assert_array_equal(model.transform(X), codes)
    assert len(model.get_feature_names_out()) == model.n_components_


@every
def test_a_row_has_the_same_code_and_score_in_any_company(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    np.testing.assert_allclose(model.transform(X[:7]), model.transform(X)[:7], rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.score_samples(X[:7]), model.score_samples(X)[:7], rtol=1e-4, atol=1e-3)


@every
def test_codes_tell_rows_apart(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    assert model.transform(X).reshape(len(X), -1).std(0).max() > 1e-6


@every
def test_reconstructions_are_rows_of_the_same_kind(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    recon = model.reconstruct(X)
    assert recon.shape == X.shape and recon.dtype == np.float32 and np.isfinite(recon).all()
    np.testing.assert_array_equal(model.reconstruct(X), recon)
    back = model.inverse_transform(model.transform(X))
    assert back.shape == X.shape and np.isfinite(back).all()


@every
def test_scores_are_finite_one_a_row_and_the_same_every_time(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    scores = model.score_samples(X)
    assert scores.shape == (len(X),) and np.isfinite(scores).all() and scores.std() > 0
    np.testing.assert_array_equal(model.score_samples(X), scores)


@every
def test_every_parameter_has_moved(name: str) -> None:
    """No part is left untrained: from the same start, nothing is where it was (a prior fitted afterwards is new)."""
    model, X, y = example(name)
    start, end = model.plan(X, y), fitted(name)
    for part in ("module_", "objective_"):
        before = dict(getattr(start, part).named_parameters())
        for which, value in getattr(end, part).named_parameters():
            assert torch.isfinite(value).all(), which
            if which in before and not which.startswith(STAY.get(name, ("-",))):
                assert not torch.equal(before[which], value), f"{part}.{which} did not move"


@every
def test_every_term_of_every_epoch_is_finite(name: str) -> None:
    history = fitted(name).history_
    assert history, "no epoch was recorded"
    for record in history:
        for side in ("train", "validation"):
            values = record[side] or {}
            assert np.isfinite(list(values.values())).all(), record
        assert "loss" in record["train"] and len(record["train"]) > 1


@every
def test_every_term_pulls_at_some_weight(name: str) -> None:
    model, X, y = pickle.loads(pickle.dumps(fitted(name))), *example(name)[1:]
    module, objective = model.module_.train(), model.objective_.train()
    batch = batch_of(model, X, y if type(model)._numeric_labels else np.where(np.arange(len(y)) % 3, y, -1))
    weights = [p.requires_grad_() for p in [*module.parameters(), *objective.parameters()]]
    torch.manual_seed(0)
    with torch.random.fork_rng(devices=[]):
        terms = objective.terms(module, batch, module(batch), step=1, total=2)
    for term, value in terms.items():
        if not value.requires_grad and bool((value == 0).all()):
            continue  # asleep: no unit is dead, say
        pulls = torch.autograd.grad(value.mean(), weights, retain_graph=True, allow_unused=True)
        assert any(g is not None and bool((g != 0).any()) for g in pulls), f"{term} has no gradient"


@every
def test_a_loaded_model_gives_the_same_bits(name: str, tmp_path: Path) -> None:
    model, X = fitted(name), example(name)[1]
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    assert type(again) is type(model)
    for verb in ("transform", "score_samples", "reconstruct"):
        np.testing.assert_array_equal(getattr(again, verb)(X), getattr(model, verb)(X))
    assert again.describe()["layers"] == model.describe()["layers"]


@every
def test_a_pickle_gives_the_same_bits_and_a_clone_is_not_fitted(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).transform(X), model.transform(X))
    other = clone(model)
    assert "module_" not in vars(other) and other.get_params().keys() == model.get_params().keys()


@every
def test_the_seed_alone_decides(name: str) -> None:
    model, X, y = example(name)
    torch.manual_seed(12345)
    np.testing.assert_array_equal(model.fit(X, y).transform(X), fitted(name).transform(X))


@every
def test_samples_are_rows_or_a_reason_is_given(name: str) -> None:
    model, X = fitted(name), example(name)[1]
    try:
        rows = model.sample(5, random_state=0)
    except ModelError as refused:
        assert "fit_prior" in str(refused) or "train" in str(refused)
        return
    assert rows.shape == (5, *X.shape[1:]) and np.isfinite(rows).all()
    np.testing.assert_array_equal(model.sample(5, random_state=0), rows)
    assert not np.array_equal(model.sample(5, random_state=1), rows)


@every
def test_labels_are_known_again(name: str) -> None:
    """Models that learn from labels say them for new rows too; all others ignore y."""
    model, X, y = fitted(name), *example(name)[1:]
    if type(model)._label_role is None:
        assert "labels_" not in vars(model)
        return
    said = model.predict(X)
    assert len(said) == len(X)
    if not type(model)._numeric_labels:
        assert set(said.tolist()) <= set(y.tolist())
        odds = model.predict_proba(X)
        assert odds.shape == (len(X), len(set(y.tolist())))
        np.testing.assert_allclose(odds.sum(1), 1.0, rtol=1e-4)
        np.testing.assert_array_equal(model.labels_.classes[odds.argmax(1)], said)


def test_examples_name_models_that_there_are() -> None:
    later = {"count-vae", "topic-model"}
    assert {*EXAMPLES, *STAY} <= {*names("model"), *later}


@every
def test_the_doctor_finds_every_part_trained_and_alive(name: str) -> None:
    model, X, y = fitted(name), *example(name)[1:]
    codes = model.transform(X)
    names = {finding.name for finding in examine(model, X, y)}
    assert not names & {"a part without gradient", "an untrained part", "weights that are no numbers"}
    assert not names & {"constant code", "constant scores", "constant rows"}
    np.testing.assert_array_equal(model.transform(X), codes)
