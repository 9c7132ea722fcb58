"""The bottleneck that changes nothing: the plain autoencoder's."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor

from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck
from ..core.registry import register


@register("bottleneck", "identity")
class Identity(Bottleneck):
    """The features are the code: z = code = h.

        h ──▶ z = h

    Parameters
    ----------
    features : int, at least 1. Values a position, D.

    Raises `UsageError` if ``features`` is below 1.

    Reference: Bourlard & Kamp (1988), "Auto-association by multilayer perceptrons and singular value
    decomposition", where the hidden layer itself is the code.

    >>> import torch
    >>> bottleneck = Identity(features=2)
    >>> bottleneck(torch.ones(3, 2)).z.shape
    torch.Size([3, 2])
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        self.in_features = self.out_features = features

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return h

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        return Latent(h, h)
