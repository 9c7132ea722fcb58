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
MOST_STILL, MOST_MOVING = 192, 60
"""Pixels of the shorter side of a picture, of a frame, after it was shrunk."""
WINDOW, FLAT, SEEN = 9, 1.2e-4, 0.3
"""Pixels a side that move together; squared change from pixel to pixel that counts as none; what a frame's difference
from the usual one weighs beside a speed of a pixel a frame."""
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
        shrink = max(1, math.ceil(short / MOST_STILL))
        if moving and short > MOST_MOVING:  # motion is measured on frames twice as fine
            shrink = 2 * math.ceil(short / (2 * MOST_MOVING))
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

    @property
    def fine(self) -> int:
        """How many times smaller frames are when their motion is measured."""
        return max(1, self.shrink // 2)

    def shrunk(self, pictures: Float[Tensor, "n c H W"], times: int | None = None) -> Float[Tensor, "n c h w"]:
        """Pictures averaged over squares of ``shrink`` pixels, or of so many."""
        side = self.shrink if times is None else times
        return pictures if side == 1 else functional.avg_pool2d(pictures, side, ceil_mode=True, count_include_pad=False)

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


def motion(
    grey: Float[Tensor, "t H W"], usual: Float[Tensor, "H W"], own: Tensor, seen: float = SEEN
) -> Float[Tensor, "n c H W"]:
    """Some frames of a clip as how fast what is seen moves, across and down, and how much it is off the usual frame.

        [Σ Ix²  Σ IxIy] [u]     [Σ Ix It]        sums over windows of 9 x 9, each square with a little added, so that
        [Σ IxIy  Σ Iy²] [v] = - [Σ Iy It]        what has no edges does not move

    Speeds are in pixels a frame, whatever the contrast. At the ends of a clip the changes are those of its first or
    last three frames.

    Reference: Lucas & Kanade (1981), "An iterative image registration technique", eq. 5; Simoncelli, Adelson & Heeger
    (1991), "Probability distributions of optical flow" (what is added).
    """
    last = len(grey) - 1
    centre = own.clamp(min=min(1, last), max=max(last - 1, 0))
    before, here, after = (soft(grey[(centre + step).clamp(0, last)][:, None], 3, 2) for step in (-1, 0, 1))
    along = functional.pad(here, (1, 1, 1, 1), mode="replicate")
    across, down = (
        (along[..., 1:-1, 2:] - along[..., 1:-1, :-2]) / 2,
        (along[..., 2:, 1:-1] - along[..., :-2, 1:-1]) / 2,
    )
    change = (after - before) / 2
    xx, yy = soft(across.square(), WINDOW) + FLAT, soft(down.square(), WINDOW) + FLAT
    xy, xt, yt = (soft(a * b, WINDOW) for a, b in ((across, down), (across, change), (down, change)))
    scale = xx * yy - xy.square()
    speeds = [(xy * yt - yy * xt) / scale, (xy * xt - xx * yt) / scale]
    return torch.cat([*speeds, seen * (grey[own] - usual)[:, None]], 1)


def soft(pictures: Float[Tensor, "n c H W"], side: int, times: int = 1) -> Float[Tensor, "n c H W"]:
    """Means over squares of ``side`` pixels, so many times one after the other."""
    for _ in range(times):
        for window, around in (((side, 1), (side // 2, 0)), ((1, side), (0, side // 2))):
            pictures = functional.avg_pool2d(pictures, window, 1, around, count_include_pad=False)
    return pictures


def portions(count: int, size: int) -> Iterator[slice]:
    """So many rows, by portions."""
    return (slice(begin, begin + size) for begin in range(0, count, size))
