"""Sequences whose every step has a place of its own in the code, by linear maps; tokens have one vector each."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..blocks.layers import glorot
from ..blocks.steps import StepDecoder, Steps, positive, sequence_shape
from ..core import Batch, Decoder, Encoder, Network, register
from ..core.interfaces import Shape


@register("network", "slots")
class Slots(Network):
    """One linear map from all steps to the code and one back; what a step is is learned once for all of them.

        x_t ──vector (width)──▶ all T side by side ──linear──▶ features ┊ code ──linear──▶ T vectors ──head──▶ recon_t

    No step waits for another, so it is many times faster than a recurrent network and learns to copy short sequences
    exactly from few rows: a token met at any step is known at all of them. It is tied to the places: a sequence moved
    by one step has another code. Padded steps are zeros.

    Rows of shape (T,) or (T, …). Parameters: ``width`` of a step's vector, ``vocabulary`` of tokens (x holds indices)
    or None.

    Reference: Plate (1995), "Holographic reduced representations": role and filler in one vector; here the roles are
    learned linear maps.

    >>> import torch
    >>> encoder, decoder = Slots(width=16).build((9, 2), 4, 4, (9, 2))
    >>> mask = torch.arange(9) < torch.tensor([[9], [5], [1]])
    >>> decoder(encoder(torch.zeros(3, 9, 2), mask)).shape
    torch.Size([3, 9, 2])
    """

    def __init__(self, width: int = 64, vocabulary: int | None = None) -> None:
        positive(width=width, **({} if vocabulary is None else {"vocabulary": vocabulary}))
        self.width, self.vocabulary = width, vocabulary

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        sequence_shape(shape)
        return SlotEncoder(self, tuple(shape), features), SlotDecoder(self, code, tuple(out_shape))


class SlotEncoder(Encoder):
    """(B, T, …) to (B, F)."""

    def __init__(self, net: Slots, shape: Shape, features: int) -> None:
        super().__init__()
        self.steps = Steps(shape, net.width, net.vocabulary)
        self.head = glorot(nn.Linear(shape[0] * net.width, features))

    def forward(
        self, x: Float[Tensor, "b t *s"], mask: Bool[Tensor, "b t"] | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        out: Tensor = self.head(self.steps(x, mask).flatten(1))
        return out


class SlotDecoder(StepDecoder):
    """(B, D) to (B, *out_shape)."""

    def __init__(self, net: Slots, code: int, out_shape: Shape) -> None:
        super().__init__(out_shape, net.width, net.vocabulary, False)
        self.body = glorot(nn.Linear(code, self.length * net.width))

    def steps(self, z: Float[Tensor, "b d"], told: Tensor | None, batch: Batch | None) -> Float[Tensor, "b t w"]:
        out: Tensor = self.body(z)
        return out.unflatten(1, (self.length, self.width))
