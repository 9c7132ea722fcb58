"""Noise that grows with the signal: speckle (radar, ultrasound) and shot noise (photons, counts)."""

from __future__ import annotations

import dataclasses
import math

import torch

from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "speckle")
class Speckle(Corruption):
    """Every entry is multiplied by noise of mean 1.

        x̃ᵢ = xᵢ (1 + std · ε),    ε ~ N(0, 1)

    Parameters
    ----------
    std : float, at least 0. Relative: 0.1 is ten per cent of each value.

    Raises `UsageError` for a negative ``std``, or if x holds integers.

    Reference: Lee (1980), "Digital image enhancement and noise filtering by use of local statistics", equation 9.

    >>> batch = Batch(torch.tensor([[0.0, 1.0]]), torch.tensor([[0.0, 1.0]]))
    >>> seen = Speckle(std=0.5)(batch, torch.Generator().manual_seed(0)).x
    >>> (seen == batch.x).tolist()     # zero stays zero
    [[True, False]]
    """

    def __init__(self, std: float = 0.2) -> None:
        if not 0 <= std < math.inf:
            raise out_of_range("std", "a finite number of at least 0", std)
        self.std = float(std)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        _real("speckle", batch)
        noise = torch.empty_like(batch.x).normal_(1.0, self.std, generator=generator)
        return dataclasses.replace(batch, x=noise.mul_(batch.x))


@register("corruption", "shot")
class Shot(Corruption):
    """Every entry is counted: a Poisson number of events whose mean is the entry.

        x̃ᵢ = n / peak,    n ~ Poisson(peak · max(xᵢ, 0));    mean xᵢ, variance xᵢ / peak

    Parameters
    ----------
    peak : float above 0. Events at a value of 1; the fewer, the noisier.

    Raises `UsageError` for ``peak`` out of range, or if x holds integers.

    Reference: Foi, Trimeche, Katkovnik & Egiazarian (2008), "Practical Poissonian–Gaussian noise modeling and fitting
    for single-image raw-data", section 2.

    >>> batch = Batch(torch.full((1, 4), 0.5), torch.full((1, 4), 0.5))
    >>> events = Shot(peak=10)(batch, torch.Generator().manual_seed(0)).x * 10
    >>> torch.equal(events, events.round())
    True
    """

    def __init__(self, peak: float = 30.0) -> None:
        if not 0 < peak < math.inf:
            raise out_of_range("peak", "a finite number above 0", peak)
        self.peak = float(peak)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        _real("shot", batch)
        mean = batch.x.float().clamp(min=0.0) * self.peak
        events = torch.poisson(mean, generator=generator) / self.peak
        return dataclasses.replace(batch, x=events.to(batch.x.dtype))


def _real(name: str, batch: Batch) -> None:
    if not batch.x.is_floating_point():
        raise UsageError(f"corruption '{name}' needs real-valued data; got {batch.x.dtype}. Use corruption 'masking'.")
