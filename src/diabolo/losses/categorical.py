"""Categorical negative log-likelihood: which of K classes every entry is."""

from __future__ import annotations

from typing import ClassVar

import torch
from jaxtyping import Float, Int
from torch import Tensor
from torch.nn import functional

from ..core.errors import out_of_range
from ..core.interfaces import ReconstructionLoss, Shape
from ..core.registry import register


@register("loss", "categorical")
class Categorical(ReconstructionLoss):
    """Softmax cross-entropy, in nats; targets are class indices, the decoder puts out K logits an entry.

        cost(x, l) = Σᵢ log Σₖ exp lᵢₖ − lᵢ,ₓᵢ

    For text (a token a position), for pixels as 256 grey levels, for codes of another autoencoder.

    Parameters
    ----------
    classes : int, at least 2. K; targets (B, *T) are long in [0, K), recon is (B, *T, K).

    Raises `UsageError` if ``classes`` is below 2.

    Reference: Bridle (1990), "Probabilistic interpretation of feedforward classification network outputs, with
    relationships to statistical pattern recognition".

    >>> import torch
    >>> Categorical(classes=4)(torch.zeros(1, 2, 4), torch.tensor([[0, 3]]))     # 2 log 4
    tensor([2.7726])
    """

    support: ClassVar[tuple[float, float] | None] = None

    def __init__(self, classes: int) -> None:
        super().__init__()
        if classes < 2:
            raise out_of_range("classes", "an int of at least 2", classes)
        self.classes = classes

    def recon_shape(self, shape: Shape) -> Shape:
        return (*shape, self.classes)

    def elementwise(self, recon: Float[Tensor, "b *s k"], target: Int[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        cost = functional.cross_entropy(recon.flatten(0, -2), target.flatten(), reduction="none")
        return cost.view(target.shape)

    def link(self, recon: Float[Tensor, "*s k"]) -> Float[Tensor, "*s k"]:
        return torch.softmax(recon, -1)
