"""Pictures and frames as patches on a grid, and values of patches as maps again."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

SMALLEST, SIDE = 4, 8
FINE = 40
"""Pictures of shorter sides are looked at every second pixel, others every fourth."""
MOST_STILL, MOST_MOVING = 192, 64
"""Pixels of the shorter side of a picture, of a frame, after it was shrunk."""
LAGS = (-2, -1, 0, 1)
"""Of a frame: from which frame to the next a change is taken."""
VALUES = 2**24
"""Values of patches that are held at a time."""


@dataclass(frozen=True)
class Grid:
    """Where patches lie: ``side`` pixels a patch, one every ``stride`` pixels, of pictures ``shrink`` times smaller.

        (H, W) ──mean of shrink x shrink──▶ (H', W') ──▶ h x w patches, centres from border to border

    ``size``: (H, W). Borders are continued by their last pixels.

    >>> Grid.of((28, 28), moving=False)
    Grid(size=(28, 28), shrink=1, side=7, stride=2)
    >>> grid = Grid.of((80, 120), moving=True)
    >>> grid.small, grid.shape
    ((40, 60), (10, 15))
    """

    size: tuple[int, int]
    shrink: int
    side: int
    stride: int

    @classmethod
    def of(cls, size: tuple[int, int], *, moving: bool) -> Grid:
        """Patches of a quarter of the picture, at most 8 pixels after it was shrunk."""
        short = min(size)
        shrink = max(1, math.ceil(short / (MOST_MOVING if moving else MOST_STILL)))
        small = math.ceil(short / shrink)
        side = min(small, max(SMALLEST, min(SIDE, round(small / 4))))
        return cls((int(size[0]), int(size[1])), shrink, side, min(side, 4 if moving or small > FINE else 2))

    @property
    def small(self) -> tuple[int, int]:
        """(H', W')"""
        return math.ceil(self.size[0] / self.shrink), math.ceil(self.size[1] / self.shrink)

    @property
    def shape(self) -> tuple[int, int]:
        """(h, w)"""
        return math.ceil(self.small[0] / self.stride), math.ceil(self.small[1] / self.stride)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)

    def shrunk(self, pictures: Float[Tensor, "n c H W"]) -> Float[Tensor, "n c h w"]:
        """Pictures averaged over squares of ``shrink`` pixels."""
        if self.shrink == 1:
            return pictures
        return functional.avg_pool2d(pictures, self.shrink, ceil_mode=True, count_include_pad=False)

    @property
    def _around(self) -> tuple[int, int, int, int]:
        """Pixels that are continued at the left, right, top and bottom."""
        before = (self.side - self.stride) // 2
        right, below = (
            (count - 1) * self.stride + self.side - before - length
            for count, length in zip(self.shape[::-1], self.small[::-1], strict=True)
        )
        return before, max(0, right), before, max(0, below)

    def cut(self, small: Float[Tensor, "n c h w"]) -> Float[Tensor, "n l p"]:
        """Patches (N, h · w, C · side²), row by row, of shrunken pictures."""
        whole = functional.pad(small, self._around, mode="replicate")
        return functional.unfold(whole, self.side, stride=self.stride).transpose(1, 2)

    def back(self, patches: Float[Tensor, "n l p"]) -> Float[Tensor, "n h w"]:
        """Values of patches as maps: mean over the patches that hold a pixel, sum over channels."""
        left, right, top, bottom = self._around
        small = self.small
        padded = (small[0] + top + bottom, small[1] + left + right)
        values = patches.unflatten(2, (-1, self.side**2)).sum(2).transpose(1, 2)
        sums, counts = (
            functional.fold(part, padded, self.side, stride=self.stride)[:, 0]
            for part in (values, torch.ones_like(values[:1]))
        )
        inside = (slice(None), slice(top, top + small[0]), slice(left, left + small[1]))
        return sums[inside] / counts[inside].clamp_min(1)

    def full(self, maps: Float[Tensor, "n h w"]) -> Float[Tensor, "n H W"]:
        """Maps of any grid over the picture, interpolated to its pixels."""
        if tuple(maps.shape[1:]) == self.size:
            return maps
        return functional.interpolate(maps[:, None], self.size, mode="bilinear", align_corners=False)[:, 0]

    def together(self, channels: int) -> int:
        """How many pictures to cut at a time."""
        return max(1, VALUES // (self.shape[0] * self.shape[1] * self.side**2 * channels))


def stills(pictures: Tensor) -> Float[Tensor, "n c H W"]:
    """uint8 (N, H, W[, C]) as values in [0, 1], channels first."""
    channels = pictures if pictures.ndim == 4 else pictures[..., None]
    return channels.movedim(-1, 1).float() / 255


def greys(frames: Tensor) -> Float[Tensor, "t 1 H W"]:
    """Frames uint8 (T, H, W[, 3]) in grey, values in [0, 1]."""
    grey = frames.float() / 255
    return (grey.mean(-1) if frames.ndim == 4 else grey)[:, None]


def changes(grey: Float[Tensor, "t h w"], usual: Float[Tensor, "h w"], own: Tensor) -> Float[Tensor, "n c h w"]:
    """Some frames of a clip: four changes from one frame to the next around each, and what it is off the usual.

    At the ends of a clip the changes are those of its first or last five frames.
    """
    last = len(grey) - 1
    centre = own.clamp(min=min(2, last), max=max(last - 2, 0))
    after, before = ([(centre + lag + step).clamp(0, last) for lag in LAGS] for step in (1, 0))
    moved = [grey[a] - grey[b] for a, b in zip(after, before, strict=True)]
    return torch.stack([*moved, grey[own] - usual], 1)


def portions(count: int, size: int) -> Iterator[slice]:
    """So many rows, by portions."""
    return (slice(begin, begin + size) for begin in range(0, count, size))
