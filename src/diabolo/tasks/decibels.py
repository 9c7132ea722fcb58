"""Pictures judged in decibels, beside simple methods."""

from __future__ import annotations

import math
from collections.abc import Mapping

import numpy as np
from numpy import ndarray

from ..core.metrics import bootstrap_mean


def psnr(truth: ndarray, said: ndarray, where: ndarray | None = None) -> float:
    """Peak signal-to-noise ratio in dB of values in [0, 1], over some pixels (H, W) or all; at most 100.

    >>> psnr(np.zeros((2, 2, 1)), np.full((2, 2, 1), 0.1), np.ones((2, 2), bool))
    20.0
    """
    error = np.square(truth - said, dtype=np.float64)
    mean = float((error if where is None else error[where]).mean())
    return round(-10 * math.log10(max(mean, 1e-10)), 10)


def verdict(found: Mapping[str, ndarray], seed: int) -> str:
    """The first method, "this model", against the best of the others: a bootstrap over pictures of the difference."""
    mine, others = found["this model"], {name: values for name, values in found.items() if name != "this model"}
    best = max(others, key=lambda name: float(others[name].mean()))
    if len(mine) < 2:
        return f"{mine.mean() - others[best].mean():+.2f} dB beside {best}, on one picture"
    gain = bootstrap_mean(mine - others[best], seed=seed)
    who = "better than" if gain.low > 0 else "no better than" if gain.high < 0 else "a tie with"
    return f"{who} {best}: {gain.value:+.2f} dB (95 % interval {gain.low:+.2f} to {gain.high:+.2f})"
