"""The bottleneck of the variational autoencoder: a diagonal Gaussian for every position."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Independent, Normal
from torch.nn import functional

from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Variational
from ..core.registry import register

SMALLEST_STD = 1e-4
"""Keeps log q(z | x) finite when an encoder wants to be certain."""


@register("bottleneck", "gaussian")
class Gaussian(Variational):
    """A diagonal Gaussian posterior, sampled by reparameterisation.

        h = [mean | raw] ──▶ q(z | x) = N(mean, diag std²) ──▶ z = mean + std · ε,  ε ~ N(0, I)

    std = softplus(raw) + 1e-4: unlike exp(raw) it grows linearly, so one step cannot make the sample explode.
    The code is the mean. q and p(z) are compared by a penalty (``kl``, ``discrepancy`` …), not here.

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; the encoder gives 2 D.
    samples : int, at least 1. Draws of z a row, K; the draws of one row follow each other.

    Raises `UsageError` if ``features`` or ``samples`` is below 1.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", section 2.4 and equation 9.

    >>> import torch
    >>> latent = Gaussian(features=2)(torch.zeros(3, 4))
    >>> latent.code
    tensor([[0., 0.],
            [0., 0.],
            [0., 0.]])
    >>> latent.posterior.batch_shape, latent.posterior.event_shape
    (torch.Size([3]), torch.Size([2]))
    >>> Gaussian(features=2, samples=5)(torch.zeros(3, 4)).z.shape
    torch.Size([15, 2])
    """

    def __init__(self, features: int, samples: int = 1) -> None:
        super().__init__()
        for name, value in (("features", features), ("samples", samples)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        self.in_features, self.out_features, self.samples = 2 * features, features, samples

    def code(self, h: Float[Tensor, "b *p f"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return h[..., : self.out_features]

    def posterior(
        self,
        h: Float[Tensor, "b *p f"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Independent:
        mean, raw = h.chunk(2, dim=-1)
        std = functional.softplus(raw) + SMALLEST_STD
        # torch.distributions checks every value on each call unless told not to
        return Independent(Normal(mean, std, validate_args=False), 1, validate_args=False)

    def forward(
        self,
        h: Float[Tensor, "b *p f"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        spread = h if self.samples == 1 else h.repeat_interleave(self.samples, 0)
        posterior = self.posterior(spread)
        mean, std = posterior.base_dist.loc, posterior.base_dist.scale
        z = torch.addcmul(mean, std, torch.randn_like(std))
        return Latent(z, h[..., : self.out_features], posterior, draws=self.samples)
