"""Dense network whose encoder gives features of several depths, coarse to fine."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.layers import Mlp, finish
from ..core import Centred, Encoder, Network, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape
from .dense import DenseDecoder


@register("network", "pyramid")
class Pyramid(Network):
    """Features from the depths of one dense stack, for bottlenecks of several layers (Sønderby et al. 2016, section 2).

        x ──▶ hidden[0] ──▶ hidden[1] ──▶ …              [z_1 … z_L] ──▶ … ──▶ hidden[0] ──▶ recon
                  │             │
                  ▼             ▼
            h_L (fine)     h_1 (coarse)

    The features are asked for by the bottleneck: one number gives one tensor, a tuple one tensor each, coarse (from
    the last hidden layer) to fine (from the first; the others are spread evenly between). The decoder is given all z
    side by side.

    Parameters: ``hidden`` widths of the stack, at least one; ``activation``, ``norm`` (none, batch, layer),
    ``dropout`` in [0, 1).

    >>> encoder, decoder = Pyramid(hidden=(8, 6)).build((5,), (2, 4), 3, (5,))
    >>> [tuple(h.shape) for h in encoder(torch.zeros(7, 5))], tuple(decoder(torch.zeros(7, 3)).shape)
    ([(7, 2), (7, 4)], (7, 5))
    """

    def __init__(
        self,
        hidden: Sequence[int] = (256, 128),
        activation: str = "silu",
        norm: str = "none",
        dropout: float = 0.0,
    ) -> None:
        self.hidden, self.options = tuple(int(width) for width in hidden), (activation, norm, float(dropout))
        if not self.hidden:
            raise out_of_range("hidden", "the width of at least one layer, for example (256, 128)", tuple(hidden))

    def build(
        self, shape: Shape, features: int | Sequence[int], code: int, out_shape: Shape
    ) -> tuple[PyramidEncoder, DenseDecoder]:
        encoder = PyramidEncoder(prod(shape), self.hidden, features, *self.options)
        return encoder, DenseDecoder((code, *reversed(self.hidden), prod(out_shape)), out_shape, *self.options)


class PyramidEncoder(Encoder, Centred):
    """(B, *S) flattened, to (B, F_1) … (B, F_L), coarse to fine; one tensor where ``features`` is one number."""

    def __init__(
        self, values: int, hidden: Sequence[int], features: int | Sequence[int], act: str, norm: str, dropout: float
    ) -> None:
        super().__init__()
        self.single = isinstance(features, int)
        sizes: Sequence[int] = (features,) if isinstance(features, int) else tuple(features)
        self.depths = depths(len(hidden), len(sizes))
        widths = (values, *hidden)
        self.stages = nn.ModuleList(
            finish(nn.Linear(widths[i], widths[i + 1]), widths[i + 1], act, norm, dropout) for i in range(len(hidden))
        )
        self.heads = nn.ModuleList(Mlp((hidden[depth], size)) for depth, size in zip(self.depths, sizes, strict=True))

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Tensor | tuple[Tensor, ...]:
        x, found = x.flatten(1), []
        for stage in self.stages:
            x = stage(x)
            found.append(x)
        features = tuple(head(found[depth]) for head, depth in zip(self.heads, self.depths, strict=True))
        return features[0] if self.single else features

    def centre(self, value: Tensor) -> None:
        """Start as if the data were centred: the first layer's bias takes ``-W value``."""
        first: Any = self.stages[0][0]  # type: ignore[index]
        with torch.no_grad():
            first.bias.copy_(-(first.weight @ value.flatten()))


def depths(layers: int, levels: int) -> tuple[int, ...]:
    """The hidden layer each level takes its features from, coarse to fine.

    >>> depths(2, 2), depths(4, 3), depths(1, 2), depths(3, 1)
    ((1, 0), (3, 2, 0), (0, 0), (2,))
    """
    if levels == 1:
        return (layers - 1,)
    return tuple(round((layers - 1) * (levels - 1 - level) / (levels - 1)) for level in range(levels))
