"""The standard normal prior."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent, Normal

from ..core.errors import out_of_range
from ..core.interfaces import Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "normal")
class StandardNormal(Prior):
    """Every value of z is an independent standard normal variable.

        p(z) = N(0, I)

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; the event of the distribution.

    Raises `UsageError` if ``features`` is below 1.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", section 3.

    >>> import torch
    >>> module = AutoencoderModule(*(torch.nn.Identity() for _ in range(3)), StandardNormal(features=2))
    >>> module.prior(module).log_prob(torch.zeros(1, 2))     # −log 2π
    tensor([-1.8379])
    """

    loc: Tensor
    scale: Tensor

    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        self.register_buffer("loc", torch.zeros(features), persistent=False)
        self.register_buffer("scale", torch.ones(features), persistent=False)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> Independent:
        return Independent(Normal(self.loc, self.scale, validate_args=False), 1, validate_args=False)
