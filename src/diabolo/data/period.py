"""How long a window should be: from the length of the series and the period that stands out in their spectrum."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy import ndarray

SHORT, LEAST, USUAL = 256, 16, 64
STANDS_OUT = 0.1
"""Share of a series' power about its strongest frequency from which this is a period."""
_LOOKED_AT = 1 << 16


def choose_window(series: Sequence[ndarray]) -> tuple[int, str]:
    """Steps of a window for series of standardised values (T, C), and the reason.

    >>> wave = np.sin(2 * np.pi * np.arange(1000) / 20)[:, None]
    >>> choose_window([wave])
    (40, 'windows of 40 steps: two periods of 20 steps, the strongest in the spectrum')
    >>> choose_window([wave[:140], wave[:90]])[0]
    140
    """
    longest = max(len(values) for values in series)
    if longest <= SHORT:
        return max(2, longest), f"windows of {longest} steps: a whole series"
    periods = [found for values in series if (found := period(values)) is not None]
    if 2 * len(periods) < len(series):
        return USUAL, f"windows of {USUAL} steps: no period stands out in the spectrum"
    usual = float(np.median(periods))
    steps = int(np.clip(8 * np.ceil(2 * usual / 8 - 1e-9), LEAST, SHORT))
    limit = f" (at most {SHORT})" if steps == SHORT else ""
    return steps, f"windows of {steps} steps: two periods of {usual:.3g} steps, the strongest in the spectrum{limit}"


def period(values: ndarray) -> float | None:
    """Steps of the strongest period of values (T, C), of 4 steps to a quarter of the series; None: none stands out."""
    values = np.nan_to_num(values[:_LOOKED_AT])
    steps = len(values)
    if steps < 2 * LEAST:
        return None
    ramp = np.linspace(-1.0, 1.0, steps)[:, None]
    level = values - values.mean(0)
    level = level - ramp * (ramp * level).sum(0) / (ramp**2).sum()
    power = (np.abs(np.fft.rfft(level, axis=0)) ** 2).sum(1)
    power[0] = 0
    total = power.sum()
    inside = power.copy()
    inside[:4], inside[steps // 4 + 1 :] = 0, 0
    peak = int(inside.argmax())
    if total <= 0 or power[max(1, peak - 1) : peak + 2].sum() < STANDS_OUT * total:
        return None
    return steps / peak
