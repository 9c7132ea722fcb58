"""Rows seen as a grid of positions with channels last, whether they come flattened or not."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

from torch import Tensor

from ..core.errors import UsageError
from ..core.interfaces import Shape


def grid_of(shape: Sequence[int], image: Sequence[int] | None = None, dims: int | None = None) -> Shape:
    """``shape`` (or ``image``, the true shape of rows that come flattened) as (*positions, channels).

    dims : 1 (series), 2 (pictures) or 3 (volumes, video): how many axes are positions. None: one or two axes are
        all positions, of three or four the last one is channels. A series of several channels needs ``dims=1``.

    Raises `UsageError` if the two shapes hold different numbers of values, or there are no such positions.

    >>> grid_of((28, 28)), grid_of((28, 28, 3)), grid_of((50, 3), dims=1), grid_of((64,), image=(8, 8))
    ((28, 28, 1), (28, 28, 3), (50, 3), (8, 8, 1))
    """
    full = tuple(shape) if image is None else tuple(int(side) for side in image)
    if prod(full) != prod(shape):
        raise UsageError(f"image={full} has {prod(full)} values, a row of the data has {prod(shape)}.")
    axes = dims if dims is not None else min(len(full), 2) if len(full) < 4 else 3
    if len(full) == axes:
        return (*full, 1)
    if len(full) == axes + 1:
        return full
    raise UsageError(
        f"rows of {axes} positions (and channels last) are needed; these have shape {full}. "
        "Say their shape, image=(height, width), or how many axes are positions, dims=1, 2 or 3."
    )


def check_dims(dims: int | None) -> int | None:
    """Raises `UsageError` unless ``dims`` is None, 1, 2 or 3."""
    if dims not in (None, 1, 2, 3):
        raise UsageError(f"dims must be 1, 2 or 3; got {dims!r}. None takes them from the shape of the data.")
    return dims


def on_grid(rows: Tensor, image: Sequence[int] | None = None, dims: int | None = None) -> Tensor:
    """Rows (B, *S) as (B, *positions, channels), without a copy.

    >>> import torch
    >>> on_grid(torch.zeros(5, 64), image=(8, 8)).shape
    torch.Size([5, 8, 8, 1])
    """
    return rows.reshape(len(rows), *grid_of(rows.shape[1:], image, dims))
