"""A head on codes: what is taught, what is frozen, what unlabelled rows and fitted autoencoders do."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_diabetes, load_digits
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import VAE, Autoencoder, AutoencoderClassifier, AutoencoderRegressor, StackedAutoencoder, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 2, "batch_size": 32, **knobs})


def digits() -> tuple[np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 16).astype("float32"), y[order]


def rows(n: int = 80) -> tuple[np.ndarray, np.ndarray]:
    X = np.random.default_rng(0).normal(size=(n, 6)).astype("float32")
    return X, np.where(X[:, 0] + X[:, 1] > 0, "up", "down")


def classifier(autoencoder: Any = None, **given: Any) -> AutoencoderClassifier:
    made = Autoencoder(3, hidden=(8,)) if autoencoder is None else autoencoder
    return AutoencoderClassifier(made, **{"trainer": quick(), "random_state": 0, **given})


def test_the_head_of_a_frozen_encoder_is_the_logistic_regression_on_its_codes() -> None:
    X, y = rows(200)
    trainer = quick(epochs=60, optimizer="lbfgs", batch_size="full", schedule="constant", validation=0.0, patience=None)
    encoder = Autoencoder(3, hidden=(8,), trainer=quick(epochs=20), random_state=0).fit(X)
    model = classifier(encoder, freeze=True, trainer=trainer).fit(X, y)
    codes = encoder.transform(X)
    np.testing.assert_array_equal(model.transform(X), codes)
    probe = LogisticRegression(C=np.inf, tol=1e-8, max_iter=1000).fit(codes, y)
    np.testing.assert_allclose(model.predict_proba(X), probe.predict_proba(codes), atol=2e-3)
    assert model.score(X, y) == pytest.approx(probe.score(codes, y), abs=0.02)


def test_the_head_for_numbers_is_the_linear_regression_on_the_codes() -> None:
    X, _ = rows(200)
    y = X[:, :2] @ np.array([[3.0, 0.1], [-2.0, 5.0]]) + 100
    trainer = quick(epochs=120, optimizer="lbfgs", batch_size="full", schedule="constant", validation=0.0)
    encoder = Autoencoder(4, hidden=(8,), trainer=quick(epochs=20), random_state=0).fit(X)
    model = AutoencoderRegressor(encoder, freeze=True, trainer=trainer, random_state=0).fit(X, y)
    line = LinearRegression().fit(encoder.transform(X), y)
    np.testing.assert_allclose(
        model.predict(X), line.predict(encoder.transform(X)), atol=0.05
    )  # running variance: n - 1
    assert model.score(X, y) == pytest.approx(line.score(encoder.transform(X), y), abs=1e-3)


@pytest.mark.parametrize("freeze", [True, False])
def test_freezing_keeps_encoder_and_reconstruction_and_tuning_moves_the_encoder(freeze: bool) -> None:
    X, y = rows()
    encoder = Autoencoder(3, hidden=(8,), trainer=quick(), random_state=0).fit(X)
    model = classifier(encoder, freeze=freeze).fit(X, y)
    assert np.array_equal(model.transform(X), encoder.transform(X)) == freeze
    assert np.array_equal(model.reconstruct(X), encoder.reconstruct(X)) == freeze
    assert {record["stage"] for record in model.history_} == {0}
    for name, p in model.module_.decoder.named_parameters():
        assert torch.equal(p, encoder.module_.decoder.get_parameter(name))


def test_the_autoencoder_given_is_not_touched() -> None:
    X, y = rows()
    encoder = Autoencoder(3, hidden=(8,), trainer=quick(), random_state=0).fit(X)
    before = encoder.transform(X)
    fresh = Autoencoder(3, hidden=(8,))
    classifier(encoder).fit(X, y)
    classifier(fresh).fit(X, y)
    np.testing.assert_array_equal(encoder.transform(X), before)
    assert "module_" not in vars(fresh)


def test_rows_of_unknown_class_serve_the_pre_training_alone() -> None:
    X, y = rows()
    some = np.where(np.arange(len(y)) < 40, y, "")
    model = classifier(trainer=quick(validation=0.0)).fit(X, some)
    other = classifier(trainer=quick(validation=0.0)).fit(X[:40], y[:40])
    assert model.classes_.tolist() == other.classes_.tolist() == ["down", "up"]
    assert [record["stage"] for record in model.history_] == [0, 0, 1, 1]
    assert model.history_[0]["train"] != other.history_[0]["train"]
    lone = classifier(
        Autoencoder(3, hidden=(8,), trainer=quick(), random_state=0).fit(X), trainer=quick(validation=0.0)
    )
    np.testing.assert_array_equal(clone(lone).fit(X, some).predict_proba(X), lone.fit(X[:40], y[:40]).predict_proba(X))


def test_pre_training_helps_where_labels_are_few() -> None:
    X, y = digits()
    few = np.where(np.arange(len(y)) < 50, y, -1)
    encoder = Autoencoder(16, hidden=(64,), trainer=quick(epochs=15), random_state=0).fit(X[:1000])
    codes, scores = encoder.transform(X), []
    for pretrain in (True, False):
        start = encoder if pretrain else clone(encoder)
        model = AutoencoderClassifier(
            start, pretrain=pretrain, freeze=True, random_state=0, trainer=Trainer(epochs=200)
        )
        scores.append(model.fit(X[:1000], few[:1000]).score(X[1000:], y[1000:]))
    probe = LogisticRegression(max_iter=1000).fit(codes[:50], y[:50]).score(codes[1000:], y[1000:])
    assert scores[0] > scores[1] + 0.05 and scores[0] > probe - 0.08


def test_a_convolution_starts_from_a_convolutional_autoencoder() -> None:
    X, y = digits()
    pictures, y = X[:200].reshape(-1, 8, 8), y[:200]
    encoder = Autoencoder(16, network="conv(channels=(4, 8))", trainer=quick(), random_state=0).fit(pictures)
    model = classifier(encoder, trainer=quick(epochs=1, lr=1e-12, validation=0.0)).fit(pictures, y)
    there = encoder.module_.encoder.state_dict()
    for name, tensor in model.module_.encoder.state_dict().items():
        torch.testing.assert_close(tensor, there[name])
    assert any(tensor.ndim == 4 for tensor in there.values())


@pytest.mark.parametrize(
    "autoencoder",
    [None, VAE(2, trainer=quick()), StackedAutoencoder(2, hidden=(8,), pretrain_epochs=1),
     Autoencoder(2, network="conv(channels=(3,), image=(3, 2), flat=False)")],
    ids=["default", "vae", "stacked", "positions"],
)  # fmt: skip
@pytest.mark.parametrize("model", [AutoencoderClassifier, AutoencoderRegressor])
def test_saved_cloned_and_pickled(model: Any, autoencoder: Any, tmp_path: Path) -> None:
    X, y = rows()
    y = y if model is AutoencoderClassifier else X[:, 0] * 10
    fitted = model(autoencoder, hidden=(4,), trainer=quick(), random_state=0).fit(X, y)
    fitted.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(X, y)):
        np.testing.assert_array_equal(again.predict(X), fitted.predict(X))
        np.testing.assert_array_equal(again.transform(X), fitted.transform(X))
        assert again.score(X, y) == fitted.score(X, y)
    load(tmp_path / "model").describe()


def test_a_saved_autoencoder_is_transferred(tmp_path: Path) -> None:
    frame = pd.DataFrame(rows()[0] * 50 + 3, columns=list("abcdef"))
    y = rows()[1]
    Autoencoder(3, trainer=quick(), random_state=0).fit(frame).save(tmp_path / "encoder")
    encoder = load(tmp_path / "encoder")
    model = AutoencoderClassifier(encoder, freeze=True, trainer=quick(), random_state=0).fit(frame, y)
    np.testing.assert_array_equal(model.transform(frame), encoder.transform(frame))
    assert clone(model).autoencoder is encoder
    model.save(tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(frame), model.predict(frame))


def test_far_data_are_seen_alike_by_both_stages_and_numbers_keep_their_units() -> None:
    X, _ = rows(200)
    model = AutoencoderRegressor(Autoencoder(4, hidden=(8,)), trainer=quick(epochs=30), random_state=0)
    model.fit(X * 1000 + 5000, X[:, 0] * 7 + 1000)
    assert model.module_.shift is not None
    assert model.score(X * 1000 + 5000, X[:, 0] * 7 + 1000) > 0.8


def test_diabetes_is_learnt_about_as_well_as_by_a_line() -> None:
    X, y = load_diabetes(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    line = cross_val_score(LinearRegression(), X, y, cv=3).mean()
    ours = AutoencoderRegressor(Autoencoder(8, hidden=(32,), trainer=quick(epochs=10)), freeze=True, random_state=0)
    assert cross_val_score(ours, X, y, cv=3).mean() > line - 0.1


def test_in_a_grid_and_a_pipeline() -> None:
    X, y = rows()
    pipe = make_pipeline(StandardScaler(), classifier())
    grid = {"autoencoderclassifier__autoencoder__n_components": [1, 4], "autoencoderclassifier__freeze": [True, False]}
    search = GridSearchCV(pipe, grid, cv=2).fit(X, y)
    assert search.best_score_ > 0.6


def test_epochs_and_rate_of_pre_training_are_the_autoencoders_own() -> None:
    X, y = rows()
    model = classifier(Autoencoder(3, hidden=(8,), trainer=quick(epochs=3, lr=1e-3)), trainer=quick(epochs=1, lr=1e-2))
    history = model.fit(X, y).history_
    assert [record["stage"] for record in history] == [0, 0, 0, 1]
    assert history[0]["lr"] < 2e-3 < history[3]["lr"] * 100


def test_learning_online_teaches_the_head() -> None:
    X, y = rows(400)
    model = classifier(trainer=quick(optimizer="adam", lr=3e-2), hidden=(8,))
    model.partial_fit(X[:32], y[:32], classes=["down", "up"])
    for begin in range(32, 400, 32):
        model.partial_fit(X[begin : begin + 32], y[begin : begin + 32])
    assert model.score(X, y) > 0.9


@pytest.mark.parametrize(
    ("y", "message"),
    [
        (np.zeros(80), "only one class"),
        (np.full(80, -1), "no known class"),
        (np.linspace(0, 1, 80), "Unknown label type"),
        (None, "give y to fit"),
    ],
)
def test_labels_that_cannot_be_learnt(y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier().fit(rows()[0], y)


def test_what_is_no_autoencoder_is_refused() -> None:
    X, y = rows()
    with pytest.raises(UsageError, match="an autoencoder that learns without labels, or None"):
        AutoencoderClassifier(classifier()).fit(X, y)
    with pytest.raises(UsageError, match="an autoencoder that learns without labels, or None; got 3"):
        AutoencoderClassifier(3).fit(X, y)
    with pytest.raises(DataError, match="80 rows"):
        classifier().fit(X, y[:3])


def test_a_fitted_autoencoder_of_a_source_with_a_processor_of_its_own_goes_on_to_learn_labels() -> None:
    texts = np.array(["red fish", "blue fish", "red dog", "blue dog"] * 10, object)
    source = Source(texts, "text", processor="bag-of-words(weight='tf-idf')")
    base = Autoencoder(3, hidden=(16,), trainer=Trainer(epochs=20), random_state=0).fit(source)
    y = np.array([1.0, 0.0, 1.0, 0.0] * 10)
    model = AutoencoderRegressor(base, trainer=Trainer(epochs=200, lr=0.01, optimizer="adam"), random_state=0).fit(
        source, y
    )
    assert model.score(texts, y) > 0.9
