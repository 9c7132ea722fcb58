"""Negative binomial likelihood of counts, with or without surplus zeros."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Shape
from ..core.registry import register
from .poisson import RAREST, Counts, check_counts, log_rate
from .scaled import at_least

LOG_LEAST, SELDOM = -7.0, -4.0


@register("loss", "negative-binomial")
class NegativeBinomial(Counts):
    """Minus the log-mass of a negative binomial, in nats; the decoder puts out log means, link gives means.

        P(x) = Γ(x + θ) / (Γ(θ) x!) · (θ / (θ + μ))^θ · (μ / (θ + μ))^x,    μ = exp(recon),    var x = μ + μ²/θ

    θ is the inverse dispersion: θ → ∞ is the Poisson distribution, θ = 1 the geometric one. With surplus zeros the
    decoder puts out pairs (log μ, logit π), and

        P(0) = π + (1 − π) NB(0),    P(x) = (1 − π) NB(x) for x > 0,    link = (1 − π) μ

    How much was counted in a row (its library size) is the decoder's affair: see `CountVAE`.

    Parameters
    ----------
    dispersion : "entry" (a learned θ for each entry), "shared" (one for all), or a float above 0 (fixed θ).
    zero_inflated : bool. Whether zeros may also come from a second cause, drop-out.
    shape : the target's shape (*T), which the composition gives; only ``dispersion="entry"`` needs it.

    Raises `UsageError` for another ``dispersion``, a missing ``shape``, or negative data.

    Reference: Lopez, Regier, Cole, Jordan & Yosef (2018), "Deep generative modeling for single-cell
    transcriptomics", equations 1 and 2; zero inflation is of Lambert (1992), "Zero-inflated Poisson regression".

    >>> NegativeBinomial(dispersion=1.0)(torch.zeros(1, 1), torch.tensor([[2.0]]))     # geometric: 3 log 2
    tensor([2.0794])
    """

    raw_dispersion: Tensor

    def __init__(
        self, dispersion: str | float = "entry", zero_inflated: bool = False, shape: Shape | None = None
    ) -> None:
        super().__init__()
        if dispersion == "entry" and shape is None:
            raise UsageError("dispersion='entry' learns one θ for each entry and needs shape=(…), the target's shape.")
        if dispersion in ("entry", "shared"):
            self.raw_dispersion = nn.Parameter(torch.zeros(shape if dispersion == "entry" and shape else ()))
        elif isinstance(dispersion, int | float) and 0 < dispersion < math.inf:
            self.register_buffer("raw_dispersion", torch.tensor(math.log(dispersion)), persistent=False)
        else:
            raise out_of_range("dispersion", "'entry', 'shared' or a finite number above 0", dispersion)
        self.dispersion, self.zero_inflated = dispersion, bool(zero_inflated)

    def log_dispersion(self) -> Float[Tensor, "*s"]:
        """log θ, a scalar or one value for each entry; a learned one stays above −7."""
        learned = isinstance(self.raw_dispersion, nn.Parameter)
        return at_least(LOG_LEAST, self.raw_dispersion) if learned else self.raw_dispersion

    def measure(self, target: Float[Tensor, " b *s"]) -> None:
        """Nothing to set; negative data are refused."""
        check_counts("negative-binomial", target)

    def recon_shape(self, shape: Shape) -> Shape:
        return (*shape, 2) if self.zero_inflated else shape

    def elementwise(self, recon: Float[Tensor, " b *r"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        log_mean, surplus = recon.unbind(-1) if self.zero_inflated else (recon, None)
        log_mean, log_theta = log_rate(log_mean), self.log_dispersion()
        theta, odds = torch.exp(log_theta), log_mean - log_theta
        cost = theta * functional.softplus(odds)
        counted = cost + target * functional.softplus(-odds) + _log_choices(target, theta)
        if surplus is None:
            return counted
        zero = functional.softplus(surplus) - torch.logaddexp(surplus, -cost)
        return torch.where(target == 0, zero, functional.softplus(surplus) + counted)

    def link(self, recon: Float[Tensor, "*r"]) -> Float[Tensor, "*s"]:
        """Expected counts."""
        if not self.zero_inflated:
            return torch.exp(log_rate(recon))
        return torch.exp(log_rate(recon[..., 0])) * torch.sigmoid(-recon[..., 1])

    def start(self, mean: Float[Tensor, "*s"]) -> Float[Tensor, "*r"]:
        """Log means; surplus zeros start out seldom."""
        log_mean = torch.log(mean.clamp(min=RAREST))
        if not self.zero_inflated:
            return log_mean
        return torch.stack([log_mean + math.log1p(math.exp(SELDOM)), torch.full_like(log_mean, SELDOM)], -1)


def _log_choices(x: Float[Tensor, "*s"], theta: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """−log Γ(x + θ) / (Γ(θ) x!): in float64, because for a large θ it is a small difference of large numbers."""
    x64, theta64 = x.double(), theta.double()
    return (torch.lgamma(theta64) + torch.lgamma(x64 + 1) - torch.lgamma(x64 + theta64)).to(x.dtype)
