"""Large tensors in memory that is used again: fresh pages cost several times what filling them does."""

from __future__ import annotations

import threading
from typing import Any

import torch
from torch import Tensor

LARGE = 4 << 20
"""Bytes from which the system gives memory back, and takes it anew, at every allocation."""
MOST = 4

_held = threading.local()
_count: Any = getattr(torch._C, "_storage_Use_Count", None)


def scratch(shape: torch.Size) -> Tensor:
    """An uninitialised float32 tensor. Large ones take the memory of an earlier one that nobody holds any more, neither
    itself nor a view of it; memory of one shape is kept, of four tensors at most.

    >>> first = scratch(torch.Size([1024, 2048]))
    >>> where = first.data_ptr()
    >>> second = scratch(torch.Size([1024, 2048]))
    >>> second.data_ptr() == where
    False
    >>> part = first[5:]
    >>> del first, second
    >>> scratch(torch.Size([1024, 2048])).data_ptr() == where
    False
    """
    if shape.numel() * 4 < LARGE or _count is None:
        return torch.empty(shape)
    held: list[Tensor] = vars(_held).setdefault("tensors", [])
    if held and held[0].shape != shape:
        held.clear()
    for tensor in held:
        if _count(tensor.untyped_storage()._cdata) <= 2:  # ours, and the handle that asks
            return tensor.detach()
    made = torch.empty(shape)
    if len(held) < MOST:
        held.append(made)
        return made.detach()
    return made


def scaled(bytes_: Tensor, factor: float) -> Tensor:
    """uint8 values times a factor, as float32.

    >>> scaled(torch.tensor([0, 64, 255], dtype=torch.uint8), 0.5).tolist()
    [0.0, 32.0, 127.5]
    """
    return scratch(bytes_.shape).copy_(bytes_).mul_(factor)
