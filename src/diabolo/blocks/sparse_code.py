"""What sparse bottlenecks share: few units are active for a row, and it is known which have gone silent."""

from __future__ import annotations

from abc import abstractmethod

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.collectives import all_reduce_
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck


class SparseCode(Bottleneck):
    """A bottleneck of ``features`` units of which a row uses few.

        h ──candidates──▶ a ──selection of the kind──▶ z,  most of it 0

    ``idle`` (D,) counts the positions seen in training since a unit was last active; a unit silent for ``patience``
    positions is dead: no gradient reaches it any more, unless a penalty (``dead-units``) brings it back.
    """

    idle: Tensor

    def __init__(self, features: int, patience: int = 10_000) -> None:
        super().__init__()
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if patience < 1:
            raise out_of_range("patience", "an int of at least 1", patience)
        self.in_features = self.out_features = features
        self.patience = patience
        self.register_buffer("idle", torch.zeros(features, dtype=torch.long))

    @abstractmethod
    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        """What every unit would be if all were allowed."""

    def dead(self) -> Bool[Tensor, " d"]:
        """The units that no position has used for a long time."""
        return self.idle >= self.patience

    @torch.no_grad()
    def watch(self, z: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None) -> None:
        """Note which units were active, in training; padded positions do not count."""
        if not self.training:
            return
        active = (z != 0).flatten(0, -2) if mask is None else (z != 0)[mask]
        seen = all_reduce_(torch.tensor(len(active), device=z.device))
        fired = all_reduce_(active.any(0).long()) > 0
        self.idle.copy_(torch.where(fired, 0, self.idle + seen))


def keep_largest(a: Float[Tensor, "b *p d"], k: int) -> Float[Tensor, "b *p d"]:
    """The k largest values of every position, zero elsewhere; gradients flow through those kept only.

    >>> keep_largest(torch.tensor([[3.0, -1.0, 2.0, -5.0]]), 2)
    tensor([[3., 0., 2., 0.]])
    """
    values, places = a.topk(k, dim=-1)
    return torch.zeros_like(a).scatter(-1, places, values)


def checked_k(k: int, features: int, name: str = "k") -> int:
    """k, if it is a number of units. Raises `UsageError`."""
    if isinstance(k, bool) or not isinstance(k, int) or not 1 <= k <= features:
        raise out_of_range(name, f"an int in [1, {features}], the number of units", k)
    return k
