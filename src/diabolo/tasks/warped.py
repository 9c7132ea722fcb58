"""Pictures moved a little: the natural way to make more of few, and the rival of pictures that a model makes."""

from __future__ import annotations

import math

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor
from torch.nn import functional

from ..core.errors import DataError, out_of_range

TURN, SHIFT, SCALE, SHEAR = 10.0, 0.08, 0.1, 0.1
"""Most degrees, most share of a side, most share, most slope."""
BEND, SMOOTH = 0.02, 0.12
"""Of the elastic part: usual displacement and its reach, as shares of a side."""
CHUNK = 512


def are_pictures(rows: object) -> bool:
    """Whether rows are pictures: (N, H, W) or (N, H, W, 1 to 4), no side a single value."""
    if not isinstance(rows, ndarray) or rows.ndim not in (3, 4) or (rows.ndim == 4 and rows.shape[3] > 4):
        return False
    return min(rows.shape[1:3]) > 1


def warped(
    pictures: ndarray,
    random: np.random.Generator,
    *,
    turn: float = TURN,
    shift: float = SHIFT,
    scale: float = SCALE,
    shear: float = SHEAR,
    bend: float = BEND,
) -> ndarray:
    """Every picture turned, shifted, scaled, sheared and bent by amounts of its own; what comes in at a border is the
    border.

        out(p) = in(A p + t + u(p)),    A, t uniform within the ends given;    u Gaussian noise, smoothed (elastic)

    pictures : (N, H, W) or (N, H, W, C), uint8 or floats; the same comes back.
    turn : degrees to either side. shift, scale : shares of a side. shear : slope. bend : usual displacement, share of a
        side. All at least 0; 0 leaves that part out.

    Raises `UsageError` for values below 0 or that are not finite, `DataError` for rows that are no pictures.

    Reference: Simard, Steinkraus & Platt (2003), "Best practices for convolutional neural networks applied to visual
    document analysis", section 2.

    >>> rows = np.arange(32, dtype=np.uint8).reshape(2, 4, 4)
    >>> still = dict(turn=0.0, shift=0.0, scale=0.0, shear=0.0, bend=0.0)
    >>> bool((warped(rows, np.random.default_rng(0), **still) == rows).all())
    True
    """
    amounts = {"turn": turn, "shift": shift, "scale": scale, "shear": shear, "bend": bend}
    for name, value in amounts.items():
        if not 0 <= value < math.inf:
            raise out_of_range(name, "a finite number of at least 0", value)
    if pictures.ndim not in (3, 4):
        raise DataError(f"only pictures (N, H, W) or (N, H, W, C) can be warped; these rows have {pictures.shape}.")
    generator = torch.Generator().manual_seed(int(random.integers(2**62)))
    out = np.empty_like(pictures)
    for begin in range(0, len(pictures), CHUNK):
        some = slice(begin, begin + CHUNK)
        out[some] = _warped(pictures[some], amounts, generator)
    return out


def _warped(pictures: ndarray, amounts: dict[str, float], generator: torch.Generator) -> ndarray:
    maps = torch.from_numpy(np.ascontiguousarray(pictures)).float().reshape(*pictures.shape[:3], -1).movedim(-1, 1)
    grid = functional.affine_grid(_matrices(len(maps), maps.shape[2:], amounts, generator), list(maps.shape), False)
    grid = grid + _bent(grid, amounts["bend"], generator)
    moved = functional.grid_sample(maps, grid, mode="bilinear", padding_mode="border", align_corners=False)
    values = moved.movedim(1, -1).reshape(pictures.shape).numpy()
    return np.rint(values).astype(pictures.dtype) if pictures.dtype.kind in "iu" else values.astype(pictures.dtype)


def _matrices(
    n: int, size: torch.Size, amounts: dict[str, float], generator: torch.Generator
) -> Float[Tensor, "n 2 3"]:
    """Where each pixel comes from, in units of half a side; turns are of pixels, so they stay turns in any shape."""
    draw = 2 * torch.rand(6, n, generator=generator) - 1
    angle = draw[0] * math.radians(amounts["turn"])
    wide, high = 1 + draw[1] * amounts["scale"], 1 + draw[2] * amounts["scale"]
    slope, aspect = draw[3] * amounts["shear"], size[0] / size[1]
    cos, sin = angle.cos(), angle.sin()
    rows = [
        torch.stack([cos * wide, (slope * cos - sin) * high * aspect, 2 * draw[4] * amounts["shift"]], 1),
        torch.stack([sin * wide / aspect, (slope * sin + cos) * high, 2 * draw[5] * amounts["shift"]], 1),
    ]
    return torch.stack(rows, 1)


def _bent(grid: Float[Tensor, "n h w 2"], bend: float, generator: torch.Generator) -> Float[Tensor, "n h w 2"] | float:
    """Smooth displacements, of standard deviation ``bend`` sides."""
    if bend == 0:
        return 0.0
    field = torch.randn(grid.shape, generator=generator).movedim(-1, 1)
    for axis, side in ((2, grid.shape[1]), (3, grid.shape[2])):
        reach = max(1, round(2 * SMOOTH * side))
        kernel = torch.exp(-0.5 * (torch.arange(-reach, reach + 1) / (SMOOTH * side)).square())
        kernel = kernel / kernel.square().sum().sqrt()  # the sum of independent values keeps its spread
        form = (1, 1, -1, 1) if axis == 2 else (1, 1, 1, -1)
        pad = (0, 0, reach, reach) if axis == 2 else (reach, reach, 0, 0)
        whole = functional.pad(field, pad, mode="circular") if reach < side else functional.pad(field, pad)
        field = functional.conv2d(whole, kernel.view(form).expand(2, *form[1:]), groups=2)
    return 2 * bend * field.movedim(1, -1)
