"""The prior of a hierarchical model: its own way down."""

from __future__ import annotations

from jaxtyping import Float
from torch import Tensor

from ..blocks.chain import Chain, Generative
from ..core.errors import UsageError
from ..core.interfaces import Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "top-down")
class TopDown(Prior):
    """p(z) of a hierarchical bottleneck, whose networks it borrows.

        p(z) = p(z_1) Π_l p(z_l | z_<l)

    Parameters
    ----------
    features : int. Values of z in all; the composition gives it.

    Raises `UsageError` if the bottleneck is not hierarchical.

    Reference: Sønderby et al. (2016), "Ladder variational autoencoders", equations 1 to 3.

    >>> from diabolo.core import make
    >>> prior, neck = TopDown(features=3), make("bottleneck", "hierarchical", features=3)
    >>> prior(AutoencoderModule(None, neck, None, prior)).sample().shape
    torch.Size([3])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> Chain:
        if not isinstance(module.bottleneck, Generative):
            raise UsageError("prior 'top-down' is that of a hierarchical model; it needs bottleneck 'hierarchical'.")
        return module.bottleneck.generative()
