"""Blind spots: some pixels are replaced by what lies around them, and asked for."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ..blocks.grid import check_dims, on_grid
from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "blind-spots")
class BlindSpots(Corruption):
    """One position in every cell of a grid shows the mean of its neighbours; the loss counts these positions alone.

        x̃ = x, but at the spots the mean of the positions around;    scored: the spots

    What comes out at a spot cannot depend on what was there. Where the noise of one position says nothing of the noise
    of another, the best such function is the best guess of the clean value: a denoiser learns from noisy rows alone.

    Parameters
    ----------
    step : int of at least 2. Side of a cell, in positions; every row has a place of its own in the cells.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for a step out of range, or if x holds integers (tokens, indices).

    Reference: Batson & Royer (2019), "Noise2Self: blind denoising by self-supervision", section 3; Krull, Buchholz &
    Jug (2019), "Noise2Void: learning denoising from single noisy images".

    >>> batch = Batch(torch.arange(6.0)[None], torch.arange(6.0)[None])
    >>> seen = BlindSpots(step=3)(batch, torch.Generator().manual_seed(0))
    >>> seen.scored.int().tolist(), bool((seen.x == batch.x)[~seen.scored].all())
    ([[0, 0, 1, 0, 0, 1]], True)
    """

    defines_task = True

    def __init__(self, step: int = 4, image: Sequence[int] | None = None, dims: int | None = None) -> None:
        if not isinstance(step, int) or step < 2:
            raise out_of_range("step", "an int of at least 2", step)
        self.step, self.dims = step, check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(f"corruption 'blind-spots' needs real-valued data; got {batch.x.dtype}.")
        maps = on_grid(batch.x, self.image, self.dims)
        spots = spots_of(maps.shape[:-1], self.step, generator).to(maps.device)
        x = torch.where(spots.unsqueeze(-1), surroundings(maps), maps)
        scored = spots
        if self.image is not None:
            scored = spots.unsqueeze(-1).expand(maps.shape).reshape(batch.x.shape)
        return dataclasses.replace(batch, x=x.reshape(batch.x.shape), scored=scored)


def spots_of(shape: Sequence[int], step: int, generator: torch.Generator | None = None) -> Tensor:
    """One position in every cell (B, *P), at a place of the row's own."""
    spots = torch.ones(tuple(shape), dtype=torch.bool)
    for axis, side in enumerate(shape[1:], 1):
        cell = min(step, side)
        place = torch.randint(cell, (shape[0],), generator=generator)
        along = torch.arange(side) % cell == place[:, None]
        spots &= along.reshape(shape[0], *(side if at == axis else 1 for at in range(1, len(shape))))
    return spots


def surroundings(maps: Tensor) -> Tensor:
    """Mean of the positions around each one (B, *P, C), itself left out; at the border of those there are.

    >>> surroundings(torch.tensor([[[1.0], [5.0], [3.0]]])).flatten()
    tensor([5., 2., 5.])
    """
    dims = maps.ndim - 2
    pool = (None, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)[dims]
    moved = maps.movedim(-1, 1).float()
    ones = torch.ones_like(moved[:1, :1])
    total, count = (pool(held, 3, 1, 1) * 3**dims - held for held in (moved, ones))  # type: ignore[misc]
    return (total / count.clamp_min(1)).movedim(1, -1).to(maps.dtype)
