"""A Dirichlet prior over shares, as the Gaussian whose softmax is nearest to it."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from ..core.errors import out_of_range
from ..core.interfaces import Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "dirichlet")
class Dirichlet(Prior):
    """A symmetric Dirichlet over K shares, by its Laplace approximation before the softmax.

        softmax(z) ~ Dir(α, …, α)   ≈   z ~ N(0, v I),    v = (1 − 1/K) / α

    The mode and the curvature of the Dirichlet's density in z (softmax basis) are the Gaussian's. A small α makes
    shares sparse: few topics in a text. (K = 1, whose only share is always 1, has v = 1 / α.)

    Parameters
    ----------
    features : int, at least 1. K, values of z a position.
    alpha : float above 0. Concentration of every share; 1: all shares are equally likely.

    Raises `UsageError` for values out of range.

    Reference: MacKay (1998), "Choice of basis for Laplace approximation"; Srivastava & Sutton (2017),
    "Autoencoding variational inference for topic models", equation 3.

    >>> module = AutoencoderModule(*(torch.nn.Identity() for _ in range(3)), Dirichlet(features=4, alpha=0.5))
    >>> module.prior(module).variance
    tensor([1.5000, 1.5000, 1.5000, 1.5000])
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, features: int, alpha: float = 1.0) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if not (isinstance(alpha, int | float) and 0 < alpha < math.inf):
            raise out_of_range("alpha", "a number above 0", alpha)
        self.register_buffer("loc", torch.zeros(features), persistent=False)
        variance = (1 - 1 / features if features > 1 else 1.0) / alpha
        self.register_buffer("scale", torch.full((features,), math.sqrt(variance)), persistent=False)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> Independent:
        return Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)
