"""One classifier, taught by the same rows in several ways."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray
from sklearn.base import clone
from sklearn.ensemble import RandomForestClassifier
from sklearn.utils.class_weight import compute_sample_weight

from ..core.errors import DataError
from .augment import WAYS, AutoencoderSampler
from .cells import cells_of, joined
from .folds import folds_of
from .held_out import taken
from .oversample import interpolated, wanted
from .warped import warped

TREES = 100
WARPED = "warping"
"""The arm of pictures moved a little: turned, shifted, scaled, bent."""
FAMILY = {"density": "told", "conditional": "told"}
"""Ways that share an autoencoder."""


def balanced_accuracy(truth: ndarray, said: ndarray) -> float:
    """Mean of the recalls of the classes that are there.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    0.8333333333333333
    """
    return float(np.mean([(said[truth == value] == value).mean() for value in np.unique(truth)]))


class Arms:
    """Rows and classes to learn from, and what a classifier says of others when it was taught by them in some way.

    classifier : scikit-learn's, for rows as they are; None: a random forest on the encoded rows.
    base : the sampler's settings; fitted : one that learnt from these very rows already.
    """

    def __init__(
        self,
        rows: Any,
        y: ndarray,
        classifier: Any,
        base: AutoencoderSampler,
        seed: int,
        fitted: AutoencoderSampler | None = None,
    ) -> None:
        self.rows, self.y, self.base, self.seed = rows, y, base, seed
        self.cells = cells_of(rows)
        self.encoded = classifier is None
        self.classifier = classifier if classifier is not None else RandomForestClassifier(TREES)
        self.samplers: dict[str, AutoencoderSampler] = {} if fitted is None else {_family(base, fitted.how): fitted}

    # what is taught -----------------------------------------------------------------------------------------

    def taught(self, arm: str, way: str) -> tuple[Any, ndarray]:
        """Rows and classes of one arm."""
        if arm == "made rows":
            return self._made(way)
        if arm not in ("SMOTE", "repeated rows", WARPED):
            return self.rows, self.y
        random = np.random.default_rng(self.seed)
        values, known = self.cells.encode(self.rows) if arm == "SMOTE" else (None, None)
        rows, labels = self.rows, self.y
        for value, n in self._wanted():
            own = np.flatnonzero(self.y == value)
            if values is None or known is None or len(own) < 2:
                more = taken(self.rows, own[random.integers(len(own), size=n)])
                more = warped(more, random) if arm == WARPED else more
            else:
                base, other, share = interpolated(values[own], n, self.base.k_neighbors, random)
                start = values[own[base]]
                moved = start + share[:, None].astype(np.float32) * (values[own[other]] - start)
                more = self.cells.decode(moved, known[own[base]])
            rows, labels = joined(rows, more), np.concatenate([labels, np.full(n, value)])
        return rows, labels

    def _wanted(self) -> list[tuple[Any, int]]:
        """Classes to fill up, and how many rows each lacks."""
        strategy, (values, counts) = self.base.sampling_strategy, np.unique(self.y, return_counts=True)
        strategy = strategy(self.y) if callable(strategy) else strategy
        return [(values[place], n) for place, n in wanted(strategy, values, counts).items()]

    def _made(self, way: str) -> tuple[Any, ndarray]:
        rows, labels = self._sampler(way).resample(self.rows, self.y, how=way, random_state=self.seed)
        return rows, labels

    def _sampler(self, way: str) -> AutoencoderSampler:
        """The fitted sampler for a way; ways that share an autoencoder share it."""
        family = _family(self.base, way)
        if family not in self.samplers:
            made = clone(self.base).set_params(how=way, random_state=self.seed)
            self.samplers[family] = made.fit(self.rows, self.y)
        return self.samplers[family]

    # what is said -------------------------------------------------------------------------------------------

    def predict(self, arm: str, rows: Any, way: str = WAYS[0]) -> ndarray | None:
        """Classes of other rows (M,); None where the classifier has no such arm."""
        taught, labels = self.taught(arm, way)
        model = _seeded(clone(self.classifier), self.seed)
        extra: dict[str, Any] = {}
        if arm == "class weights":
            found = _weighted(model, labels)
            if found is None:
                return None
            model, extra = found
        model.fit(self._input(taught), labels, **extra)
        said: ndarray = np.asarray(model.predict(self._input(rows)))
        return said

    def score(self, arm: str, rows: Any, y: ndarray, way: str = WAYS[0]) -> float | None:
        """Balanced accuracy on other rows."""
        said = self.predict(arm, rows, way)
        return None if said is None else balanced_accuracy(y, said)

    def _input(self, rows: Any) -> Any:
        if not self.encoded:
            return rows
        values, known = self.cells.encode(rows)
        return np.where(known, values, np.nan)

    # what is chosen -----------------------------------------------------------------------------------------

    def choose(self, ways: Sequence[str], groups: ndarray | None, inner: int) -> str:
        """The way of the best balanced accuracy over inner folds of these rows; the first of equal ones.

        The first of all where some class has too few rows, or groups, to be shared among inner folds. A way that cannot
        make rows of some class here is not chosen. Raises `DataError` if none can.
        """
        if len(ways) == 1:
            return ways[0]
        try:
            folds = folds_of(np.unique(self.y, return_inverse=True)[1], groups, inner, self.seed)
        except DataError:
            return ways[0]
        scores: dict[str, list[float]] = {way: [] for way in ways}
        for number, (train, test) in enumerate(folds):
            classifier = None if self.encoded else self.classifier
            arms = Arms(taken(self.rows, train), self.y[train], classifier, self.base, self.seed + number)
            for way in list(scores):
                try:
                    score = arms.score("made rows", taken(self.rows, test), self.y[test], way)
                except DataError as error:
                    del scores[way]
                    why = error
                else:
                    scores[way].append(score if score is not None else 0.0)
        if not scores:
            raise why
        return max(scores, key=lambda way: float(np.mean(scores[way])))


def _family(base: AutoencoderSampler, way: str) -> str:
    return "given" if base.autoencoder is not None else FAMILY.get(way, way)


def _seeded(model: Any, seed: int) -> Any:
    """The classifier with the same seed in every arm."""
    names = [name for name in model.get_params() if name.rpartition("__")[2] == "random_state"]
    return model.set_params(**dict.fromkeys(names, seed))


def _weighted(model: Any, labels: ndarray) -> tuple[Any, dict[str, Any]] | None:
    """The classifier with balanced class weights, or what its `fit` is given for them; None: it takes none."""
    names = [name for name in model.get_params() if name.rpartition("__")[2] == "class_weight"]
    if names:
        return model.set_params(**dict.fromkeys(names, "balanced")), {}
    if "sample_weight" in inspect.signature(model.fit).parameters:
        return model, {"sample_weight": compute_sample_weight("balanced", labels)}
    return None
