"""Fully connected network: a stack of layers down, its mirror up."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.layers import Mlp, activation
from ..core import Batch, Centred, Decoder, Encoder, Network, StepHook, register
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Shape, TakesSparse
from ..core.sparse import is_sparse, with_values


@register("network", "dense")
class Dense(Network):
    """Mirrored fully connected encoder and decoder (Hinton & Salakhutdinov 2006, Science 313).

        x ──▶ hidden[0] ──▶ … ──▶ features │ code ──▶ … ──▶ hidden[0] ──▶ recon

    Parameters: ``hidden`` widths of the encoder's hidden layers (the decoder mirrors them; empty: a linear
    autoencoder), ``activation``, ``norm`` (none, batch, layer), ``dropout`` in [0, 1), ``tied``: the decoder's
    weights are the encoder's, transposed (Vincent et al. 2010), only the biases are its own; ``atoms``: the columns of
    the decoder's first layer, one for each value of the code, keep norm 1, and a linear encoder starts as their
    transpose (Bricken et al. 2023; Gao et al. 2024): a dictionary for sparse codes; ``hides`` in [0, 1): dropout on the
    input itself (Liang et al. 2018). Sparse rows go through the first layer as they are.

    >>> encoder, decoder = Dense(hidden=(8,)).build((4,), 2, 2, (4,))
    >>> decoder(encoder(torch.zeros(3, 4))).shape
    torch.Size([3, 4])
    """

    def __init__(
        self,
        hidden: Sequence[int] = (128, 64),
        activation: str = "silu",
        norm: str = "none",
        dropout: float = 0.0,
        tied: bool = False,
        atoms: bool = False,
        hides: float = 0.0,
    ) -> None:
        if tied and atoms:
            raise UsageError("tied and atoms exclude each other: tied weights cannot keep norm 1 on one side only.")
        self.hidden, self.activation, self.norm = tuple(int(width) for width in hidden), activation, norm
        self.dropout, self.tied, self.atoms, self.hides = float(dropout), bool(tied), bool(atoms), float(hides)
        if not 0 <= self.hides < 1:
            raise out_of_range("hides", "in [0, 1)", hides)

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        options = (self.activation, self.norm, self.dropout)
        encoder = DenseEncoder((prod(shape), *self.hidden, features), *options, self.hides)
        if not self.tied:
            kind = AtomDecoder if self.atoms else DenseDecoder
            decoder = kind((code, *reversed(self.hidden), prod(out_shape)), out_shape, *options)
            if isinstance(decoder, AtomDecoder):
                decoder.lead(encoder)
            return encoder, decoder
        if features != code or prod(shape) != prod(out_shape):
            raise UsageError(
                "tied weights need an encoder and a decoder of mirrored sizes; here the encoder maps "
                f"{prod(shape)} values to {features} and the decoder {code} to {prod(out_shape)}. "
                "Use tied=False, or a bottleneck and loss that keep the sizes (identity, squared)."
            )
        return encoder, TiedDecoder(encoder, out_shape, self.activation)


class DenseEncoder(Encoder, Centred, TakesSparse):
    """(B, *S) flattened, or sparse (B, S), through the stack, to (B, F)."""

    def __init__(self, sizes: Sequence[int], act: str, norm: str, dropout: float, hides: float = 0.0) -> None:
        super().__init__()
        self.body, self.hides = Mlp(sizes, act, norm, dropout), hides

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        return self.body(self._shown(x.flatten(1)))

    def _shown(self, x: Tensor) -> Tensor:
        if not self.hides or not self.training:
            return x
        return with_values(x, self._dropped) if is_sparse(x) else self._dropped(x)

    def _dropped(self, values: Tensor) -> Tensor:
        return F.dropout(values, self.hides)

    def centre(self, value: Tensor) -> None:
        """Start as if the data were centred: the first layer's bias takes ``-W value``."""
        with torch.no_grad():
            self.body.first.bias.copy_(-(self.body.first.weight @ value.flatten()))


class DenseDecoder(Decoder, Centred):
    """(B, D) through the mirrored stack to (B, *out_shape)."""

    def __init__(self, sizes: Sequence[int], out_shape: Shape, act: str, norm: str, dropout: float) -> None:
        super().__init__()
        self.body, self.out_shape = Mlp(sizes, act, norm, dropout), tuple(out_shape)

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        return self.body(z).unflatten(1, self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``: the last bias takes it."""
        with torch.no_grad():
            self.body.last.bias.copy_(value.flatten())


class AtomDecoder(DenseDecoder, StepHook):
    """A dense decoder whose first layer is a dictionary: a column of norm 1 for each value of the code."""

    def __init__(self, sizes: Sequence[int], out_shape: Shape, act: str, norm: str, dropout: float) -> None:
        super().__init__(sizes, out_shape, act, norm, dropout)
        self.after_step(0, 1)

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        weight = self.body.first.weight
        weight.div_(weight.norm(dim=0, keepdim=True).clamp_min(1e-12))

    @torch.no_grad()
    def lead(self, encoder: DenseEncoder) -> None:
        """Let a linear encoder start as the transpose of a linear decoder: every unit first answers to its own atom."""
        mine, theirs = self.body.first.weight, encoder.body.first.weight
        if mine.shape == theirs.T.shape:
            theirs.copy_(mine.T)


class TiedDecoder(Decoder, Centred):
    """Decoder whose weights are the encoder's, transposed; only the biases are its own (no norm, no dropout)."""

    def __init__(self, encoder: DenseEncoder, out_shape: Shape, act: str) -> None:
        super().__init__()
        self._layers = [layer for layer in encoder.body.modules() if isinstance(layer, nn.Linear)][::-1]
        self.biases = nn.ParameterList(torch.zeros(layer.in_features) for layer in self._layers)
        self.act, self.out_shape = activation(act), tuple(out_shape)

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        for i, (layer, bias) in enumerate(zip(self._layers, self.biases, strict=True)):
            z = F.linear(z if i == 0 else self.act(z), layer.weight.T, bias)
        return z.unflatten(1, self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``: the last bias takes it."""
        with torch.no_grad():
            self.biases[-1].copy_(value.flatten())
