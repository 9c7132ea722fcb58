"""A head that says y beside the decoder that says x."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn

from ..blocks.layers import BatchNorm, Mlp
from ..core import AutoencoderModule, Batch, Bottleneck, Decoder, Latent
from ..core.interfaces import Shape


class Coded(Bottleneck):
    """A bottleneck that gives its deterministic code, where another would draw a sample: what `predict` will see."""

    def __init__(self, inner: Bottleneck) -> None:
        super().__init__()
        self.inner, self.in_features, self.out_features = inner, inner.in_features, inner.out_features

    def code(self, h: Tensor, mask: Tensor | None = None) -> Tensor:
        return self.inner.code(h, mask)

    def forward(self, h: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Latent:
        code = self.inner.code(h, mask)
        return Latent(code, code)


class Head(Decoder):
    """A code (B, *P, D), flattened, to (B, *out_shape) through a dense stack; no hidden layer: a linear probe.

    Codes are brought to mean 0 and deviation 1 first (a batch norm without weights): their scale is the
    autoencoder's business and says nothing about the classes.

    >>> Head(6, (8,), (3,))(torch.zeros(2, 3, 2)).shape
    torch.Size([2, 3])
    """

    def __init__(self, values: int, hidden: Sequence[int], out_shape: Shape) -> None:
        super().__init__()
        self.norm = BatchNorm(nn.BatchNorm1d(values, affine=False))
        self.body, self.out_shape = Mlp((values, *hidden, prod(out_shape))), tuple(out_shape)

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        out: Tensor = self.body(self.norm(z.flatten(1)))
        return out.unflatten(1, self.out_shape)


class Headed(AutoencoderModule):
    """The parts of an autoencoder, and a head on its code."""

    def __init__(self, module: AutoencoderModule, head: Head) -> None:
        super().__init__(module.encoder, module.bottleneck, module.decoder, module.prior)  # type: ignore[arg-type]
        self.head = head


def code_values(module: AutoencoderModule, shape: Shape) -> int:
    """Values of one code, all positions counted."""
    training = module.training
    with torch.no_grad():
        code = module.eval().code(torch.zeros(2, *shape))
    module.train(training)
    return prod(code.shape[1:])
