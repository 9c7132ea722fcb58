"""Transformer blocks and the positions they need."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import out_of_range
from .layers import Mlp, glorot


def sinusoids(steps: int, width: int) -> Float[Tensor, "t w"]:
    """Sines and cosines of the position at wavelengths from 2π to 10000 · 2π (Vaswani et al. 2017, section 3.5).

    >>> sinusoids(2, 4)[0]
    tensor([0., 0., 1., 1.])
    """
    half = (width + 1) // 2
    rates = torch.exp(torch.arange(half) * (-math.log(10_000.0) / half))
    angles = torch.arange(steps)[:, None] * rates
    return torch.cat([angles.sin(), angles.cos()], 1)[:, :width]


class Attention(nn.Module):
    """Scaled dot products between all positions, over ``heads`` parts of the width (Vaswani et al. 2017, equation 1).

    ``mask`` (B, T): positions that may be looked at; ``causal``: none may look at what comes after it.
    """

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        if heads < 1 or width % heads:
            raise out_of_range("heads", f"a divisor of the width ({width})", heads)
        self.heads = heads
        self.qkv, self.out = glorot(nn.Linear(width, 3 * width)), glorot(nn.Linear(width, width))

    def forward(
        self, x: Float[Tensor, "b t w"], mask: Bool[Tensor, "b t"] | None = None, causal: bool = False
    ) -> Float[Tensor, "b t w"]:
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        keep = None if mask is None else mask[:, None, None, :]
        mixed = functional.scaled_dot_product_attention(q, k, v, keep, is_causal=causal)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2))
        return out


class Block(nn.Module):
    """Attention, then a layer four times as wide, each added to its input, normalised before (Xiong et al. 2020)."""

    def __init__(self, width: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        self.before, self.attention = nn.LayerNorm(width), Attention(width, heads)
        self.between, self.body = nn.LayerNorm(width), Mlp((width, 4 * width, width), "gelu", "none", dropout)

    def forward(
        self, x: Float[Tensor, "b t w"], mask: Bool[Tensor, "b t"] | None = None, causal: bool = False
    ) -> Float[Tensor, "b t w"]:
        x = x + self.attention(self.before(x), mask, causal)
        out: Tensor = x + self.body(self.between(x))
        return out


class Stack(nn.Module):
    """Several blocks and a last normalisation.

    >>> Stack(8, depth=2, heads=2)(torch.zeros(3, 5, 8)).shape
    torch.Size([3, 5, 8])
    """

    def __init__(self, width: int, depth: int, heads: int, dropout: float = 0.0) -> None:
        super().__init__()
        if depth < 0:
            raise out_of_range("depth", "an int of at least 0", depth)
        self.blocks = nn.ModuleList(Block(width, heads, dropout) for _ in range(depth))
        self.last = nn.LayerNorm(width)

    def forward(
        self, x: Float[Tensor, "b t w"], mask: Bool[Tensor, "b t"] | None = None, causal: bool = False
    ) -> Float[Tensor, "b t w"]:
        for block in self.blocks:
            x = block(x, mask, causal)
        out: Tensor = self.last(x)
        return out


def mean_over(h: Float[Tensor, "b t w"], mask: Bool[Tensor, "b t"] | None = None) -> Float[Tensor, "b w"]:
    """Mean over the positions that are real.

    >>> mean_over(torch.tensor([[[1.0], [3.0], [9.0]]]), torch.tensor([[True, True, False]]))
    tensor([[2.]])
    """
    if mask is None:
        return h.mean(1)
    kept = torch.where(mask[..., None], h, 0.0)
    return kept.sum(1) / mask.sum(1, keepdim=True).clamp_min(1)
