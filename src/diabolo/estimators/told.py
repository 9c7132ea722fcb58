"""What models share that are told a class, or find the class of a row themselves."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
import torch
from sklearn.utils import ClassifierTags
from torch import Tensor

from ..core import Batch
from ..core.errors import DataError
from .base import BaseAutoencoder
from .labels import UNKNOWN
from .rows import whole_lanes


class ClassTold(BaseAutoencoder):
    """Rows whose class is not given are taken under each class in turn.

        cost(x, y) = -log p(x, y), bounded;   p(y | x) ~ exp(-cost(x, y));   score(x) = log sum_y exp(-cost(x, y))

    Classes count alike: p(y) = 1 / C. Costs decode the posterior mean, as every `score_samples` does.
    """

    _label_role: ClassVar[str | None] = "cond"

    @property
    def classes_(self) -> np.ndarray:
        """The known classes, in the order of `predict_proba`."""
        return self.labels_.classes

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest class of each row (N,)."""
        best = torch.from_numpy(self._apply(X, self._best))
        return self.labels_.decode(best)

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities (N, classes), in the order of ``classes_``."""
        return self._apply(X, lambda batch: self._odds(batch).double().softmax(1))

    def transform(self, X: Any, y: Any = None) -> np.ndarray:
        """Codes of rows under their class; where none is given, under the likeliest one."""
        return self._apply(X, self._filled(lambda batch: self.module_.code(batch.x, batch.mask, batch.cond)), y)

    def reconstruct(self, X: Any, y: Any = None) -> Any:
        """Rows as they come back under their class; where none is given, under the likeliest one."""
        link = self.objective_.loss.link
        data = self._apply(X, self._filled(lambda batch: link(self.module_.decoded(batch))), y)
        return self.processor_.invert(torch.from_numpy(data))

    def score_samples(self, X: Any, y: Any = None) -> np.ndarray:
        """log p(x | y), bounded, where the class is given; log p(x), summed over the classes, where it is not."""
        return self._apply(X, self._score_told, y)

    def sample(self, n_samples: int = 1, *, y: Any = None, random_state: int | None = None) -> Any:
        """New rows from the prior; ``y``: one class for all, or one for each; None: classes drawn alike."""
        return self._sampled(lambda: self._draw_told(self._asked(n_samples, y)), random_state)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags = ClassifierTags()  # of `predict_proba`; it is a transformer all the same
        return tags

    # how ----------------------------------------------------------------------------------------------------

    def _class_costs(self, batch: Batch) -> Tensor:
        """cost(x, y) of every row under every class (B, C)."""
        size = self.labels_.size
        whole = whole_lanes(batch.repeat(size))
        told = replace(whole, cond=torch.eye(size).repeat(-(-len(whole) // size), 1)[: len(whole)])
        cost = self.objective_.per_sample(self.module_, told, self.module_.reconstruct(told, told=True))
        return cost[: len(batch) * size].view(-1, size) + self._class_share()

    def _class_share(self) -> float:
        """-log p(y), where the objective has no such term itself."""
        return math.log(self.labels_.size)

    def _odds(self, batch: Batch) -> Tensor:
        """log p(y | x) up to a constant (B, C)."""
        return -self._class_costs(batch)

    def _best(self, batch: Batch) -> Tensor:
        return self._odds(batch).argmax(1)

    def _filled(self, function: Callable[[Batch], Tensor]) -> Callable[[Batch], Tensor]:
        """``function`` of rows that all have a class."""

        def told(batch: Batch) -> Tensor:
            known = _known(batch)
            if known is None or not bool(known.all()):
                best = torch.eye(self.labels_.size)[self._best(batch)]
                cond = best if known is None or batch.cond is None else torch.where(known[:, None], batch.cond, best)
                batch = replace(batch, cond=cond)
            return function(batch)

        return told

    def _score_told(self, batch: Batch) -> Tensor:
        known = _known(batch)
        if known is not None and bool(known.all()):
            return self._score(batch)
        alone = torch.logsumexp(-self._class_costs(batch), 1)
        return alone if known is None else torch.where(known, self._score(batch), alone)

    def _asked(self, n: int, y: Any) -> Tensor:
        """One-hot classes (n, C). Raises `DataError` for a number of classes that is neither 1 nor n."""
        if y is None:
            return torch.eye(self.labels_.size)[torch.randint(self.labels_.size, (n,))]
        many = [y] * n if isinstance(y, str) or np.ndim(y) == 0 else y
        index = self.labels_.encode(many)
        if len(index) != n or bool((index == UNKNOWN).any()):
            raise DataError(f"y must be one known class, or {n} of them, one for each row; got {y!r}.")
        return self.labels_.one_hot(index)

    @abstractmethod
    def _draw_told(self, cond: Tensor) -> Tensor:
        """Decoder output for draws from the prior under these classes."""


def _known(batch: Batch) -> Tensor | None:
    return None if batch.cond is None else batch.cond.sum(1) > 0
