"""scikit-learn's own checks, and the estimators inside its tools."""

from __future__ import annotations

import inspect
import pickle
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier, is_regressor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import Autoencoder, CountVAE, TopicModel, Trainer
from diabolo.core import lookup, names

EVERY: dict[str, Any] = {name: lookup("model", name) for name in names("model")}
"""Every public estimator by its registered name."""
MODELS = {name: model for name, model in EVERY.items() if "n_components" in inspect.signature(model).parameters}
"""Those that are autoencoders themselves; the others hold one (`tests/estimators/test_supervised.py`)."""
COUNTS = (CountVAE, TopicModel)
UNLABELLED = {"check_classifiers_classes": "-1 marks a row of unknown class, so it cannot be a class"}
"""What a classifier that takes unlabelled rows cannot pass; scikit-learn lets its own off by their names."""
TABLES = {"check_regressor_data_not_an_array": "a frame is a table, its columns standardised; an array is not"}


def expected(estimator: Any) -> dict[str, str]:
    return UNLABELLED if is_classifier(estimator) else TABLES if is_regressor(estimator) else {}


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 2, "batch_size": 32, **knobs})


def rows(n: int = 80, width: int = 5, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    return (random.normal(size=(n, 2)) @ random.normal(size=(2, width)) + 0.05 * random.normal(size=(n, width))).astype(
        "float32"
    )


# scikit-learn skips its array-API check, with a warning, unless scipy was told to support other arrays at start
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([Autoencoder(2, trainer=quick())])
def test_one_estimator_passes_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([model() for model in EVERY.values()], expected_failed_checks=expected)
def test_every_estimator_as_it_is_made_passes_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def classes(n: int = 80) -> np.ndarray:
    """A class a row, for the models that learn from labels too; all others ignore it."""
    return (rows(n)[:, 0] > 0).astype(int)


# ── inside scikit-learn's tools ───────────────────────────────────────────────────────────────────


def suited(model: Any, X: np.ndarray) -> np.ndarray:
    """Rows as the model takes them: counts for those that are for counts."""
    return np.round(20 * np.exp(X)).astype("float32") if model in COUNTS else X


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_in_a_pipeline_before_a_classifier(model: Any) -> None:
    X = suited(model, rows())
    y = (rows()[:, 0] > 0).astype(int)
    scaler = "passthrough" if model in COUNTS else StandardScaler()
    fitted = model(2, trainer=quick(epochs=20), random_state=0)
    pipe = make_pipeline(scaler, fitted, LogisticRegression()).fit(X, y)
    assert pipe.score(X, y) > 0.8


def test_a_grid_over_the_rate_and_the_code() -> None:
    grid = {"trainer__lr": [1e-5, 1e-2], "n_components": [1, 2]}
    base = Autoencoder(hidden=(), trainer=quick(epochs=40, optimizer="adam"), random_state=0)
    search = GridSearchCV(base, grid, cv=2).fit(rows())
    assert search.best_params_ == {"trainer__lr": 1e-2, "n_components": 2}
    assert search.best_estimator_.n_components_ == 2


def test_a_trainer_is_made_when_a_knob_arrives() -> None:
    model = Autoencoder()
    assert model.trainer is None
    model.set_params(trainer__lr=1e-2, trainer__epochs=3)
    assert (model.trainer.lr, model.trainer.epochs) == (1e-2, 3)
    with pytest.raises(ValueError, match=r"Invalid parameter 'rate'"):
        model.set_params(trainer__rate=1)


def test_a_clone_shares_no_trainer_and_no_weights() -> None:
    model = Autoencoder(2, trainer=quick(), random_state=0).fit(rows())
    other = clone(model)
    assert not vars(other).keys() & {"module_", "processor_"} and other.trainer is not model.trainer
    assert other.get_params()["trainer__epochs"] == 2
    np.testing.assert_array_equal(other.fit(rows()).transform(rows()), model.transform(rows()))


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_a_pickle_gives_the_same_codes(model: Any) -> None:
    X = suited(model, rows())
    fitted = model(2, trainer=quick(), random_state=0).fit(X, classes())
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.transform(X), fitted.transform(X))


def test_codes_as_a_data_frame() -> None:
    X = pd.DataFrame(rows(), columns=list("abcde"), index=np.arange(100, 180))
    model = Autoencoder(2, trainer=quick(), random_state=0).fit(X).set_output(transform="pandas")
    codes = model.transform(X)
    assert list(codes.columns) == list(model.get_feature_names_out()) == ["z0", "z1"]
    assert codes.index.equals(X.index) and model.feature_names_in_.tolist() == list("abcde")


