"""Straight lines from one point to another, on a grid of positions."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor


def places_of(sides: Sequence[int]) -> Tensor:
    """The coordinates (*P, D) of all positions of a grid."""
    return torch.stack(torch.meshgrid(*(torch.arange(float(side)) for side in sides), indexing="ij"), -1)


def squared_distance(places: Tensor, begin: Tensor, way: Tensor) -> Tensor:
    """Squared distance (B, *P) of places (*P, D) to the lines from ``begin`` to ``begin + way``, both (B, D).

    >>> squared_distance(places_of((5,)), torch.tensor([[1.0]]), torch.tensor([[2.0]]))
    tensor([[1., 0., 0., 0., 1.]])
    """
    spread = (len(begin), *(1 for _ in places.shape[:-1]), begin.shape[-1])
    off, line = places - begin.reshape(spread), way.reshape(spread)
    along = ((off * line).sum(-1) / line.square().sum(-1).clamp_min(1e-6)).clamp(0, 1)
    return (off - along[..., None] * line).square().sum(-1)
