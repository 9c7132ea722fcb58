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
from .augment import AutoencoderSampler
from .cells import cells_of, joined, taken
from .folds import folds_of
from .oversample import interpolated, wanted

TREES = 100
FAMILY = {"density": "told", "conditional": "told"}
"""Ways that share an autoencoder."""


def balanced_accuracy(truth: ndarray, said: ndarray) -> float:
    """Mean of the recalls of the classes that are there.

    >>> balanced_accuracy(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))
    0.8333333333333333
    """
    hits = np.bincount(truth, said == truth)
    counts = np.bincount(truth)
    return float((hits[counts > 0] / counts[counts > 0]).mean())


class Arms:
    """Rows to learn from, and what a classifier says of others when it was taught by them in one way or another.

    classifier : scikit-learn's, for rows as they are; None: a random forest on the encoded rows.
    base : the sampler's settings; fitted : one that learnt from these very rows already.
    """

    def __init__(
        self,
        rows: Any,
        places: ndarray,
        classifier: Any,
        base: AutoencoderSampler,
        seed: int,
        fitted: AutoencoderSampler | None = None,
    ) -> None:
        self.rows, self.places, self.base, self.seed = rows, places, base, seed
        self.cells = cells_of(rows)
        self.encoded = classifier is None
        self.classifier = classifier if classifier is not None else RandomForestClassifier(TREES)
        self.known = None if fitted is None else fitted._classes
        self.samplers: dict[str, AutoencoderSampler] = {} if fitted is None else {_family(base, fitted.how): fitted}

    # what is taught -----------------------------------------------------------------------------------------

    def taught(self, arm: str, way: str) -> tuple[Any, ndarray]:
        """Rows and classes of one arm."""
        if arm == "made rows":
            return self._made(way)
        if arm not in ("SMOTE", "repeated rows"):
            return self.rows, self.places
        random = np.random.default_rng(self.seed)
        values, known = self.cells.encode(self.rows)
        rows, labels = self.rows, self.places
        for place, n in self._wanted().items():
            own = np.flatnonzero(self.places == place)
            if arm == "repeated rows" or len(own) < 2:
                more = taken(self.rows, own[random.integers(len(own), size=n)])
            else:
                base, other, share = interpolated(values[own], n, self.base.k_neighbors, random)
                start = values[own[base]]
                moved = start + share[:, None].astype(np.float32) * (values[own[other]] - start)
                more = self.cells.decode(moved, known[own[base]])
            rows, labels = joined(rows, more), np.concatenate([labels, np.full(n, place)])
        return rows, labels

    def _wanted(self) -> dict[int, int]:
        strategy = self.base.sampling_strategy
        counts = np.bincount(self.places)
        there = np.flatnonzero(counts)
        strategy = strategy if isinstance(strategy, str | float) else "auto"
        return {int(there[place]): n for place, n in wanted(strategy, there, counts[there]).items()}

    def _made(self, way: str) -> tuple[Any, ndarray]:
        sampler = self._sampler(way)
        labels = self.places if self.known is None else self.known.values[self.places]
        rows, labels = sampler.resample(self.rows, labels, how=way, random_state=self.seed)
        return rows, labels if self.known is None else self.known.places(labels, len(labels))

    def _sampler(self, way: str) -> AutoencoderSampler:
        """The fitted sampler for a way; ways that share an autoencoder share it."""
        family = _family(self.base, way)
        if family not in self.samplers:
            made = clone(self.base).set_params(how=way, random_state=self.seed)
            self.samplers[family] = made.fit(self.rows, self.places)
        return self.samplers[family]

    # what is said -------------------------------------------------------------------------------------------

    def predict(self, arm: str, rows: Any, way: str = "interpolation") -> ndarray | None:
        """Places of the classes of other rows (M,); None where the classifier has no such arm."""
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

    def score(self, arm: str, rows: Any, places: ndarray, way: str = "interpolation") -> float | None:
        """Balanced accuracy on other rows."""
        said = self.predict(arm, rows, way)
        return None if said is None else balanced_accuracy(places, said)

    def _input(self, rows: Any) -> Any:
        if not self.encoded:
            return rows
        values, known = self.cells.encode(rows)
        return np.where(known, values, np.nan)

    # what is chosen -----------------------------------------------------------------------------------------

    def choose(self, ways: Sequence[str], groups: ndarray | None, inner: int) -> str:
        """The way of the best balanced accuracy over inner folds of these rows; the first of equal ones.

        A way that cannot make rows of some class here is not chosen. Raises `DataError` if none can.
        """
        if len(ways) == 1:
            return ways[0]
        scores: dict[str, list[float]] = {way: [] for way in ways}
        for number, (train, test) in enumerate(folds_of(self.places, groups, inner, self.seed)):
            classifier = None if self.encoded else self.classifier
            arms = Arms(taken(self.rows, train), self.places[train], classifier, self.base, self.seed + number)
            for way in list(scores):
                try:
                    score = arms.score("made rows", taken(self.rows, test), self.places[test], way)
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