def test_float64_gives_float32_codes_equal_to_those_of_float32() -> None:
    X = rows()
    model = Autoencoder(2, trainer=quick(), random_state=0).fit(X)
    codes = model.transform(X.astype("float64"))
    assert codes.dtype == np.float32
    np.testing.assert_array_equal(codes, model.transform(X))
    np.testing.assert_array_equal(clone(model).fit(X.astype("float64")).transform(X), codes)


@pytest.mark.parametrize("model", MODELS.values(), ids=MODELS.keys())
def test_an_int_seed_decides_everything(model: Any) -> None:
    X = suited(model, rows())
    made = [model(2, trainer=quick(), random_state=seed).fit(X, classes()).transform(X) for seed in (3, 3, 4)]
    np.testing.assert_array_equal(made[0], made[1])
    assert not np.array_equal(made[0], made[2])


def test_the_input_is_not_changed() -> None:
    X = rows()
    before = X.copy()
    Autoencoder(2, corruption="noise(std=0.5)", trainer=quick(), random_state=0).fit(X).reconstruct(X)
    np.testing.assert_array_equal(X, before)


def test_scores_are_minus_the_squared_error_and_their_mean() -> None:
    X = rows()
    model = Autoencoder(2, trainer=quick(), random_state=0, loss="squared").fit(X)
    by_hand = -np.square(X - model.reconstruct(X)).sum(1)
    np.testing.assert_allclose(model.score_samples(X), by_hand, rtol=1e-4, atol=1e-6)
    assert model.score(X) == pytest.approx(float(by_hand.mean()), rel=1e-4)


def test_inverse_transform_decodes_the_codes() -> None:
    X = rows()
    model = Autoencoder(2, trainer=quick(), random_state=0).fit(X)
    np.testing.assert_allclose(model.inverse_transform(model.transform(X)), model.reconstruct(X), rtol=1e-5, atol=1e-6)


# ── online ────────────────────────────────────────────────────────────────────────────────────────


def stream(X: np.ndarray, size: int = 1, passes: int = 1, **params: Any) -> Autoencoder:
    """Fed first with 8 rows, then ``size`` rows at a time."""
    model = Autoencoder(
        2, network="dense", hidden=(), trainer=quick(optimizer="adam", lr=1e-2), random_state=0, **params
    )
    model.partial_fit(X[:8])
    for _ in range(passes):
        for begin in range(8, len(X), size):
            model.partial_fit(X[begin : begin + size])
    return model


def error(model: Any, X: np.ndarray) -> float:
    return float(np.square(model.reconstruct(X) - X).sum(1).mean())


def test_learning_row_by_row_lowers_the_error_and_can_be_repeated() -> None:
    X = rows(200)
    once, again, longer = stream(X), stream(X), stream(X, passes=4)
    np.testing.assert_array_equal(once.transform(X), again.transform(X))
    spread = float(np.square(X - X.mean(0)).sum(1).mean())
    assert error(longer, X) < error(once, X) < error(stream(X[:8]), X)
    assert error(longer, X) < 0.1 * spread


def test_a_pickle_in_the_middle_changes_nothing() -> None:
    X = rows(60)
    model = stream(X)
    again = pickle.loads(pickle.dumps(model))
    for row in X[:20]:
        model.partial_fit(row[None])
        again.partial_fit(row[None])
    np.testing.assert_array_equal(model.transform(X), again.transform(X))
    assert not np.array_equal(model.transform(X), stream(X).transform(X))


def test_learning_online_goes_on_from_a_fit() -> None:
    X = rows(200)
    model = Autoencoder(2, network="dense", hidden=(), trainer=quick(epochs=40), random_state=0).fit(X)
    before = error(model, X)
    model.trainer.lr = 1e-6
    model.partial_fit(X[:32])
    assert error(model, X) == pytest.approx(before, rel=0.02)


def test_a_fit_forgets_what_was_learnt_online() -> None:
    X = rows(200)
    model = stream(X).fit(X)
    fresh = clone(model).fit(X)
    np.testing.assert_array_equal(model.transform(X), fresh.transform(X))
    np.testing.assert_array_equal(model.partial_fit(X).transform(X), fresh.partial_fit(X).transform(X))


def test_rows_of_another_width_are_refused_online() -> None:
    model = stream(rows(20))
    with pytest.raises(ValueError, match=r"X has 4 features, but Autoencoder is expecting 5"):
        model.partial_fit(rows(4)[:, :4])
