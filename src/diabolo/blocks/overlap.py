"""Long rows cut into overlapping windows, and put together again without a seam."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float
from numpy import ndarray


def window_starts(length: int, window: int, hop: int) -> ndarray:
    """First steps of the windows over a row of ``length`` steps; the last window ends where the row ends.

    A row no longer than a window has one.

    >>> window_starts(10, 4, 3).tolist(), window_starts(11, 4, 3).tolist(), window_starts(3, 4, 3).tolist()
    ([0, 3, 6], [0, 3, 6, 7], [0])
    """
    return np.append(np.arange(0, max(0, length - window), hop), max(0, length - window))


def cross_faded(windows: Sequence[Float[ndarray, "w *c"]], starts: ndarray, length: int) -> Float[ndarray, "t *c"]:
    """One row (length, *C) from its windows: where they overlap one fades into the next.

        row(t) = sum_i w_i(t) window_i(t) / sum_i w_i(t),    w_i(t) = sin²(π (t - start_i + 1/2) / W_i)

    The weights sum to one everywhere, so equal windows give back the row, and they are small at the ends of a window,
    so a window that is off makes no jump. Steps beyond ``length`` are left out. Reference: weighted overlap-add,
    Crochiere (1980), "A weighted overlap-add method of short-time Fourier analysis/synthesis".

    >>> cross_faded([np.ones(4), np.full(4, 3.0)], np.array([0, 2]), 6).round(2).tolist()
    [1.0, 1.0, 1.29, 2.71, 3.0, 3.0]
    """
    total = np.zeros((length, *windows[0].shape[1:]))
    weight = np.zeros((length, *(1,) * (windows[0].ndim - 1)))
    for window, start in zip(windows, starts, strict=True):
        steps = min(len(window), length - int(start))
        place = slice(int(start), int(start) + steps)
        fade = np.sin(np.pi * (np.arange(steps) + 0.5) / len(window)) ** 2
        fade = fade.reshape(-1, *(1,) * (window.ndim - 1))
        weight[place] += fade
        total[place] += fade * window[:steps]
    return total / np.where(weight > 0, weight, 1.0)
