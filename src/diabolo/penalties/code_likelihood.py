"""How likely codes are under the prior: what trains a prior after the model."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.batch import Batch, Output
from ..core.errors import UsageError
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "code-likelihood")
class CodeLikelihood(Penalty):
    """Minus the log-density of the code under the prior, in nats a sample.

        -log p(z),    summed over positions; padded ones are free

    With the autoencoder frozen it fits the prior to its codes by maximum likelihood; a KL to a certain posterior is
    the same but for a constant.

    Parameters
    ----------
    weight : float or `Schedule`.

    Raises `UsageError` if the model has no prior.

    Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4: a density over codes
    fitted after training.

    >>> from torch import nn
    >>> from diabolo.core import Latent, make
    >>> module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), make("prior", "normal", features=2))
    >>> z = torch.zeros(1, 2)
    >>> CodeLikelihood()(module, Batch(z, z), Output(Latent(z, z), z))
    tensor([1.8379])
    """

    ties_prior = True

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        if module.prior is None:
            raise UsageError("penalty 'code-likelihood' needs a prior, such as prior 'flow'.")
        cost = -module.prior(module, batch.cond).log_prob(out.latent.z)
        if batch.mask is not None and batch.mask.shape == cost.shape:
            cost = torch.where(batch.mask, cost, 0.0)
        return cost.flatten(1).sum(1) if cost.ndim > 1 else cost
