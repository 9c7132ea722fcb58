"""What losses over shares of a whole have in common: logits, their softmax, and the size of the whole."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import ClassVar

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import out_of_range
from ..core.interfaces import ReconstructionLoss, TakesSparse, widened
from ..core.registry import register
from ..core.sparse import is_sparse, places, row_sums
from .poisson import RAREST, check_counts

OVER = ("row", "last")


class Shares(ReconstructionLoss):
    """The decoder puts out logits of the shares that the entries have of their row, or of their last axis.

        recon ──softmax──▶ shares (sum 1) ──× total of a typical row──▶ link

    Where only some entries are scored, both sides are read as shares of these: what is left out neither costs nor
    moves anything.
    """

    support: ClassVar[tuple[float, float] | None] = (0.0, math.inf)
    total: Tensor

    def __init__(self, over: str = "row") -> None:
        super().__init__()
        if over not in OVER:
            raise out_of_range("over", "'row' or 'last'", over)
        self.over = over
        self.register_buffer("total", torch.ones(()))

    @abstractmethod
    def costs(
        self, log_shares: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"], keep: Bool[Tensor, " b *s"] | None
    ) -> Float[Tensor, " b *s"]:
        """What every entry costs; where ``keep`` is False the target is 0 and the log share very low."""

    def axes(self, ndim: int) -> tuple[int, ...]:
        """The axes of a batch over which shares sum to 1."""
        return (-1,) if self.over == "last" else tuple(range(1, ndim))

    def log_shares(self, recon: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        """log softmax."""
        return recon - torch.logsumexp(recon, self.axes(recon.ndim), keepdim=True)

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        return self.costs(self.log_shares(recon), target, None)

    def over_scored(
        self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"], scored: Bool[Tensor, " b *r"]
    ) -> Float[Tensor, " b"]:
        keep = widened(scored, target).expand_as(target)
        lowest = torch.finfo(recon.dtype).min / 4  # minus infinity would give 0 · ∞
        shares = self.log_shares(torch.where(keep, recon, lowest))
        cost = self.costs(shares, torch.where(keep, target, 0.0), keep)
        return torch.where(keep, cost, 0.0).flatten(1).sum(1)

    def link(self, recon: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        """Shares times the mean total of the training rows, which is the data's own unit."""
        return torch.exp(self.log_shares(recon)) * self.total

    def measure(self, target: Float[Tensor, " b *s"]) -> None:
        """Take the mean total of a row; negative data are refused."""
        values = target.values() if is_sparse(target) else target
        check_counts(str(getattr(type(self), "part_name", "")), values)
        total = values.sum() / len(target) if is_sparse(target) else target.sum(self.axes(target.ndim)).mean()
        self.total.copy_(torch.where(total > 0, total, 1.0))

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Log shares of the mean, rare ones no rarer than a thousandth of an even share."""
        share = mean / mean.sum().clamp(min=torch.finfo(mean.dtype).tiny)
        return torch.log(share.clamp(min=RAREST / mean.numel()))


@register("loss", "multinomial")
class Multinomial(Shares, TakesSparse):
    """Minus the log-mass of a bag of counts, in nats, up to a constant of the data.

        cost(x, r) = −Σᵢ xᵢ log πᵢ,    π = softmax(r) over the row

    The multinomial coefficient log n! − Σᵢ log xᵢ! is left out: it depends on the data alone, and it is not 0, so
    the costs of two data sets cannot be compared. Words of a document, purchases of a customer.

    Parameters: ``over`` "row" (all entries are one bag) or "last" (each position is a bag of its own).

    Raises `UsageError` for another ``over`` or negative data.

    Reference: Liang, Krishnan, Hoffman & Jebara (2018), "Variational autoencoders for collaborative filtering",
    equation 2.

    >>> Multinomial()(torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 2.0, 0.0]]))     # 3 log 4
    tensor([4.1589])
    """

    def costs(
        self, log_shares: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"], keep: Bool[Tensor, " b *s"] | None
    ) -> Float[Tensor, " b *s"]:
        return -target * log_shares

    def over_stored(
        self, recon: Float[Tensor, "b s"], target: Float[Tensor, "b s"], scored: Tensor | None
    ) -> Float[Tensor, " b"]:
        """−Σᵢ xᵢ rᵢ + log Σⱼ exp rⱼ · Σᵢ xᵢ: the logits are read where something was counted."""
        if scored is not None:
            return super().over_stored(recon, target, scored)
        values = target.values()
        read = row_sums(target, values * recon[places(target)])
        return torch.logsumexp(recon, 1) * row_sums(target, values) - read
