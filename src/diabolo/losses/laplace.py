"""Laplace negative log-likelihood with a learned scale."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.registry import register
from .scaled import Scaled


@register("loss", "laplace")
class Laplace(Scaled):
    """Minus the log-density of a Laplace distribution around the reconstruction, in nats: the likelihood of L1.

        cost(x, x̂) = Σᵢ  |x̂ᵢ − xᵢ| / bᵢ + log 2bᵢ,    x̂ = link(recon)

    A learned b settles at the mean absolute error.

    Parameters: ``scale`` b, ``low``, ``high`` and ``shape`` as in `Scaled`.

    Reference: Huber (1981), "Robust statistics", section 4.4 (maximum likelihood under double-exponential errors).

    >>> Laplace(scale=2.0)(torch.tensor([[3.0]]), torch.tensor([[1.0]]))     # 1 + log 4
    tensor([2.3863])
    """

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        log_scale = self.log_scale()
        return (self.link(recon) - target).abs() * torch.exp(-log_scale) + (log_scale + math.log(2))
