"""Checks that stop before harm is done: values no model can use, data no memory can hold."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np
import torch

from ..core.errors import DataError

LARGE = 100_000


def check_finite(array: np.ndarray, name: str = "Input X", *, allow_missing: bool = False) -> None:
    """Raise `DataError` naming the first NaN or infinity by row and column (both counted from 0).

    >>> check_finite(np.array([[0.0, 1.0], [2.0, np.nan]]), "a.npy")
    Traceback (most recent call last):
    diabolo.core.errors.DataError: a.npy contains NaN at row 1, column 1 (1 such entry); fill it, or drop the row.
    """
    if array.dtype.kind != "f":
        return
    if not allow_missing and _finite_sum(array):
        return
    bad = np.isinf(array) if allow_missing else ~np.isfinite(array)
    if not bad.any():
        return
    place = tuple(int(i) for i in np.unravel_index(int(bad.argmax()), bad.shape))
    value = array[place]
    what = "NaN" if np.isnan(value) else "infinity"
    count = int(bad.sum())
    entries = f"{count} such entr{'y' if count == 1 else 'ies'}"
    raise DataError(f"{name} contains {what} at {_place(place)} ({entries}); fill it, or drop the row.")


def _finite_sum(array: np.ndarray) -> bool:
    """Whether the sum is finite, which proves that every entry is; one pass at the memory's speed."""
    with np.errstate(all="ignore"):
        if array.size > LARGE and array.flags.writeable and array.dtype in (np.float32, np.float64):
            return math.isfinite(float(torch.from_numpy(array).sum()))
        return math.isfinite(float(array.sum()))


def _place(place: tuple[int, ...]) -> str:
    if len(place) == 2:
        return f"row {place[0]}, column {place[1]}"
    return f"row {place[0]}, position {place[1:]}" if len(place) > 2 else f"row {place[0]}"


def available_memory() -> int | None:
    """Bytes that can still be allocated on this machine or in this container; None where unknown."""
    found = [size for size in (_system_memory(), _container_memory()) if size is not None]
    return min(found) if found else None


def _system_memory() -> int | None:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except (OSError, StopIteration, ValueError):
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):
        return None


def _container_memory() -> int | None:
    folder = Path("/sys/fs/cgroup")
    try:
        limit = int((folder / "memory.max").read_text(encoding="ascii"))
        used = int((folder / "memory.current").read_text(encoding="ascii"))
    except (OSError, ValueError):
        return None
    return max(limit - used, 0)


def human(size: float) -> str:
    """Bytes for people, in powers of 1000.

    >>> human(47_040_016)
    '47.0 MB'
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def check_memory(size: int, what: str, fix: str) -> None:
    """Raise `DataError` if ``size`` bytes are more than the machine can give, saying both."""
    free = available_memory()
    if free is not None and size > free:
        raise DataError(f"{what} would take {human(size)} of memory; {human(free)} are available. {fix}")
