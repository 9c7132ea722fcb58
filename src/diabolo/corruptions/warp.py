"""Shifted and stretched rows: what the encoder sees lies elsewhere, and the decoder gives it back in its place."""

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


@register("corruption", "warp")
class Warp(Corruption):
    """Every row is moved and stretched along each of its axes of positions, by an amount of its own.

        x̃(p) = x(c + (p - c) (1 + s) + d),    d ~ U(-shift, shift),  s ~ U(-stretch, stretch),  c the middle

    Between positions it is linear; beyond the ends the last value goes on. Of log-mel spectra a shift of bands is
    about another length of the vocal tract and a stretch of frames another speed, so codes come to say less of both.

    Parameters
    ----------
    shift : positions, a number of at least 0, or one for each axis.
    stretch : share, a number in [0, 1), or one for each axis.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for values out of range, for another number of axes, or if x holds integers (tokens, indices).

    Reference: Jaitly & Hinton (2013), "Vocal tract length perturbation (VTLP) improves speech recognition"; Simard,
    Steinkraus & Platt (2003), "Best practices for convolutional neural networks applied to visual document analysis".

    >>> batch = Batch(torch.arange(6.0)[None], torch.arange(6.0)[None])
    >>> bool((Warp(shift=0.0)(batch).x == batch.x).all()), Warp(shift=2.0)(batch).x.shape
    (True, torch.Size([1, 6]))
    """

    def __init__(
        self,
        shift: float | Sequence[float] = 2.0,
        stretch: float | Sequence[float] = 0.0,
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        self.shift = shift if isinstance(shift, int | float) else tuple(shift)
        self.stretch = stretch if isinstance(stretch, int | float) else tuple(stretch)
        if not all(0 <= value < math.inf for value in _listed(self.shift)):
            raise out_of_range("shift", "a finite number of at least 0, or one for each axis", shift)
        if not all(0 <= value < 1 for value in _listed(self.stretch)):
            raise out_of_range("stretch", "in [0, 1), or one for each axis", stretch)
        self.dims, self.image = check_dims(dims), None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if not batch.x.is_floating_point():
            raise UsageError(f"corruption 'warp' needs real-valued data; got {batch.x.dtype}. Use corruption 'tokens'.")
        maps = on_grid(batch.x, self.image, self.dims)
        axes = maps.ndim - 2
        amounts = zip(_per_axis("shift", self.shift, axes), _per_axis("stretch", self.stretch, axes), strict=True)
        for axis, (shift, stretch) in enumerate(amounts, 1):
            moved = _drawn(len(maps), shift, generator, maps.device)
            scale = 1 + _drawn(len(maps), stretch, generator, maps.device)
            maps = warped(maps, axis, moved, scale)
        return dataclasses.replace(batch, x=maps.reshape(batch.x.shape).to(batch.x.dtype))


def _drawn(rows: int, reach: float, generator: torch.Generator | None, device: torch.device) -> Tensor:
    return torch.empty(rows, device=device).uniform_(-1.0, 1.0, generator=generator) * reach


def _listed(value: float | tuple[float, ...]) -> tuple[float, ...]:
    return value if isinstance(value, tuple) else (value,)


def _per_axis(name: str, value: float | tuple[float, ...], axes: int) -> tuple[float, ...]:
    if isinstance(value, tuple) and len(value) != axes:
        raise UsageError(
            f"{name} of corruption 'warp' has {len(value)} values, the data {axes} axes; give one, or {axes}."
        )
    return value if isinstance(value, tuple) else (value,) * axes


def warped(maps: Tensor, axis: int, shift: Tensor, scale: Tensor) -> Tensor:
    """Maps (B, *positions, C) read along an axis at c + (p - c) scale + shift, (B,) each; linear, the ends go on.

    >>> warped(torch.arange(4.0)[None, :, None], 1, torch.tensor([0.5]), torch.ones(1)).flatten().tolist()
    [0.5, 1.5, 2.5, 3.0]
    """
    side = maps.shape[axis]
    middle = (side - 1) / 2
    place = (torch.arange(side, device=maps.device) - middle) * scale[:, None] + middle + shift[:, None]
    place = place.clamp(0, side - 1)
    below = place.floor().long()
    part = _along(place - below, axis, maps)
    low = maps.gather(axis, _along(below, axis, maps).expand_as(maps))
    high = maps.gather(axis, _along((below + 1).clamp(max=side - 1), axis, maps).expand_as(maps))
    return low + part * (high - low)


def _along(values: Tensor, axis: int, maps: Tensor) -> Tensor:
    """(B, side) so that it broadcasts against maps along an axis."""
    return values.reshape(len(values), *(-1 if at == axis else 1 for at in range(1, maps.ndim)))
