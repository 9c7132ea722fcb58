"""What losses that compare whole samples share: pictures by their structure, by features, by wavelets."""

from __future__ import annotations

from abc import abstractmethod
from math import prod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.interfaces import widened
from .location import Location


class Whole(Location):
    """A distance between two samples that is not a sum over their entries.

    Asked for entries, it spreads its cost evenly over them. Where only some are scored, the others are filled in
    from the target, so that there is no difference in them: they neither cost nor move anything.
    """

    @abstractmethod
    def distance(self, data: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        """How far each sample is from its target, both in data space; 0 where they are equal."""

    def per_sample(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        return self.distance(self.link(recon), target)

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        share = self.per_sample(recon, target) / prod(target.shape[1:])
        return widened(share, target).expand_as(target)

    def over_scored(
        self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"], scored: Bool[Tensor, " b *r"]
    ) -> Float[Tensor, " b"]:
        return self.distance(torch.where(widened(scored, target), self.link(recon), target), target)
