"""Classifiers that learn online are told beforehand which classes there will be."""

from __future__ import annotations

from typing import Any, Self

from .base import BaseAutoencoder
from .labels import Labels


class OnlineClasses(BaseAutoencoder):
    """scikit-learn's ``partial_fit(X, y, classes=…)``."""

    def partial_fit(self, X: Any, y: Any = None, classes: Any = None) -> Self:
        """One pass over these rows, from where the last call left off; ``classes``: all there will be, at first."""
        self._announced = classes
        try:
            return super().partial_fit(X, y)
        finally:
            del self._announced

    def _learn_labels(self, y: Any) -> Labels:
        announced = vars(self).get("_announced")
        return super()._learn_labels(y if announced is None else announced)
