"""The variational autoencoder whose two sides are told the class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from torch import Tensor

from ..blocks.conditional import Told
from ..core import Spec, register
from ..core.interfaces import Shape
from ..train import Trainer
from . import choose
from .composed import compose, network_of
from .recipe import Choice, Recipe
from .told import ClassTold


@register("model", "conditional-vae")
class ConditionalVAE(ClassTold):
    """Conditional variational autoencoder: encoder and decoder are told the class.

        x, y ──▶ q(z | x, y) ──▶ z, y ──▶ p(x | z, y)
        -ELBO = -log p(x | z, y) + beta KL(q(z | x, y) || p(z))

    z is left with what the class does not say: style. ``fit(X, y)`` needs classes (an unknown one, -1: the row is
    told nothing). ``sample(n, y=…)`` draws rows of a class. Without y, ``transform`` and ``reconstruct`` take for
    each row the class under which its bound is best, which ``predict`` gives too, and ``score_samples`` sums over
    the classes.

    Parameters: as `VAE`.

    Reference: Sohn, Lee & Yan (2015), "Learning structured output representation using deep conditional generative
    models", equation 4; Kingma et al. (2014), section 2.2, for a class.

    >>> import numpy as np
    >>> from diabolo import ConditionalVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> y = np.where(X[:, 0] > 0, "high", "low")
    >>> model = ConditionalVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X, y)
    >>> model.sample(3, y="high", random_state=0).shape, model.predict(X).shape
    ((3, 5), (64,))
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
        network = Told(network_of(self.network, self.hidden), self.labels_.size)
        return compose(
            shape, target_shape, n_components=self.n_components, network=network, hidden=(), loss=self.loss,
            bottleneck="gaussian", prior=self.prior, penalties=[Spec("kl", weight=self.beta)],
        )  # fmt: skip

    def inverse_transform(self, Z: Any, y: Any = None) -> Any:
        """Rows from codes (N, D) and their classes, one for all or one for each; None: the decoder is told nothing."""
        return self._decoded(Z, None if y is None else self._asked(len(Z), y))

    def _draw_told(self, cond: Tensor) -> Tensor:
        return self.module_.sample(len(cond), self.code_shape_[:-1], cond)

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))
