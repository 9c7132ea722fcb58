"""Score matching as the principle an autoencoder is trained by."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from torch import Tensor

from ..core import Batch, Spec, register
from ..core.errors import out_of_range, unknown
from ..core.interfaces import Shape
from ..train import Trainer
from .composed import compose
from .recipe import Choice, Recipe
from .score_function import ScoreFunction

PRINCIPLES = ("denoising", "explicit")


@register("model", "score-matching")
class ScoreMatchingAutoencoder(ScoreFunction):
    """An autoencoder whose residual is the gradient of the log-density (Vincent 2011; Hyvärinen 2005).

        s(x) = (r(x) − x) / std²
        "denoising":  E ½ ‖s(x̃) − (x − x̃)/std²‖²,  x̃ = x + std ε     the score of the data with that noise on it
        "explicit":   E tr ∇s(x) + ½ ‖s(x)‖²                            the score of the data themselves

    The first is squared error of a denoiser, exact and cheap; the second needs no noise, but a second derivative, and
    fits sharp densities slowly. The code is at least as wide as the data: nothing is to be lost. `score_function`
    gives s at rows.

    Parameters
    ----------
    principle : "denoising" or "explicit".
    std : > 0, in the units of the data.
    n_components, network, hidden, trainer, random_state : as in `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import ScoreMatchingAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 2)).astype("float32")
    >>> ScoreMatchingAutoencoder(trainer=Trainer(epochs=2), random_state=0).fit(X).score_function(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        principle: str = "denoising",
        std: float = 0.3,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.principle, self.std, self.network = n_components, principle, std, network
        self.hidden, self.trainer, self.random_state = hidden, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        if self.principle not in PRINCIPLES:
            raise unknown("principle", self.principle, PRINCIPLES)
        if not isinstance(self.std, int | float) or not self.std > 0:
            raise out_of_range("std", "a number above 0", self.std)
        explicit = self.principle == "explicit"
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss="squared", reconstruction=0.0 if explicit else 1.0,
            penalties=[Spec("score-matching", std=self.std)] if explicit else [],
            corruption=None if explicit else Spec("noise", std=self.std),
        )  # fmt: skip

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        values = prod(sample.target.shape[1:])
        return Choice("n_components", max(64, values), f"as wide as {values} values and wider: nothing is to be lost")

    def _noise(self) -> float:
        return float(self.std)

    def _score(self, batch: Batch) -> Tensor:
        # a row's own cost under either principle: how far it is moved, the squared length of std² s(x)
        return -self.objective_.loss(self.module_.decoded(batch), batch.target)
