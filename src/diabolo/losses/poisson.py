"""Poisson negative log-likelihood of counts, and the log rate it shares with other losses of counts."""

from __future__ import annotations

import math
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import UsageError
from ..core.interfaces import ReconstructionLoss
from ..core.registry import register

STEEPEST = 20.0
"""Where the exponential turns into a line: rates of 5e8 are none that one learns, and e^100 is infinite."""
RAREST = 1e-3
"""What an entry that never occurred starts at: rare, not impossible."""


def log_rate(recon: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """The decoder's output as a log rate; above 20 it grows like a logarithm, so that no rate is infinite.

    >>> log_rate(torch.tensor([-3.0, 20.0, 1e6])).round(decimals=2)
    tensor([-3.0000, 20.0000, 33.8200])
    """
    return recon.clamp(max=STEEPEST) + torch.log1p(functional.relu(recon - STEEPEST))


def check_counts(name: str, target: Tensor) -> None:
    """Raises `UsageError` for negative targets."""
    lowest = float(target.min())
    if lowest < 0:
        raise UsageError(
            f"loss '{name}' is for counts, which are at least 0; the data reach down to {lowest:g}. "
            "Use loss 'gaussian' for real values."
        )


class Counts(ReconstructionLoss):
    """A loss whose decoder puts out log rates, one for each entry."""

    support: ClassVar[tuple[float, float] | None] = (0.0, math.inf)

    def link(self, recon: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """Expected counts."""
        return torch.exp(log_rate(recon))

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
        """The log of the mean, for entries that never occurred that of 0.001."""
        return torch.log(mean.clamp(min=RAREST))


@register("loss", "poisson")
class Poisson(Counts):
    """Minus the log-mass of a Poisson distribution, in nats; the decoder puts out log rates, link gives rates.

        cost(x, r) = Σᵢ λᵢ − xᵢ log λᵢ + log xᵢ!,    λ = exp(r)

    Targets are counts; other numbers of at least 0 are costed by the same formula. Counts that vary more than their
    mean want ``negative-binomial``.

    Raises `UsageError` for negative data.

    Reference: McCullagh & Nelder (1989), "Generalized linear models", section 6.2.

    >>> Poisson()(torch.zeros(1, 1), torch.tensor([[2.0]]))     # 1 + log 2!
    tensor([1.6931])
    """

    def measure(self, target: Float[Tensor, " b *s"]) -> None:
        """Nothing to set; negative data are refused."""
        check_counts("poisson", target)

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        rate = log_rate(recon)
        return torch.exp(rate) - target * rate + torch.lgamma(target + 1)
