"""The doctor: what is wrong with a fitted model, by what evidence, and what to try."""

from __future__ import annotations

from typing import Any

from sklearn.utils.validation import check_is_fitted

from ..core.errors import DataError
from ..tasks.reduce import Comparison
from . import signs_code, signs_training
from .case import SEVERITIES, Case, Finding

__all__ = ["Finding", "examine"]

FIRST = (signs_training.broken,)
"""A model that fails these is not asked for more: its numbers mean nothing."""
SIGNS = (
    signs_training.data,
    signs_training.untrained,
    signs_code.collapse,
    signs_code.rest,
    signs_code.usage,
    signs_training.scores,
    signs_training.weights,
    signs_training.generalises,
    signs_training.against_pca,
    signs_training.course,
)


def examine(model: Any, X: Any, y: Any = None, *, comparison: Comparison | None = None) -> list[Finding]:
    """What is wrong with a fitted model, worst first; a healthy one gives an empty list.

        history, weights, terms and their gradients, codes, scores, errors ──▶ signs ──▶ findings

    Looked for: posterior collapse, exploding KL, inactive and dead units, unused codes, constant codes and scores,
    parts without gradient or left untrained, weights that are no numbers, terms out of scale, over-fitting, no gain
    over PCA, too few epochs, a learning rate too high, and rows or columns that are constant, repeated or far from
    unit scale.

    Parameters
    ----------
    model : a fitted or loaded autoencoder.
    X : rows of the kind it was fitted on, a path or a Source; best such that training has not seen. 2,000 are used.
    y : their labels, for a model that learns from these; without them it takes its own predictions.
    comparison : what `diabolo.tasks.reduce.compare` found, if it is known; else what the model holds.

    Raises `DataError` without rows, and what the model raises for rows that it cannot take.

    Reference: for inactive units Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders",
    section 5.2.

    >>> import numpy as np
    >>> from diabolo import VAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = VAE(2, beta=1000.0, trainer=Trainer(epochs=5), random_state=0).fit(X)
    >>> examine(model, X)[0].name
    'posterior collapse'
    """
    check_is_fitted(model)
    rows = _opened(model, X)
    if not len(rows):
        raise DataError("there are no rows to examine the model on; give at least one.")
    if not model.history_:
        evidence = "its history is empty: it was planned, not trained"
        return [Finding("an untrained part", "serious", evidence, "fit(X)")]
    case = Case(model, rows, y, comparison)
    found = [finding for sign in FIRST for finding in sign(case)]
    found = found or [finding for sign in SIGNS for finding in sign(case)]
    return sorted(found, key=lambda finding: SEVERITIES.index(finding.severity))


def _opened(model: Any, X: Any) -> Any:
    """Rows of an array, a frame, a path or a Source, checked as the model checks them; a Source keeps its labels."""
    from ..data import Source, align
    from ..data import open as open_source

    if isinstance(X, str) or type(X).__name__.endswith("Path"):
        X = open_source(X)
    if isinstance(X, Source):
        return align(X, columns) if (columns := vars(model.processor_).get("columns")) else X
    return X
