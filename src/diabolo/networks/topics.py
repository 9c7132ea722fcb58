"""The network of a neural topic model: a batch-normalised encoder, and a decoder that multiplies experts."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.layers import BatchNorm, Mlp, activation, glorot
from ..core import Batch, Centred, Decoder, Encoder, Network, register
from ..core.errors import out_of_range
from ..core.interfaces import Shape, TakesSparse


@register("network", "topics")
class Topics(Network):
    """A product of experts: every topic adds to the logits of the words it is about.

        x ──▶ hidden, softplus ──▶ linear ──BN──▶ features
        z ──softmax──▶ θ (shares of topics) ──dropout──▶ θ W ──BN──▶ + b = logits of words

    The batch norms have a shift and no scale: features cannot shrink to a constant, nor logits to one that all topics
    share, so that no topic dies (component collapse). b starts at the words' frequencies, so that topics are what
    differs from them.

    Parameters: ``hidden`` widths of the encoder's hidden layers, one at least; ``dropout`` in [0, 1), of the hidden
    layers and of θ. Sparse rows go through the first layer as they are.

    Raises `UsageError` for parameters out of range.

    Reference: Srivastava & Sutton (2017), "Autoencoding variational inference for topic models", section 4.

    >>> encoder, decoder = Topics(hidden=(8,)).build((5,), 6, 3, (5,))
    >>> decoder.eval()(encoder(torch.rand(4, 5))[:, :3]).shape
    torch.Size([4, 5])
    """

    def __init__(self, hidden: Sequence[int] = (100, 100), dropout: float = 0.0) -> None:
        self.hidden, self.dropout = tuple(int(width) for width in hidden), float(dropout)
        if not self.hidden or min(self.hidden) < 1:
            raise out_of_range("hidden", "at least one width of at least 1", hidden)
        if not 0 <= self.dropout < 1:
            raise out_of_range("dropout", "in [0, 1)", dropout)

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        encoder = TopicEncoder((prod(shape), *self.hidden), features, self.dropout)
        return encoder, TopicDecoder(code, out_shape, self.dropout)


class Shifted(nn.Module):
    """Batch norm over (B, width) with a learned shift and no learned scale."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm, self.shift = BatchNorm(nn.BatchNorm1d(width, affine=False)), nn.Parameter(torch.zeros(width))

    def forward(self, x: Float[Tensor, "b f"]) -> Float[Tensor, "b f"]:
        return self.norm(x) + self.shift


class TopicEncoder(Encoder, Centred, TakesSparse):
    """(B, *S) flattened, or sparse (B, S), to normalised features (B, F)."""

    def __init__(self, sizes: Sequence[int], features: int, dropout: float) -> None:
        super().__init__()
        self.body = Mlp(sizes, "softplus", dropout=dropout)
        self.rest = nn.Sequential(
            activation("softplus"), nn.Dropout(dropout), glorot(nn.Linear(sizes[-1], features, bias=False))
        )
        self.out = Shifted(features)

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        return self.out(self.rest(self.body(x.flatten(1))))

    def centre(self, value: Tensor) -> None:
        """Start as if the data were centred: the first layer's bias takes ``-W value``."""
        with torch.no_grad():
            self.body.first.bias.copy_(-(self.body.first.weight @ value.flatten()))


class TopicDecoder(Decoder, Centred):
    """(B, K) before the softmax to logits (B, *out_shape); ``weight`` (K, V) says which words a topic is about."""

    def __init__(self, topics: int, out_shape: Shape, dropout: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(nn.init.xavier_uniform_(torch.empty(topics, prod(out_shape))))
        self.drop, self.out, self.out_shape = nn.Dropout(dropout), Shifted(prod(out_shape)), tuple(out_shape)

    def forward(self, z: Float[Tensor, "b k"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        shares = self.drop(torch.softmax(z, -1))
        return self.out(shares @ self.weight).unflatten(1, self.out_shape)

    def abouts(self) -> Float[Tensor, "k v"]:
        """How much every topic is about every word: what it adds to the logit beyond the other topics' mean, times its
        share of the word among all topics (Bischof & Airoldi 2012: words that are frequent there and exclusive).
        """
        norm = self.out.norm.body
        beyond = self.weight - self.weight.mean(0)
        return beyond * torch.softmax(beyond / torch.sqrt(norm.running_var + norm.eps), 0)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``: the shift takes it."""
        with torch.no_grad():
            self.out.shift.copy_(value.flatten())
