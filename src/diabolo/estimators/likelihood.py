"""What variational models share: their common parameters, and how likely rows are, by importance sampling."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from sklearn.utils import check_random_state
from torch import Tensor

from ..core import AutoencoderModule, Batch, ReconstructionLoss, Variational
from ..core.errors import ModelError, out_of_range
from ..core.interfaces import Shape
from ..train import Trainer
from . import choose
from .base import CHUNK, BaseAutoencoder
from .composed import compose
from .recipe import Choice, Recipe


class LogLikelihood(BaseAutoencoder):
    """Adds `log_likelihood` to a model whose bottleneck gives a posterior."""

    def log_likelihood(self, X: Any, n_samples: int = 500, random_state: int | None = None) -> np.ndarray:
        """A lower bound on log p(x) of every row (N,), in nats; it rises to it as ``n_samples`` grows.

            log p(x) >= L_K = E log 1/K sum_k p(x | z_k) p(z_k) / q(z_k | x),    z_k ~ q(z | x)

        Holds a few thousand decoded rows at a time, whatever ``n_samples`` is. With ``n_samples=1``: the ELBO at one
        draw. The loss must be a likelihood (``bernoulli``, ``gaussian`` …).

        Raises `UsageError` for ``n_samples`` below 1, `ModelError` if the model has no posterior or no prior.

        Reference: Burda, Grosse & Salakhutdinov (2016), "Importance weighted autoencoders", equation 8.
        """
        if not isinstance(n_samples, int | np.integer) or n_samples < 1:
            raise out_of_range("n_samples", "an int of at least 1", n_samples)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(check_random_state(random_state).randint(2**31 - 1))
            return self._apply(
                X, lambda batch: importance_bound(self.module_, self.objective_.loss, batch, int(n_samples))
            )


class VariationalModel(LogLikelihood):
    """The composition of a posterior, a prior and a likelihood; a variant says with `parts` what it names otherwise.

    Parameters: as `Autoencoder`; ``loss`` "auto" is a Gaussian with a learned scale (Rybkin et al. 2021), or the
    likelihood of mixed or binary columns.
    """

    def __init__(
        self,
        n_components: int | str = "auto",
        *,
        network: Any = "auto",
        hidden: Sequence[int] | str = "auto",
        prior: Any = "normal",
        loss: Any = "auto",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.n_components, self.network, self.hidden, self.prior = n_components, network, hidden, prior
        self.loss, self.trainer, self.random_state = loss, trainer, random_state

    @abstractmethod
    def parts(self) -> dict[str, Any]:
        """Bottleneck (else "gaussian"), prior (else the parameter), penalties …, as `compose` takes them."""

    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        return compose(
            shape, target_shape, n_components=self.n_components, network=self.network, hidden=self.hidden,
            loss=self.loss, **{"bottleneck": "gaussian", "prior": self.prior, **self.parts()},
        )  # fmt: skip

    def _loss_choice(self) -> Choice:
        return choose.likelihood(choose.loss(self.processor_))


def importance_bound(
    module: AutoencoderModule, loss: ReconstructionLoss, batch: Batch, n_samples: int
) -> Float[Tensor, " b"]:
    """L_K of every row of a batch; at most `CHUNK` rows are decoded at a time."""
    if not isinstance(module.bottleneck, Variational) or module.prior is None:
        raise ModelError("this model has no posterior and prior, so its rows have no likelihood; use a VAE.")
    h = module.features(batch.x, batch.mask, batch.cond)
    posterior = module.bottleneck.posterior(h, batch.mask, batch.cond)
    rows = len(batch)
    total = torch.full((rows,), -math.inf, device=batch.x.device)
    for begin in range(0, n_samples, max(1, CHUNK // rows)):
        k = min(max(1, CHUNK // rows), n_samples - begin)
        z = posterior.sample(torch.Size([k]))
        spread = batch.repeat(k)
        flat = z.transpose(0, 1).flatten(0, 1)
        gain = _summed(module.prior(module, spread.cond).log_prob(flat), spread.mask)
        gain = gain - loss(module.decode(flat, spread), spread.target, spread.scored)
        density = posterior.log_prob(z).transpose(0, 1).flatten(0, 1)
        weights = (gain - _summed(density, spread.mask)).view(rows, k)
        total = torch.logaddexp(total, weights.logsumexp(1))
    return total - math.log(n_samples)


def _summed(log_prob: Float[Tensor, " b *p"], mask: Tensor | None) -> Float[Tensor, " b"]:
    if mask is not None and mask.shape == log_prob.shape:
        log_prob = torch.where(mask, log_prob, 0.0)
    return log_prob.flatten(1).sum(1) if log_prob.ndim > 1 else log_prob
