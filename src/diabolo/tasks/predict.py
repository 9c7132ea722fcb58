"""Prediction of labels, and the honest question: is this model better than a linear one on the raw rows?"""

from __future__ import annotations

import dataclasses
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from ..core.errors import DataError
from ..core.metrics import Interval, bootstrap_mean
from ..data import Source
from ..estimators.labels import UNKNOWN


@dataclass(frozen=True)
class Predictions:
    """What is said of held-out rows, by the model and by two simple rivals.

    measure                  "accuracy" (higher is better), or "squared error", in units of the labels' variance
    model, rival, baseline   its mean with a bootstrap interval; the rival is linear, on the raw rows, taught by the
                             same labels; the baseline says the commonest class, or the mean
    known                    rows whose label the model was taught by
    """

    measure: str
    rival_name: str
    known: int
    rows: int
    model: Interval
    rival: Interval
    baseline: Interval
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return dataclasses.asdict(self)


def compare_labels(model: Any, learn: Source, held: Source, *, seed: int = 0) -> Predictions:
    """Hold what a model says of rows it has not seen against a linear model on the rows as they are encoded.

    Rows without a label count for nobody. Raises `DataError` if no label of the held-out rows is known.
    """
    rows_x, taught = _known(model, learn)
    held_x, truth = _known(model, held)
    if not len(truth):
        raise DataError("no label of the rows kept for the comparison is known.")
    said = model.labels_.encode(model.predict(held)).numpy()[_mask(model, held)]
    scale = StandardScaler()
    if model._numeric_labels:
        linear = make_pipeline(scale, Ridge()).fit(rows_x, taught)
        costs = [np.square(np.reshape(guess, truth.shape) - truth).mean(1) for guess in
                 (said, linear.predict(held_x), np.broadcast_to(taught.mean(0), truth.shape))]  # fmt: skip
        return _judged("squared error", "ridge regression", len(taught), costs, seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        linear = make_pipeline(scale, LogisticRegression(max_iter=500)).fit(rows_x, taught)
    common = np.bincount(taught).argmax()
    hits = [(guess == truth).astype(float) for guess in (said, linear.predict(held_x), common)]
    return _judged("accuracy", "logistic regression", len(taught), hits, seed)


def _mask(model: Any, source: Source) -> ndarray:
    """Which rows have a label."""
    encoded = model.labels_.encode(source.target).numpy()
    return np.isfinite(encoded).all(1) if model._numeric_labels else encoded != UNKNOWN


def _known(model: Any, source: Source) -> tuple[ndarray, ndarray]:
    """Encoded rows (N, F) and labels of those that have one."""
    keep = _mask(model, source)
    x = model.processor_.collate(model.processor_.encode(source.rows)).x.flatten(1).double().numpy()
    return x[keep], model.labels_.encode(source.target).numpy()[keep]


def _judged(measure: str, rival: str, known: int, values: list[ndarray], seed: int) -> Predictions:
    ours, other, base = (bootstrap_mean(value, seed=seed) for value in values)
    better = bootstrap_mean((values[0] - values[1]) * (1 if measure == "accuracy" else -1), seed=seed)
    who = "better than" if better.low > 0 else "no better than" if better.high < 0 else "a tie with"
    text = f"{measure} {ours.value:.4g} against {other.value:.4g}"
    return Predictions(
        measure, rival, known, len(values[0]), ours, other, base, f"{who} {rival} on the raw rows: {text}"
    )
