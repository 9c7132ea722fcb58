"""Explicit collectives: no wrapper around the model, so any number of players works on any number of processes."""

from __future__ import annotations

from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import Tensor, nn


def world() -> int:
    """How many processes train together; 1 when none were launched."""
    return dist.get_world_size() if dist.is_available() and dist.is_initialized() else 1


def rank() -> int:
    """Which of them this one is, from 0."""
    return dist.get_rank() if world() > 1 else 0


def all_reduce_(tensor: Tensor) -> Tensor:
    """Sum a tensor over all processes, in place."""
    if world() > 1:
        dist.all_reduce(tensor)
    return tensor


def average_gradients(parameters: Iterable[nn.Parameter]) -> None:
    """Average gradients over all processes, in one bucket."""
    if world() == 1:
        return
    gradients = [p.grad for p in parameters if p.grad is not None]
    bucket = all_reduce_(torch.cat([g.flatten() for g in gradients])).div_(world())
    for gradient, part in zip(gradients, bucket.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(part.view_as(gradient))
