"""Two encoders of one architecture side by side: one for the class, one for the rest."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from ..core import Centred, Decoder, Encoder, Network
from ..core.errors import UsageError
from ..core.interfaces import Shape


class Twin(Network):
    """An encoder of x for the class and another for the rest, and one decoder.

        x ──▶ encoder ──▶ logits (C) ─┐
        └───▶ encoder ──▶ f ──────────┴▶ [logits | f | y]       y: the class that is known, zeros where it is not

    Raises `UsageError` for networks that keep positions.

    >>> from diabolo.core import make
    >>> encoder, decoder = Twin(make("network", "dense(hidden=(8,))"), 3).build((4,), 5 + 2 * 3, 2, (4,))
    >>> encoder(torch.zeros(2, 4)).shape
    torch.Size([2, 11])
    """

    def __init__(self, network: Network, classes: int) -> None:
        self.network, self.classes = network, classes

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        classifier, _ = self.network.build(shape, self.classes, code, out_shape)
        style, decoder = self.network.build(shape, features - 2 * self.classes, code, out_shape)
        return TwinEncoder(classifier, style, self.classes), decoder


class TwinEncoder(Encoder, Centred):
    """[logits | features | known class] (B, C + F + C)."""

    def __init__(self, classifier: Encoder, style: Encoder, classes: int) -> None:
        super().__init__()
        self.classifier, self.style, self.classes = classifier, style, classes

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Float[Tensor, "b c"] | None = None
    ) -> Float[Tensor, "b f"]:
        logits, features = self.classifier(x, mask), self.style(x, mask)
        if logits.ndim != 2:
            raise UsageError("a class belongs to a whole row; this network keeps positions: set flat=True.")
        told = logits.new_zeros(logits.shape) if cond is None else cond
        return torch.cat([logits, features, told], 1)

    def centre(self, value: Tensor) -> None:
        """Start as if the data were centred, where the two can."""
        for body in (self.classifier, self.style):
            if isinstance(body, Centred):
                body.centre(value)
