"""Occlusion: blocks of a picture, or segments of a series, are covered."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks.grid import check_dims, on_grid
from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "occlusion")
class Occlusion(Corruption):
    """Every row has rectangles of its own covered, at places drawn evenly among those that fit.

        side of a block = size · side of the picture (at least one position), in every position axis

    Parameters
    ----------
    size : float in (0, 1]. Share of each side that a block covers; in a picture it covers size² of the area.
    blocks : int >= 1. How many; they may overlap.
    value : float. What a covered entry shows, in all channels; a whole number where x holds integers.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for values out of range.

    Reference: Pathak, Krähenbühl, Donahue, Darrell & Efros (2016), "Context encoders: feature learning by
    inpainting", section 3.3; DeVries & Taylor (2017), "Improved regularization of convolutional neural networks
    with cutout".

    >>> batch = Batch(torch.ones(1, 8), torch.ones(1, 8))
    >>> Occlusion(size=0.25)(batch, torch.Generator().manual_seed(0)).x.sum()
    tensor(6.)
    """

    def __init__(
        self,
        size: float = 0.4,
        blocks: int = 1,
        value: float = 0.0,
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        if not 0 < size <= 1:
            raise out_of_range("size", "in (0, 1]", size)
        if not isinstance(blocks, int) or blocks < 1:
            raise out_of_range("blocks", "an int of at least 1", blocks)
        self.size, self.blocks, self.value, self.dims = float(size), blocks, float(value), check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        maps = on_grid(batch.x, self.image, self.dims)
        covered = self.covered(maps.shape[:-1], maps.device, generator)
        x = maps.masked_fill(covered.unsqueeze(-1), self.value).reshape(batch.x.shape)
        return dataclasses.replace(batch, x=x)

    def covered(self, shape: Sequence[int], device: torch.device, generator: torch.Generator | None) -> Tensor:
        """True where (B, *positions) is covered."""
        rows, *sides = shape
        inside = torch.ones(rows, self.blocks, *(1 for _ in sides), dtype=torch.bool, device=device)
        for axis, side in enumerate(sides):
            length = min(side, max(1, round(self.size * side)))
            begin = torch.randint(side - length + 1, (rows, self.blocks, 1), generator=generator, device=device)
            place = torch.arange(side, device=device)
            within = (place >= begin) & (place < begin + length)
            inside = inside & within.reshape(rows, self.blocks, *(side if i == axis else 1 for i in range(len(sides))))
        return inside.any(1)
