"""Salt-and-pepper noise: some entries go to one end of the range or the other."""

from __future__ import annotations

import dataclasses
import math

import torch

from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "salt-and-pepper")
class SaltAndPepper(Corruption):
    """Each entry is set to the lowest or the highest value, independently and with the same probability.

        x̃ᵢ = low with probability share/2,   high with share/2,   xᵢ otherwise

    Parameters
    ----------
    share : float in [0, 1]. Expected share of the entries that are hit.
    low, high : float, low < high. The two ends of the range: 0 and 1 for pixels.

    Raises `UsageError` for values out of range.

    Reference: Vincent, Larochelle, Lajoie, Bengio & Manzagol (2010), "Stacked denoising autoencoders",
    section 3.3.

    >>> batch = Batch(torch.full((1, 16), 0.5), torch.full((1, 16), 0.5))
    >>> SaltAndPepper(share=0.5)(batch, torch.Generator().manual_seed(0)).x.unique()
    tensor([0.0000, 0.5000, 1.0000])
    """

    def __init__(self, share: float = 0.25, low: float = 0.0, high: float = 1.0) -> None:
        if not 0 <= share <= 1:
            raise out_of_range("share", "in [0, 1]", share)
        if not -math.inf < low < high < math.inf:
            raise out_of_range("low and high", "finite, with low < high", (low, high))
        self.share, self.low, self.high = float(share), float(low), float(high)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        draw = torch.empty(batch.x.shape, device=batch.x.device).uniform_(generator=generator)
        x = batch.x.masked_fill(draw < self.share / 2, self.low)
        x = x.masked_fill((draw >= self.share / 2) & (draw < self.share), self.high)
        return dataclasses.replace(batch, x=x)
