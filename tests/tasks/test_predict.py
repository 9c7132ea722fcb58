"""Labels said of held-out rows: the figures are those counted by hand, and the rivals what scikit-learn makes them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo.core.errors import DataError
from diabolo.data import ArrayProcessor, Source
from diabolo.estimators.labels import Labels
from diabolo.tasks.predict import compare_labels


class Oracle:
    """Says the truth but for every ``wrong``-th row."""

    def __init__(self, learn: Source, truth: np.ndarray, wrong: int, numeric: bool = False) -> None:
        self.processor_ = ArrayProcessor().fit(learn.rows)
        self._numeric_labels, self.labels_ = numeric, Labels(numeric).fit(learn.target)
        self.said = truth.copy()
        self.said[::wrong] = truth[::wrong] + 10 if numeric else np.roll(np.unique(truth), 1)[0]

    def predict(self, X: Any) -> np.ndarray:
        return self.said


def sources(numeric: bool = False) -> tuple[Source, Source, np.ndarray]:
    random = np.random.default_rng(0)
    x = random.normal(size=(400, 4)).astype("float32")
    y = x[:, 0] * 3 + x[:, 1] ** 2 if numeric else (x[:, 0] + x[:, 1] ** 2 > 0.5).astype(int) + 1
    held = Source(x[300:], "array", target=y[300:])
    return Source(x[:300], "array", target=y[:300]), held, y[300:]


def test_accuracy_is_the_share_of_hits_and_the_rival_is_logistic_regression() -> None:
    learn, held, truth = sources()
    model = Oracle(learn, truth, 10)
    found = compare_labels(model, learn, held)
    assert found.model.value == pytest.approx(float((model.said == truth).mean()))
    rival = make_pipeline(StandardScaler(), LogisticRegression(max_iter=500)).fit(learn.rows, learn.target)
    assert found.rival.value == pytest.approx(rival.score(held.rows, truth))
    common = np.bincount(learn.target).argmax()
    assert found.baseline.value == pytest.approx(float((truth == common).mean()))
    assert found.verdict.startswith("better than logistic regression") and found.model.low < found.model.value
    assert compare_labels(Oracle(learn, truth, 1), learn, held).verdict.startswith("no better than")


def test_squared_errors_of_numbers_are_in_units_of_their_variance() -> None:
    learn, held, truth = sources(numeric=True)
    model = Oracle(learn, truth, 4, numeric=True)
    found = compare_labels(model, learn, held)
    scale = float(learn.target.std())
    assert found.model.value == pytest.approx(0.25 * (10 / scale) ** 2, rel=1e-4)
    rival = make_pipeline(StandardScaler(), Ridge()).fit(learn.rows, learn.target)
    assert found.rival.value == pytest.approx(
        float(np.square((rival.predict(held.rows) - truth) / scale).mean()), rel=1e-3
    )
    assert found.baseline.value == pytest.approx(
        float(np.square((learn.target.mean() - truth) / scale).mean()), rel=1e-3
    )
    assert found.verdict.startswith("no better than ridge regression")


def test_rows_without_a_label_count_for_nobody() -> None:
    learn, held, truth = sources()
    model = Oracle(learn, truth, 10)
    some = held.target.copy()
    some[::10] = -1
    found = compare_labels(model, learn, Source(held.rows, "array", target=some))
    assert found.rows == 90 and found.model.value == 1.0
    with pytest.raises(DataError, match="no label"):
        compare_labels(model, learn, Source(held.rows, "array", target=np.full(100, -1)))
