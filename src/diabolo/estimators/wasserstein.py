"""Autoencoders whose codes are brought to the prior as a whole, or are left alone and fitted afterwards."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Self

from ..core import Spec, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from ..train import Trainer
from .base import BaseAutoencoder
from .composed import compose
from .likelihood import VariationalModel
from .recipe import Recipe

REGULARISERS = ("l2", "gradient", "spectral", "none")


@register("model", "info-vae")
class InfoVAE(VariationalModel):
    """InfoVAE (Zhao, Song & Ermon 2017, "InfoVAE: information maximizing variational autoencoders", eq. 6).

        -log p(x | z) + (1 - alpha) KL(q(z | x) || p(z)) + (alpha + lam - 1) MMD(q(z), p(z))

    alpha 0 and lam 1 is the VAE; alpha 1 leaves single posteriors free and brings only their average to the prior
    (MMD-VAE). Parameters: as `VAE`; ``alpha`` <= 1; ``lam`` with alpha + lam >= 1.

    >>> import numpy as np
    >>> from diabolo import InfoVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> InfoVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        alpha: float = 0.5,
        lam: float = 100.0,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, prior=prior, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.alpha, self.lam = alpha, lam

    def parts(self) -> dict[str, Any]:
        if not self.alpha <= 1 or not self.alpha + self.lam >= 1:
            raise out_of_range("alpha and lam", "such that alpha <= 1 and alpha + lam >= 1", (self.alpha, self.lam))
        apart = Spec("discrepancy", weight=self.alpha + self.lam - 1)
        return {"penalties": [Spec("kl", weight=1 - self.alpha), apart]}


@register("model", "wae")
class WAE(BaseAutoencoder):
    """Wasserstein autoencoder (Tolstikhin et al. 2018, "Wasserstein auto-encoders", algorithm 2): WAE-MMD.

        |x - recon|^2 + lam MMD(codes, p(z)),    a deterministic encoder

    Codes as a whole are brought to the prior, so reconstructions stay sharp and `sample` works. Parameters: as
    `Autoencoder`; ``lam`` >= 0 or a schedule: the weight in units of the loss's.

    >>> import numpy as np
    >>> from diabolo import WAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> WAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3, random_state=0).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        lam: Any = 30.0,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.lam, self.network, self.hidden = n_components, lam, network, hidden
        self.prior, self.loss, self.trainer, self.random_state = prior, loss, trainer, random_state

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, prior=self.prior, penalties=[Spec("discrepancy", weight=self.lam)],
        )  # fmt: skip


@register("model", "rae")
class RAE(BaseAutoencoder):
    """Regularised autoencoder (Ghosh et al. 2020, "From variational to deterministic autoencoders", eq. 11).

        |x - recon|^2 + beta/2 |z|^2 + lam R(decoder),    then a density is fitted to the codes

    No noise: small codes and a smooth decoder do what noise does in a VAE. After training `fit` fits ``prior`` to the
    codes, and `sample` draws from it.

    Parameters: as `Autoencoder`; ``beta``, ``lam`` >= 0 or schedules, in units of the loss's; ``regulariser`` R "l2"
    (half the squared weights), "gradient" (half the squared Jacobian), "spectral" (half the squared spectral norms),
    or "none"; ``prior`` what `fit_prior` takes, or None for none.

    >>> import numpy as np
    >>> from diabolo import RAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> RAE(2, prior="mixture(components=3)", trainer=Trainer(epochs=2), random_state=0).fit(X).sample(3).shape
    (3, 5)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        beta: Any = 1e-2,
        lam: Any = 1e-4,
        regulariser: str = "l2",
        prior: Any = "mixture(components=10, covariance='full')",
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.beta, self.lam, self.regulariser = n_components, beta, lam, regulariser
        self.prior, self.network, self.hidden, self.loss = prior, network, hidden, loss
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """As every autoencoder; then the prior is fitted to the codes."""
        super().fit(X, y)
        return self if self.prior is None else self.fit_prior(X, self.prior)

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        known = {"l2": Spec("weight-decay", side="decoder"), "gradient": Spec("decoder-gradient"),
                 "spectral": Spec("spectral-norm", side="decoder")}  # fmt: skip
        if self.regulariser not in REGULARISERS:
            raise out_of_range("regulariser", " or ".join(map(repr, REGULARISERS)), self.regulariser)
        smooth = [known[self.regulariser].with_defaults(weight=self.lam)] if self.regulariser in known else []
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, penalties=[Spec("code-norm", weight=self.beta), *smooth],
        )  # fmt: skip
