"""What losses with a learned scale share: one for all entries, one for each, or a fixed one."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import UsageError, out_of_range
from .location import Location


def at_least(floor: float, raw: Float[Tensor, "*s"]) -> Float[Tensor, "*s"]:
    """A soft lower bound, ``raw`` well above it: a hard clamp would leave no gradient to come back by.

    >>> at_least(-7.0, torch.tensor([-100.0, 8.0]))
    tensor([-7.,  8.])
    """
    return floor + functional.softplus(raw - floor)


class Scaled(Location):
    """A density around x̂ = link(recon) whose width σ is learned with the model.

    Parameters
    ----------
    scale : "shared" (one learned σ), "entry" (one for each entry of the data), or a float above 0 (fixed).
    low, high : float, low < high, or both None. Bounds of the reconstruction.
    shape : the target's shape (*T), which the composition gives; only ``scale="entry"`` needs it.

    log σ is kept above −7, far below the resolution of 8-bit data, so that a constant entry costs a finite amount.

    Raises `UsageError` for another ``scale``, a missing ``shape``, or bounds out of order.
    """

    floor = -7.0
    raw_scale: Tensor
    unit: Tensor

    def __init__(
        self,
        scale: str | float = "shared",
        low: float | None = None,
        high: float | None = None,
        shape: tuple[int, ...] | None = None,
    ) -> None:
        super().__init__(low, high)
        allowed = "'shared', 'entry' or a finite number above 0"
        if scale == "shared":
            self.raw_scale = nn.Parameter(torch.zeros(()))
        elif scale == "entry":
            if shape is None:
                raise UsageError(
                    "scale='entry' learns one scale for each entry and needs shape=(…), the target's shape."
                )
            self.raw_scale = nn.Parameter(torch.zeros(shape))
        elif isinstance(scale, int | float) and 0 < scale < math.inf:
            self.register_buffer("raw_scale", torch.tensor(math.log(scale)), persistent=False)
        else:
            raise out_of_range("scale", allowed, scale)
        self.scale = scale
        self.register_buffer("unit", torch.zeros(()))

    def measure(self, target: Float[Tensor, " b *s"]) -> None:
        """Count a learned σ in units of the data's spread: then neither start nor floor depend on the user's units."""
        spread = (target - target.mean(0)).square().mean().sqrt()
        if isinstance(self.raw_scale, nn.Parameter) and spread > 0:
            self.unit.copy_(spread.log())

    def log_scale(self) -> Float[Tensor, "*s"]:
        """log σ, a scalar or one value for each entry."""
        if not isinstance(self.raw_scale, nn.Parameter):
            return self.raw_scale
        return at_least(self.floor, self.raw_scale) + self.unit
