"""Absolute error: reconstruct the median instead of the mean."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..core.interfaces import TakesSparse
from ..core.registry import register
from .location import Location


@register("loss", "absolute")
class Absolute(Location, TakesSparse):
    """Sum of absolute errors; its minimiser is the conditional median, so outliers pull less.

        cost(x, x̂) = Σᵢ |x̂ᵢ − xᵢ|,    x̂ = link(recon)

    A distance, not a likelihood. Pictures come out sharper than under squared error.

    Parameters
    ----------
    low, high : float, low < high, or both None. Bounds of the reconstruction.

    Raises `UsageError` if only one bound is given or they are out of order.

    Reference: Bloomfield & Steiger (1983), "Least absolute deviations: theory, applications and algorithms",
    chapter 1.

    >>> import torch
    >>> Absolute()(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([3.])
    """

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        return (self.link(recon) - target).abs()
