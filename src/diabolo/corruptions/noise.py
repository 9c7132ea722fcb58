"""Additive Gaussian noise."""

from __future__ import annotations

import dataclasses
import math

import torch

from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "noise")
class Noise(Corruption):
    """The encoder sees the data through independent Gaussian noise.

        x̃ = x + s · ε,    ε ~ N(0, I),    s = std, or s ~ U(least · std, std) for every row

    The residual of the best denoiser, E[x | x̃] − x̃, is s² times the gradient of log p(x̃).

    Parameters
    ----------
    std : float, at least 0. In the units of the encoder's input, which the processors scale to about 1.
    least : float in [0, 1]. The weakest noise, as a share of ``std``; 1: the same for every row. Below 1 a network
        learns to take out noise whose strength nobody tells it (a blind denoiser).

    Raises `UsageError` for values out of range, or if x holds integers (tokens, indices).

    Reference: Vincent, Larochelle, Lajoie, Bengio & Manzagol (2010), "Stacked denoising autoencoders",
    section 3.3; of all strengths: Zhang et al. (2017), "Beyond a Gaussian denoiser", section III-D.

    >>> import torch
    >>> batch = Batch(torch.zeros(2, 3), torch.zeros(2, 3))
    >>> seen = Noise(std=0.5)(batch, torch.Generator().manual_seed(0))
    >>> bool(seen.x.any()), bool(seen.target.any())
    (True, False)
    """

    def __init__(self, std: float = 0.1, least: float = 1.0) -> None:
        if not 0 <= std < math.inf:
            raise out_of_range("std", "a finite number of at least 0", std)
        if not 0 <= least <= 1:
            raise out_of_range("least", "in [0, 1]", least)
        self.std, self.least = float(std), float(least)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(
                f"corruption 'noise' needs real-valued data; got {batch.x.dtype}. Use corruption 'masking'."
            )
        noise = torch.empty_like(batch.x).normal_(0.0, self.std, generator=generator)
        if self.least < 1:
            share = noise.new_empty(len(noise)).uniform_(self.least, 1.0, generator=generator)
            noise.mul_(share.reshape(-1, *(1,) * (noise.ndim - 1)))
        return dataclasses.replace(batch, x=noise.add_(batch.x))
