"""A prior of any shape: the standard normal, bent by an invertible network."""

from __future__ import annotations

from collections.abc import Sequence

from jaxtyping import Float
from torch import Tensor

from ..blocks.flows import Normalised, Shift, stacked
from ..blocks.positions import real_rows
from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import FromData, Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "flow")
class FlowPrior(Prior, FromData):
    """A normalising flow over codes, with exact densities.

        u = f(z),    log p(z) = log N(u; 0, I) + log |det df/dz|

    f is a stack of affine couplings (fast both ways) or of masked autoregressive maps (more flexible, draws take a
    pass a value), each after a shift that starts by standardising the codes of some rows. Trained with the model, or
    afterwards on its codes.

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; every position is a draw of its own.
    kind : "coupling" or "autoregressive".
    steps : int, at least 1. Maps in the stack.
    hidden : widths of the hidden layers of each map's network.

    Raises `UsageError` for values out of range.

    Reference: Dinh, Sohl-Dickstein & Bengio (2017), "Density estimation using Real NVP"; Papamakarios, Pavlakou &
    Murray (2017), "Masked autoregressive flow for density estimation"; as a prior: Chen et al. (2017), "Variational
    lossy autoencoder", section 3.2.

    >>> import torch
    >>> module = AutoencoderModule(*(torch.nn.Identity() for _ in range(3)), FlowPrior(features=2))
    >>> module.prior(module).log_prob(torch.zeros(1, 2)).detach()     # before training: the standard normal
    tensor([-1.8379])
    """

    def __init__(self, features: int, kind: str = "coupling", steps: int = 4, hidden: Sequence[int] = (64,)) -> None:
        super().__init__()
        if not isinstance(features, int) or features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        self.features, self.kind, self.steps = features, kind, steps
        self.flow = stacked(kind, features, steps, tuple(hidden))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        first = self.flow.steps[0]
        if isinstance(first, Shift):
            first.standardise(real_rows(module.encode(batch.x, batch.mask, batch.cond).z, batch.mask))

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> Normalised:
        return Normalised(self.flow, self.features, next(self.flow.parameters()))
