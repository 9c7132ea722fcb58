"""How much noise a picture holds, from the picture alone."""

from __future__ import annotations

import numpy as np
from numpy import ndarray

NORMAL = 0.6744897501960817
"""The median of |N(0, 1)|."""


def noise_std(picture: ndarray) -> float:
    """Standard deviation of white Gaussian noise in a picture (H, W) or (H, W, C), in the units of its values.

        σ = median |d| / 0.6745,    d = (a − b − c + e) / 2 over squares of four pixels [a b; c e]

    d is the diagonal detail of the Haar wavelet: noise passes whole, and of a picture little but its finest texture, so
    that a clean picture gives a small number rather than none. 0 for pictures of less than two pixels a side.

    Reference: Donoho & Johnstone (1994), "Ideal spatial adaptation by wavelet shrinkage", section 4.

    >>> flat = np.full((64, 64), 0.5)
    >>> noisy = flat + np.random.default_rng(0).normal(0, 0.1, flat.shape)
    >>> noise_std(flat), round(noise_std(noisy), 2)
    (0.0, 0.1)
    """
    values = np.asarray(picture, np.float64)
    even = values[: len(values) // 2 * 2, : values.shape[1] // 2 * 2]
    detail = (even[::2, ::2] - even[::2, 1::2] - even[1::2, ::2] + even[1::2, 1::2]) / 2
    detail = detail[np.isfinite(detail)]
    return float(np.median(np.abs(detail)) / NORMAL) if detail.size else 0.0
