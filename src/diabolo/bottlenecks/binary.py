"""Bits: codes of -1 and 1, for semantic hashing."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..blocks.positions import first_features, real_rows
from ..core.batch import Batch, Latent
from ..core.collectives import all_reduce_
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck, FromData
from ..core.module import AutoencoderModule
from ..core.registry import register

START_VECTORS = 4096


@register("bottleneck", "binary")
class Binary(Bottleneck, FromData):
    """Values of the code are -1 or 1, learnt through noise: equal rows share bits, and bits are compared in no time.

        h ──(h - mean) / std──▶ u ──+ noise ε──▶ z = sign(u + ε)      in training; ε ~ N(0, noise²)
                                └─────────────▶ code = sign(u)       the bits

    What passes through noise must lie far from 0, so that u becomes nearly binary by itself and rows that look alike
    fall on the same side (semantic hashing). The gradient passes the sign as that of tanh (straight through). Mean and
    standard deviation are those of the features of late, so that every bit stays balanced: without them bits that
    begin to lean soon say the same of every row.

    Parameters
    ----------
    features : int, at least 1. Bits a position, D.
    noise : float, at least 0. Standard deviation of what is added before the sign, in training alone.
    decay : float in [0, 1). What the mean and the spread keep of themselves at every step.

    Raises `UsageError` for values out of range.

    Reference: Salakhutdinov & Hinton (2009), "Semantic hashing", section 3; Bengio, Léonard & Courville (2013),
    "Estimating or propagating gradients through stochastic neurons" (straight through).

    >>> bottleneck = Binary(features=3).eval()
    >>> bottleneck(torch.tensor([[0.2, -3.0, 0.0]])).code.tolist()
    [[1.0, -1.0, 1.0]]
    """

    mean: Tensor
    variance: Tensor

    def __init__(self, features: int, noise: float = 0.5, decay: float = 0.95) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if not (isinstance(noise, int | float) and 0 <= noise < math.inf):
            raise out_of_range("noise", "a finite number of at least 0", noise)
        if not 0 <= decay < 1:
            raise out_of_range("decay", "in [0, 1)", decay)
        self.in_features = self.out_features = features
        self.noise, self.decay = float(noise), decay
        self.register_buffer("mean", torch.zeros(features))
        self.register_buffer("variance", torch.ones(features))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Take mean and spread from the encoder's first features."""
        self._watch(first_features(module, batch, START_VECTORS), 0.0)

    @torch.no_grad()
    def _watch(self, rows: Float[Tensor, "n d"], decay: float) -> None:
        """Mean and variance move towards those of some features, over all processes."""
        count = rows.new_tensor(float(len(rows)))
        sums = all_reduce_(torch.cat([rows.sum(0), rows.square().sum(0), count[None]]))
        mean, square = (part / sums[-1].clamp_min(1) for part in sums[:-1].chunk(2))
        self.mean.lerp_(mean, 1 - decay)
        self.variance.lerp_((square - mean.square()).clamp_min(0), 1 - decay)

    def _centred(self, h: Tensor) -> Tensor:
        return (h - self.mean) / (self.variance + 1e-12).sqrt()

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return _signs(self._centred(h))

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        if self.training:
            self._watch(real_rows(h.detach(), mask), self.decay)
        u = self._centred(h)
        noisy = u + self.noise * torch.randn_like(u) if self.training and self.noise else u
        return Latent(_straight(noisy), _straight(u))


def _straight(u: Tensor) -> Tensor:
    """The sign in value, to the bit; tanh in gradient."""
    soft = torch.tanh(u)
    return _signs(u.detach()) + (soft - soft.detach())


def _signs(u: Tensor) -> Tensor:
    """-1 below 0, else 1."""
    return torch.where(u < 0, -1.0, 1.0).to(u.dtype)
