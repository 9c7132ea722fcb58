"""Gaussian blur of pictures, series and volumes."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks.grid import check_dims, on_grid
from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register

REACH = 3.0
"""A Gaussian is cut off at three standard deviations."""


@register("corruption", "blur")
class Blur(Corruption):
    """Every row is blurred along its positions by a Gaussian of a width of its own.

        x̃ = G_s * x,    s ~ U(least · std, std) for every row

    At the ends the row is mirrored, so the mean of every channel is kept exactly.

    Parameters
    ----------
    std : float above 0, in positions (pixels, time steps). The widest blur.
    least : float in [0, 1]. The narrowest, as a share of ``std``; 1: the same blur for every row.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for values out of range, or if x holds integers (tokens, indices).

    Reference: Bansal et al. (2023), "Cold diffusion: inverting arbitrary image transforms without noise",
    section 4.1; Gaussian blur as scale space: Witkin (1983), "Scale-space filtering".

    >>> batch = Batch(torch.eye(5)[2:3], torch.eye(5)[2:3])
    >>> Blur(std=1.0, least=1.0)(batch).x.round(decimals=2)
    tensor([[0.0600, 0.2400, 0.4000, 0.2400, 0.0600]])
    """

    def __init__(
        self, std: float = 1.0, least: float = 0.0, image: Sequence[int] | None = None, dims: int | None = None
    ) -> None:
        if not 0 < std < math.inf:
            raise out_of_range("std", "a finite number above 0", std)
        if not 0 <= least <= 1:
            raise out_of_range("least", "in [0, 1]", least)
        self.std, self.least, self.dims = float(std), float(least), check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(f"corruption 'blur' needs real-valued data; got {batch.x.dtype}. Use corruption 'tokens'.")
        maps = on_grid(batch.x, self.image, self.dims).float()
        width = torch.empty(len(maps), device=maps.device).uniform_(self.least, 1.0, generator=generator) * self.std
        kernel = self.kernel(width.clamp(min=1e-3))
        for axis in range(1, maps.ndim - 1):
            maps = blurred(maps, kernel, axis)
        return dataclasses.replace(batch, x=maps.reshape(batch.x.shape).to(batch.x.dtype))

    def kernel(self, width: Tensor) -> Tensor:
        """Weights (B, 2r + 1) of Gaussians, each summing to 1."""
        reach = max(1, math.ceil(REACH * self.std))
        place = torch.arange(-reach, reach + 1, device=width.device)
        return torch.softmax(-0.5 * (place / width[:, None]) ** 2, 1)


def blurred(maps: Tensor, kernel: Tensor, axis: int) -> Tensor:
    """Maps (B, *positions, C) smoothed along an axis by a kernel (B, K) for each row, mirrored at the ends."""
    side, reach = maps.shape[axis], kernel.shape[1] // 2
    place = torch.arange(side, device=maps.device)
    weights = kernel.reshape(len(kernel), -1, *(1 for _ in maps.shape[1:]))
    total = torch.zeros_like(maps)
    for k in range(kernel.shape[1]):
        at = (place + k - reach) % (2 * side)
        total = total + weights[:, k] * maps.index_select(axis, torch.minimum(at, 2 * side - 1 - at))
    return total
