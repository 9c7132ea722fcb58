"""Sparse autoencoders: wide codes of which a row uses a few units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import prod
from typing import Any

from ..core import Batch, Spec, register
from ..core.errors import unknown
from ..core.interfaces import Shape
from ..train import Trainer
from . import choose
from .base import BaseAutoencoder
from .composed import compose
from .recipe import Choice, Recipe

WIDEST = 4096
DICTIONARY = Spec("dense", hidden=(), atoms=True)
KINDS = ("l1", "kl", "batch-top-k", "jump-relu", "matryoshka")

SATURATED = (
    Choice("optimizer", "adam", "units must be pushed far into saturation, which decayed weights would not do"),
    Choice("lr", 1e-2, "adam's, for sigmoid units"),
)


class WideAutoencoder(BaseAutoencoder):
    """What the sparse models share: a code wider than the data by default, and a plain sum of atoms as output."""

    def _loss_choice(self) -> Choice:
        usual = choose.loss(self.processor_)
        if usual.value.name != "squared":
            return usual
        return Choice("loss", Spec("squared"), "squared error of a sum of atoms, which knows no bounds")

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        values = prod(sample.target.shape[1:])
        size = min(max(16, 4 * values), max(WIDEST, values))
        return Choice("n_components", size, f"four units for each of {values} values: few of many are used")


@register("model", "sparse")
class SparseAutoencoder(WideAutoencoder):
    """Sparse autoencoder (Ng 2011; Bricken et al. 2023): any matrix of activations as sums of few dictionary atoms.

        x ──W, b──▶ many units, few active ──▶ z ──atoms of norm 1──▶ x̂,    data centred by the first and last bias

    Parameters
    ----------
    n_components : int >= 1 or "auto" (4 units a value of the data).
    kind : what keeps units silent.
        "batch-top-k" (default): the B k largest activations of a batch (Bussmann et al. 2024).
        "l1": the sum of activations is paid for (Olshausen & Field 1996).
        "kl": sigmoid units, whose mean activity is drawn to ``rho`` (Ng 2011).
        "jump-relu": learnt thresholds, the number of active units is paid for (Rajamanoharan et al. 2024).
        "matryoshka": nested prefixes of the code, each a code of its own (Bussmann et al. 2025).
    sparsity : weight of what is paid ("l1", "kl", "jump-relu"), or None for the kind's default.
    k : mean number of active units ("batch-top-k", "matryoshka"), or None for a sixteenth of them.
    rho : target mean activity ("kl").
    network, hidden, loss, trainer, random_state : as in `Autoencoder`; the default network is a linear dictionary.

    Units that fall silent are asked for what the others miss (penalty ``dead-units``), except for "kl".

    >>> import numpy as np
    >>> from diabolo import SparseAutoencoder, Trainer
    >>> activations = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> codes = SparseAutoencoder(k=3, trainer=Trainer(epochs=2), random_state=0).fit_transform(activations)
    >>> codes.shape, bool((codes == 0).mean() > 0.5)
    ((64, 20), True)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        kind: str = "batch-top-k",
        sparsity: float | None = None,
        k: int | None = None,
        rho: float = 0.05,
        network: Any = None,
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.kind, self.sparsity, self.k, self.rho = n_components, kind, sparsity, k, rho
        self.network, self.loss, self.trainer, self.random_state = network, loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        recipe = compose(
            shape, target_shape, n_components=self.n_components, hidden=(), loss=self.loss, **self._parts()
        )
        return replace(recipe, training=SATURATED) if self.kind == "kl" else recipe

    def _parts(self) -> dict[str, Any]:
        """Network, bottleneck and penalties of the kind; small sigmoid units need weights of any size behind them."""
        usual = "dense" if self.kind == "kl" else DICTIONARY
        return {"network": self.network if self.network is not None else usual, **self._code()}

    def _code(self) -> dict[str, Any]:
        if self.kind == "kl":
            weight = 0.1 if self.sparsity is None else self.sparsity
            return {
                "bottleneck": Spec("activated", activation="sigmoid"),
                "penalties": [Spec("sparsity", rho=self.rho, weight=weight)],
            }
        if self.kind == "l1":
            weight = 0.01 if self.sparsity is None else self.sparsity
            return {"bottleneck": "activated", "penalties": [Spec("l1", weight=weight), "dead-units"]}
        if self.kind == "jump-relu":
            weight = 1e-3 if self.sparsity is None else self.sparsity
            return {"bottleneck": Spec("jump-relu", sparsity=weight), "penalties": ["dead-units"]}
        if self.kind in ("batch-top-k", "matryoshka"):
            return {"bottleneck": Spec(self.kind, k=self.k), "penalties": ["dead-units"]}
        raise unknown("kind", self.kind, KINDS)


@register("model", "k-sparse")
class KSparseAutoencoder(WideAutoencoder):
    """k-sparse autoencoder (Makhzani & Frey 2013): linear units, tied weights, the k largest stay.

        x ──W──▶ h ──the k largest──▶ z ──Wᵀ──▶ x̂

    k falls from ``start`` while training runs, so that every unit finds work. ``alpha``: a code keeps ``alpha`` k
    units, which describes a row better for a classifier; 1 keeps code and reconstruction those of training.

    Parameters: ``n_components`` units or "auto" (4 a value of the data); ``k`` int or None (a tenth of the units);
    ``start`` int or None (4 k); ``alpha`` >= 1; the rest as in `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import KSparseAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> codes = KSparseAutoencoder(20, k=3, trainer=Trainer(epochs=2), random_state=0).fit_transform(X)
    >>> set((codes != 0).sum(1).tolist())
    {3}
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        k: int | None = None,
        start: int | None = None,
        alpha: float = 1.0,
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.k, self.start, self.alpha = n_components, k, start, alpha
        self.loss, self.trainer, self.random_state = loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, loss=self.loss, hidden=(),
            network=Spec("dense", hidden=(), tied=True),
            bottleneck=Spec("k-sparse", k=self.k, start=self.start, alpha=self.alpha),
        )  # fmt: skip


@register("model", "top-k")
class TopKAutoencoder(WideAutoencoder):
    """Top-k sparse autoencoder (Gao et al. 2024, "Scaling and evaluating sparse autoencoders", eq. 4).

        x ──W, b──▶ ReLU ──the k largest──▶ z ──atoms of norm 1──▶ x̂,    dead units rebuild what is missed (AuxK)

    Parameters: ``n_components`` units or "auto" (4 a value of the data); ``k`` active units of a row, int or None (a
    sixteenth of the units); ``patience`` rows without activity after which a unit counts as dead; ``dead_weight`` of
    the term that brings dead units back; ``hidden`` widths, () for a linear dictionary; the rest as in `Autoencoder`.

    >>> import numpy as np
    >>> from diabolo import TopKAutoencoder, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> codes = TopKAutoencoder(20, k=3, trainer=Trainer(epochs=2), random_state=0).fit_transform(X)
    >>> int((codes != 0).sum(1).max())
    3
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        k: int | None = None,
        hidden: Sequence[int] = (),
        patience: int = 10_000,
        dead_weight: float = 1 / 32,
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.k, self.hidden = n_components, k, hidden
        self.patience, self.dead_weight = patience, dead_weight
        self.loss, self.trainer, self.random_state = loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, loss=self.loss, hidden=self.hidden,
            network=Spec("dense", atoms=True), bottleneck=Spec("top-k", k=self.k, patience=self.patience),
            penalties=[Spec("dead-units", weight=self.dead_weight)],
        )  # fmt: skip
