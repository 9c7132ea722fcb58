"""Total variation of the reconstruction: a price on edges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.grid import check_dims, on_grid
from ..core.batch import Batch, Output
from ..core.errors import out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register

NORMS = ("absolute", "squared")


@register("penalty", "total-variation")
class TotalVariation(Penalty):
    """How much neighbours in the reconstruction differ, summed over positions and channels.

        TV(x̂) = Σ_axes Σᵢ |x̂ᵢ₊₁ − x̂ᵢ|^p,    p = 1 (flat pieces with sharp edges) or 2 (smooth everywhere)

    Of the decoder's output as it is, before the loss's link.

    Parameters
    ----------
    weight : float or `Schedule`.
    norm : "absolute" (p = 1, anisotropic) or "squared" (p = 2).
    image : the (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.

    Raises `UsageError` for an unknown norm.

    Reference: Rudin, Osher & Fatemi (1992), "Nonlinear total variation based noise removal algorithms", equation 2.4,
    here anisotropic: Esedoglu & Osher (2004), "Decomposition of images by the anisotropic Rudin–Osher–Fatemi model".

    >>> from diabolo.core import Latent
    >>> x = torch.tensor([[0.0, 1.0, 1.0, 4.0]])
    >>> TotalVariation()(None, Batch(x, x), Output(Latent(x, x), x))     # 1 + 0 + 3
    tensor([4.])
    """

    def __init__(
        self,
        weight: Any = 1.0,
        norm: str = "absolute",
        image: Sequence[int] | None = None,
        dims: int | None = None,
    ) -> None:
        super().__init__(weight)
        if norm not in NORMS:
            raise out_of_range("norm", "'absolute' or 'squared'", norm)
        self.norm, self.dims = norm, check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        maps = on_grid(out.recon, self.image, self.dims)
        total = maps.new_zeros(len(maps))
        for axis in range(1, maps.ndim - 1):
            step = maps.diff(dim=axis)
            if batch.mask is not None and axis == 1 and batch.mask.shape == maps.shape[:2]:
                real = batch.mask[:, 1:] & batch.mask[:, :-1]
                step = torch.where(real.reshape(*real.shape, *(1 for _ in step.shape[2:])), step, 0.0)
            total = total + (step.abs() if self.norm == "absolute" else step.square()).flatten(1).sum(1)
        return total
