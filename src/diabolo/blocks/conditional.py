"""Any network's encoder and decoder, told a condition."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.errors import UsageError
from ..core.interfaces import Centred, Decoder, Encoder, Network, Shape


class Told(Network):
    """A network whose two sides are told a condition of ``size`` values (a one-hot class).

        x + E c ──▶ encoder ──▶ features        [z, c] ──▶ decoder ──▶ recon

    The encoder is given x plus a learned picture of the condition: for a dense first layer the same as joining c
    to x, for a convolution one more channel whose content is learned. The decoder is given z and c side by
    side, at every position. No condition: zeros, both sides are told nothing.

    >>> from torch import nn
    >>> from diabolo.core import make
    >>> encoder, decoder = Told(make("network", "dense(hidden=(8,))"), 3).build((4,), 2, 2, (4,))
    >>> c = torch.eye(3)
    >>> batch = Batch(torch.zeros(3, 4), torch.zeros(3, 4), cond=c)
    >>> decoder(encoder(batch.x, None, c), batch).shape
    torch.Size([3, 4])
    """

    def __init__(self, network: Network, size: int) -> None:
        self.network, self.size = network, size

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        encoder, decoder = self.network.build(shape, features, code + self.size, out_shape)
        return ToldEncoder(encoder, self.size, shape), ToldDecoder(decoder, self.size)


class ToldEncoder(Encoder, Centred):
    """features(x + E c): the picture E starts at zero, where the condition changes nothing."""

    def __init__(self, body: Encoder, size: int, shape: Shape) -> None:
        super().__init__()
        self.body, self.pictures = body, nn.Parameter(torch.zeros(size, *shape))

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Float[Tensor, "b c"] | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        if not x.is_floating_point():
            raise UsageError(f"a condition is added to real-valued rows; these are {x.dtype}.")
        out: Tensor | tuple[Tensor, ...] = self.body(
            x if cond is None else x + torch.tensordot(cond, self.pictures, 1), mask, cond
        )
        return out

    def centre(self, value: Tensor) -> None:
        """Start as if the data were centred, where the body can."""
        if isinstance(self.body, Centred):
            self.body.centre(value)


class ToldDecoder(Decoder, Centred):
    """recon([z, c])."""

    def __init__(self, body: Decoder, size: int) -> None:
        super().__init__()
        self.body, self.size = body, size

    def forward(self, z: Float[Tensor, "b *p d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        cond = batch.cond if batch is not None and batch.cond is not None else z.new_zeros(len(z), self.size)
        spread = cond.reshape(len(z), *(1,) * (z.ndim - 2), self.size).expand(*z.shape[:-1], self.size)
        out: Tensor = self.body(torch.cat([z, spread], -1), batch)
        return out

    def centre(self, value: Tensor) -> None:
        """Start at ``value``, where the body can."""
        if isinstance(self.body, Centred):
            self.body.centre(value)
