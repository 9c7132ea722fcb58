"""A deep encoder and its decoder as a pile of shallow autoencoders that own the same layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..core import Batch, Decoder, Encoder
from ..core.errors import UsageError
from ..core.interfaces import Shape
from .convolutional import ConvDecoder, ConvEncoder
from .dense import DenseDecoder, DenseEncoder, TiedDecoder


@dataclass(frozen=True)
class Level:
    """One level of a deep autoencoder: the layers down to its code and those back up.

    x_k ──down──▶ x_(k+1) ──up──▶ what ``activation`` turns into x_k

    ``up`` stops before the activation, so that a loss may put its own link there; ``activation`` is None for the
    lowest level, which gives back the data; ``width``: values of the code. The layers are those of the deep network,
    not copies.
    """

    down: Encoder
    up: Decoder
    activation: nn.Module | None
    width: int


def levels(encoder: Encoder, decoder: Decoder) -> list[Level]:
    """The levels of a dense or convolutional pair, lowest first. Raises `UsageError` for any other network.

    >>> from .dense import Dense
    >>> pile = levels(*Dense(hidden=(8, 4), activation="sigmoid").build((16,), 2, 2, (16,)))
    >>> [(level.width, level.activation) for level in pile]
    [(8, None), (4, Sigmoid()), (2, Sigmoid())]
    """
    if isinstance(encoder, DenseEncoder) and isinstance(decoder, DenseDecoder | TiedDecoder):
        return _dense(encoder, decoder)
    if isinstance(encoder, ConvEncoder) and isinstance(decoder, ConvDecoder):
        return _convolutional(encoder, decoder)
    raise UsageError(
        f"layers are trained one after the other in networks 'dense' and 'conv'; this one is {type(encoder).__name__}."
    )


class Down(Encoder):
    """Some layers of an encoder, on rows brought to ``shape``; ``maps``: layers that take channels first."""

    def __init__(self, body: nn.Module, shape: Shape | None = None, maps: bool = False) -> None:
        super().__init__()
        self.body, self.shape, self.maps = body, shape, maps

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return _run(self.body, x if self.shape is None else x.reshape(len(x), *self.shape), self.maps)


class Up(Decoder):
    """Some layers of a decoder, whose rows are brought to ``shape``."""

    def __init__(self, body: nn.Module, shape: Shape | None = None, maps: bool = False) -> None:
        super().__init__()
        self.body, self.shape, self.maps = body, shape, maps

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        out = _run(self.body, z, self.maps)
        return out if self.shape is None else out.reshape(len(out), *self.shape)


def _run(body: nn.Module, x: Tensor, maps: bool) -> Tensor:
    out: Tensor = body(x.movedim(-1, 1)).movedim(1, -1) if maps else body(x)
    return out


class TiedUp(Decoder):
    """A layer of the encoder, transposed, with a bias of the decoder's own."""

    def __init__(self, layer: nn.Linear, biases: nn.ParameterList, place: int, shape: Shape | None) -> None:
        super().__init__()
        self._layer, self.biases, self.place, self.shape = [layer], nn.ParameterList([biases[place]]), place, shape

    def forward(self, z: Tensor, batch: Batch | None = None) -> Tensor:
        out = functional.linear(z, self._layer[0].weight.T, self.biases[0])
        return out if self.shape is None else out.unflatten(1, self.shape)


def _dense(encoder: DenseEncoder, decoder: DenseDecoder | TiedDecoder) -> list[Level]:
    found = []
    stages: Sequence[Any] = list(encoder.body.stages)
    for k, down in enumerate(stages):
        place = len(stages) - 1 - k
        shape = decoder.out_shape if k == 0 else None
        up: Decoder
        if isinstance(decoder, TiedDecoder):
            up, act = TiedUp(decoder._layers[place], decoder.biases, place, shape), decoder.act
        else:
            body, act = _split(decoder.body.stages[place])  # type: ignore[arg-type]
            up = Up(body, shape)
        found.append(Level(Down(down, (-1,) if k == 0 else None), up, act if k else None, down[0].out_features))
    return found


def _convolutional(encoder: ConvEncoder, decoder: ConvDecoder) -> list[Level]:
    found = []
    ups: Sequence[Any] = list(decoder.stages)[::-1]
    downs: Sequence[Any] = list(encoder.stages)
    for k, (down, up) in enumerate(zip(downs, ups, strict=True)):
        # a way up begins with the activation of what comes from above; here that is activated already
        way_up = Up(nn.Sequential(*list(up)[1:]), decoder.out_shape if k == 0 else None, maps=True)
        act = _activation(ups[k - 1]) if k else None
        way_down = Down(down, encoder.grid if k == 0 else None, maps=True)
        found.append(Level(way_down, way_up, act, down[0].out_channels))
    flat, top = ((-1,), decoder.top) if decoder.flat else (None, None)
    width = encoder.head.last.out_features
    found.append(Level(Down(encoder.head, flat), Up(decoder.head, top), _activation(ups[-1]), width))
    return found


def _activation(up: nn.Sequential) -> nn.Module:
    """What a way up does first to the maps it is given."""
    first: nn.Module = up[0][-1]  # type: ignore[index]
    return first


def _split(stage: nn.Sequential) -> tuple[nn.Sequential, nn.Module]:
    """The layers before the activation, and the activation (the identity if there is none)."""
    layers = [layer for layer in stage if not isinstance(layer, nn.Dropout)]
    if len(layers) > 1 and not _weighted(layers[-1]):
        return nn.Sequential(*layers[:-1]), layers[-1]
    return nn.Sequential(*layers), nn.Identity()


def _weighted(layer: nn.Module) -> bool:
    return any(True for _ in layer.parameters())
