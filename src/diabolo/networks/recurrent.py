"""Recurrent network over sequences of any length: GRU or LSTM, down to one code and up again."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_padded_sequence

from ..blocks.layers import glorot
from ..blocks.steps import StepDecoder, Steps, positive, sequence_shape
from ..core import Batch, Decoder, Encoder, Network, register
from ..core.errors import unknown
from ..core.interfaces import Shape

CELLS: dict[str, Any] = {"gru": nn.GRU, "lstm": nn.LSTM}


@register("network", "recurrent")
class Recurrent(Network):
    """Recurrent encoder and decoder.

        x_1 ─▶ cell ─▶ … ─▶ cell ─▶ h_T ──▶ features ┊ code ──▶ cell ─▶ cell ─▶ … ─▶ recon_1 … recon_T
                 ▲            ▲                           └──────────┴───────┘
                x_1          x_T  (the last real step)

    The features are the state after the last real step (both ends where ``bidirectional``): padding is never read.
    The decoder starts from the code, is given it again at every step, and is not told the true steps before: what is
    known of a sequence passes through its code. ``reverse`` has it give the last step first, as Srivastava et al.
    and Sutskever et al. (2014) do; where the length is not known (a code alone) it is then the full one.
    With ``teacher`` (tokens only) each step is told the true token before it, and the loss is a likelihood with
    memory; reconstruction is told its own choices.

    Rows of shape (T,) or (T, …); of more dimensions the first is time. Parameters: ``width`` of the state, ``layers``,
    ``cell`` gru or lstm, ``bidirectional`` (the encoder), ``reverse``, ``vocabulary`` of tokens (x holds indices) or
    None, ``teacher``, ``dropout`` between layers in [0, 1), ``word_dropout`` (with teacher) the share of true tokens
    not told in training.

    Reference: Srivastava, Mansimov & Salakhutdinov (2015), "Unsupervised learning of video representations using
    LSTMs", section 2.2.

    >>> encoder, decoder = Recurrent(width=16).build((9, 2), 4, 4, (9, 2))
    >>> mask = torch.arange(9) < torch.tensor([[9], [5], [1]])
    >>> decoder(encoder(torch.zeros(3, 9, 2), mask)).shape
    torch.Size([3, 9, 2])
    """

    def __init__(
        self,
        width: int = 64,
        layers: int = 1,
        cell: str = "gru",
        bidirectional: bool = True,
        reverse: bool = False,
        vocabulary: int | None = None,
        teacher: bool = False,
        dropout: float = 0.0,
        word_dropout: float = 0.0,
    ) -> None:
        positive(width=width, layers=layers, **({} if vocabulary is None else {"vocabulary": vocabulary}))
        if cell not in CELLS:
            raise unknown("cell", cell, CELLS)
        self.width, self.layers, self.cell, self.bidirectional = width, layers, cell, bool(bidirectional)
        self.reverse, self.vocabulary, self.teacher, self.dropout = bool(reverse), vocabulary, bool(teacher), dropout
        self.word_dropout = word_dropout

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        sequence_shape(shape)
        return RecurrentEncoder(self, tuple(shape), features), RecurrentDecoder(self, code, tuple(out_shape))


class RecurrentEncoder(Encoder):
    """(B, T, …) to (B, F) from the state after the last real step."""

    def __init__(self, net: Recurrent, shape: Shape, features: int) -> None:
        super().__init__()
        self.steps, self.ends = Steps(shape, net.width, net.vocabulary), 2 if net.bidirectional else 1
        self.body = CELLS[net.cell](
            net.width, net.width, net.layers, batch_first=True, bidirectional=net.bidirectional, dropout=net.dropout
        )
        self.head = glorot(nn.Linear(self.ends * net.width, features))

    def forward(
        self, x: Float[Tensor, "b t *s"], mask: Bool[Tensor, "b t"] | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        h: Any = self.steps(x, mask)
        if mask is not None:
            h = pack_padded_sequence(h, lengths(mask).cpu(), batch_first=True, enforce_sorted=False)
        _, state = self.body(h)
        last = state[0] if isinstance(state, tuple) else state
        out: Tensor = self.head(last[-self.ends :].transpose(0, 1).flatten(1))
        return out


class RecurrentDecoder(StepDecoder):
    """(B, D) to (B, *out_shape): the code starts the state and is given at every step."""

    def __init__(self, net: Recurrent, code: int, out_shape: Shape) -> None:
        super().__init__(out_shape, net.width, net.vocabulary, net.teacher, net.word_dropout)
        self.layers, self.cell, self.reverse = net.layers, net.cell, net.reverse and not net.teacher
        self.start, self.given = glorot(nn.Linear(code, net.layers * net.width)), glorot(nn.Linear(code, net.width))
        self.body = CELLS[net.cell](net.width, net.width, net.layers, batch_first=True, dropout=net.dropout)

    def steps(self, z: Float[Tensor, "b d"], told: Tensor | None, batch: Batch | None) -> Float[Tensor, "b t w"]:
        state = torch.tanh(self.start(z)).unflatten(1, (self.layers, -1)).transpose(0, 1).contiguous()
        given = self.given(z)[:, None]
        h = given.expand(-1, self.length, -1) if told is None else given + told
        out, _ = self.body(h, (state, torch.zeros_like(state)) if self.cell == "lstm" else state)
        return self._turned(out, None if batch is None else batch.mask) if self.reverse else out

    def _turned(self, out: Tensor, mask: Tensor | None) -> Tensor:
        """Steps in the data's order: the first one made is the last real one."""
        if mask is None:
            return out.flip(1)
        steps = torch.arange(self.length, device=out.device)
        order = (lengths(mask)[:, None] - 1 - steps).remainder(self.length)
        return out.gather(1, order[..., None].expand_as(out))


def lengths(mask: Bool[Tensor, "b t"]) -> Tensor:
    """Steps up to the last real one, at least 1.

    >>> lengths(torch.tensor([[True, True, False], [False, False, False]])).tolist()
    [2, 1]
    """
    steps = torch.arange(1, mask.shape[1] + 1, device=mask.device)
    return (mask * steps).amax(1).clamp_min(1)
