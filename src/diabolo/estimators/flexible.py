"""Variational autoencoders with priors and posteriors of more shape than a Gaussian's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, register
from ..train import Trainer
from .likelihood import VariationalModel
from .recipe import Choice


@register("model", "vamp-vae")
class VampVAE(VariationalModel):
    """VAE with a VampPrior (Tomczak & Welling 2018, "VAE with a VampPrior", eq. 9).

        p(z) = 1/K sum_k q(z | u_k),    the pseudo-inputs u_k are learned and start as rows of the data

    Parameters: as `VAE`; ``components`` K >= 1; ``beta`` a number >= 0 or a schedule.

    >>> import numpy as np
    >>> from diabolo import VampVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> VampVAE(2, components=8, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        components: int = 50,
        beta: Any = 1.0,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.components, self.beta = components, beta

    def parts(self) -> dict[str, Any]:
        return {"prior": Spec("vamp", components=self.components), "penalties": [Spec("kl", weight=self.beta)]}


@register("model", "flow-vae")
class FlowVAE(VariationalModel):
    """VAE whose posterior, and prior if asked, are bent by flows (Rezende & Mohamed 2015; Kingma et al. 2016).

        z0 ~ N(mean(x), std(x)) --steps--> z,    -ELBO = -log p(x | z) + log q(z | x) - log p(z)

    Parameters: as `VAE`; ``flow`` "autoregressive" (inverse autoregressive flow), "coupling" or "planar"; ``steps``
    >= 1; ``prior`` "normal", "flow" or another.

    Reference: Rezende & Mohamed (2015), "Variational inference with normalizing flows"; Kingma et al. (2016),
    "Improved variational inference with inverse autoregressive flow".

    >>> import numpy as np
    >>> from diabolo import FlowVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> FlowVAE(2, steps=2, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        flow: str = "autoregressive",
        steps: int = 4,
        prior: Any = "normal",
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, prior=prior, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.flow, self.steps = flow, steps

    def parts(self) -> dict[str, Any]:
        return {"bottleneck": Spec("flow-posterior", kind=self.flow, steps=self.steps), "penalties": ["kl"]}


@register("model", "hierarchical-vae")
class HierarchicalVAE(VariationalModel):
    """Ladder variational autoencoder: several layers of z, each told the ones above (Sonderby et al. 2016).

        z = [z_1 ... z_L],    p(z) = p(z_1) prod p(z_l | z_<l),    q(z_l | z_<l, x): data and p weighted by precision

    Parameters: as `VAE`; ``n_components`` is for all layers together, each about twice the one above; ``levels`` L >=
    1; ``beta`` a number >= 0 or a schedule; ``free_bits`` >= 0 nats a layer that cost nothing, which keeps the upper
    layers from falling asleep. The network "pyramid", taken for rows that are no
    large pictures, gives every layer features of its own depth; others give all features at once.

    Reference: Sonderby et al. (2016), "Ladder variational autoencoders", equations 8 to 13.

    >>> import numpy as np
    >>> from diabolo import HierarchicalVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> HierarchicalVAE(3, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        levels: int = 2,
        beta: Any = 1.0,
        free_bits: float = 0.5,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.levels, self.beta, self.free_bits = levels, beta, free_bits

    def _network_choice(self, usual: Choice) -> Choice:
        if usual.value != "dense":
            return usual
        return Choice("network", "pyramid", f"{usual.why}; every layer of z has features of its own depth")

    def parts(self) -> dict[str, Any]:
        pyramid = isinstance(self.network, str | Spec) and Spec.of(self.network).name == "pyramid"
        return {
            "bottleneck": Spec("hierarchical", levels=self.levels, pyramid=pyramid), "prior": "top-down",
            "penalties": [Spec("kl", weight=self.beta, free_bits=self.free_bits)],
        }  # fmt: skip
