"""Log-cosh: quadratic near zero, absolute far away, smooth everywhere."""

from __future__ import annotations

import math

from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.interfaces import TakesSparse
from ..core.registry import register
from .location import Location


@register("loss", "log-cosh")
class LogCosh(Location, TakesSparse):
    """The logarithm of the hyperbolic cosine of the error.

        cost(x, x̂) = Σᵢ log cosh dᵢ,    d = link(recon) − x;    ½ d² near 0, |d| − log 2 far away

    A distance, not a likelihood; its gradient tanh d is bounded and, unlike Huber's, smooth.

    Parameters: ``low``, ``high``, float, low < high, or both None. Bounds of the reconstruction.

    Raises `UsageError` for bounds out of order.

    Reference: Chen et al. (2019), "Log hyperbolic cosine loss improves variational auto-encoder".

    >>> import torch
    >>> LogCosh()(torch.tensor([[1.0]]), torch.tensor([[0.0]]))
    tensor([0.4338])
    """

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        error = self.link(recon) - target
        # cosh overflows; e^d / 2 is taken out first, which is exact on either side of zero
        return error + functional.softplus(-2 * error) - math.log(2)
