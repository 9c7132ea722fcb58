"""The contractive autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, register
from ..core.interfaces import Shape
from ..train import Trainer
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Recipe


@register("model", "contractive")
class ContractiveAutoencoder(BaseAutoencoder):
    """Contractive autoencoder (Rifai et al. 2011, "Contractive auto-encoders", eq. 5).

        cost(x, x̂) + λ ‖∂z/∂x‖²        the code keeps what reconstruction needs and is flat in all other directions

    Parameters
    ----------
    contraction : λ >= 0 or a schedule, in the units of the loss.
    way, draws : of the Jacobian's norm: "exact", "estimate" by ``draws`` random directions, or "auto".
    activation : of the code, such as "sigmoid" (the paper's; with ``hidden=()`` in closed form) or "linear".
    n_components, network, hidden, loss, trainer, random_state : as in `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import ContractiveAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = ContractiveAutoencoder(2, contraction=0.1, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> sorted(model.history_[-1]["train"])
    ['contractive', 'loss', 'reconstruction']
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        contraction: Any = 0.1,
        way: str = "auto",
        draws: int = 1,
        activation: str = "linear",
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.contraction, self.way, self.draws = n_components, contraction, way, draws
        self.activation, self.network, self.hidden, self.loss = activation, network, hidden, loss
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        code = "identity" if self.activation == "linear" else Spec("activated", activation=self.activation)
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck=code,
            penalties=[Spec("contractive", weight=self.contraction, way=self.way, draws=self.draws)],
        )  # fmt: skip
