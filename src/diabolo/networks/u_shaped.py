"""U-shaped network: down to coarse maps and up again, what was fine joined on the way; features at every position."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..blocks.grid import check_dims, grid_of
from ..blocks.layers import activation, glorot, norm
from ..core import Batch, Centred, Corrects, Decoder, Encoder, Network, Uncompressed, register
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Shape

_CONV: Any = (None, nn.Conv1d, nn.Conv2d, nn.Conv3d)
_TRANSPOSED: Any = (None, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d)
SMALL = 0.01
"""What the first correction's weights are multiplied by."""


@register("network", "u-shaped")
class UShaped(Network):
    """A convolutional encoder that goes down and up again, with ways across; the decoder is a small head.

        x (B, H, W, C) ─▶ blocks ─────────────(+)─▶ blocks ─▶ features (B, H, W, F) ─▶ head ─▶ recon (B, H, W, T)
                            ▼ half the size     ▲                                         (+ x, with ``residual``)
                          blocks ────(+)─▶ blocks
                            ▼         ▲
                            … ``depth`` times …

    The code has as many positions as the row, and the ways across pass on every detail: such a network copies unless
    something is kept from it. It is for what must come back at full detail (denoising, inpainting, segmentation), with
    a corruption, with hidden pixels or with labels. Trained on pictures of one size it takes those of any other;
    inside, rows are continued by reflection to multiples of 2^depth.

    Parameters
    ----------
    width : channels of the finest maps; they double with every halving of the size.
    depth : halvings, int >= 1.
    blocks : pairs of convolutions at every size on either side, each with its input added; int >= 1.
    kernel : odd; of all convolutions but those that change the size.
    residual : the head's output is added to the first channels of the data, as many as come back, and starts near
        zero: an untrained network gives its input back. For losses without bounds (``squared``).
    activation : by name; norm : none, batch, layer.
    image, dims : the true shape of rows that come flattened; position axes 1, 2 or 3 (None: from the shape).

    Raises `UsageError` for parameters out of range, and where fewer channels come in than a residual is to come back.

    Reference: Ronneberger, Fischer & Brox (2015), "U-Net: convolutional networks for biomedical image segmentation";
    Zhang et al. (2021), "Plug-and-play image restoration with deep denoiser prior", section 3 (sums across).

    >>> encoder, decoder = UShaped(width=4, depth=2).build((9, 7, 4), 5, 5, (9, 7, 3))
    >>> x = torch.rand(2, 9, 7, 4)
    >>> encoder(x).shape, bool(torch.allclose(decoder(encoder(x), Batch(x, x)), x[..., :3], atol=0.05))
    (torch.Size([2, 9, 7, 5]), True)
    >>> encoder(torch.rand(1, 30, 17, 4)).shape
    torch.Size([1, 30, 17, 5])
    """

    def __init__(
        self,
        width: int = 32,
        depth: int = 2,
        blocks: int = 1,
        kernel: int = 3,
        residual: bool = True,
        activation: str = "relu",
        norm: str = "none",
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        for name, value in (("width", width), ("depth", depth), ("blocks", blocks)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if not isinstance(kernel, int) or kernel < 1 or kernel % 2 == 0:
            raise out_of_range("kernel", "an odd int", kernel)
        self.width, self.depth, self.blocks, self.kernel = width, depth, blocks, kernel
        self.residual, self.activation, self.norm = bool(residual), activation, norm
        self.image = None if image is None else tuple(int(side) for side in image)
        self.dims = check_dims(dims)

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        grid = grid_of(shape, self.image, self.dims)
        values, left = divmod(prod(out_shape), prod(grid[:-1]))
        if left or not values:
            raise UsageError(f"network 'u-shaped' puts out values at every position of {grid[:-1]}; not {out_shape}.")
        if self.residual and values > grid[-1]:
            raise UsageError(
                f"network 'u-shaped' adds its correction to the {grid[-1]} channels it is given, and {values} are to "
                "come back; take u-shaped(residual=False)."
            )
        return UShapedEncoder(self, grid, features), UShapedDecoder(self, grid, code, values, tuple(out_shape))

    def pair(self, width: int, dims: int, total: int) -> _Pair:
        """A pair of convolutions that adds to its input, one of ``total``."""
        convolve = _CONV[dims]
        first, second = (convolve(width, width, self.kernel, padding="same") for _ in range(2))
        return _Pair(first, second, activation(self.activation), norm(self.norm, width, dims), total)


class _Grid:
    """How rows lie: their axes as positions and channels, whatever the size."""

    def __init__(self, net: UShaped, grid: Shape) -> None:
        self.image, self.axes = net.image, len(grid) - 1

    def maps(self, rows: Tensor) -> Tensor:
        """Rows (B, *S) as maps (B, C, *P)."""
        if self.image is not None:
            rows = rows.reshape(len(rows), *self.image)
        return (rows if rows.ndim == self.axes + 2 else rows.unsqueeze(-1)).movedim(-1, 1)


class _Pair(nn.Module):
    """x + conv(act(norm(conv(x)))), the second convolution small where there are many such pairs."""

    def __init__(self, first: Any, second: Any, act: nn.Module, normed: nn.Module | None, total: int) -> None:
        super().__init__()
        self.first, self.second, self.act = glorot(first), glorot(second), act
        self.norm = nn.Identity() if normed is None else normed
        with torch.no_grad():
            second.weight.mul_(total**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = x + self.second(self.act(self.norm(self.first(x))))
        return out


class UShapedEncoder(Encoder, Uncompressed):
    """(B, *P, C) to (B, *P, F), for any number of positions.

    ``multiple``: what is moved by so many positions comes out moved. ``reach``: how far, at most, an output position
    looks, the head included.
    """

    def __init__(self, net: UShaped, grid: Shape, features: int) -> None:
        super().__init__()
        self.rows, dims, depth = _Grid(net, grid), len(grid) - 1, net.depth
        total, half = net.blocks * (2 * depth + 1), net.kernel // 2
        self.multiple = 2**depth
        self.reach = 3 * half + 2 * half * net.blocks * (3 * 2**depth - 2) + 2 * (2**depth - 1)
        widths = [net.width * 2**level for level in range(depth + 1)]

        def pairs(width: int) -> nn.Sequential:
            return nn.Sequential(*(net.pair(width, dims, total) for _ in range(net.blocks)))

        self.first = glorot(_CONV[dims](grid[-1], net.width, net.kernel, padding="same"))
        self.before = nn.ModuleList(pairs(width) for width in widths[:-1])
        self.down = nn.ModuleList(glorot(_CONV[dims](w, 2 * w, 2, 2)) for w in widths[:-1])
        self.bottom = pairs(widths[-1])
        self.up = nn.ModuleList(glorot(_TRANSPOSED[dims](2 * w, w, 2, 2)) for w in widths[:-1])
        self.after = nn.ModuleList(pairs(width) for width in widths[:-1])
        self.last = glorot(_CONV[dims](net.width, features, 1))

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b *p f"]:
        maps = self.rows.maps(x)
        sides = maps.shape[2:]
        maps = self.first(continued(maps, 2 ** len(self.down)))
        across = []
        for before, down in zip(self.before, self.down, strict=True):
            across.append(before(maps))
            maps = down(across[-1])
        maps = self.bottom(maps)
        for up, after, fine in reversed(list(zip(self.up, self.after, across, strict=True))):
            maps = after(up(maps) + fine)
        whole = (slice(None), slice(None), *(slice(side) for side in sides))
        out: Tensor = self.last(maps[whole]).movedim(1, -1)
        return out


class UShapedDecoder(Decoder, Centred, Corrects):
    """(B, *P, D) to (B, *P, T) by two convolutions; added to the first T channels of the data, with ``residual``."""

    def __init__(self, net: UShaped, grid: Shape, code: int, values: int, out_shape: Shape) -> None:
        super().__init__()
        dims = len(grid) - 1
        self.rows, self.residual = _Grid(net, grid), net.residual
        self.plain, self.flat = len(out_shape) == dims, out_shape if net.image is not None else None
        self.values, self.trailing = values, out_shape[dims:]
        self.head = nn.Sequential(
            activation(net.activation),
            glorot(_CONV[dims](code, net.width, net.kernel, padding="same")),
            activation(net.activation),
            glorot(_CONV[dims](net.width, values, net.kernel, padding="same")),
        )
        if net.residual:
            with torch.no_grad():
                self.head[-1].weight.mul_(SMALL)  # type: ignore[operator, union-attr]

    def forward(self, z: Float[Tensor, "b *p d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        maps: Tensor = self.head(z.movedim(-1, 1))
        if self.residual and batch is not None:
            maps = maps + self.rows.maps(batch.x)[:, : self.values]
        rows = maps.movedim(1, -1)
        if self.flat is not None:
            return rows.reshape(len(rows), *self.flat)
        return rows.squeeze(-1) if self.plain else rows.unflatten(-1, self.trailing)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``, as far as one bias a channel can; a correction starts at nothing."""
        if not self.residual:
            with torch.no_grad():
                self.head[-1].bias.copy_(value.reshape(-1, self.values).mean(0))  # type: ignore[operator, union-attr]


def continued(maps: Tensor, multiple: int) -> Tensor:
    """Maps (B, C, *P) with sides that are multiples, continued after their end by reflection.

    Where a side is too short to be reflected its last entry is repeated.

    >>> continued(torch.arange(3.0).reshape(1, 1, 3), 4)
    tensor([[[0., 1., 2., 1.]]])
    """
    extra = [-side % multiple for side in maps.shape[2:]]
    if not any(extra):
        return maps
    short = any(more >= side for more, side in zip(extra, maps.shape[2:], strict=True))
    ends = [end for more in reversed(extra) for end in (0, more)]
    return functional.pad(maps, ends, mode="replicate" if short else "reflect")
