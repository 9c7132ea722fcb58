"""The prior that is a mixture of the model's own posteriors."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily

from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import FromData, Prior, Shape, Variational
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "vamp")
class Vamp(Prior, FromData):
    """A mixture of the posteriors at learned pseudo-inputs.

        p(z) = 1/K Σ_k q(z | u_k),    u_k trained with the model; they start as rows of the data

    The best prior for the ELBO is the average posterior over the data; this is its sketch with K rows. It needs a
    bottleneck with a posterior, and is trained with the model, not afterwards. Where codes have positions it
    is a prior over all of them at once.

    Parameters
    ----------
    features : int, at least 1. Values of z a position.
    shape : of one row of the data; the composition gives it.
    components : int, at least 1. K, the number of pseudo-inputs.

    Raises `UsageError` for values out of range, a missing ``shape``, or a bottleneck without a posterior.

    Reference: Tomczak & Welling (2018), "VAE with a VampPrior", equation 9.

    >>> Vamp(features=2, shape=(5,), components=3).inputs.shape
    torch.Size([3, 5])
    """

    def __init__(self, features: int, shape: Shape | None = None, components: int = 100) -> None:
        super().__init__()
        if not isinstance(components, int) or components < 1:
            raise out_of_range("components", "an int of at least 1", components)
        if shape is None:
            raise UsageError("prior 'vamp' holds pseudo-inputs and needs shape=(…), that of one row of the data.")
        self.inputs = nn.Parameter(torch.randn(components, *shape))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        order = torch.randperm(len(batch.x))
        self.inputs.copy_(batch.x[order[torch.arange(len(self.inputs)) % len(order)]])

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> MixtureSameFamily:
        if not isinstance(module.bottleneck, Variational):
            raise UsageError("prior 'vamp' is made of posteriors; it needs a bottleneck such as 'gaussian'.")
        parts = module.bottleneck.posterior(module.features(self.inputs))
        alike = self.inputs.new_zeros(len(self.inputs))
        positions = len(parts.batch_shape) - 1
        parts = Independent(parts, positions, validate_args=False) if positions else parts
        return MixtureSameFamily(Categorical(logits=alike), parts, validate_args=False)
