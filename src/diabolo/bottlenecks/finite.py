"""Finite scalar quantisation: every value of the code is rounded to one of a few levels; no codebook to learn."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

from ..blocks.positions import first_features
from ..core.batch import Batch, Latent
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck, Discrete, FromData
from ..core.module import AutoencoderModule
from ..core.registry import register

START_VECTORS = 4096
MARGIN = 1e-3
"""How far the bound lies beyond the outermost level, as a share of half the range."""


@register("bottleneck", "fsq")
class FSQ(Bottleneck, Discrete, FromData):
    """Finite scalar quantisation: bound every value, then round it.

        hⱼ ──bound──▶ bⱼ = w tanh(aⱼ hⱼ + cⱼ + s) − o ──round──▶ qⱼ ∈ {−⌊L/2⌋, …, ⌈L/2⌉ − 1} ──▶ zⱼ = qⱼ / ⌊L/2⌋

    with w = (L − 1)(1 + ε) / 2, o = ½ for an even number of levels (else 0) and s = artanh(o / w), so that 0 stays at 0
    and all L levels can be reached. The gradient passes the rounding as it is. a and c bring the encoder's first
    features to mean 0 and standard deviation 1, so that all levels are in use from the start; before that 1 and 0.

    The levels of several values together are one index of an implicit codebook of prod(levels) codes, in mixed radix.
    Where there are more values than levels given, the levels are used again: each round of them is an index.

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; value j has ``levels[j % len(levels)]`` levels.
    levels : ints, at least 3 each.

    Raises `UsageError` for values out of range.

    Reference: Mentzer et al. (2023), "Finite scalar quantization: VQ-VAE made simple", section 3.1 and appendix A.

    >>> bottleneck = FSQ(features=3, levels=(8, 6, 5))
    >>> bottleneck.sizes, bottleneck.code(torch.zeros(1, 3)).tolist()
    ((240,), [[0.0, 0.0, 0.0]])
    """

    counts: Tensor
    gain: Tensor
    shift: Tensor
    basis: Tensor

    def __init__(self, features: int, levels: Sequence[int] = (8, 5, 5, 5)) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if not levels or min(levels) < 3:
            raise out_of_range("levels", "ints of at least 3", tuple(levels))
        self.in_features = self.out_features = features
        self.levels = tuple(int(levels[j % len(levels)]) for j in range(features))
        self.per = min(len(levels), features)
        rounds = [self.levels[first : first + self.per] for first in range(0, features, self.per)]
        self.sizes = tuple(prod(part) for part in rounds)
        places = [prod(part[:place]) for part in rounds for place in range(len(part))]
        self.register_buffer("gain", torch.ones(features))
        self.register_buffer("shift", torch.zeros(features))
        self.register_buffer("counts", torch.tensor(self.levels), persistent=False)
        self.register_buffer("basis", torch.tensor(places), persistent=False)

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Take the mean and the spread of the encoder's first features."""
        h = first_features(module, batch, START_VECTORS)
        self.gain.copy_(1 / h.std(0, correction=0).clamp_min(1e-6))
        self.shift.copy_(-h.mean(0) * self.gain)

    def bound(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        """Into the range of the levels, 0 at 0 for odd and for even numbers of levels."""
        half = (self.counts - 1) * (1 + MARGIN) / 2
        offset = 0.5 * (self.counts % 2 == 0)
        return torch.tanh(h * self.gain + self.shift + torch.atanh(offset / half)) * half - offset

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return self._rounded(self.bound(h))

    def _rounded(self, bounded: Tensor) -> Tensor:
        return (bounded.round() + 0.0) / (self.counts // 2)  # + 0 turns -0 into 0: equal codes are equal bits

    def indices(self, h: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        return self.codes_to_indices(self.code(h))

    def codes_to_indices(self, codes: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        middle = self.counts // 2
        digits = ((codes * middle).round().long() + middle).clamp_min(0).minimum(self.counts - 1) * self.basis
        whole = torch.stack([part.sum(-1) for part in digits.split(self.per, -1)], -1)
        return whole.squeeze(-1) if len(self.sizes) == 1 else whole

    def indices_to_codes(self, indices: Int[Tensor, "b *p *i"]) -> Float[Tensor, "b *p d"]:
        each = indices.unsqueeze(-1) if len(self.sizes) == 1 else indices
        spread = each.repeat_interleave(self.per, -1)[..., : self.out_features]
        middle = self.counts // 2
        return (spread // self.basis % self.counts - middle) / middle

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        bounded = self.bound(h)
        q = self._rounded(bounded.detach())
        z = q + (bounded - bounded.detach()) / (self.counts // 2)  # q in value to the bit, the bound in gradient
        return Latent(z, q, indices=self.codes_to_indices(q))
