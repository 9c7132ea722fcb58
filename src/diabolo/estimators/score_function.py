"""The gradient of the log-density, read off a denoiser."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..core import Batch
from ..core.errors import ModelError
from .base import BaseAutoencoder


class ScoreFunction(BaseAutoencoder):
    """Adds `score_function` to a model whose reconstruction is a denoiser of Gaussian noise."""

    def score_function(self, X: Any) -> np.ndarray:
        """Estimate of ∇ log p at rows: float32 (N, *S), in the units of the rows given as arrays.

            ∇ log p(x) ≈ (r(x) − x) / std²,    p: the density of the data with the noise of training on it

        (scikit-learn's name ``score`` is taken: it is the mean of `score_samples`.)

        Raises `ModelError` if the model was trained without Gaussian noise, or on rows that are no numbers.

        Reference: Alain & Bengio (2014), "What regularized auto-encoders learn from the data-generating
        distribution", theorem 1; Vincent (2011).
        """
        self._noise()  # a model that knows no score says so before it reads rows
        return self._apply(X, self._score_of)

    def _noise(self) -> float:
        """Standard deviation of the noise of training."""
        raise ModelError("this model was not trained with Gaussian noise, so it has no score; use corruption 'noise'.")

    def _score_of(self, batch: Batch) -> torch.Tensor:
        recon = self.objective_.loss.link(self.module_.decoded(batch))
        if recon.shape != batch.x.shape:
            raise ModelError("the score is a gradient by the data, and what this model gives back has another shape.")
        return (recon - batch.x) / self._noise() ** 2
