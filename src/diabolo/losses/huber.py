"""Huber's loss: squared near the target, absolute far from it."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import out_of_range
from ..core.interfaces import TakesSparse
from ..core.registry import register
from .location import Location


@register("loss", "huber")
class Huber(Location, TakesSparse):
    """Smooth for small errors, robust to large ones.

        cost(x, x̂) = Σᵢ  ½ dᵢ²               where |dᵢ| ≤ δ
                         δ (|dᵢ| − ½ δ)      elsewhere;      d = link(recon) − x

    A distance, not a likelihood.

    Parameters
    ----------
    delta : float, above 0. Where the parabola turns into lines, in the data's units.
    low, high : float, low < high, or both None. Bounds of the reconstruction.

    Raises `UsageError` if ``delta`` is not above 0, or for bounds out of order.

    Reference: Huber (1964), "Robust estimation of a location parameter", equation 1.

    >>> import torch
    >>> Huber(delta=1.0)(torch.tensor([[3.0, 1.0]]), torch.tensor([[0.0, 0.0]]))
    tensor([3.])
    """

    def __init__(self, delta: float = 1.0, low: float | None = None, high: float | None = None) -> None:
        super().__init__(low, high)
        if not 0 < delta < math.inf:
            raise out_of_range("delta", "a finite number above 0", delta)
        self.delta = float(delta)

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        return functional.huber_loss(self.link(recon), target, reduction="none", delta=self.delta)
