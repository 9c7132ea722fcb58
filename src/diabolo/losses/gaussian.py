"""Gaussian negative log-likelihood with a learned scale."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.registry import register
from .location import squared_norm
from .scaled import Scaled

HALF_LOG_TAU = 0.5 * math.log(2 * math.pi)


@register("loss", "gaussian")
class Gaussian(Scaled):
    """Minus the log-density of a Gaussian around the reconstruction, in nats.

        cost(x, x̂) = Σᵢ  ½ ((x̂ᵢ − xᵢ) / σᵢ)² + log σᵢ + ½ log 2π,    x̂ = link(recon)

    With σ fixed at 1, data of small variance cannot pay for its KL and a variational model collapses; a
    learned σ settles at the root mean squared error and balances the two terms by itself.

    Parameters
    ----------
    scale : "shared" (one learned σ), "entry" (one for each entry of the data), or a float above 0 (fixed).
    low, high : float, low < high, or both None. Bounds of the reconstruction.
    shape : the target's shape (*T), which the composition gives; only ``scale="entry"`` needs it.

    log σ is kept above −7, far below the resolution of 8-bit data, so that a constant entry costs a finite amount.

    Raises `UsageError` for another ``scale``, a missing ``shape``, or bounds out of order.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", appendix C.2; the learned scale is
    of Rybkin, Daniilidis & Levine (2021), "Simple and effective VAE training with calibrated decoders".

    >>> import torch
    >>> Gaussian(scale=1.0)(torch.tensor([[2.0]]), torch.tensor([[0.0]]))     # ½ · 2² + ½ log 2π
    tensor([2.9189])
    """

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        log_scale = self.log_scale()
        whitened = (self.link(recon) - target) * torch.exp(-log_scale)
        return 0.5 * whitened.square() + (log_scale + HALF_LOG_TAU)

    def per_sample(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        log_scale = self.log_scale()
        difference = self.link(recon) - target
        if log_scale.ndim:
            squares = squared_norm(difference * torch.exp(-log_scale))
        else:  # one scale can wait until the entries are summed
            squares = squared_norm(difference) * torch.exp(-2 * log_scale)
        entries = math.prod(difference.shape[1:])
        return 0.5 * squares + (log_scale.mean() + HALF_LOG_TAU) * entries
