"""The divergence between input and reconstruction, both read as distributions."""

from __future__ import annotations

import math

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.errors import out_of_range
from ..core.registry import register
from .shares import Shares

DIRECTIONS = ("forward", "reverse", "jensen-shannon")


@register("loss", "divergence")
class Divergence(Shares):
    """How far the shares of the reconstruction are from those of the data, in nats.

        p = x / Σ x  (made even by a share ε),    q = softmax(recon)
        forward         KL(p ‖ q) = Σ p log p/q
        reverse         KL(q ‖ p)
        jensen-shannon  ½ KL(p ‖ m) + ½ KL(q ‖ m),    m = ½(p + q)

    Forward covers all of p, reverse keeps to where p is, Jensen–Shannon is symmetric and at most log 2. Spectra,
    histograms, attention maps, compositions. A row of zeros is no distribution and costs nothing.

    Parameters
    ----------
    direction : "forward", "reverse" or "jensen-shannon".
    over : "row" (all entries are one distribution) or "last" (each position is one).
    smooth : float in [0, 1). ε, the share of an even distribution mixed into p; 0 only for "forward", where zeros
        of p cost nothing.

    Raises `UsageError` for values out of range or negative data.

    Reference: Kullback & Leibler (1951), "On information and sufficiency"; Lin (1991), "Divergence measures based
    on the Shannon entropy", equation 4.1.

    >>> Divergence(smooth=0.0)(torch.zeros(1, 2), torch.tensor([[3.0, 0.0]]))     # log 2
    tensor([0.6931])
    """

    def __init__(self, direction: str = "forward", over: str = "row", smooth: float = 1e-6) -> None:
        super().__init__(over)
        if direction not in DIRECTIONS:
            raise out_of_range("direction", "'forward', 'reverse' or 'jensen-shannon'", direction)
        if not 0 <= smooth < 1 or (smooth == 0 and direction != "forward"):
            allowed = "in [0, 1)" if direction == "forward" else "in (0, 1)"
            raise out_of_range("smooth", f"{allowed} with direction '{direction}'", smooth)
        self.direction, self.smooth = direction, float(smooth)

    def shares(
        self, target: Float[Tensor, " b *s"], keep: Bool[Tensor, " b *s"] | None
    ) -> tuple[Float[Tensor, " b *s"], Bool[Tensor, " b *s"]]:
        """p, and whether there is one: a row whose entries are all 0 has none."""
        axes = self.axes(target.ndim)
        total = target.sum(axes, keepdim=True)
        kept = torch.ones_like(target) if keep is None else keep.to(target.dtype)
        even = kept / kept.sum(axes, keepdim=True).clamp(min=1.0)
        p = target / torch.where(total > 0, total, 1.0)
        return (1 - self.smooth) * p + self.smooth * even, total > 0

    def costs(
        self, log_shares: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"], keep: Bool[Tensor, " b *s"] | None
    ) -> Float[Tensor, " b *s"]:
        p, known = self.shares(target, keep)
        if self.direction == "forward":
            cost = torch.xlogy(p, p) - p * log_shares
        else:
            log_p, q = torch.log(p.clamp(min=torch.finfo(p.dtype).tiny)), torch.exp(log_shares)
            if self.direction == "reverse":
                cost = q * (log_shares - log_p)
            else:
                log_m = torch.logaddexp(log_p, log_shares) - math.log(2)
                cost = 0.5 * (p * (log_p - log_m) + q * (log_shares - log_m))
        return torch.where(known, cost, 0.0)
