"""Autoencoders whose code is a tuple of indices: VQ-VAE, residual VQ-VAE, FSQ, categorical VAE."""

from __future__ import annotations

from abc import ABC
from collections.abc import Sequence
from math import gcd
from typing import Any

import numpy as np
from torch import Tensor

from ..core import Batch, Spec, register
from ..core.interfaces import Shape
from ..train import Trainer
from . import choose
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Choice, Recipe

SLICE = 4
"""Values of a slice that one index stands for, where a whole row has one vector."""
POSITION = 16
"""Values of the vector at each position, where the network keeps positions."""


class DiscreteAutoencoder(BaseAutoencoder, ABC):
    """Base of the autoencoders with a discrete code: ``indices`` gives it as whole numbers."""

    def indices(self, X: Any) -> np.ndarray:
        """The code as indices: int64 (N, *P), or (N, *P, I) where a position has several. Deterministic."""

        def of(batch: Batch) -> Tensor:
            neck: Any = self.module_.bottleneck
            found: Tensor = neck.indices(self.module_.features(batch.x, batch.mask, batch.cond))
            return found

        return self._apply(X, of)

    def _network_choice(self, usual: Choice) -> Choice:
        if usual.value != "conv":
            return usual
        return Choice("network", "conv(flat=False)", f"{usual.why}; every position has its own indices")


def keeps_positions(network: Any) -> bool:
    """Whether a network given by name leaves the positions in the code."""
    if not isinstance(network, str | Spec):
        return False
    spec = Spec.of(network)
    return spec.params.get("flat") is False or (spec.name == "transformer" and spec.params.get("pool") == "none")


@register("model", "vq-vae")
class VQVAE(DiscreteAutoencoder):
    """Vector-quantised autoencoder (van den Oord et al. 2017, "Neural discrete representation learning", eq. 3).

        x ──encoder──▶ h ──nearest code──▶ z ──decoder──▶ p(x | z);    -log p(x | z) + commitment ‖h - sg[z]‖²

    A network that keeps positions (``conv(flat=False)``, ``transformer(pool="none")``) gives one index a position; any
    other gives one vector a row, cut into ``groups`` slices with a codebook each. ``transform`` gives the quantised
    vectors, ``indices`` the indices. ``sample`` needs a prior over the indices: ``fit_prior(X, "autoregressive")``.

    Parameters: as `Autoencoder`; ``loss`` "auto" is a Gaussian with a learned scale; ``codes`` entries of a codebook,
    at least 2; ``groups`` a divisor of ``n_components``, or "auto" (one, or slices of four values where the network
    keeps no positions); ``commitment`` at least 0. More (decay, revive, gradient …): ``bottleneck "vq"``.

    >>> import numpy as np
    >>> from diabolo import VQVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> VQVAE(4, codes=8, groups=2, trainer=Trainer(epochs=2), random_state=0).fit(X).indices(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        codes: int = 64,
        groups: int | str = "auto",
        commitment: float = 0.25,
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.codes = n_components, network, hidden, codes
        self.groups, self.commitment, self.loss = groups, commitment, loss
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        groups = self.groups
        if groups == "auto":
            whole = keeps_positions(self.network)
            groups = 1 if whole or not isinstance(self.n_components, int) else slices(self.n_components)
        neck = Spec("vq", codes=self.codes, groups=groups, commitment=self.commitment)
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck=neck,
        )  # fmt: skip

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        if keeps_positions(network):
            return Choice("n_components", POSITION, "the vector of a position; its code is one index")
        usual = choose.code_size(sample)
        size = -(-usual.value // SLICE) * SLICE
        return Choice("n_components", size, f"{usual.why}; {size // SLICE} slices of {SLICE}")

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))


def slices(size: int) -> int:
    """How many slices of four values; of two, or of one, where four do not divide the size."""
    return max(1, size // max(2, gcd(size, SLICE))) if size % 2 == 0 else size


@register("model", "residual-vq-vae")
class ResidualVQVAE(DiscreteAutoencoder):
    """Autoencoder with residual vector quantisation (Zeghidour et al. 2021, "SoundStream", section III.C).

        h ──codebook 1──▶ q₁, what is left ──codebook 2──▶ q₂ …;    z = q₁ + … + q_L

    Each of the ``levels`` halves roughly the error of the code, so a long vector needs no slices: the indices are
    (N, *P, levels), coarse to fine.

    Parameters: as `VQVAE`; ``codes`` entries of each level's codebook; ``levels`` at least 1. More (quantiser dropout,
    groups …): ``bottleneck "residual-vq"``.

    >>> import numpy as np
    >>> from diabolo import ResidualVQVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> ResidualVQVAE(4, codes=8, levels=3, trainer=Trainer(epochs=2), random_state=0).fit(X).indices(X).shape
    (64, 3)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        codes: int = 64,
        levels: int = 6,
        commitment: float = 0.25,
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.codes = n_components, network, hidden, codes
        self.levels, self.commitment, self.loss = levels, commitment, loss
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        neck = Spec("residual-vq", codes=self.codes, levels=self.levels, commitment=self.commitment)
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck=neck,
        )  # fmt: skip

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        if keeps_positions(network):
            return Choice("n_components", POSITION, f"the vector of a position; its code is {self.levels} indices")
        return choose.code_size(sample)

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))


