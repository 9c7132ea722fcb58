"""Weight decay as a term of the objective, so that it is named in logs and follows a schedule."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.batch import Batch, Output
from ..core.errors import out_of_range
from ..core.interfaces import Penalty, TakesSparse
from ..core.module import AutoencoderModule
from ..core.registry import register

SIDES = ("both", "encoder", "decoder")


@register("penalty", "weight-decay")
class WeightDecay(Penalty, TakesSparse):
    """Half the squared norm of the weight matrices of encoder and decoder.

        ½ Σ w²     over parameters with two or more dimensions; biases and norms' gains are free

    A weight that encoder and decoder share is counted once. The bottleneck's own parameters (a codebook) and
    the prior's are left alone.

    Parameters
    ----------
    weight : float or `Schedule`. λ of the sparse autoencoder's lecture notes, typically 1e-5 … 1e-3.
    side : "both", "encoder" or "decoder". Whose weights pay.

    Raises `UsageError` for an unknown side.

    Reference: Krogh & Hertz (1991), "A simple weight decay can improve generalization", equation 1.

    >>> from torch import nn
    >>> from diabolo.core import Latent
    >>> module = AutoencoderModule(nn.Linear(2, 1), nn.Identity(), nn.Linear(1, 2))
    >>> for layer in (module.encoder, module.decoder):
    ...     _ = nn.init.ones_(layer.weight)
    >>> x = torch.zeros(5, 2)
    >>> WeightDecay()(module, Batch(x, x), Output(Latent(x, x), x)).item()
    2.0
    """

    def __init__(self, weight: Any = 1.0, side: str = "both") -> None:
        super().__init__(weight)
        self.side = checked_side(side)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        squares = [weight.square().sum() for weight in matrices(module, self.side)]
        return 0.5 * torch.stack(squares).sum() if squares else out.recon.new_zeros(())


def checked_side(side: str) -> str:
    """A side of the autoencoder. Raises `UsageError` for an unknown one."""
    if side not in SIDES:
        raise out_of_range("side", "'both', 'encoder' or 'decoder'", side)
    return side


def matrices(module: AutoencoderModule, side: str) -> list[nn.Parameter]:
    """Weights of two or more dimensions on a side, each once."""
    sides = [module.encoder, module.decoder] if side == "both" else [getattr(module, side)]
    # a dict drops what is shared and, unlike a set, keeps the order the same in every run
    return [p for p in dict.fromkeys(p for part in sides for p in part.parameters()) if p.ndim > 1]
