"""Pictures of any size at a task's door: read, cut into tiles to learn from, gone over without seams."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core.errors import DataError, UsageError
from ..data import Source, Stored
from ..data import open as open_source
from ..data.read_whole import whole_pictures
from ..networks.u_shaped import UShapedEncoder

MOST_TILES, LEAST_TILES = 4096, 256
MIDDLE = 128
"""Side of the middle of a picture, which is judged and shown."""
AT_ONCE = 1 << 18
"""Pixels that go through a network at once."""
ALPHA = 4
"""Channels of a picture whose last one is transparency."""
MOST_OF_UNIT = 4.0
"""Floats up to here are values in [0, 1] in noise, not grey levels of 0 to 255."""


@dataclass
class Pictures:
    """Pictures (H, W, C) with values in [0, 1] once they are `scaled`, and where each is known (H, W).

    ``stacked``: they came as one array; ``grey``: without an axis of channels; ``dtype``: theirs.
    """

    pictures: list[ndarray]
    known: list[ndarray]
    stacked: bool
    grey: bool
    dtype: np.dtype

    def __len__(self) -> int:
        return len(self.pictures)

    @property
    def channels(self) -> int:
        return int(self.pictures[0].shape[-1])

    def as_given(self, made: Sequence[ndarray]) -> Any:
        """Pictures (H, W, C) of their dtype as they came: one array, or a list."""
        out = [picture[..., 0] if self.grey else picture for picture in made]
        return np.stack(out) if self.stacked else out


def taken(X: Any, missing: Any = None, value: Any = None, channels: int | None = None) -> Pictures:
    """What was given as pictures, and which of their pixels are known.

    missing : (N, H, W) or one (H, W) a picture, True (or not 0) where a pixel is missing, as scikit-image has it.
    value : a grey level or colour that means missing. Missing are also pixels of NaN, and transparent ones of
        pictures with four channels, which come back without the fourth.
    channels : how many there must be; None: any.

    Raises `DataError` for rows that are no pictures, and for masks of another size.
    """
    rows, stacked = _rows(X)
    pictures = [_as_picture(row, number) for number, row in enumerate(rows)]
    if not pictures:
        raise DataError("there are no pictures; give at least one.")
    grey = all(np.ndim(row) == 2 for row in rows)
    known = [~_lacking(picture, value) for picture in pictures]
    pictures = [picture[..., :3] if picture.shape[-1] == ALPHA else picture for picture in pictures]
    if missing is not None:
        known = [held & ~lost for held, lost in zip(known, _masks(missing, pictures), strict=True)]
    wanted = channels if channels is not None else pictures[0].shape[-1]
    for number, picture in enumerate(pictures):
        if picture.shape[-1] != wanted:
            has = f"picture {number} has {picture.shape[-1]} channel{'s' if picture.shape[-1] > 1 else ''}"
            raise DataError(f"{has}, {wanted} {'is' if wanted == 1 else 'are'} expected; make all grey or all colour.")
    return Pictures(pictures, known, stacked, grey, pictures[0].dtype)


def _rows(X: Any) -> tuple[Any, bool]:
    """The pictures of what was given, one by one, and whether they are one array."""
    if isinstance(X, str | Path):
        there = Path(X).expanduser()
        X = (whole_pictures(there) if there.exists() else None) or open_source(X, allow_missing=True)
    rows = X.rows if isinstance(X, Source) else X
    if isinstance(rows, Stored):
        raise UsageError("these pictures stay on disk; give more memory (--memory), fewer (--include) or smaller ones.")
    if isinstance(rows, np.ndarray) and rows.dtype != object:
        if rows.ndim not in (3, 4):
            raise DataError(f"pictures must be (N, H, W) or (N, H, W, channels); got {rows.shape}.")
        return rows, True
    if not isinstance(rows, list | tuple | np.ndarray):
        raise DataError(f"pictures must be an array or a list of arrays; got {type(rows).__name__}.")
    return rows, False


def _as_picture(row: Any, number: int) -> ndarray:
    """One picture (H, W, C), uint8 or float32."""
    picture = np.asarray(row)
    picture = picture[..., None] if picture.ndim == 2 else picture
    if picture.ndim != 3 or 0 in picture.shape or not 1 <= picture.shape[-1] <= ALPHA:
        raise DataError(f"picture {number} has shape {np.shape(row)}; (H, W), or (H, W, 1 to 4 channels) is needed.")
    if picture.dtype == np.uint8:
        return picture
    if picture.dtype.kind not in "fiub":
        raise DataError(f"picture {number} holds {picture.dtype}; give uint8, or floats in [0, 1].")
    return picture.astype(np.float32)


def _lacking(picture: ndarray, value: Any) -> ndarray:
    """Where a picture itself says that a pixel is missing."""
    gone = np.isnan(picture).any(-1) if picture.dtype.kind == "f" else np.zeros(picture.shape[:2], bool)
    colours = picture
    if picture.shape[-1] == ALPHA:
        gone, colours = gone | (picture[..., 3] == 0), picture[..., :3]
    if value is not None:
        gone = gone | (colours == np.asarray(value)).all(-1)
    return np.asarray(gone)


def _masks(missing: Any, pictures: Sequence[ndarray]) -> list[ndarray]:
    masks = [np.asarray(mask) for mask in missing]
    if isinstance(missing, np.ndarray) and missing.ndim == 2:
        masks = [missing] * len(pictures)
    if len(masks) != len(pictures):
        raise DataError(
            f"there are {len(masks)} masks for {len(pictures)} pictures; give one for each, or one for all."
        )
    for number, (mask, picture) in enumerate(zip(masks, pictures, strict=True)):
        if mask.shape != picture.shape[:2]:
            raise DataError(f"mask {number} has shape {mask.shape}, its picture {picture.shape[:2]}; make them equal.")
        if mask.dtype.kind in "if" and (mask < 0).any():
            raise DataError(f"picture {number} has no mask; give one for each (all black: nothing is missing).")
    return [mask != 0 for mask in masks]


def range_of(held: Pictures) -> tuple[float, float]:
    """What 0 and 1 stand for: 0 and 255 of bytes, else 0 and 1 where all values lie between, else their own ends."""
    if held.dtype == np.uint8:
        return 0.0, 255.0
    inside = [picture[known] for picture, known in zip(held.pictures, held.known, strict=True) if known.any()]
    if not inside:
        raise DataError("no pixel of these pictures is known.")
    low, high = min(float(part.min()) for part in inside), max(float(part.max()) for part in inside)
    if not np.isfinite([low, high]).all():
        raise DataError("these pictures hold infinite values.")
    return (0.0, 1.0) if low >= 0 and high <= 1 else (low, max(high, low + 1e-6))


def ends_for(held: Pictures, learnt: tuple[float, float]) -> tuple[float, float]:
    """What 0 and 1 stand for in pictures given to a model that learnt others: bytes and floats in [0, 1] mean the same.

    Raises `DataError` for floats far outside of what was learnt.
    """
    if held.dtype == np.uint8:
        return (0.0, 255.0) if learnt == (0.0, 1.0) else learnt
    inside = [picture[known] for picture, known in zip(held.pictures, held.known, strict=True)]
    if learnt == (0.0, 255.0) and max(float(part.max(initial=0)) for part in inside) <= MOST_OF_UNIT:
        return 0.0, 1.0
    means = [float(part.mean()) if part.size else learnt[0] for part in inside]
    span = learnt[1] - learnt[0]
    far = [number for number, mean in enumerate(means) if not learnt[0] - span <= mean <= learnt[1] + span]
    if far:
        raise DataError(
            f"picture {far[0]} has values about {means[far[0]]:g}, the model learnt from {learnt[0]:g} to "
            f"{learnt[1]:g}; scale them as those were (255 grey levels: give uint8)."
        )
    return learnt


def scaled(picture: ndarray, known: ndarray, ends: tuple[float, float]) -> ndarray:
    """A picture as float32 with values in [0, 1], 0 where it is not known."""
    values = (picture.astype(np.float32) - ends[0]) / np.float32(ends[1] - ends[0])
    return np.where(known[..., None], values, np.float32(0)).astype(np.float32)


def unscaled(values: ndarray, ends: tuple[float, float], dtype: np.dtype) -> ndarray:
    """The way back, cut to the range, and rounded for bytes."""
    out = values.clip(0, 1) * np.float32(ends[1] - ends[0]) + np.float32(ends[0])
    return np.rint(out).clip(0, 255).astype(np.uint8) if dtype == np.uint8 else out.astype(dtype)


# tiles to learn from ----------------------------------------------------------------------------------------


def sides(shapes: Iterable[tuple[int, ...]], side: int) -> tuple[int, int]:
    """Height and width of tiles: ``side``, or less where a picture is smaller."""
    held = list(shapes)
    return min(side, *(shape[0] for shape in held)), min(side, *(shape[1] for shape in held))


def places(shapes: Sequence[tuple[int, ...]], tile: tuple[int, int], seed: int) -> list[tuple[int, int, int]]:
    """Number of the picture, top and left of tiles to learn from: every picture once, larger ones as often as they
    hold tiles and half as often again, at random; at most `MOST_TILES`."""
    draw = np.random.default_rng(seed)
    area = np.array([shape[0] * shape[1] for shape in shapes], float) / (tile[0] * tile[1])
    wanted = np.maximum(1, np.rint(1.5 * area * (area > 1.5)))
    if (area > 1.5).any():
        wanted = np.ceil(wanted * np.clip(1.0, LEAST_TILES / wanted.sum(), MOST_TILES / wanted.sum()))
    found: list[tuple[int, int, int]] = []
    for number in range(len(shapes)):
        rest = (shapes[number][0] - tile[0], shapes[number][1] - tile[1])
        spots = [draw.integers(room + 1, size=int(wanted[number])).tolist() for room in rest]
        found += [(number, top, left) for top, left in zip(*spots, strict=True)]
    return found


def middles(source: Any, facts: Mapping[str, Any], value: Any = None) -> Source:
    """The middle tile of every picture, values in [0, 1]: what an autoencoder of tiles can be shown in a report."""
    held = taken(source, None, value, facts["channels"])
    ends, made = ends_for(held, (facts["range"][0], facts["range"][1])), []
    for picture, known in zip(held.pictures, held.known, strict=True):
        top, left = (max(0, (has - side) // 2) for has, side in zip(picture.shape, facts["tile"], strict=False))
        spot = (slice(top, top + facts["tile"][0]), slice(left, left + facts["tile"][1]))
        made.append(scaled(picture[spot], known[spot], ends))
    whole = [tile for tile in made if tile.shape[:2] == tuple(facts["tile"])]
    if not whole:
        raise DataError(f"these pictures are smaller than the tiles of {facts['tile']} pixels the model learnt from.")
    rows = np.stack(whole)
    return Source(rows[..., 0] if rows.shape[-1] == 1 else rows, "array", origin=getattr(source, "origin", ""))


def middle(picture: ndarray) -> ndarray:
    """The middle of a picture, at most `MIDDLE` pixels a side."""
    top, left = (max(0, (side - MIDDLE) // 2) for side in picture.shape[:2])
    return picture[top : top + MIDDLE, left : left + MIDDLE]


# going over whole pictures ----------------------------------------------------------------------------------


def over(function: Callable[[Tensor], Tensor], encoder: Any, rows: Tensor, tile: tuple[int, int]) -> Tensor:
    """What ``function`` makes of pictures (B, H, W, C), of any size: (B, H, W, T).

    A network that takes any size sees them whole, or in windows whose margins reach as far as it does: the same result,
    so there is no seam. One of fixed size sees overlapping tiles, which fade into each other.
    """
    if not isinstance(encoder, UShapedEncoder):
        return _faded(function, rows, tile)
    if rows.shape[1] * rows.shape[2] <= AT_ONCE:
        count = max(1, AT_ONCE // (rows.shape[1] * rows.shape[2]))
        return torch.cat([function(part) for part in rows.split(count)])
    return torch.cat([_windowed(function, row[None], encoder.reach, encoder.multiple) for row in rows])


def _windowed(function: Callable[[Tensor], Tensor], row: Tensor, reach: int, multiple: int) -> Tensor:
    margin = -(-reach // multiple) * multiple
    step = max(multiple, (int(AT_ONCE**0.5) - 2 * margin) // multiple * multiple)
    height, width = row.shape[1:3]
    lines = []
    for top in range(0, height, step):
        line = []
        for left in range(0, width, step):
            above, before = max(0, top - margin), max(0, left - margin)
            seen = function(row[:, above : top + step + margin, before : left + step + margin])
            inner = seen[:, top - above : top - above + step, left - before : left - before + step]
            line.append(inner[:, : height - top, : width - left])
        lines.append(torch.cat(line, 2))
    return torch.cat(lines, 1)


def _faded(function: Callable[[Tensor], Tensor], rows: Tensor, tile: tuple[int, int]) -> Tensor:
    height, width = rows.shape[1:3]
    if (height, width) == tuple(tile):
        return torch.cat([function(part) for part in rows.split(max(1, AT_ONCE // (height * width)))])
    if height < tile[0] or width < tile[1]:
        raise DataError(
            f"a picture of {height}x{width} pixels is smaller than the {tile[0]}x{tile[1]} this network was trained "
            "on; take network u-shaped, which goes over any size."
        )
    ramps = [torch.minimum(torch.arange(1.0, n + 1), torch.arange(float(n), 0, -1)) for n in tile]
    weight = (ramps[0][:, None] * ramps[1])[None, ..., None]
    total: Any = 0
    share = torch.zeros(1, height, width, 1)
    for top in _starts(height, tile[0]):
        for left in _starts(width, tile[1]):
            spot = (slice(None), slice(top, top + tile[0]), slice(left, left + tile[1]))
            seen = function(rows[spot])
            total = torch.zeros(len(rows), height, width, seen.shape[-1]) if isinstance(total, int) else total
            total[spot] += weight * seen
            share[spot] += weight
    return torch.as_tensor(total / share)


def _starts(length: int, side: int) -> list[int]:
    """Tiles that overlap by half; the last one ends with the picture."""
    return sorted({*range(0, length - side, max(1, side // 2)), length - side})
