"""What losses with a location parameter share: the decoder gives one value an entry, possibly kept in bounds."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.errors import UsageError, out_of_range
from ..core.interfaces import ReconstructionLoss, TakesSparse
from ..core.sparse import places, row_sums

EDGE = 0.01
"""Share of the range that a starting value keeps from its bounds, where a sigmoid's gradient vanishes."""


class Location(ReconstructionLoss):
    """A loss between the target and x̂ = link(recon), entry by entry.

        link(recon) = low + (high − low) · sigmoid(recon)      with bounds
        link(recon) = recon                                    without

    Parameters
    ----------
    low, high : float, low < high, or both None. The range the data cannot leave (0 and 1 for pixels).

    Raises `UsageError` if only one bound is given or they are out of order.
    """

    support: ClassVar[tuple[float, float] | None] = None

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        super().__init__()
        if (low is None) != (high is None):
            raise UsageError(f"low and high must be given together; got low={low!r}, high={high!r}.")
        if low is not None and high is not None and not -math.inf < low < high < math.inf:
            raise out_of_range("low and high", "finite, with low < high", (low, high))
        self.bounds = None if low is None or high is None else (float(low), float(high))
        self.linear = self.bounds is None

    def link(self, recon: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        if self.bounds is None:
            return recon
        low, high = self.bounds
        share = torch.sigmoid(recon)
        if (low, high) == (0.0, 1.0):  # the usual case keeps to one pass over the data
            return share
        return low + (high - low) * share

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """The inverse link of the mean, kept 1 % of the range inside the bounds."""
        if self.bounds is None:
            return mean
        low, high = self.bounds
        return torch.logit(((mean - low) / (high - low)).clamp(EDGE, 1 - EDGE))

    def over_stored(
        self, recon: Float[Tensor, "b s"], target: Float[Tensor, "b s"], scored: Tensor | None
    ) -> Float[Tensor, " b"]:
        """Where only what is stored is scored, nothing else is read."""
        if scored is None or not isinstance(self, TakesSparse):
            return super().over_stored(recon, target, scored)
        return row_sums(target, self.elementwise(recon[places(target)], target.values()))


class _SquaredNorm(torch.autograd.Function):
    """‖d‖² of every row. Autograd's own derivative of ⟨d, d⟩ makes both halves of 2·g·d and adds them."""

    generate_vmap_rule = True

    @staticmethod
    def forward(rows: Tensor) -> Tensor:
        return torch.linalg.vecdot(rows, rows)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor], output: Tensor) -> None:
        ctx.save_for_backward(*inputs)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> Tensor:
        # made of differentiable operations on a saved input, so that it can be differentiated again
        (rows,) = ctx.saved_tensors
        return (2 * gradient).unsqueeze(-1) * rows


def squared_norm(difference: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
    """Sum of squares of each sample, in one pass forward and one pass back.

    >>> squared_norm(torch.tensor([[3.0, 4.0], [0.0, 1.0]]))
    tensor([25.,  1.])
    """
    norm: Tensor = _SquaredNorm.apply(difference.flatten(1))  # type: ignore[no-untyped-call]
    return norm
