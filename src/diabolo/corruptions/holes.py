"""Holes: positions of a picture are hidden, in all channels, and asked for."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks.filling import filled
from ..blocks.grid import check_dims, on_grid
from ..core.batch import Batch
from ..core.errors import out_of_range, unknown
from ..core.interfaces import Corruption
from ..core.registry import register

KINDS = ("pixels", "rectangles", "strokes", "mixed", "others")
SPREAD = 0.5
"""Every row hides a share of its own, drawn evenly within this share of the mean."""
LEAST = 0.01
"""Where another row's holes hide less than this, pixels are hidden."""
MOST_AT_ONCE = 64


@register("corruption", "holes")
class Holes(Corruption):
    """Every row has positions of its own hidden, all channels together; the loss counts these and no others.

        x = [values | known?] ──hide──▶ [values, guessed where unknown | known?]      scored: known, but hidden

    Parameters
    ----------
    kind : pixels (each by itself), rectangles, strokes (thick straight lines), mixed (each row one of these), others
        (where another row of the batch lacks something; needs ``known``).
    share : float in (0, 1). Mean share of the positions that are hidden; rows differ by half of it either way.
    size : float in (0, 1]. Mean side of a rectangle, length of a stroke, as a share of the side.
    value : float. What a hidden entry shows, without ``known``.
    known : whether the last channel of x tells which positions are known (1) and which are not (0). Hidden ones are
        marked as unknown then, never asked for where they were not known, and all unknown ones show a smooth guess.
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for values out of range.

    Reference: Pathak, Krähenbühl, Donahue, Darrell & Efros (2016), "Context encoders: feature learning by
    inpainting"; Liu et al. (2018), "Image inpainting for irregular holes using partial convolutions".

    >>> batch = Batch(torch.ones(1, 8), torch.ones(1, 8))
    >>> seen = Holes(share=0.5)(batch, torch.Generator().manual_seed(0))
    >>> bool(((seen.x == 0) == seen.scored).all())
    True
    """

    defines_task = True

    def __init__(
        self,
        kind: str = "pixels",
        share: float = 0.25,
        size: float = 0.3,
        value: float = 0.0,
        known: bool = False,
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        if kind not in KINDS:
            raise unknown("kind of holes", kind, KINDS)
        if not 0 < share < 1:
            raise out_of_range("share", "in (0, 1)", share)
        if not 0 < size <= 1:
            raise out_of_range("size", "in (0, 1]", size)
        if kind == "others" and not known:
            raise out_of_range("known", "True for kind 'others', which takes the holes of other rows", known)
        self.kind, self.share, self.size, self.value = kind, float(share), float(size), float(value)
        self.known, self.dims = bool(known), check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        maps = on_grid(batch.x, self.image, self.dims)
        before = maps[..., -1] > 0.5 if self.known else torch.ones(maps.shape[:-1], dtype=torch.bool)
        hidden = self.hidden(before, generator).to(maps.device) & before
        if self.known:
            x = with_guess(maps[..., :-1], before & ~hidden)
        else:
            x = maps.masked_fill(hidden.unsqueeze(-1), self.value)
        scored = hidden if batch.scored is None or batch.scored.shape != hidden.shape else hidden & batch.scored
        if self.image is not None:
            scored = scored.unsqueeze(-1).expand(maps.shape).reshape(batch.x.shape)
        return dataclasses.replace(batch, x=x.reshape(batch.x.shape), scored=scored)

    def hidden(self, known: Tensor, generator: torch.Generator | None) -> Tensor:
        """True where positions (B, *P) are hidden, given which are known."""
        rows, sides = len(known), known.shape[1:]
        share = self.share * (1 + SPREAD * (2 * _uniform((rows,), generator) - 1))
        ways = {"pixels": _pixels, "rectangles": self._rectangles, "strokes": self._strokes}
        if self.kind in ways:
            return ways[self.kind](share, sides, generator)
        if self.kind == "others":
            return _others(known.cpu(), share, generator)
        made = torch.stack([way(share, sides, generator) for way in ways.values()])
        which = torch.randint(len(ways), (rows,), generator=generator)
        return made[which, torch.arange(rows)]

    def _rectangles(self, share: Tensor, sides: Sequence[int], generator: torch.Generator | None) -> Tensor:
        """Rectangles of sides between half and one and a half of ``size``, as many as hide the share on average."""
        count = _how_many(share, self.size ** len(sides))
        most = int(count.max())
        inside = (torch.arange(most) < count[:, None]).reshape(len(share), most, *(1 for _ in sides))
        for axis, side in enumerate(sides):
            length = (self.size * (0.5 + _uniform((len(share), most), generator)) * side).round().clamp(1, side)
            begin = (_uniform((len(share), most), generator) * (side - length + 1)).floor()
            place = torch.arange(side)
            within = (place >= begin[..., None]) & (place < (begin + length)[..., None])
            inside = inside & within.reshape(len(share), most, *(side if i == axis else 1 for i in range(len(sides))))
        return inside.any(1)

    def _strokes(self, share: Tensor, sides: Sequence[int], generator: torch.Generator | None) -> Tensor:
        """Everything near a straight line from one point to another, lines added until they hide the share."""
        width = max(1.0, 0.04 * min(sides))
        area = 0.6 * self.size * min(1.0, width / min(sides)) ** (len(sides) - 1)
        count = _how_many(share, area).clamp_max(MOST_AT_ONCE)
        places = torch.stack(torch.meshgrid(*(torch.arange(float(side)) for side in sides), indexing="ij"), -1)
        extent = torch.tensor([float(side) for side in sides])
        gone = torch.zeros(len(share), *sides, dtype=torch.bool)
        for number in range(int(count.max())):
            begin = _uniform((len(share), len(sides)), generator) * extent
            way = (_uniform((len(share), len(sides)), generator) - 0.5) * 2 * self.size * extent
            thick = width * (0.5 + _uniform((len(share),), generator))
            off = places - begin.reshape(-1, *(1 for _ in sides), len(sides))
            line = way.reshape(-1, *(1 for _ in sides), len(sides))
            along = ((off * line).sum(-1) / line.square().sum(-1).clamp_min(1e-6)).clamp(0, 1)
            near = (off - along[..., None] * line).square().sum(-1) <= self._as_rows(thick.square() / 4, sides)
            gone |= near & self._as_rows(number < count, sides)
        return gone

    def _as_rows(self, values: Tensor, sides: Sequence[int]) -> Tensor:
        return values.reshape(-1, *(1 for _ in sides))


def with_guess(values: Tensor, known: Tensor) -> Tensor:
    """[values, a smooth guess where they are unknown | known?] of values (B, *P, C) and known (B, *P).

    >>> with_guess(torch.tensor([[[1.0], [0.0], [3.0], [4.0]]]), torch.tensor([[True, False, True, True]]))[0, 1]
    tensor([2., 0.])
    """
    guess = filled(values.movedim(-1, 1), known.unsqueeze(1)).movedim(1, -1)
    return torch.cat([guess, known.unsqueeze(-1).to(values.dtype)], -1)


def _uniform(shape: tuple[int, ...], generator: torch.Generator | None) -> Tensor:
    return torch.rand(shape, generator=generator)


def _how_many(share: Tensor, covers: float) -> Tensor:
    """How many things that each cover a share hide a share on average: 1 - (1 - covers)^n = share."""
    return (torch.log1p(-share) / math.log1p(-min(covers, 0.99))).round().clamp_min(1).long()


def _pixels(share: Tensor, sides: Sequence[int], generator: torch.Generator | None) -> Tensor:
    return _uniform((len(share), *sides), generator) < share.reshape(-1, *(1 for _ in sides))


def _others(known: Tensor, share: Tensor, generator: torch.Generator | None) -> Tensor:
    """What another row lacks, moved and turned over; of whole rows, pixels."""
    sides = known.shape[1:]
    order = torch.randperm(len(known), generator=generator)
    moves = [int(torch.randint(side, (), generator=generator)) for side in sides]
    lacking = torch.roll(~known[order], moves, tuple(range(1, known.ndim)))
    for axis in range(1, known.ndim):
        over = torch.rand(len(known), generator=generator) < 0.5
        lacking = torch.where(over.reshape(-1, *(1 for _ in sides)), lacking.flip(axis), lacking)
    few = (lacking & known).flatten(1).float().mean(1) < LEAST
    return torch.where(few.reshape(-1, *(1 for _ in sides)), _pixels(share, sides, generator), lacking)
