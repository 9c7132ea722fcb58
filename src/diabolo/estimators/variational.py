"""Variational autoencoders with a Gaussian posterior and what is paid for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from ..core import Spec, register
from ..core.errors import out_of_range
from ..core.schedules import Linear
from ..train import Trainer
from .likelihood import VariationalModel


@register("model", "vae")
class VAE(VariationalModel):
    """Variational autoencoder (Kingma & Welling 2014, "Auto-encoding variational Bayes", eq. 7).

        -ELBO = -log p(x | z) + beta KL(q(z | x) || p(z)),   z ~ q(z | x) = N(mean(x), diag std(x)^2)

    Nats are summed over dimensions, so ``beta`` means the same at any size. ``transform`` gives the posterior
    mean; ``sample`` decodes draws from the prior; ``score_samples`` decodes the posterior mean: near the bound, but
    not below it for sure; ``log_likelihood`` is a bound by importance sampling.

    Parameters: as `Autoencoder`; ``loss`` "auto" is a Gaussian with a learned scale (Rybkin et al. 2021), or the
    likelihood of mixed columns; ``beta`` a number >= 0 or a schedule, such as "linear(share=0.5)".

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
        super().__init__(n_components, network=network, hidden=hidden, prior=prior, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.beta = beta

    def parts(self) -> dict[str, Any]:
        return {"penalties": [Spec("kl", weight=self.beta)]}


@register("model", "beta-vae")
class BetaVAE(VariationalModel):
    """beta-VAE (Higgins et al. 2017, "beta-VAE: learning basic visual concepts", eq. 4), and its capacity form.

        -log p(x | z) + beta KL          beta > 1: fewer, more independent values of the code; less detail
        -log p(x | z) + beta |KL - C|    C from 0 to ``capacity`` nats over the first half (Burgess et al. 2018, eq. 8)

    Parameters: as `VAE`; ``beta`` a number >= 0 or a schedule; ``warm_up`` in [0, 1]: share of training over which
    beta rises from 0; ``capacity`` nats, or None.

    >>> import numpy as np
    >>> from diabolo import BetaVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> BetaVAE(2, beta=2.0, warm_up=0.5, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        beta: Any = 2.0,
        warm_up: float = 0.0,
        capacity: float | None = None,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.beta, self.warm_up, self.capacity = beta, warm_up, capacity

    def parts(self) -> dict[str, Any]:
        if not 0 <= self.warm_up <= 1:
            raise out_of_range("warm_up", "a share of training in [0, 1]", self.warm_up)
        if self.warm_up and not isinstance(self.beta, int | float):
            raise out_of_range("beta", "a number where warm_up is given", self.beta)
        weight = Linear(0.0, self.beta, self.warm_up) if self.warm_up else self.beta
        grown = None if self.capacity is None else Linear(0.0, self.capacity, 0.5)
        return {"penalties": [Spec("kl", weight=weight, capacity=grown)]}


@register("model", "beta-tcvae")
class BetaTCVAE(VariationalModel):
    """beta-TCVAE (Chen et al. 2018, "Isolating sources of disentanglement in variational autoencoders", eq. 4).

        KL = mutual information + total correlation + divergence of each value;    only the second is paid beta times

    What entangles the code costs more, what informs the decoder does not. Parameters: as `VAE`; ``beta`` a number
    >= 0.

    >>> import numpy as np
    >>> from diabolo import BetaTCVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> sorted(BetaTCVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).history_[-1]["train"])
    ['kl', 'loss', 'reconstruction', 'total-correlation']
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        beta: float = 3.0,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.beta = beta

    def parts(self) -> dict[str, Any]:
        if not isinstance(self.beta, int | float) or self.beta < 0:
            raise out_of_range("beta", "a number of at least 0", self.beta)
        return {"penalties": ["kl", Spec("total-correlation", weight=self.beta - 1)]}


@register("model", "factor-vae")
class FactorVAE(VariationalModel):
    """FactorVAE (Kim & Mnih 2018, "Disentangling by factorising", eq. 2).

        -ELBO + gamma TC(z),    TC by a critic that tells codes from codes whose values were shuffled over the batch

    The critic has an optimiser of its own and moves after the autoencoder in every step. Parameters: as `VAE`;
    ``gamma`` a number >= 0 or a schedule.

    >>> import numpy as np
    >>> from diabolo import FactorVAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> FactorVAE(2, trainer=Trainer(epochs=2), random_state=0).fit(X).transform(X).shape
    (64, 2)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        gamma: Any = 6.0,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.gamma = gamma

    def parts(self) -> dict[str, Any]:
        return {"penalties": ["kl", Spec("density-ratio", weight=self.gamma)]}


@register("model", "iwae")
class IWAE(VariationalModel):
    """Importance-weighted autoencoder (Burda, Grosse & Salakhutdinov 2016, "Importance weighted autoencoders", eq. 8).

        L_K = E log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x),    ELBO = L_1 <= L_K <= log p(x)

    The tighter bound lets the posterior be rougher and the model use more of the code. ``samples`` K >= 1: draws of z
    a row, and about so many times the work. Parameters: as `VAE`.

    >>> import numpy as np
    >>> from diabolo import IWAE, Trainer
    >>> X = np.random.default_rng(0).normal(size=(64, 5)).astype("float32")
    >>> IWAE(2, samples=3, trainer=Trainer(epochs=2), random_state=0).fit(X).log_likelihood(X, 20).shape
    (64,)
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        samples: int = 5,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        super().__init__(n_components, network=network, hidden=hidden, prior=prior, loss=loss, trainer=trainer,
                         random_state=random_state)  # fmt: skip
        self.samples = samples

    def parts(self) -> dict[str, Any]:
        neck = Spec("gaussian", samples=self.samples)
        return {"bottleneck": neck, "penalties": [Spec("kl", sampled=True)], "importance": 1.0}
