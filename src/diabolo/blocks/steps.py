"""What networks over sequences share: steps in, steps out, tokens as vectors."""

from __future__ import annotations

from abc import abstractmethod
from math import prod
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Centred, Decoder, Shape
from .layers import glorot


class Steps(nn.Module):
    """Steps (B, T, …) as vectors (B, T, width): a linear map of real values, or one learned vector a token.

    ``vocabulary``: number of tokens; x then holds their indices (B, T). Padded positions become zeros, so that
    nothing behind them, not even NaN, can pass.
    """

    def __init__(self, shape: Shape, width: int, vocabulary: int | None = None) -> None:
        super().__init__()
        self.vocabulary = vocabulary
        if vocabulary is not None and len(shape) != 1:
            raise UsageError(f"tokens are rows of one index a step, shape (T,); these have shape {tuple(shape)}.")
        self.body: nn.Module = (
            glorot(nn.Linear(prod(shape[1:]), width)) if vocabulary is None else nn.Embedding(vocabulary, width)
        )

    def forward(self, x: Float[Tensor, "b t *s"], mask: Bool[Tensor, "b t"] | None = None) -> Float[Tensor, "b t w"]:
        if mask is not None:
            if mask.shape != x.shape[:2]:
                raise UsageError(
                    f"the mask has {mask.shape[1]} positions, the sequences {x.shape[1]} steps; corruption 'patches' "
                    "of more than one step needs network 'masked'."
                )
            x = torch.where(mask.reshape(*mask.shape, *(1,) * (x.ndim - 2)), x, 0)
        values: Tensor = (
            self.body(x.flatten(2) if x.ndim > 2 else x[..., None])
            if self.vocabulary is None
            else (self.body(x.long()))
        )
        return values if mask is None else torch.where(mask[..., None], values, 0.0)


class StepDecoder(Decoder, Centred):
    """A code to T steps; a subclass says with `steps` how the code becomes vectors (B, T, width).

    Usually no step is told what the others were: all that is known of a sequence passes through its code, and
    decoding a code alone gives what reconstruction gives. ``teacher`` (tokens only): a likelihood with memory,

        p(x | z) = Π_t p(x_t | z, x_<t)

    Where a target is there, every step is told the true tokens before it, in training and in scoring alike; without
    one (reconstruction, sampling) it is told the likeliest ones it chose itself. ``word_dropout``: the share of true
    tokens that are not told in training, so that the code must say them (Bowman et al. 2016, "Generating sentences
    from a continuous space", section 3.1).
    """

    def __init__(
        self, out_shape: Shape, width: int, vocabulary: int | None, teacher: bool, word_dropout: float = 0.0
    ) -> None:
        super().__init__()
        if teacher and vocabulary is None:
            raise out_of_range("teacher", "False for real values; tokens (vocabulary=…) may be told", teacher)
        if not 0 <= word_dropout <= 1 or (word_dropout and not teacher):
            raise out_of_range("word_dropout", "in [0, 1], above 0 with teacher=True only", word_dropout)
        self.word_dropout = float(word_dropout)
        self.out_shape, self.length, self.width = tuple(out_shape), out_shape[0], width
        self.before = nn.Embedding(vocabulary + 1, width) if teacher and vocabulary is not None else None
        self.head: Any = glorot(nn.Linear(width, prod(out_shape[1:])))

    @abstractmethod
    def steps(self, z: Tensor, told: Tensor | None, batch: Batch | None) -> Float[Tensor, "b t w"]:
        """Vectors of the first steps, all of them unless ``told`` (B, t, width), what each one is told, is shorter."""

    def forward(self, z: Float[Tensor, "b *p d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        if self.before is None:
            return self._out(self.steps(z, None, batch))
        target = None if batch is None else batch.target
        return self._free(z, batch) if target is None else self._out(self.steps(z, self._told(target), batch))

    def _told(self, tokens: Tensor) -> Tensor:
        """What each step is told: the token before it, and at the first that there is none."""
        if self.before is None:
            raise UsageError("this decoder is told no tokens.")
        start = tokens.new_full((len(tokens), 1), self.before.num_embeddings - 1)
        told: Tensor = self.before(torch.cat([start, tokens[:, :-1]], 1))
        if not (self.training and self.word_dropout):
            return told
        hidden = torch.rand(told.shape[:2], device=told.device) < self.word_dropout
        hidden[:, 0] = False
        return told.masked_fill(hidden[..., None], 0.0)

    def _free(self, z: Tensor, batch: Batch | None) -> Tensor:
        chosen = torch.zeros(len(z), 1, dtype=torch.long, device=z.device)
        for _ in range(self.length):
            recon: Tensor = self.head(self.steps(z, self._told(chosen), batch))
            chosen = torch.cat([chosen[:, :-1], recon[:, -1:].argmax(-1), chosen[:, :1]], 1)
        return recon.reshape(len(z), *self.out_shape)

    def _out(self, h: Tensor) -> Tensor:
        out: Tensor = self.head(h)
        return out.reshape(len(h), *self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at the mean of every channel."""
        with torch.no_grad():
            self.head.bias.copy_(value.reshape(self.length, -1).mean(0))


def positive(**values: int) -> None:
    """Raise `UsageError` for the first that is no int of at least 1."""
    for name, value in values.items():
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise out_of_range(name, "an int of at least 1", value)


def sequence_shape(shape: Shape) -> None:
    """Raise `UsageError` for rows that have no steps."""
    if not shape:
        raise UsageError("a network over sequences needs rows of shape (T,) or (T, channels).")
