"""Convolutional network of any size and channel count: strided or pooled down, transposed convolutions up."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..blocks.grid import check_dims
from ..blocks.layers import Mlp, finish, glorot
from ..core import Batch, Centred, Decoder, Encoder, Network, register
from ..core.errors import UsageError, unknown
from ..core.interfaces import Shape

_CONV: Any = (None, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: Any = (None, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
_POOLS: dict[str, Any] = {
    "max": (None, nn.MaxPool1d, nn.MaxPool2d, nn.MaxPool3d),
    "average": (None, nn.AvgPool1d, nn.AvgPool2d, nn.AvgPool3d),
}

PADDINGS = ("zeros", "reflect")


@dataclass(frozen=True)
class Level:
    """One level down and its way up again: sizes, kernel, stride and the paddings that make both exact."""

    before: Shape
    after: Shape
    kernel: Shape
    stride: int
    padding: Shape
    up_padding: Shape
    up_extra: Shape


def plan_level(before: Shape, kernel: int, stride: int, pooled: bool) -> Level:
    """Sizes and paddings of one level, so that the transposed convolution gives back ``before`` exactly.

    Down: after = (before + 2 padding - kernel) // stride + 1; with pooling, ceil(before / stride).
    Up:   before = (after - 1) stride - 2 up_padding + kernel + up_extra, with 0 <= up_extra < stride.

    >>> plan_level((28, 27), 4, 2, False).after
    (14, 13)
    """
    after, padding, up_padding, up_extra, kernels = [], [], [], [], []
    for size in before:
        width = min(kernel, 2 * size - 1)
        pad = max((width - 1) // 2, 0)
        size_after = -(-size // stride) if pooled else (size + 2 * pad - width) // stride + 1
        missing = (size_after - 1) * stride + width - size
        extra = next((e for e in range(stride) if missing + e >= 0 and (missing + e) % 2 == 0), None)
        if extra is None:
            raise UsageError(
                f"a kernel of {kernel} with stride {stride} cannot be mirrored exactly on a side of {size} pixels; "
                "use an odd kernel with stride 1, or a kernel of at least the stride."
            )
        after.append(size_after)
        padding.append(pad)
        kernels.append(width)
        up_padding.append((missing + extra) // 2)
        up_extra.append(extra)
    return Level(before, tuple(after), tuple(kernels), stride, tuple(padding), tuple(up_padding), tuple(up_extra))


@register("network", "conv")
class Convolutional(Network):
    """Convolutional encoder and mirrored decoder (Masci et al. 2011, "Stacked convolutional auto-encoders").

        x (B, H, W, C) ──conv, stride or pool── … ──flatten, hidden──▶ features (B, F)
        code (B, D) ──hidden, unflatten── … ──transposed conv──▶ recon (B, H, W, C)

    Any size, odd ones too: every level knows the size it came from. With ``flat=False`` the positions stay:
    features are (B, H', W', F).

    Parameters: ``channels`` of the levels; ``kernel`` and ``stride``, one number or one a level; ``pool`` (none,
    max, average: then the convolution keeps the size and pooling by ``stride`` reduces it); ``hidden`` widths
    between the last level and the code; ``activation``, ``norm``, ``dropout``; ``dims`` 1, 2 or 3 position axes (None:
    3 for rows of four axes, 1 for rows (T, 1), else 2, so a series of several channels needs ``dims=1``); ``image`` the
    (H, W) or (H, W, C) of rows that come flattened; ``padding``: what lies outside a picture, "zeros" or "reflect" (its
    mirror image, on the way down and up: no artefacts at borders, Liu et al. 2018).

    >>> encoder, decoder = Convolutional(channels=(4, 8)).build((9, 7, 3), 5, 5, (9, 7, 3))
    >>> decoder(encoder(torch.zeros(2, 9, 7, 3))).shape
    torch.Size([2, 9, 7, 3])
    """

    def __init__(
        self,
        channels: Sequence[int] = (32, 64, 128),
        kernel: int | Sequence[int] = 3,
        stride: int | Sequence[int] = 2,
        pool: str = "none",
        hidden: Sequence[int] = (),
        activation: str = "silu",
        norm: str = "none",
        dropout: float = 0.0,
        flat: bool = True,
        dims: int | None = None,
        image: Sequence[int] | None = None,
        padding: str = "zeros",
    ) -> None:
        if padding not in PADDINGS:
            raise unknown("padding", padding, PADDINGS)
        if pool != "none" and pool not in _POOLS:
            raise unknown("pool", pool, ["none", *_POOLS])
        check_dims(dims)
        self.channels = tuple(int(width) for width in channels)
        if pool != "none" and any(side % 2 == 0 for side in _per_level(kernel, self.channels, "kernel")):
            raise UsageError(f"with pooling, kernels must be odd so that a convolution keeps the size; got {kernel!r}.")
        if not self.channels:
            raise UsageError("channels must name at least one level, for example (32, 64).")
        self.kernel, self.stride = (
            _per_level(kernel, self.channels, "kernel"),
            _per_level(stride, self.channels, "stride"),
        )
        self.pool, self.hidden, self.activation, self.norm = pool, tuple(hidden), activation, norm
        self.dropout, self.flat, self.dims, self.padding = float(dropout), flat, dims, padding
        self.image = tuple(int(side) for side in image) if image is not None else None

    def levels(self, shape: Shape) -> list[Level]:
        """The shape plan: every level from the data's size down."""
        size, levels = self.grid(shape)[:-1], []
        for kernel, stride in zip(self.kernel, self.stride, strict=True):
            levels.append(plan_level(size, kernel, stride, self.pool != "none"))
            size = levels[-1].after
        return levels

    def grid(self, shape: Shape) -> Shape:
        """``shape`` as (*positions, channels). Raises `UsageError` if the data has no such form."""
        full = self.image if self.image is not None else tuple(shape)
        if prod(full) != prod(shape):
            raise UsageError(f"image={full} has {prod(full)} values, a row of the data has {prod(shape)}.")
        axes = self.dims if self.dims is not None else 3 if len(full) == 4 else 1 if full[1:] == (1,) else 2
        if len(full) == axes:
            return (*full, 1)
        if len(full) == axes + 1:
            return full
        raise UsageError(
            f"a {axes}-D convolution needs rows of {axes} positions (and channels last); "
            f"these have shape {full}. "
            "Use network 'dense', or say the shape: conv(image=(28, 28))."
        )

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        grid, levels = self.grid(shape), self.levels(shape)
        values = prod(out_shape) // prod(grid[:-1])
        return (
            ConvEncoder(self, levels, grid, features),
            ConvDecoder(self, levels, values, code, tuple(out_shape)),
        )


