"""The variational autoencoder that finds the class of rows nobody labelled."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.base import ClassifierMixin
from torch import Tensor

from ..bottlenecks.class_gaussian import ClassGaussian
from ..core import (
    AutoencoderModule,
    Batch,
    Decoder,
    Encoder,
    Feed,
    Network,
    Objective,
    ReconstructionLoss,
    Spec,
    make,
    register,
)
from ..core.interfaces import Shape
from ..networks.twin import Twin
from ..train import Stage, Trainer
from . import choose
from .composed import compose, network_of
from .labels import checked_classes
from .online import OnlineClasses
from .recipe import Choice, Recipe
from .rows import whole_lanes
from .told import ClassTold

KNOWN_SHARE = 0.2
"""Share of labelled rows in a batch, if there are fewer: enough for a steady gradient; the bound is weighted back."""


@register("model", "semi-supervised-vae")
class SemiSupervisedVAE(ClassifierMixin, OnlineClasses, ClassTold):
    """Semi-supervised variational autoencoder: M2, and M1+M2 with ``stacked=True``.

        x ──▶ q(y | x), q(z | x, y) ──▶ z, y ──▶ p(x | z, y)                       M2
        x ──▶ z1 of a VAE (M1) ──▶ q(y | z1), q(z | z1, y) ──▶ z, y ──▶ p(z1 | z, y)    M1+M2

        known y:    L(x, y) = -log p(x | z, y) + KL(q(z | x, y) || p(z)) - log p(y),   and alpha * -log q(y | x)
        unknown y:  sum_y q(y | x) L(x, y) - H(q(y | x))

    ``fit(X, y)``: an unknown class is -1, None or NaN. The cross-entropy is a mean over the labelled rows and alpha
    its weight beside the mean bound of a row, as in the paper (there alpha = 0.1 N beside the sum). Few labelled rows
    come more often than the others, with their bound weighted down by as much. ``transform`` gives z and, one-hot,
    the class (the given or the likeliest one), n_components + C values.

    Parameters
    ----------
    n_components, network, hidden, loss : as in `VAE`; size of z (and of z1).
    alpha : float >= 0; the paper's is 0.1. On digits with 60 labels 1 was better (0.88 right against 0.76).
    stacked : M1+M2: M1 is trained first, M2 then on draws of its code, with one hidden layer as wide as M1's last.

    Reference: Kingma, Rezende, Mohamed & Welling (2014), "Semi-supervised learning with deep generative models".

    >>> import numpy as np
    >>> from diabolo import SemiSupervisedVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> y = np.where(np.arange(64) < 16, X[:, 0] > 0, -1)              # a quarter of the classes is known
    >>> model = SemiSupervisedVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X, y)
    >>> model.predict_proba(X).shape, model.sample(3, y=1, random_state=0).shape
    ((64, 2), (3, 5))
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        alpha: float = 1.0,
        stacked: bool = False,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.loss = n_components, network, hidden, loss
        self.alpha, self.stacked, self.trainer, self.random_state = alpha, stacked, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        network = network_of(self.network, self.hidden)
        first = compose(
            shape, target_shape, n_components=self.n_components, network=network, hidden=(), loss=self.loss,
            bottleneck="gaussian", prior="normal", penalties=["kl"],
        )  # fmt: skip
        if not self.stacked:
            recipe = self._second(network, shape, target_shape, first.objective.loss)
            recipe.stages = [Stage(recipe.module, recipe.objective, known_share=KNOWN_SHARE)]
            return recipe
        size = (first.module.bottleneck.out_features,)
        small = make("network", "dense", hidden=(tuple(self.hidden) or (128,))[-1:])
        second = self._second(small, size, size, make("loss", Spec("gaussian", scale="entry"), shape=size))
        inner = second.module
        module = AutoencoderModule(Above(first.module, inner.encoder), inner.bottleneck, Under(inner, first.module),
                                   inner.prior)  # fmt: skip
        on_codes = Stage(inner, second.objective, inputs=Draws(first.module), known_share=KNOWN_SHARE)
        return Recipe(module, Objective(first.objective.loss, [make("penalty", "kl")]), None,
                      [*first.plan(), on_codes])  # fmt: skip

    def _second(self, network: Network, shape: Shape, target_shape: Shape, loss: ReconstructionLoss) -> Recipe:
        """M2 for rows of a shape."""
        neck = ClassGaussian(self.n_components, self.labels_.size, self.alpha)  # type: ignore[arg-type]
        twin = Twin(network, neck.classes)
        encoder, decoder = twin.build(shape, neck.in_features, neck.out_features, loss.recon_shape(target_shape))
        module = AutoencoderModule(encoder, neck, decoder, make("prior", "normal", features=neck.style))
        return Recipe(module, Objective(loss, [make("penalty", "kl")]))

    def _compose(self, feed: Feed, trainer: Trainer | None = None) -> Recipe:
        """The bound of a row counts once, however often the row comes."""
        recipe = super()._compose(feed, trainer)
        if trainer is None:
            neck: Any = recipe.module.bottleneck
            more, times = len(feed.balanced(KNOWN_SHARE)) / len(feed), feed.times(KNOWN_SHARE)
            neck.unknown_weight.fill_(more)
            neck.known_weight.fill_(more / times)
        return recipe

    def _odds(self, batch: Batch) -> Tensor:
        neck: Any = self.module_.bottleneck
        whole = whole_lanes(batch)
        odds: Tensor = neck.odds(self.module_.features(whole.x, whole.mask))[: len(batch)]
        return odds

    def _class_share(self) -> float:
        return 0.0

    def _draw_told(self, cond: Tensor) -> Tensor:
        prior: Any = self.module_.prior
        return self.module_.decode(torch.cat([prior(self.module_).sample((len(cond),)), cond], 1))

    def _checked(self, y: Any) -> Any:
        return checked_classes(y)

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))


class Draws:
    """Rows to draws of M1's code, anew every time: what M2 learns from."""

    def __init__(self, module: AutoencoderModule) -> None:
        self.module = module

    def __call__(self, x: Tensor) -> Tensor:
        return self.module.encode(x).z


class Above(Encoder):
    """M2's encoder on M1's code."""

    def __init__(self, first: AutoencoderModule, second: Encoder) -> None:
        super().__init__()
        self.first, self.bottleneck, self.second = first.encoder, first.bottleneck, second

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        out: Tensor = self.second(self.bottleneck.code(self.first(x, mask)), None, cond)
        return out


class Under(Decoder):
    """M1's decoder on what M2 gives back of its code."""

    def __init__(self, second: AutoencoderModule, first: AutoencoderModule) -> None:
        super().__init__()
        self.second, self.first = second.decoder, first.decoder

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        out: Tensor = self.first(self.second(z))
        return out
