"""What a variational model pays for its code: the divergence of the posterior from the prior."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Distribution, kl_divergence

from ..core.batch import Batch, Output
from ..core.errors import UsageError
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "kl")
class KL(Penalty):
    """Kullback–Leibler divergence of q(z | x) from p(z), in nats a sample.

        KL(q ‖ p) = E_q[log q(z | x) − log p(z)];    two Gaussians: ½ Σⱼ (μⱼ² + σⱼ² − 1 − log σⱼ²)

    In closed form where PyTorch knows one, else estimated at the z the decoder was given. Summed over
    positions; padded ones (``batch.mask``) are free. Its weight is β: 1 gives the ELBO.

    Parameters
    ----------
    weight : float or `Schedule`. β; a schedule that rises from 0 is KL annealing.

    Raises `UsageError` if the bottleneck has no posterior or the model no prior.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", equation 3 and appendix B;
    β is of Higgins et al. (2017), "beta-VAE".

    >>> import torch
    >>> from torch.distributions import Independent, Normal
    >>> p, q = (Independent(Normal(torch.full((1, 2), mean), torch.ones(1, 2)), 1) for mean in (0.0, 1.0))
    >>> divergence(q, p, q.mean)
    tensor([1.])
    """

    ties_prior = True

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        posterior = out.latent.posterior
        if posterior is None:
            raise UsageError("penalty 'kl' needs a bottleneck with a posterior, such as bottleneck 'gaussian'.")
        if module.prior is None:
            raise UsageError("penalty 'kl' needs a prior, such as prior 'normal'.")
        cost = divergence(posterior, module.prior(module, batch.cond), out.latent.z)
        if batch.mask is not None and batch.mask.shape == cost.shape:
            cost = torch.where(batch.mask, cost, 0.0)
        return cost.flatten(1).sum(1) if cost.ndim > 1 else cost


def divergence(posterior: Distribution, prior: Distribution, z: Float[Tensor, "b *p d"]) -> Float[Tensor, " b *p"]:
    """KL(posterior ‖ prior) at every position: in closed form, or from the one sample z."""
    try:
        return kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)
