"""A distribution over blocks, each told the ones before it: what hierarchical models are made of."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Size, Tensor
from torch.distributions import Distribution, constraints, kl_divergence

Conditional = Callable[[Tensor], Distribution]
"""From the blocks above (…, sizes so far) to the distribution of the next block, events of its size."""


class Generative(ABC):
    """A part that holds the way down of a hierarchical model: p(z), block by block."""

    @abstractmethod
    def generative(self) -> Chain:
        """p(z_1) p(z_2 | z_1) …"""


class Chain(Distribution):
    """z = [z_1 … z_L], one block after the other.

        p(z) = p(z_1) p(z_2 | z_1) p(z_3 | z_1, z_2) …

    Parameters
    ----------
    conditionals : one function a block; it gets the blocks above, joined (…, d), and must answer for any shape that
        broadcasts with ``batch_shape``.
    sizes : values of each block.
    like : a tensor of the type and on the device that draws shall have.
    batch_shape : what one draw is made for, () for a prior.

    >>> from torch.distributions import Independent, Normal
    >>> near = lambda above: Independent(Normal(above.sum(-1, keepdim=True), torch.ones(1)), 1)
    >>> chain = Chain([near, near], sizes=(1, 1), like=torch.zeros(0))
    >>> chain.sample(Size([5])).shape, chain.log_prob(torch.zeros(2, 2))      # 2 log N(0; 0, 1)
    (torch.Size([5, 2]), tensor([-1.8379, -1.8379]))
    """

    has_rsample = True
    arg_constraints: dict[str, Any] = {}
    support = constraints.real_vector

    def __init__(
        self, conditionals: Sequence[Conditional], sizes: Sequence[int], like: Tensor, batch_shape: Sequence[int] = ()
    ) -> None:
        self.conditionals, self.sizes, self.like = list(conditionals), tuple(sizes), like
        super().__init__(Size(batch_shape), Size([sum(sizes)]), validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        """Draws (*sample_shape, *batch_shape, D), block by block, with a gradient."""
        shape = Size(sample_shape) + self.batch_shape
        z = self.like.new_zeros(*shape, 0)
        for conditional in self.conditionals:
            block = conditional(z)
            extra = len(shape) - len(block.batch_shape)
            z = torch.cat([z, block.rsample(shape[:extra])], -1)
        return z

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)

    @property
    def mean(self) -> Tensor:
        """The mean of every block, given the means above it: the deterministic code, not the mean of z."""
        z = self.like.new_zeros(*self.batch_shape, 0)
        for conditional in self.conditionals:
            block = conditional(z).mean
            z = torch.cat([z, block.expand(*self.batch_shape, block.shape[-1])], -1)
        return z

    def log_prob(self, value: Tensor) -> Tensor:
        """log p(z), the sum over the blocks."""
        return torch.stack([block.log_prob(z) for block, z in self._along(value)]).sum(0)

    def divergences(self, other: Chain, z: Tensor) -> list[Tensor]:
        """KL of every block from the other chain's, given the blocks above in z (…, D): each (…)."""
        pairs = zip(self._along(z), other._along(z), strict=True)
        return [kl_divergence(mine, theirs).expand(z.shape[:-1]) for (mine, _), (theirs, _) in pairs]

    def _along(self, z: Tensor) -> list[tuple[Distribution, Tensor]]:
        """Every block's distribution and its part of z."""
        blocks = z.split(self.sizes, -1)
        starts = [sum(self.sizes[:i]) for i in range(len(self.sizes))]
        given = [conditional(z[..., :start]) for conditional, start in zip(self.conditionals, starts, strict=True)]
        return list(zip(given, blocks, strict=True))
