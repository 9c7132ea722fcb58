"""A first guess of what is missing on a grid: a pyramid of means from fine to coarse and back, then smoothed."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_POOL = (None, functional.avg_pool1d, functional.avg_pool2d, functional.avg_pool3d)
_LINEAR = ("", "linear", "bilinear", "trilinear")
ROUNDS = 4


def filled(maps: Tensor, known: Tensor, rounds: int = ROUNDS) -> Tensor:
    """Maps (B, C, *P) with unknown positions guessed from known ones; known (B, 1, *P) bool. Known ones stay.

        pull: values and weights averaged 2 x 2, level by level          push: where nothing is known, the level above
        then ``rounds`` of Laplace smoothing: every unknown position is the mean of its neighbours along the axes

    So a hole of any size is filled, smoothly; where nothing is known at all the guess is 0. With many rounds it is the
    harmonic solution, each unknown value the mean of its neighbours.

    Reference: Gortler, Grzeszczuk, Szeliski & Cohen (1996), "The lumigraph", section 3.4.1 (pull-push).

    >>> row = torch.tensor([[[1.0, 0.0, 3.0, 9.0]]])
    >>> filled(row, torch.tensor([[[True, False, True, False]]])).tolist()
    [[[1.0, 2.0, 3.0, 3.0]]]
    """
    weight = known.to(maps.dtype)
    values = torch.where(known, maps, 0.0)
    guess = _pushed(values, weight)
    for _ in range(rounds):
        guess = torch.where(known, values, _neighbours(guess))
    return guess


def _pushed(values: Tensor, weight: Tensor) -> Tensor:
    """Values where the weight is 1, and the coarser level's where it is 0."""
    sides = values.shape[2:]
    dims = len(sides)
    if max(sides) == 1:
        return values
    ends = [end for side in reversed(sides) for end in (0, side % 2)]
    padded, lying = functional.pad(values * weight, ends), functional.pad(weight, ends)
    pool = _POOL[dims]
    mean, share = pool(padded, 2), pool(lying, 2)  # type: ignore[misc]
    above = _pushed(mean / share.clamp_min(1e-6), (share * 2**dims).clamp_max(1.0))
    wide = functional.interpolate(above, scale_factor=2.0, mode=_LINEAR[dims], align_corners=False)
    wide = wide[(slice(None), slice(None), *(slice(side) for side in sides))]
    return weight * values + (1 - weight) * wide


def _neighbours(maps: Tensor) -> Tensor:
    """The mean of the two neighbours along every axis; at an end the position itself stands for the one beyond."""
    total = torch.zeros_like(maps)
    for axis in range(2, maps.ndim):
        size = maps.shape[axis]
        before = torch.cat([maps.narrow(axis, 0, 1), maps.narrow(axis, 0, size - 1)], axis)
        after = torch.cat([maps.narrow(axis, 1, size - 1), maps.narrow(axis, size - 1, 1)], axis)
        total += before + after
    return total / (2 * (maps.ndim - 2))
