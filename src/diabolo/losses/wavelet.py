"""Distance between wavelet coefficients, level by level."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.grid import check_dims, on_grid
from ..blocks.wavelet import FILTERS, decompose, levels_in
from ..core.errors import UsageError, out_of_range, unknown
from ..core.registry import register
from .whole import Whole

NORMS = ("squared", "absolute")


@register("loss", "wavelet")
class Wavelet(Whole):
    """How far sample and reconstruction are apart in wavelet coefficients, each level with a weight of its own.

        x ──DWT──▶ approximation | coarsest detail | … | finest detail
                        w₀               w₁                   w_L
        cost(x, x̂) = Σₗ wₗ Σₖ |cₗₖ(x̂) − cₗₖ(x)|^p,    p = 1 or 2

    The transform is orthogonal and periodic: with equal weights and squares the cost is the squared error (sides that
    are even at every level). Larger weights on the fine levels ask for sharp edges, which squared error blurs.

    Parameters
    ----------
    wavelet : "haar", "db2", "db3", "db4", "db6", "sym4", "sym5", "sym8" or "coif1".
    levels : int >= 1, or None: as often as the shortest side can be halved, at most 3.
    weights : levels + 1 numbers >= 0, from the approximation to the finest detail; None: all 1.
    norm : "squared" (p = 2) or "absolute" (p = 1).
    image : the true shape of rows that come flattened. dims : 1 or 2 position axes, None: from the shape.
    low, high : bounds of the reconstruction, as in `Location`.

    Raises `UsageError` for values out of range, an unknown wavelet, or more levels than the data can be halved.

    Reference: Mallat (1989), "A theory for multiresolution signal decomposition: the wavelet representation"; as a
    loss: Huang, He, Sun & Tan (2017), "Wavelet-SRNet: a wavelet-based CNN for multi-scale face super resolution",
    equation 5.

    >>> Wavelet("haar", levels=1, weights=[0.0, 1.0])(torch.tensor([[3.0, 1.0]]), torch.zeros(1, 2)).round(decimals=4)
    tensor([2.])
    """

    def __init__(
        self,
        wavelet: str = "db2",
        levels: int | None = None,
        weights: Sequence[float] | None = None,
        norm: str = "squared",
        image: Sequence[int] | None = None,
        dims: int | None = None,
        low: float | None = None,
        high: float | None = None,
    ) -> None:
        super().__init__(low, high)
        if wavelet not in FILTERS:
            raise unknown("wavelet", wavelet, FILTERS)
        if levels is not None and (not isinstance(levels, int) or levels < 1):
            raise out_of_range("levels", "an int of at least 1, or None", levels)
        if norm not in NORMS:
            raise out_of_range("norm", "'squared' or 'absolute'", norm)
        if weights is not None and (not len(weights) or min(weights) < 0 or max(weights) <= 0):
            raise out_of_range("weights", "numbers of at least 0, not all 0, or None", weights)
        if check_dims(dims) == 3:
            raise out_of_range("dims", "1, 2 or None", dims)
        self.wavelet, self.levels, self.norm, self.dims = wavelet, levels, norm, dims
        self.weights = None if weights is None else tuple(float(weight) for weight in weights)
        self.image = None if image is None else tuple(int(side) for side in image)

    def coefficients(self, rows: Float[Tensor, " b *s"]) -> list[Tensor]:
        """Coefficients of every level (B, k), coarse to fine, channels side by side."""
        maps = on_grid(rows, self.image, self.dims).movedim(-1, 1)
        dims = maps.ndim - 2
        if dims > 2:
            raise UsageError("loss 'wavelet' is for series and pictures; rows with three position axes are neither.")
        most = min(levels_in(side) for side in maps.shape[2:])
        levels = self.levels if self.levels is not None else max(1, min(3, most))
        return decompose(maps, self.wavelet, levels, dims)

    def distance(self, data: Float[Tensor, " b *s"], target: Float[Tensor, " b *s"]) -> Float[Tensor, " b"]:
        levels = self.coefficients(data - target)  # the transform is linear
        weights = self.weights if self.weights is not None else (1.0,) * len(levels)
        if len(weights) != len(levels):
            raise UsageError(
                f"{len(levels) - 1} levels and their approximation need {len(levels)} weights; got {len(weights)}."
            )
        size = [(level.square() if self.norm == "squared" else level.abs()).sum(1) for level in levels]
        return torch.stack([weight * cost for weight, cost in zip(weights, size, strict=True)]).sum(0)
