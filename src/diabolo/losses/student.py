"""Student's t negative log-likelihood: a Gaussian with heavy tails, for data with outliers."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import out_of_range
from ..core.registry import register
from .scaled import Scaled

LEAST_DOF = 1.0
"""Below one degree of freedom the tails have no mean to reconstruct."""


@register("loss", "student")
class Student(Scaled):
    """Minus the log-density of Student's t around the reconstruction, in nats.

        cost(x, x̂) = Σᵢ  ½(ν + 1) log(1 + dᵢ²/ν) + log σᵢ + log Γ(ν/2) − log Γ((ν + 1)/2) + ½ log πν,
                     dᵢ = (x̂ᵢ − xᵢ) / σᵢ,    x̂ = link(recon)

    The pull of an error is bounded: it grows up to dᵢ = √ν and then falls, so outliers do not decide the fit.
    ν → ∞ is the Gaussian.

    Parameters
    ----------
    dof : float of at least 1, or "learned" (it starts at 4 and stays above 1). Degrees of freedom ν.
    scale, low, high, shape : as in `Scaled`.

    Raises `UsageError` for ``dof`` below 1, and as `Scaled`.

    Reference: Lange, Little & Taylor (1989), "Robust statistical modeling using the t distribution", equation 1;
    as a decoder: Takahashi et al. (2018), "Student-t variational autoencoder for robust density estimation".

    >>> Student(dof=1.0, scale=1.0)(torch.tensor([[1.0]]), torch.tensor([[0.0]]))     # Cauchy: log 2π
    tensor([1.8379])
    """

    raw_dof: Tensor

    def __init__(
        self,
        dof: str | float = 4.0,
        scale: str | float = "shared",
        low: float | None = None,
        high: float | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(scale, low, high, shape)
        if dof == "learned":
            self.raw_dof = nn.Parameter(torch.tensor(math.log(math.expm1(4.0 - LEAST_DOF))))
        elif isinstance(dof, int | float) and LEAST_DOF <= dof < math.inf:
            self.register_buffer("raw_dof", torch.tensor(float(dof)), persistent=False)
        else:
            raise out_of_range("dof", "'learned' or a finite number of at least 1", dof)
        self.dof = dof

    def degrees(self) -> Float[Tensor, ""]:
        """ν, fixed or as learned so far."""
        return LEAST_DOF + functional.softplus(self.raw_dof) if isinstance(self.raw_dof, nn.Parameter) else self.raw_dof

    def elementwise(self, recon: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b *s"]:
        dof, log_scale = self.degrees(), self.log_scale()
        whitened = (self.link(recon) - target) * torch.exp(-log_scale)
        constant = torch.lgamma(dof / 2) - torch.lgamma((dof + 1) / 2) + 0.5 * torch.log(math.pi * dof)
        return (dof + 1) / 2 * torch.log1p(whitened.square() / dof) + (log_scale + constant)
