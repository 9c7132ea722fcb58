"""Network over videos: every frame through convolutions, then over time through a recurrent network."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core import Batch, Centred, Decoder, Encoder, Network, register
from ..core.errors import UsageError
from ..core.interfaces import Shape
from .convolutional import Convolutional
from .recurrent import Recurrent


@register("network", "frames")
class Frames(Network):
    """A convolutional encoder sees one frame at a time, a recurrent one what it made of them.

        frame_1 ─conv─▶ v_1 ─┐                              ┌─▶ v_1 ─conv─▶ frame_1
          …              …    ├─▶ recurrent ─▶ features ┊ code ─▶ recurrent ─▶ …
        frame_T ─conv─▶ v_T ─┘                              └─▶ v_T ─conv─▶ frame_T

    Rows (T, H, W) or (T, H, W, C). Frames that are masked are read by nothing. Parameters: ``vector`` values that a
    frame becomes; ``width`` of the recurrent state; ``cell``, ``layers``, ``bidirectional`` as in network 'recurrent';
    ``channels``, ``kernel``, ``stride`` and ``activation`` as in network 'conv'.

    Reference: Donahue et al. (2015), "Long-term recurrent convolutional networks for visual recognition and
    description"; Srivastava, Mansimov & Salakhutdinov (2015), section 2.2, for the decoder.

    >>> encoder, decoder = Frames(channels=(4, 8)).build((5, 8, 6), 3, 3, (5, 8, 6))
    >>> decoder(encoder(torch.zeros(2, 5, 8, 6))).shape
    torch.Size([2, 5, 8, 6])
    """

    def __init__(
        self,
        vector: int = 64,
        width: int = 128,
        layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        channels: Sequence[int] = (16, 32, 64),
        kernel: int = 3,
        stride: int = 2,
        activation: str = "silu",
    ) -> None:
        self.vector = vector
        self.still = Convolutional(channels, kernel, stride, activation=activation, dims=2)
        self.moving = Recurrent(width, layers, cell, bidirectional)

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        if len(shape) not in (3, 4) or shape[0] != out_shape[0]:
            raise UsageError(
                f"network 'frames' needs rows (T, H, W) or (T, H, W, C), as many frames out as in; got {tuple(shape)} "
                f"and {tuple(out_shape)}. Use network 'conv' or 'dense'."
            )
        steps = (shape[0], self.vector)
        still = self.still.build(tuple(shape[1:]), self.vector, self.vector, tuple(out_shape[1:]))
        moving = self.moving.build(steps, features, code, steps)
        return FramesEncoder(still[0], moving[0]), FramesDecoder(still[1], moving[1], tuple(out_shape))


class FramesEncoder(Encoder):
    """(B, T, H, W[, C]) to (B, F)."""

    def __init__(self, still: Encoder, moving: Encoder) -> None:
        super().__init__()
        self.still, self.moving = still, moving

    def forward(
        self, x: Float[Tensor, "b t *s"], mask: Bool[Tensor, "b t"] | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        if mask is not None:  # not even NaN may pass, nor come back as a gradient
            x = torch.where(mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)), x, 0)
        vectors: Any = self.still(x.flatten(0, 1)).unflatten(0, x.shape[:2])
        out: Tensor = self.moving(vectors, mask)
        return out


class FramesDecoder(Decoder, Centred):
    """(B, D) to (B, T, H, W[, C])."""

    def __init__(self, still: Any, moving: Decoder, out_shape: Shape) -> None:
        super().__init__()
        self.still, self.moving, self.out_shape = still, moving, out_shape

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        vectors = self.moving(z, batch)
        return self.still(vectors.flatten(0, 1)).reshape(len(z), *self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at ``value`` (T, H, W[, C]), at its mean over time."""
        self.still.centre(
            value.reshape(self.out_shape[0], prod(self.out_shape[1:])).mean(0).reshape(self.out_shape[1:])
        )
