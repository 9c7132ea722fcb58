"""Another loss with a weight on every entry, such as the columns of a table."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import UsageError, out_of_range
from ..core.interfaces import ReconstructionLoss, Shape
from ..core.registry import make, register
from .shares import Shares
from .whole import Whole


class Reweighted(ReconstructionLoss):
    """A base loss whose entries count as much as ``weights`` says; link, start and scale are those of the base.

    Raises `UsageError` for a base that is not a sum over entries (structural, perceptual, multinomial …).
    """

    def __init__(self, loss: Any = "squared", shape: Shape | None = None) -> None:
        super().__init__()
        self.loss: ReconstructionLoss = make("loss", loss, shape=shape)
        if isinstance(self.loss, Whole | Shares):
            raise UsageError(
                f"loss {loss!r} is no sum over entries, so entries cannot be weighed; use 'squared', 'gaussian' …"
            )
        self.linear = self.loss.linear
        self.support = self.loss.support  # type: ignore[misc]

    @abstractmethod
    def weights_for(self, cost: Float[Tensor, " b *s"]) -> Float[Tensor, "*s"]:
        """Weights that broadcast over the costs of entries (B, *S)."""

    def elementwise(self, recon: Float[Tensor, " b *r"], target: Float[Tensor, " b *t"]) -> Float[Tensor, " b *s"]:
        cost = self.loss.elementwise(recon, target)
        return cost * self.weights_for(cost)

    def link(self, recon: Float[Tensor, "*r"]) -> Float[Tensor, "*s"]:
        return self.loss.link(recon)

    def recon_shape(self, shape: Shape) -> Shape:
        return self.loss.recon_shape(shape)

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*r"] | None:
        """That of the base."""
        return self.loss.start(mean)

    def measure(self, target: Float[Tensor, " b *s"]) -> None:
        """As the base does."""
        self.loss.measure(target)


@register("loss", "weighted")
class Weighted(Reweighted):
    """Any loss that is a sum over entries, with a weight on each of them.

        cost(x, x̂) = Σᵢ wᵢ costᵢ(x, x̂)

    A weight of 2 counts an entry as if the row held it twice; 0 leaves it out. Weighted least squares when the base
    is ``squared`` and w one over the variance of the measurement.

    Parameters
    ----------
    weights : numbers of at least 0, not all 0, of a shape that broadcasts over the entries of a row: one for each
        column of a table, or one for each channel of a picture.
    loss : the base, by name, Spec or instance.
    shape : the target's shape, which the composition gives.

    Raises `UsageError` for weights out of range or of the wrong number, or a base that is not a sum over entries.

    Reference: Aitken (1936), "On least squares and linear combination of observations".

    >>> Weighted([1.0, 0.5])(torch.tensor([[1.0, 2.0]]), torch.zeros(1, 2))     # 1 · 1² + ½ · 2²
    tensor([3.])
    """

    weights: Tensor

    def __init__(self, weights: Sequence[Any], loss: Any = "squared", shape: Shape | None = None) -> None:
        super().__init__(loss, shape)
        try:
            values = np.array(weights, np.float32)  # judged outside torch, which may be building without memory
        except (TypeError, ValueError, RuntimeError) as error:
            raise out_of_range("weights", "numbers of at least 0", weights) from error
        if not (values.size and values.min() >= 0 and 0 < values.max() < math.inf):
            raise out_of_range("weights", "finite numbers of at least 0, not all 0", weights)
        self.register_buffer("weights", torch.as_tensor(values), persistent=False)

    def weights_for(self, cost: Float[Tensor, " b *s"]) -> Float[Tensor, "*s"]:
        given, entries = tuple(self.weights.shape), tuple(cost.shape[1:])
        try:
            fits = torch.broadcast_shapes(given, entries) == entries
        except RuntimeError:
            fits = False
        if not fits:
            raise UsageError(f"weights of shape {given} do not fit the entries of a row, which have shape {entries}.")
        return self.weights
