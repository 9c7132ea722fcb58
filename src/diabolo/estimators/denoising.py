"""The denoising autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, make, register
from ..core.interfaces import Shape
from ..train import Trainer
from .composed import compose
from .recipe import Recipe
from .score_function import ScoreFunction


@register("model", "denoising")
class DenoisingAutoencoder(ScoreFunction):
    """Denoising autoencoder (Vincent et al. 2008, "Extracting and composing robust features with denoising …", eq. 3).

        x ──corruption──▶ x̃ ──▶ z ──▶ x̂,    cost(x, x̂): the target is the clean x

    Damage is drawn anew for every batch; ``transform`` and ``reconstruct`` see rows as they are. With corruption
    "noise" the residual estimates the gradient of the log-density: `score_function`.

    Parameters
    ----------
    corruption : noise, masking, salt-and-pepper, occlusion, blur, dropout-columns, tokens …; a name, a text such as
        "noise(std=0.2)", or a Spec. ``diabolo parts corruption`` lists them.
    n_components, network, hidden, loss, trainer, random_state : as in `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import DenoisingAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = DenoisingAutoencoder(2, corruption="noise(std=0.5)", trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> model.transform(X).shape, model.score_function(X).shape
    ((64, 2), (64, 5))
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        corruption: Any = "noise",
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.corruption, self.network, self.hidden = n_components, corruption, network, hidden
        self.loss, self.trainer, self.random_state = loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, corruption=self.corruption,
        )  # fmt: skip

    def _noise(self) -> float:
        if isinstance(self.corruption, str | Spec) and Spec.of(self.corruption).name == "noise":
            return float(make("corruption", self.corruption).std)
        return super()._noise()