def _per_level(value: int | Sequence[int], channels: Sequence[int], name: str) -> tuple[int, ...]:
    values = (value,) * len(channels) if isinstance(value, int) else tuple(int(item) for item in value)
    if len(values) != len(channels) or min(values) < 1:
        raise UsageError(
            f"{name} must be one number or one for each of the {len(channels)} levels, at least 1; got {value!r}."
        )
    return values


class ConvEncoder(Encoder):
    """(B, *S) to (B, F), or (B, *P, F) when positions are kept."""

    def __init__(self, net: Convolutional, levels: list[Level], grid: Shape, features: int) -> None:
        super().__init__()
        self.grid, self.flat, stages, width = grid, net.flat, [], grid[-1]
        for level, channels in zip(levels, net.channels, strict=True):
            stages.append(_down(net, level, width, channels))
            width = channels
        self.stages = nn.Sequential(*stages)
        size = prod(levels[-1].after) * width if net.flat else width
        self.head = Mlp((size, *net.hidden, features), net.activation, net.norm if net.flat else "none", net.dropout)

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b *p f"]:
        maps = self.stages(x.reshape(len(x), *self.grid).movedim(-1, 1)).movedim(1, -1)
        out: Tensor = self.head(maps.flatten(1) if self.flat else maps)
        return out


class ConvDecoder(Decoder, Centred):
    """(B, *P, D) to (B, *out_shape) through mirrored transposed convolutions."""

    def __init__(self, net: Convolutional, levels: list[Level], values: int, code: int, out_shape: Shape) -> None:
        super().__init__()
        self.flat, self.out_shape, stages = net.flat, out_shape, []
        top = (*levels[-1].after, net.channels[-1])
        self.top = top
        size = prod(top) if net.flat else net.channels[-1]
        self.head = Mlp((code, *reversed(net.hidden), size), net.activation, "none", net.dropout)
        below = (values, *net.channels[:-1])
        for i, (level, width) in reversed(list(enumerate(zip(levels, below, strict=True)))):
            stages.append(_up(net, level, net.channels[i], width, last=i == 0))
        self.stages = nn.Sequential(*stages)

    def forward(self, z: Float[Tensor, "b *p d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        maps = self.head(z)
        if self.flat:
            maps = maps.unflatten(1, self.top)
        return self.stages(maps.movedim(-1, 1)).movedim(1, -1).reshape(len(z), *self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``, as far as one bias a channel can."""
        last: Any = self.stages[-1][-1]  # type: ignore[index]
        with torch.no_grad():
            last.bias.copy_(value.reshape(-1, len(last.bias)).mean(0))  # type: ignore[union-attr]


class Reflected(nn.Module):
    """A transposed convolution of maps continued by reflection; what it makes of the continuation is cut off."""

    def __init__(self, conv: Any, stride: int) -> None:
        super().__init__()
        self.conv, self.stride = glorot(conv), stride

    @property
    def bias(self) -> Tensor:
        """The bias of the convolution, one a channel."""
        found: Tensor = self.conv.bias  # type: ignore[assignment]
        return found

    def forward(self, maps: Tensor) -> Tensor:
        out: Tensor = self.conv(functional.pad(maps, (1, 1) * (maps.ndim - 2), mode="reflect"))
        inside = slice(self.stride, -self.stride)
        return out[(slice(None), slice(None), *(inside,) * (maps.ndim - 2))]


def _down(net: Convolutional, level: Level, width: int, channels: int) -> nn.Sequential:
    pooled, dims = net.pool != "none", len(level.before)
    padding: str | Shape = "same" if pooled else level.padding
    conv = _CONV[dims](width, channels, level.kernel, 1 if pooled else level.stride, padding,
                           padding_mode=net.padding)  # type: ignore[misc]  # fmt: skip
    stage = finish(conv, channels, net.activation, net.norm, net.dropout, dims)
    if pooled and level.stride > 1:
        stage.append(_POOLS[net.pool][dims](level.stride, ceil_mode=True))  # type: ignore[misc]
    return stage


def _up(net: Convolutional, level: Level, width: int, channels: int, last: bool) -> nn.Sequential:
    dims = len(level.before)
    conv = _TRANSPOSED[dims](  # type: ignore[misc]
        width, channels, level.kernel, level.stride, level.up_padding, level.up_extra
    )
    if net.padding == "reflect" and min(level.after) > 1:
        conv = Reflected(conv, level.stride)
    before: list[nn.Module] = [finish(nn.Identity(), width, net.activation, "none", 0.0, dims)]
    return nn.Sequential(*before, finish(conv, channels, "linear", "none" if last else net.norm, 0.0, dims)[0])
