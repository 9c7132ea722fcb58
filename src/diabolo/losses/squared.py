"""Squared error, summed over an entry's sample."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..core.interfaces import TakesSparse
from ..core.registry import register
from .location import Location, squared_norm


@register("loss", "squared")
class Squared(Location, TakesSparse):
    """Squared Euclidean distance between data and reconstruction; a distance, not a likelihood.

        cost(x, x̂) = Σᵢ (x̂ᵢ − xᵢ)²,    x̂ = link(recon)

    Its minimiser is the conditional mean, so a linear autoencoder trained on it spans the principal
    components. As a likelihood it would be a Gaussian whose σ² is fixed at 1/2: for variational models take
    ``gaussian``, which learns σ.

    Parameters
    ----------
    low, high : float, low < high, or both None. Bounds of the reconstruction.

    Raises `UsageError` if only one bound is given or they are out of order.

    Reference: Bourlard & Kamp (1988), "Auto-association by multilayer perceptrons and singular value
    decomposition", equation 2.

    >>> import torch
    >>> Squared()(torch.tensor([[3.0, 1.0]]), torch.tensor([[1.0, 0.0]]))
    tensor([5.])
    """

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        return (self.link(recon) - target).square()

    def per_sample(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        return squared_norm(self.link(recon) - target)
