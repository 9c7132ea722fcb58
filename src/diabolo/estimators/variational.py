"""The variational autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, register
from ..core.interfaces import Shape
from ..train import Trainer
from . import choose
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Choice, Recipe


@register("model", "vae")
class VAE(BaseAutoencoder):
    """Variational autoencoder (Kingma & Welling 2014, "Auto-encoding variational Bayes", eq. 7).

        -ELBO = -log p(x | z) + beta KL(q(z | x) || p(z)),   z ~ q(z | x) = N(mean(x), diag std(x)^2)

    Nats are summed over dimensions, so ``beta`` means the same at any size. ``transform`` gives the posterior
    mean; ``sample`` decodes draws from the prior; ``score_samples`` decodes the posterior mean: near the bound, but
    not below it for sure.

    Parameters: as `Autoencoder`; ``loss`` "auto" is a Gaussian with a learned scale (Rybkin et al. 2021), or the
    likelihood of mixed columns; ``beta`` a number >= 0 or a schedule.

    >>> import numpy as np
    >>> from diabolo import VAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> VAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        beta: Any = 1.0,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.prior = n_components, network, hidden, prior
        self.loss, self.beta, self.trainer, self.random_state = loss, beta, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck="gaussian", prior=self.prior, penalties=[Spec("kl", weight=self.beta)],
        )  # fmt: skip

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))
