"""Bernoulli negative log-likelihood: the cross-entropy of pixels and of yes-or-no columns."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.interfaces import ReconstructionLoss
from ..core.registry import register


@register("loss", "bernoulli")
class Bernoulli(ReconstructionLoss):
    """Binary cross-entropy of logits, in nats; the decoder puts out logits, link gives probabilities.

        cost(x, l) = Σᵢ log(1 + exp lᵢ) − xᵢ lᵢ  =  −Σᵢ xᵢ log pᵢ + (1 − xᵢ) log(1 − pᵢ),    p = sigmoid(l)

    Targets lie in [0, 1]; between the two ends (grey levels) it is a cross-entropy whose smallest value is
    the target's entropy, not 0, and no likelihood.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", appendix C.1.

    >>> import torch
    >>> Bernoulli()(torch.zeros(1, 2), torch.tensor([[0.0, 1.0]]))     # 2 log 2
    tensor([1.3863])
    """

    support: ClassVar[tuple[float, float] | None] = (0.0, 1.0)

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        return functional.binary_cross_entropy_with_logits(recon, target, reduction="none")

    def link(self, recon: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        return torch.sigmoid(recon)

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Logits of the mean, kept in [0.01, 0.99]: a pixel that is always black must still be able to learn."""
        return torch.logit(mean.clamp(0.01, 0.99))
