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

        x̃ = x + std · ε,    ε ~ N(0, I)

    The residual of the best denoiser, E[x | x̃] − x̃, is std² times the gradient of log p(x̃).

    Parameters
    ----------
    std : float, at least 0. In the units of the encoder's input, which the processors scale to about 1.

    Raises `UsageError` for a negative ``std``, or if x holds integers (tokens, indices).

    Reference: Vincent, Larochelle, Lajoie, Bengio & Manzagol (2010), "Stacked denoising autoencoders",
    section 3.3.

    >>> import torch
    >>> batch = Batch(torch.zeros(2, 3), torch.zeros(2, 3))
    >>> seen = Noise(std=0.5)(batch, torch.Generator().manual_seed(0))
    >>> bool(seen.x.any()), bool(seen.target.any())
    (True, False)
    """

    def __init__(self, std: float = 0.1) -> None:
        if not 0 <= std < math.inf:
            raise out_of_range("std", "a finite number of at least 0", std)
        self.std = float(std)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(
                f"corruption 'noise' needs real-valued data; got {batch.x.dtype}. Use corruption 'masking'."
            )
        noise = torch.empty_like(batch.x).normal_(0.0, self.std, generator=generator)
        return dataclasses.replace(batch, x=noise.add_(batch.x))
