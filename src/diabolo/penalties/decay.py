"""Weight decay as a term of the objective, so that it is named in logs and follows a schedule."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.batch import Batch, Output
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "weight-decay")
class WeightDecay(Penalty):
    """Half the squared norm of the weight matrices of encoder and decoder.

        ½ Σ w²     over parameters with two or more dimensions; biases and norms' gains are free

    A weight that encoder and decoder share is counted once. The bottleneck's own parameters (a codebook) and
    the prior's are left alone.

    Parameters
    ----------
    weight : float or `Schedule`. λ of the sparse autoencoder's lecture notes, typically 1e-5 … 1e-3.

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

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        # a dict drops what is shared and, unlike a set, keeps the order of the sum the same in every run
        parameters = dict.fromkeys([*module.encoder.parameters(), *module.decoder.parameters()])
        squares = [weight.square().sum() for weight in parameters if weight.ndim > 1]
        return 0.5 * torch.stack(squares).sum() if squares else out.recon.new_zeros(())
