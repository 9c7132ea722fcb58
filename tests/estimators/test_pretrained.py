"""A trained encoder inside a pipeline: what stays, what moves, what is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline

from diabolo import (
    Autoencoder,
    AutoencoderClassifier,
    AutoencoderSelector,
    PretrainedEncoder,
    SequenceAutoencoder,
    Trainer,
    load,
)
from diabolo.core.errors import DataError, UsageError


def quick(epochs: int = 2, **knobs: Any) -> Trainer:
    return Trainer(**{"epochs": epochs, "batch_size": 32, **knobs})


@pytest.fixture(scope="module")
def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))[:600]
    return (X[order] / 16).astype("float32"), y[order]


@pytest.fixture(scope="module")
def encoder(digits: tuple[np.ndarray, np.ndarray]) -> Autoencoder:
    return Autoencoder(8, hidden=(32,), trainer=quick(10), random_state=0).fit(digits[0])


def test_frozen_it_is_the_encoder_through_clones_searches_and_pickles(
    digits: tuple[np.ndarray, np.ndarray], encoder: Autoencoder, tmp_path: Path
) -> None:
    X, y = digits
    codes = encoder.transform(X)
    encoder.save(tmp_path / "m")
    for model in (encoder, str(tmp_path / "m"), tmp_path / "m"):
        pipe = make_pipeline(PretrainedEncoder(model), LogisticRegression(max_iter=300))
        search = GridSearchCV(pipe, {"logisticregression__C": [0.1, 1.0]}, cv=2).fit(X[:200], y[:200])
        for found in (search.best_estimator_, clone(pipe).fit(X[:50], y[:50]), pickle.loads(pickle.dumps(search))):
            step = found.best_estimator_[0] if isinstance(found, GridSearchCV) else found[0]
            np.testing.assert_array_equal(step.transform(X), codes)
    alone = LogisticRegression(max_iter=300).fit(codes[:200], y[:200])
    assert pipe.fit(X[:200], y[:200]).score(X, y) == alone.score(codes, y)
    np.testing.assert_array_equal(pipe[0].inverse_transform(codes), encoder.inverse_transform(codes))


def test_fine_tuning_goes_on_from_the_weights_and_leaves_the_model_as_it_was(
    digits: tuple[np.ndarray, np.ndarray], encoder: Autoencoder
) -> None:
    X, _ = digits
    before, few = encoder.transform(X), X[:100]
    step = PretrainedEncoder(encoder, fine_tune=True, trainer=quick(20), random_state=0).fit(few)
    np.testing.assert_array_equal(encoder.transform(X), before)
    assert step.encoder_.score(few) > encoder.score(few)
    still = PretrainedEncoder(encoder, fine_tune=True, trainer=quick(1, lr=1e-9, optimizer="sgd"), random_state=0)
    np.testing.assert_allclose(still.fit(few).transform(X), before, atol=1e-3)
    np.testing.assert_array_equal(clone(step).fit(few).transform(X), step.transform(X))
    assert clone(step).set_params(trainer__epochs=3).trainer.epochs == 3 and step.trainer.epochs == 20


def test_frames_are_matched_by_name_and_given_on_request() -> None:
    frame = pd.DataFrame({"a": np.arange(60.0), "b": list("xyz") * 20, "c": np.arange(60.0) ** 0.5})
    model = Autoencoder(2, trainer=quick(), random_state=0).fit(frame)
    step = PretrainedEncoder(model).set_output(transform="pandas").fit(frame)
    codes = step.transform(frame)
    assert list(codes) == ["z0", "z1"] and codes.index.equals(frame.index) and step.n_features_in_ == 3
    np.testing.assert_array_equal(codes.to_numpy(), model.transform(frame))
    with pytest.raises(DataError):
        step.fit(frame.rename(columns={"a": "other"}))


def test_codes_that_keep_positions_are_flattened() -> None:
    X = np.random.default_rng(0).normal(size=(40, 6, 2)).astype("float32")
    model = SequenceAutoencoder(3, trainer=quick(1), random_state=0).fit(X)
    step = PretrainedEncoder(model).fit(X)
    assert step.transform(X).shape == (40, model.n_components_) == (40, len(step.get_feature_names_out()))


def test_a_model_of_a_task_gives_its_autoencoder_and_a_classifier_its_codes(
    digits: tuple[np.ndarray, np.ndarray],
) -> None:
    X, y = digits
    selector = AutoencoderSelector(n_features=5, trainer=quick(1), random_state=0).fit(X)
    np.testing.assert_array_equal(PretrainedEncoder(selector).fit(X).transform(X), selector.autoencoder_.transform(X))
    taught = AutoencoderClassifier(Autoencoder(4), trainer=quick(1), random_state=0).fit(X, y)
    np.testing.assert_array_equal(PretrainedEncoder(taught).fit(X).transform(X), taught.transform(X))
    with pytest.raises(UsageError, match="learns from labels"):
        PretrainedEncoder(taught, fine_tune=True).fit(X)


def test_what_is_no_trained_model_is_refused(digits: tuple[np.ndarray, np.ndarray], encoder: Autoencoder) -> None:
    X, _ = digits
    with pytest.raises(UsageError, match="not fitted"):
        PretrainedEncoder(Autoencoder()).fit(X)
    with pytest.raises(UsageError, match="a fitted autoencoder, or the folder"):
        PretrainedEncoder(3).fit(X)  # type: ignore[arg-type]
    with pytest.raises(DataError, match="expecting 64 features"):
        PretrainedEncoder(encoder).fit(X[:, :5])


def test_a_classifier_with_a_loaded_encoder_frozen_or_not(
    digits: tuple[np.ndarray, np.ndarray], encoder: Autoencoder, tmp_path: Path
) -> None:
    X, y = digits
    encoder.save(tmp_path / "m")
    few = np.where(np.arange(len(y)) < 150, y, -1)
    scores = {
        freeze: AutoencoderClassifier(load(tmp_path / "m"), freeze=freeze, trainer=quick(40), random_state=0)
        .fit(X, few)
        .score(X[150:], y[150:])
        for freeze in (True, False)
    }
    assert scores[True] > 0.6 and scores[False] > scores[True] - 0.05
