"""How much noise a picture holds, from the picture alone."""

from __future__ import annotations

import math

import numpy as np
from numpy import ndarray

NORMAL = 0.6744897501960817
"""The median of |N(0, 1)|."""
ORDER = 4
"""Of the differences: the higher, the less of a picture they hold."""


def noise_std(picture: ndarray) -> float:
    """Standard deviation of white Gaussian noise in a picture (H, W) or (H, W, C), in the units of its values.

        σ = median |d| / 0.6745,    d = Δ⁴ of the lines of Δ⁴ of the columns, over its norm, 70

    White noise passes through the differences with its σ; of a picture little passes but its finest texture, so that a
    clean picture gives a small number rather than none. Lower differences where a side is shorter than five pixels; 0
    where one is a single pixel.

    Reference: Immerkær (1996), "Fast noise variance estimation" (with differences of order 2 and a mean); Donoho &
    Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage", section 4 (the median); Hall, Kay & Titterington
    (1990), "Asymptotically optimal difference-based estimation of variance in nonparametric regression".

    >>> flat = np.full((64, 64), 0.5)
    >>> noisy = flat + np.random.default_rng(0).normal(0, 0.1, flat.shape)
    >>> noise_std(flat), round(noise_std(noisy), 2)
    (0.0, 0.1)
    """
    detail = np.asarray(picture, np.float64)
    if min(detail.shape[:2]) < 2:
        return 0.0
    for axis in range(2):
        order = min(ORDER, detail.shape[axis] - 1)
        detail = np.diff(detail, order, axis) / math.sqrt(math.comb(2 * order, order))
    detail = detail[np.isfinite(detail)]
    return float(np.median(np.abs(detail)) / NORMAL) if detail.size else 0.0
