"""Transformer over sequences: attention among real positions, one code or a code a position."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..blocks.attention import Stack, mean_over, sinusoids
from ..blocks.layers import glorot
from ..blocks.steps import StepDecoder, Steps, positive, sequence_shape
from ..core import Batch, Decoder, Encoder, Network, register
from ..core.errors import unknown
from ..core.interfaces import Shape

POOLS, POSITIONS = ("mean", "none"), ("sinusoidal", "learned")


@register("network", "transformer")
class Transformer(Network):
    """Pre-norm transformer (Vaswani et al. 2017, "Attention is all you need"; Xiong et al. 2020 for the norm's place).

        x + positions ──▶ depth × (attention, layer) ──▶ mean over real steps ──▶ features (B, F)
        code + positions ──▶ depth × (causal attention, layer) ──▶ recon (B, T, …)

    Padded steps are never looked at. Every step of the decoder asks by its position; it looks at the steps before
    it only, so neither padding nor a larger T moves the real ones. ``pool="none"`` keeps the positions: features are
    (B, T, F), codes (B, T, D). With ``teacher`` (tokens only) each step is told the true token before it, and the loss
    is a likelihood with memory; reconstruction is told its own choices.

    Rows of shape (T,) or (T, …); of more dimensions the first is time. Parameters: ``width``, a multiple of ``heads``;
    ``depth`` of each side; ``pool`` mean or none; ``positions`` sinusoidal or learned; ``vocabulary`` of tokens (x
    holds indices) or None; ``teacher``; ``dropout`` in [0, 1); ``word_dropout`` (with teacher) the share of
    true tokens not told in training.

    >>> encoder, decoder = Transformer(width=16, depth=1, heads=2).build((9, 2), 4, 4, (9, 2))
    >>> mask = torch.arange(9) < torch.tensor([[9], [5], [1]])
    >>> decoder(encoder(torch.zeros(3, 9, 2), mask)).shape
    torch.Size([3, 9, 2])
    """

    def __init__(
        self,
        width: int = 64,
        depth: int = 2,
        heads: int = 4,
        pool: str = "mean",
        positions: str = "sinusoidal",
        vocabulary: int | None = None,
        teacher: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        positive(width=width, heads=heads, **({} if vocabulary is None else {"vocabulary": vocabulary}))
        for name, value, allowed in (("pool", pool, POOLS), ("positions", positions, POSITIONS)):
            if value not in allowed:
                raise unknown(name, value, allowed)
        self.width, self.depth, self.heads, self.pool, self.positions = width, depth, heads, pool, positions
        self.vocabulary, self.teacher, self.dropout = vocabulary, bool(teacher), float(dropout)
        self.word_dropout = word_dropout

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        sequence_shape(shape)
        return TransformerEncoder(self, tuple(shape), features), TransformerDecoder(self, code, tuple(out_shape))


class Positions(nn.Module):
    """A vector for every step: fixed sines and cosines, or learned."""

    def __init__(self, kind: str, steps: int, width: int) -> None:
        super().__init__()
        if kind == "learned":
            self.table = nn.Parameter(0.02 * torch.randn(steps, width))
        else:
            self.register_buffer("table", sinusoids(steps, width), persistent=False)

    def forward(self, x: Float[Tensor, "b t w"]) -> Float[Tensor, "b t w"]:
        return x + self.table[: x.shape[1]]


class TransformerEncoder(Encoder):
    """(B, T, …) to (B, F), or (B, T, F) where positions are kept (zeros at padded ones)."""

    def __init__(self, net: Transformer, shape: Shape, features: int) -> None:
        super().__init__()
        self.steps = Steps(shape, net.width, net.vocabulary)
        self.positions, self.pooled = Positions(net.positions, shape[0], net.width), net.pool == "mean"
        self.body = Stack(net.width, net.depth, net.heads, net.dropout)
        self.head = glorot(nn.Linear(net.width, features))

    def forward(
        self, x: Float[Tensor, "b t *s"], mask: Bool[Tensor, "b t"] | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b *p f"]:
        h = self.body(self.positions(self.steps(x, mask)), mask)
        out: Tensor = self.head(mean_over(h, mask) if self.pooled else h)
        return out if self.pooled or mask is None else torch.where(mask[..., None], out, 0.0)


class TransformerDecoder(StepDecoder):
    """(B, D) or (B, T, D) to (B, *out_shape): positions ask, each looks at the steps before it."""

    def __init__(self, net: Transformer, code: int, out_shape: Shape) -> None:
        super().__init__(out_shape, net.width, net.vocabulary, net.teacher, net.word_dropout)
        self.given, self.positions = (
            glorot(nn.Linear(code, net.width)),
            Positions(net.positions, self.length, net.width),
        )
        self.body = Stack(net.width, net.depth, net.heads, net.dropout)

    def steps(self, z: Float[Tensor, "b *p d"], told: Tensor | None, batch: Batch | None) -> Float[Tensor, "b t w"]:
        steps = self.length if told is None else told.shape[1]
        given = self.given(z) if z.ndim == 3 else self.given(z)[:, None].expand(-1, self.length, -1)
        asked = given[:, :steps] if told is None else given[:, :steps] + told
        out: Tensor = self.body(self.positions(asked), causal=True)
        return out
