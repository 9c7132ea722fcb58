"""Another loss with a weight of its own for the entries at the border."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.grid import check_dims, grid_of
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Shape
from ..core.registry import register
from .weighted import Reweighted


@register("loss", "boundary")
class Boundary(Reweighted):
    """Any loss that is a sum over entries, in which the border of a picture or series counts more, or not at all.

        weight  w w w w w     entries less than ``width`` from an end of any position axis
                w 1 1 1 w
                w w w w w

    Convolutions know less at the border, where their windows reach out of the picture, and leave artefacts there.
    A weight above 1 makes the network spend more on it; a weight of 0 leaves it free: it costs nothing, to be cut
    off afterwards. The other cure is a network that pads by reflection, ``conv(padding="reflect")``.

    Parameters
    ----------
    loss : the base, by name, Spec or instance.
    width : int >= 1. Positions that count as border, at every end.
    weight : float >= 0. What an entry of the border counts; one inside counts 1.
    image : (H, W) or (H, W, C) of rows that come flattened. dims : position axes, None: from the shape.
    shape : the target's shape, which the composition gives.

    Raises `UsageError` for values out of range, a border that leaves nothing inside, or a base that is not a sum
    over entries.

    Reference: Innamorati, Ritschel, Weyrich & Mitra (2018), "Learning on the edge: explicit boundary handling in
    CNNs", section 1; excluding the border: Ronneberger, Fischer & Brox (2015), "U-Net", section 2.

    >>> Boundary(weight=3.0)(torch.ones(1, 3, 3), torch.zeros(1, 3, 3))     # 8 · 3 + 1
    tensor([25.])
    """

    def __init__(
        self,
        loss: Any = "squared",
        width: int = 1,
        weight: float = 2.0,
        image: Sequence[int] | None = None,
        dims: int | None = None,
        shape: Shape | None = None,
    ) -> None:
        super().__init__(loss, shape)
        if not isinstance(width, int) or width < 1:
            raise out_of_range("width", "an int of at least 1", width)
        if not 0 <= weight < math.inf:
            raise out_of_range("weight", "a finite number of at least 0", weight)
        self.width, self.weight, self.dims = width, float(weight), check_dims(dims)
        self.image = None if image is None else tuple(int(side) for side in image)
        if shape is not None:
            grid_of(shape, self.image, dims)

    def weights_for(self, cost: Float[Tensor, " b *s"]) -> Float[Tensor, "*s"]:
        grid = grid_of(cost.shape[1:], self.image, self.dims)
        inside = border(grid[:-1], self.width, cost.device).logical_not()
        if not self.weight and any(side <= 2 * self.width for side in grid[:-1]):
            raise UsageError(f"a border of {self.width} leaves nothing inside of {grid[:-1]} positions.")
        weights = torch.where(inside, 1.0, self.weight).to(cost.dtype)
        return weights.unsqueeze(-1).expand(grid).reshape(cost.shape[1:])


def border(positions: Sequence[int], width: int, device: torch.device | None = None) -> Tensor:
    """True less than ``width`` from an end of any axis.

    >>> border((3,), 1)
    tensor([ True, False,  True])
    """
    at = torch.zeros(tuple(positions), dtype=torch.bool, device=device)
    for axis, side in enumerate(positions):
        place = torch.arange(side, device=device)
        edge = torch.minimum(place, side - 1 - place) < width
        at = at | edge.reshape([-1 if i == axis else 1 for i in range(len(positions))])
    return at
