"""What a variational model pays for its code: the divergence of the posterior from the prior."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor
from torch.distributions import Distribution, Independent, Normal, kl_divergence

from ..blocks.chain import Chain
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty, StepHook, TakesSparse
from ..core.module import AutoencoderModule
from ..core.registry import register
from ..core.schedules import scheduled, value_at


@register("penalty", "kl")
class KL(Penalty, StepHook, TakesSparse):
    """Kullback–Leibler divergence of q(z | x) from p(z), in nats a sample.

        KL(q ‖ p) = E_q[log q(z | x) − log p(z)];    two Gaussians: ½ Σⱼ (μⱼ² + σⱼ² − 1 − log σⱼ²)

    In closed form where there is one (block by block for a `Chain`), else estimated at the z the decoder was given.
    Summed over positions; padded ones (``batch.mask``) are free. Its weight is β: 1 gives the ELBO.

        free bits λ:  Σ_groups max(λ, mean over the batch of KL_group)      in training; scores pay the plain KL
        capacity C:   |KL − C|, with a C that grows

    Parameters
    ----------
    weight : float or `Schedule`. β; a schedule that rises from 0 is KL annealing.
    free_bits : float >= 0, nats. What every group may hold at no cost, 0: none.
    group : int >= 1. Dimensions in a group of free bits; without a closed form all dimensions are one group, in a
        chain every block is one.
    capacity : None, float >= 0 in nats, or `Schedule`. The divergence to keep to; its weight is then γ.
    sampled : bool. log q(z | x) − log p(z) at z itself, as the importance-weighted bound needs it.

    Raises `UsageError` if the bottleneck has no posterior or the model no prior, or for values out of range.

    Reference: Kingma & Welling (2013), "Auto-encoding variational Bayes", equation 3 and appendix B;
    β is of Higgins et al. (2017), "beta-VAE"; free bits of Kingma et al. (2016), "Improved variational inference
    with inverse autoregressive flow", equation 15; capacity of Burgess et al. (2018), "Understanding disentangling
    in beta-VAE", equation 8.

    >>> import torch
    >>> from torch.distributions import Independent, Normal
    >>> p, q = (Independent(Normal(torch.full((1, 2), mean), torch.ones(1, 2)), 1) for mean in (0.0, 1.0))
    >>> divergence(q, p, q.mean)
    tensor([1.])
    """

    ties_prior = True
    allowed: Tensor

    def __init__(
        self,
        weight: Any = 1.0,
        free_bits: float = 0.0,
        group: int = 1,
        capacity: Any = None,
        sampled: bool = False,
    ) -> None:
        super().__init__(weight)
        if not free_bits >= 0:
            raise out_of_range("free_bits", "a number of nats, at least 0", free_bits)
        if not isinstance(group, int) or group < 1:
            raise out_of_range("group", "an int of at least 1", group)
        self.free_bits, self.group, self.sampled = float(free_bits), group, bool(sampled)
        self.capacity = None if capacity is None else scheduled(capacity, "capacity")
        # a buffer, because the present capacity is a part of the state of training
        start = 0.0 if self.capacity is None else value_at(self.capacity, 0, 1)
        self.register_buffer("allowed", torch.tensor(start), persistent=False)

    def after_step(self, step: int, total: int) -> None:
        if self.capacity is not None:
            self.allowed.fill_(value_at(self.capacity, step + 1, total))

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        posterior = out.latent.posterior
        if posterior is None:
            raise UsageError("penalty 'kl' needs a bottleneck with a posterior, such as bottleneck 'gaussian'.")
        if module.prior is None:
            raise UsageError("penalty 'kl' needs a prior, such as prior 'normal'.")
        prior, z = module.prior(module, batch.cond), out.latent.z
        if self.free_bits and self.training:
            return self._with_free_bits(grouped(posterior, prior, z, batch.mask, self.group, self.sampled))
        cost = per_sample(posterior, prior, z, batch.mask, self.sampled)
        if self.capacity is None:
            return cost
        return (cost - (self.allowed if self.training else value_at(self.capacity, 1, 1))).abs()

    def _with_free_bits(self, cost: Float[Tensor, "b g"]) -> Float[Tensor, " b"]:
        """A term a row whose mean over the batch is Σ_g max(λ, mean KL_g)."""
        return torch.where(cost.mean(0) > self.free_bits, cost, self.free_bits).sum(1)


def divergence(posterior: Distribution, prior: Distribution, z: Float[Tensor, "b *p d"]) -> Float[Tensor, " b *p"]:
    """KL(posterior ‖ prior) at every position: in closed form, or from the one sample z."""
    if isinstance(posterior, Chain) and isinstance(prior, Chain):
        return torch.stack(posterior.divergences(prior, z)).sum(0)
    try:
        return kl_divergence(posterior, prior)
    except NotImplementedError:
        return posterior.log_prob(z) - prior.log_prob(z)


def per_sample(
    posterior: Distribution, prior: Distribution, z: Tensor, mask: Bool[Tensor, " b *p"] | None, sampled: bool
) -> Float[Tensor, " b"]:
    """The divergence of every row, over its real positions."""
    if sampled or len(prior.event_shape) > len(posterior.event_shape):  # a prior over all positions at once
        return _over_positions(posterior.log_prob(z), mask) - _over_positions(prior.log_prob(z), mask)
    return _over_positions(divergence(posterior, prior, z), mask)


def grouped(
    posterior: Distribution, prior: Distribution, z: Tensor, mask: Tensor | None, group: int, sampled: bool
) -> Float[Tensor, "b g"]:
    """The divergence of every row in parts: groups of dimensions, blocks of a chain, or the whole."""
    if not sampled and isinstance(posterior, Chain) and isinstance(prior, Chain):
        return torch.stack([_over_positions(cost, mask) for cost in posterior.divergences(prior, z)], 1)
    if sampled or not (_diagonal(posterior) and _diagonal(prior)):
        return per_sample(posterior, prior, z, mask, sampled)[:, None]
    cost = kl_divergence(posterior.base_dist, prior.base_dist)  # type: ignore[attr-defined]
    parts = [_over_positions(part.sum(-1), mask) for part in cost.split(group, dim=-1)]
    return torch.stack(parts, 1)


def _diagonal(distribution: Distribution) -> bool:
    return isinstance(distribution, Independent) and isinstance(distribution.base_dist, Normal)


def _over_positions(cost: Float[Tensor, " b *p"], mask: Tensor | None) -> Float[Tensor, " b"]:
    if mask is not None and mask.shape == cost.shape:
        cost = torch.where(mask, cost, 0.0)
    return cost.flatten(1).sum(1) if cost.ndim > 1 else cost
