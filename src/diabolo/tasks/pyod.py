"""The detector as PyOD's users know one: higher is stranger, 1 is an outlier, 0 is none."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import numpy as np
from numpy import ndarray
from scipy.special import erf
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_is_fitted

from ..core.errors import unknown

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

METHODS = ("linear", "unify")


class PyODAdapter(BaseEstimator):
    """An `AutoencoderDetector` with PyOD's attributes and signs; the package itself is not needed.

        decision_function = - score_samples      threshold_ = - offset_      labels_, predict: 1 outlier, 0 inlier

    ``fit(X)`` also sets ``decision_scores_`` and ``labels_`` of the training rows. An adapter of a fitted detector
    judges new rows at once, and has no training scores.

    Reference: Zhao, Nasrullah & Li (2019), "PyOD: a Python toolbox for scalable outlier detection"; for ``unify``
    Kriegel, Kröger, Schubert & Zimek (2011), "Interpreting and unifying outlier scores".

    >>> import numpy as np
    >>> from diabolo import AutoencoderDetector, Trainer
    >>> X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    >>> clf = AutoencoderDetector(contamination=0.1, trainer=Trainer(epochs=2), random_state=0).as_pyod().fit(X)
    >>> int(clf.labels_.sum()), clf.predict_proba(X).shape
    (6, (60, 2))
    """

    def __init__(self, detector: AutoencoderDetector) -> None:
        self.detector = detector

    def fit(self, X: Any, y: Any = None) -> Self:
        """Fit the detector; y is not looked at."""
        self.detector.fit(X)
        self.decision_scores_ = self.decision_function(X)
        self.labels_ = (self.decision_scores_ > self.threshold_).astype(int)
        return self

    @property
    def contamination(self) -> Any:
        """Of the detector; what is set holds from the next `fit` on."""
        return self.detector.contamination

    @contamination.setter
    def contamination(self, value: Any) -> None:
        self.detector.contamination = value

    @property
    def threshold_(self) -> float:
        """The score above which a row is an outlier."""
        return -self.detector.offset_

    def decision_function(self, X: Any) -> ndarray:
        """How strange every row is (N,): higher is stranger."""
        return -self.detector.score_samples(X)

    def predict(self, X: Any) -> ndarray:
        """1 for outliers, 0 for all others (N,)."""
        return (self.detector.predict(X) < 0).astype(int)

    def predict_proba(self, X: Any, method: str = "linear") -> ndarray:
        """Probability of inlier and outlier (N, 2), from where the scores lie among those of the training rows.

        ``linear``: between their smallest and largest; ``unify``: by the Gaussian error function. For a probability
        with a guarantee take the detector's ``p_values``. Raises `UsageError` for another method.
        """
        check_is_fitted(self, "decision_scores_")
        if method not in METHODS:
            raise unknown("method", method, METHODS)
        train, found = self.decision_scores_, self.decision_function(X)
        if method == "linear":
            odds = (found - train.min()) / max(float(np.ptp(train)), 1e-30)
        else:
            odds = erf((found - train.mean()) / max(float(train.std()), 1e-30) / np.sqrt(2))
        outlier = np.clip(odds, 0, 1)
        return np.stack([1 - outlier, outlier], 1)

    def fit_predict(self, X: Any, y: Any = None) -> ndarray:
        """`fit`, then the labels of the training rows: 1 outlier, 0 inlier."""
        labels: ndarray = self.fit(X).labels_
        return labels