@register("model", "fsq")
class FSQAutoencoder(DiscreteAutoencoder):
    """Autoencoder whose code values are rounded to a few levels (Mentzer et al. 2023, "Finite scalar quantization").

        x ──encoder──▶ h ──bound, round──▶ z ──decoder──▶ recon

    No codebook, no extra loss. ``indices`` gives one number for every ``len(levels)`` values of a position.

    Parameters: as `Autoencoder`; ``levels`` of the code's values, at least 3 each, used again where there are more
    values than levels.

    >>> import numpy as np
    >>> from diabolo import FSQAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> model = FSQAutoencoder(3, levels=(5, 3, 3), trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> bool((model.indices(X) < 45).all())
    True
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        levels: Sequence[int] = (8, 5, 5, 5),
        loss: Any = "auto",
        corruption: Any = None,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.levels = n_components, network, hidden, levels
        self.loss, self.corruption, self.trainer, self.random_state = loss, corruption, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, bottleneck=Spec("fsq", levels=tuple(self.levels)), corruption=self.corruption,
        )  # fmt: skip

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        if keeps_positions(network):
            return Choice("n_components", len(self.levels), "one value a level: one index a position")
        return choose.code_size(sample)


@register("model", "categorical-vae")
class CategoricalVAE(DiscreteAutoencoder):
    """Variational autoencoder with categorical variables (Jang et al. 2017, "Categorical reparameterization", eq. 2).

        -ELBO = -log p(x | z) + beta KL(q(z | x) || uniform),    z ~ q(z | x), relaxed by Gumbel-softmax in training

    ``transform`` gives the most likely class of every variable, one-hot: (N, n_components · classes); ``indices`` gives
    the classes (N, n_components). ``sample`` draws every variable evenly.

    Parameters: as `VAE`; ``n_components`` variables of ``classes`` values each, at least 2; ``straight_through``:
    one-hot samples in training too.

    >>> import numpy as np
    >>> from diabolo import CategoricalVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> CategoricalVAE(2, classes=4, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 8)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        classes: int = 10,
        straight_through: bool = False,
        loss: Any = "auto",
        beta: Any = 1.0,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.classes = n_components, network, hidden, classes
        self.straight_through, self.loss, self.beta = straight_through, loss, beta
        self.trainer, self.random_state = trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        width = self.n_components * self.classes if isinstance(self.n_components, int) else self.n_components
        return compose(
            shape, target_shape, n_components=width, network=self.network, hidden=self.hidden, loss=self.loss,
            bottleneck=Spec("categorical", classes=self.classes, straight_through=self.straight_through),
            prior=Spec("uniform-categorical", classes=self.classes), penalties=[Spec("kl", weight=self.beta)],
        )  # fmt: skip

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))
