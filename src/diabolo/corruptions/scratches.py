"""Scratches: thin straight lines, light or dark, across pictures."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks.grid import check_dims, on_grid
from ..blocks.segments import places_of, squared_distance
from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "scratches")
class Scratches(Corruption):
    """Every row is crossed by lines of its own, each wholly light or wholly dark, in all channels.

        x̃ = (1 - a) x + a v,    a = 1 within half a ``width`` of the line, falling to 0 over one position;
                                v = low or high, as likely

    A line begins anywhere and goes anywhere, half to one and a half of ``length`` far. Where it lies is not told: the
    loss counts every position, so a denoiser learns to find scratches as well as to fill them.

    Parameters
    ----------
    count : int >= 1. The most lines in a row; every row has from 1 to so many.
    length : float in (0, 1]. Mean length, as a share of the row's diagonal.
    width : float above 0, in positions.
    low, high : float, low < high. What dark and light lines show: 0 and 1 for pixels.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for values out of range, or if x holds integers (tokens, indices).

    Reference: Wan et al. (2020), "Bringing old photos back to life", section 3.2 (scratches among the damages of old
    photographs); Kokaram (1996), "Detection and removal of line scratches in degraded motion picture sequences".

    >>> batch = Batch(torch.full((1, 9), 0.5), torch.full((1, 9), 0.5))
    >>> seen = Scratches(count=1, width=2.0)(batch, torch.Generator().manual_seed(0)).x
    >>> bool((seen != 0.5).any()), bool((seen == 0.5).any())
    (True, True)
    """

    def __init__(
        self,
        count: int = 4,
        length: float = 0.4,
        width: float = 1.0,
        low: float = 0.0,
        high: float = 1.0,
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        if not isinstance(count, int) or count < 1:
            raise out_of_range("count", "an int of at least 1", count)
        if not 0 < length <= 1:
            raise out_of_range("length", "in (0, 1]", length)
        if not 0 < width < math.inf:
            raise out_of_range("width", "a finite number above 0", width)
        if not -math.inf < low < high < math.inf:
            raise out_of_range("low and high", "finite, with low < high", (low, high))
        self.count, self.length, self.width = count, float(length), float(width)
        self.low, self.high, self.dims = float(low), float(high), check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(f"corruption 'scratches' needs real-valued data; got {batch.x.dtype}.")
        maps = on_grid(batch.x, self.image, self.dims)
        rows, sides = len(maps), maps.shape[1:-1]
        places = places_of(sides).to(maps.device)
        many = torch.randint(1, self.count + 1, (rows,), generator=generator, device=maps.device)
        for number in range(self.count):
            begin, way, light = self._lines(rows, sides, maps.device, generator)
            away = squared_distance(places, begin, way).sqrt()
            share = (self.width / 2 + 0.5 - away).clamp(0, 1) * _as(number < many, away)
            value = torch.where(light, self.high, self.low)
            maps = torch.lerp(maps, _as(value, maps).to(maps.dtype), share.unsqueeze(-1).to(maps.dtype))
        return dataclasses.replace(batch, x=maps.reshape(batch.x.shape))

    def _lines(
        self, rows: int, sides: Sequence[int], device: torch.device, generator: torch.Generator | None
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Where lines begin (B, D), where they go (B, D), and whether they are light (B,)."""
        axes = len(sides)
        draw = torch.empty(rows, axes + 2, device=device).uniform_(generator=generator)
        last = torch.tensor([float(side - 1) for side in sides], device=device)
        turn = torch.empty(rows, axes, device=device).normal_(generator=generator)
        reach = self.length * (0.5 + draw[:, axes]) * math.dist(sides, [0] * axes)
        return draw[:, :axes] * last, reach[:, None] * torch.nn.functional.normalize(turn), draw[:, axes + 1] < 0.5


def _as(values: Tensor, maps: Tensor) -> Tensor:
    """One value a row (B,), to go with maps."""
    return values.reshape(-1, *(1 for _ in maps.shape[1:]))
