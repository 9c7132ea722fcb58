"""What makes a code sparse without selecting units: a target for their mean activity, or a price for all of it."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register

EDGE = 1e-4
"""Mean activities are kept so far from 0 and 1, where the divergence is infinite."""


@register("penalty", "sparsity")
class Sparsity(Penalty):
    """Divergence of every unit's mean activity from a small target: units are active for few rows.

        Σⱼ KL(ρ ‖ ρ̂ⱼ) = Σⱼ ρ log ρ/ρ̂ⱼ + (1 − ρ) log (1 − ρ)/(1 − ρ̂ⱼ),    ρ̂ⱼ = mean of zⱼ over the batch

    One number for a batch, since ρ̂ is its mean; padded positions do not count. The code must lie in (0, 1): take
    bottleneck ``activated(activation="sigmoid")``.

    Parameters
    ----------
    rho : float in (0, 1). Target for the mean activity.
    weight : float or `Schedule`. β of the notes, 3 there, beside half a squared error a row.

    Raises `UsageError` for ``rho`` out of range, or for a code outside [0, 1].

    Reference: Ng (2011), "Sparse autoencoder", CS294A lecture notes, section 3.

    >>> from diabolo.core import Latent
    >>> z = torch.tensor([[0.5, 0.1], [0.5, 0.1]])
    >>> Sparsity(rho=0.1)(None, Batch(z, z), Output(Latent(z, z), z))
    tensor(0.3681)
    """

    batchwise = True

    def __init__(self, rho: float = 0.05, weight: Any = 1.0) -> None:
        super().__init__(weight)
        if not 0 < rho < 1:
            raise out_of_range("rho", "in (0, 1)", rho)
        self.rho = float(rho)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        z = out.latent.z
        rows = z[batch.mask] if batch.mask is not None and batch.mask.shape == z.shape[:-1] else z.flatten(0, -2)
        mean = rows.mean(0)
        if not torch.compiler.is_compiling() and not bool(((mean >= 0) & (mean <= 1)).all()):
            raise UsageError(
                "penalty 'sparsity' compares mean activities in (0, 1) and this code leaves that range; "
                "use bottleneck activated(activation='sigmoid'), or penalty 'l1'."
            )
        mean, rho = mean.clamp(EDGE, 1 - EDGE), self.rho
        return (rho * torch.log(rho / mean) + (1 - rho) * torch.log((1 - rho) / (1 - mean))).sum()


@register("penalty", "l1")
class L1(Penalty):
    """Sum of absolute activities, a sample: cheap for units that are 0, and it shrinks all others too.

        Σⱼ |zⱼ|,    summed over positions; padded ones are free

    The code could be made small and the decoder large instead: keep the decoder's columns at norm 1,
    ``dense(atoms=True)``.

    Parameters
    ----------
    weight : float or `Schedule`. λ.

    Reference: Olshausen & Field (1996), "Emergence of simple-cell receptive field properties by learning a sparse
    code for natural images", equation 2.

    >>> from diabolo.core import Latent
    >>> z = torch.tensor([[0.5, -0.1]])
    >>> L1(weight=2.0)(None, Batch(z, z), Output(Latent(z, z), z))
    tensor([0.6000])
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        cost = out.latent.z.abs().sum(-1)
        if batch.mask is not None and batch.mask.shape == cost.shape:
            cost = torch.where(batch.mask, cost, 0.0)
        return cost.flatten(1).sum(1) if cost.ndim > 1 else cost
