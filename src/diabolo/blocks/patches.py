"""Rows cut into patches of equal size, and put together again."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import out_of_range
from ..core.interfaces import Shape

SIDES, COLUMNS = 8, 64
"""Automatic patches: about eight along a picture's side, at most 64 along a row of values."""


class Patches:
    """A grid of patches over rows of ``shape``: pictures (H, W[, C]), series (T, C), columns (F,).

    ``patch``: one size for the first two dimensions (the first, of (F,)), a tuple of sizes from the first dimension
    on, or "auto"; the dimensions it does not name are whole. Sides that are no multiple are filled up with zeros, which
    are cut off again.

    Raises `UsageError` for sizes below 1 or more of them than dimensions.

    >>> grid = Patches((28, 28), "auto")
    >>> grid.patch, grid.grid, grid.count, grid.values
    ((4, 4), (7, 7), 49, 16)
    """

    def __init__(self, shape: Shape, patch: int | Sequence[int] | str = "auto") -> None:
        self.shape = tuple(shape)
        self.patch = _sizes(self.shape, patch)
        self.grid = tuple(-(-side // size) for side, size in zip(self.shape, self.patch, strict=True))
        self.count, self.values = prod(self.grid), prod(self.patch)
        self.full = tuple(size * number for size, number in zip(self.patch, self.grid, strict=True))
        dims = len(self.shape)
        self._there = (0, *range(1, 2 * dims, 2), *range(2, 2 * dims + 1, 2))
        self._back = tuple(self._there.index(place) for place in range(2 * dims + 1))

    def split(self, x: Float[Tensor, "b *s"]) -> Float[Tensor, "b p v"]:
        """Patches in row-major order, each flattened."""
        x = x.reshape(len(x), *self.shape)
        if self.full != self.shape:
            ends = [(0, full - side) for full, side in zip(self.full, self.shape, strict=True)]
            x = functional.pad(x, tuple(number for end in reversed(ends) for number in end))
        pairs = [number for pair in zip(self.grid, self.patch, strict=True) for number in pair]
        return x.reshape(len(x), *pairs).permute(self._there).reshape(len(x), self.count, self.values)

    def join(self, patches: Float[Tensor, "b p v"]) -> Float[Tensor, "b *s"]:
        """The inverse of `split`."""
        apart = patches.reshape(len(patches), *self.grid, *self.patch).permute(self._back)
        x = apart.reshape(len(patches), *self.full)
        return x[(slice(None), *(slice(side) for side in self.shape))]

    def spread(self, chosen: Bool[Tensor, "b p"]) -> Bool[Tensor, "b *s"]:
        """Entries of the rows that lie in the chosen patches."""
        return self.join(chosen[..., None].expand(-1, -1, self.values))


def _sizes(shape: Shape, patch: Any) -> Shape:
    if isinstance(patch, str) and patch == "auto":
        if len(shape) == 1:
            patch = -(-shape[0] // COLUMNS)
        else:
            patch = tuple(min(side, max(2, -(-side // SIDES))) for side in shape[:2])
    sizes = (patch,) * min(2, len(shape)) if isinstance(patch, int) else patch
    good = isinstance(sizes, list | tuple) and 0 < len(sizes) <= len(shape)
    if not good or not all(isinstance(size, int) and size >= 1 for size in sizes):
        raise out_of_range("patch", f"'auto', an int of at least 1 or up to {len(shape)} of them", patch)
    whole = (*sizes, *shape[len(sizes) :])
    return tuple(min(size, side) for size, side in zip(whole, shape, strict=True))
