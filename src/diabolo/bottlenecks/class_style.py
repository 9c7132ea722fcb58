"""A code of two halves: which class, and in what style."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck
from ..core.registry import register


@register("bottleneck", "class-style")
class ClassStyle(Bottleneck):
    """Probabilities of the classes beside a free style: z = [softmax(logits), style].

        h = [logits | style] ──▶ z = [q(y | x) | style],    code = z

    Nothing is drawn: that q becomes one-hot, and independent of the style, is the work of a critic on each half.

    Parameters
    ----------
    features : int, at least 1. Values of the style a position.
    classes : int, at least 1.

    Raises `UsageError` if either is below 1.

    Reference: Makhzani et al. (2015), "Adversarial autoencoders", section 5.

    >>> ClassStyle(features=2, classes=2).code(torch.zeros(1, 4))
    tensor([[0.5000, 0.5000, 0.0000, 0.0000]])
    """

    def __init__(self, features: int, classes: int = 2) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if classes < 1:
            raise out_of_range("classes", "an int of at least 1", classes)
        self.classes, self.in_features, self.out_features = classes, classes + features, classes + features

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return torch.cat([torch.softmax(h[..., : self.classes], -1), h[..., self.classes :]], -1)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z = self.code(h, mask)
        return Latent(z, z)
