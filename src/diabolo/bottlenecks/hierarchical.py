"""Several layers of latent variables, each told the ones above it: the ladder."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

from ..blocks.chain import Chain, Generative
from ..blocks.layers import Mlp
from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Variational
from ..core.registry import register

SMALLEST_STD = 1e-3
UNIT = 0.5397
"""softplus of it, with the floor, is 1."""


@register("bottleneck", "hierarchical")
class Hierarchical(Variational, Generative):
    """The ladder: what data say of a layer, and what the layers above say of it, weighted by their precision.

        features h_1 (coarse) … h_L (fine)            way down, shared with the prior "top-down"
        q(z_1|x)     = N(m_1, s_1²) from h_1          p(z_1) = N(0, I)
        q(z_l|z_<l,x) = N(m, s²)                      p(z_l|z_<l) = N(μ_l, σ_l²), a network of z_<l

            1/s² = 1/ŝ² + 1/σ²,    m = s² (m̂/ŝ² + μ/σ²),    m̂, ŝ from h_l

    z = [z_1 … z_L] goes to the decoder. The features of all levels come joined in one tensor, or as a tuple from a
    network that gives a pyramid. The code is the chain of the means.

    Parameters
    ----------
    features : int, at least 1. Values of z in all, D.
    levels : int, at least 1. L; the coarse ones are the smaller ones. No more than ``features``.
    hidden : widths of the networks that go down.
    pyramid : bool. Whether the network gives a tuple of features, coarse to fine.
    samples : int, at least 1. Draws of z a row, K.

    Raises `UsageError` for values out of range.

    Reference: Sønderby et al. (2016), "Ladder variational autoencoders", equations 8 to 13.

    >>> import torch
    >>> neck = Hierarchical(features=6, levels=2, pyramid=True)
    >>> neck.sizes, neck.in_features
    ((2, 4), (4, 8))
    >>> neck((torch.zeros(3, 4), torch.zeros(3, 8))).z.shape
    torch.Size([3, 6])
    """

    in_features: Any

    def __init__(
        self,
        features: int,
        levels: int = 2,
        hidden: Sequence[int] = (64,),
        samples: int = 1,
        pyramid: bool = False,
    ) -> None:
        super().__init__()
        for name, value in (("features", features), ("levels", levels), ("samples", samples)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        self.sizes, self.samples = split(features, min(levels, features)), samples
        self.wanted = tuple(2 * size for size in self.sizes)
        self.in_features, self.out_features = self.wanted if pyramid else 2 * features, features
        above = [sum(self.sizes[:level]) for level in range(1, len(self.sizes))]
        bodies = [Mlp((wide, *hidden, 2 * size)) for wide, size in zip(above, self.sizes[1:], strict=True)]
        with torch.no_grad():  # every layer starts as N(0, I), not as something random of what stands above
            for body, size in zip(bodies, self.sizes[1:], strict=True):
                body.last.weight.mul_(0.01)
                body.last.bias[size:] = UNIT
        self.down = nn.ModuleList(bodies)
        self.register_buffer("like", torch.zeros(0), persistent=False)

    def generative(self) -> Chain:
        """p(z), block by block."""
        like: Tensor = self.like  # type: ignore[assignment]
        steps = [partial(self._prior, level) for level in range(len(self.sizes))]
        return Chain(steps, self.sizes, like)

    def posterior(
        self,
        h: tuple[Tensor, ...] | Tensor,
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Chain:
        parts = self._levels(h)
        steps = [partial(self._combined, level, part) for level, part in enumerate(parts)]
        return Chain(steps, self.sizes, parts[0], parts[0].shape[:-1])

    def code(
        self, h: tuple[Tensor, ...] | Tensor, mask: Bool[Tensor, " b *p"] | None = None
    ) -> Float[Tensor, "b *p d"]:
        return self.posterior(h).mean

    def forward(
        self,
        h: tuple[Tensor, ...] | Tensor,
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        parts = self._levels(h)
        spread = parts if self.samples == 1 else tuple(part.repeat_interleave(self.samples, 0) for part in parts)
        posterior = self.posterior(spread)
        return Latent(posterior.rsample(), self.code(parts), posterior, draws=self.samples)

    def _levels(self, h: tuple[Tensor, ...] | Tensor) -> tuple[Tensor, ...]:
        return tuple(h) if isinstance(h, tuple | list) else h.split(self.wanted, -1)

    def _prior(self, level: int, above: Tensor) -> Independent:
        if level == 0:
            size = self.sizes[0]
            return _normal(above.new_zeros(size), above.new_ones(size))
        mean, raw = self.down[level - 1](above).chunk(2, -1)
        return _normal(mean, functional.softplus(raw) + SMALLEST_STD)

    def _combined(self, level: int, h: Tensor, above: Tensor) -> Independent:
        mean, raw = h.chunk(2, -1)
        std = functional.softplus(raw) + SMALLEST_STD
        if level == 0:
            return _normal(mean, std)
        theirs = self._prior(level, above).base_dist
        ours, prior = std.pow(-2), theirs.scale.pow(-2)
        variance = 1 / (ours + prior)
        return _normal(variance * (mean * ours + theirs.loc * prior), variance.sqrt())


def split(features: int, levels: int) -> tuple[int, ...]:
    """Sizes of the layers, coarse to fine, each about twice the one above.

    >>> split(50, 2), split(7, 3), split(3, 3)
    ((17, 33), (1, 2, 4), (1, 1, 1))
    """
    parts, left = [], features
    for level in range(levels - 1, 0, -1):
        parts.append(min(left - level, max(1, round(left * 2**level / (2 ** (level + 1) - 1)))))
        left -= parts[-1]
    return tuple(reversed([*parts, left]))


def _normal(mean: Tensor, std: Tensor) -> Independent:
    return Independent(Normal(mean, std, validate_args=False), 1, validate_args=False)
