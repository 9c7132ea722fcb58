"""Conformal p-values: how often a normal row is at least this strange, and which rows to call anomalies."""

from __future__ import annotations

import numpy as np
from jaxtyping import Float
from numpy import ndarray

TAIL = 0.1
"""Share of the strangest calibration rows that say how fast the tail falls."""


def p_values(calibration: Float[ndarray, " n"], strangeness: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Share of normal rows at least as strange as each row (m,), the row itself counted.

        p = (1 + #{calibration >= strangeness}) / (n + 1)

    If a row and the calibration rows are exchangeable, P(p <= t) <= t for every t, whatever the strangeness measures.

    Reference: Vovk, Gammerman & Shafer (2005), "Algorithmic learning in a random world", section 2.2; Laxhammar &
    Falkman (2014), "Online learning and sequential anomaly detection in trajectories".

    >>> p_values(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 2.5, 9.0])).tolist()
    [1.0, 0.6, 0.2]
    """
    return (1 + at_least(np.sort(calibration), strangeness)) / (len(calibration) + 1)


def at_least(ordered: Float[ndarray, " n"], values: Float[ndarray, " m"]) -> ndarray:
    """How many of some values in rising order are at least each other value (m,)."""
    return len(ordered) - np.searchsorted(ordered, values, side="left")


def discoveries(p: Float[ndarray, " m"], level: float) -> ndarray:
    """Which of many rows are anomalies, so that on average at most ``level`` of those named are none: bool (m,).

        k = max{i : p_(i) <= level · i / m},  rows with p <= p_(k)

    Valid for p-values that share their calibration rows, as those of one detector do.

    Reference: Benjamini & Hochberg (1995), "Controlling the false discovery rate"; Bates, Candès, Lei, Romano &
    Sesia (2023), "Testing for outliers with conformal p-values", theorem 2.

    >>> discoveries(np.array([0.01, 0.5, 0.02, 0.9]), 0.05).tolist()
    [True, False, True, False]
    """
    return p <= cutoff(p, level)


def cutoff(p: Float[ndarray, " m"], level: float) -> float:
    """The largest p-value among the `discoveries`; 0: there are none."""
    ordered = np.sort(p)
    passed = np.flatnonzero(ordered <= level * np.arange(1, len(p) + 1) / max(1, len(p)))
    return float(ordered[passed[-1]]) if len(passed) else 0.0


def log_tail(ordered: Float[ndarray, " n"], values: Float[ndarray, " m"]) -> Float[ndarray, " m"]:
    """Log of the share of calibration values (in rising order) above each value, without steps and without an end.

        between two calibration values: straight between their shares        beyond the largest: exponential

    It orders rows that are all stranger than any calibration row, which p-values cannot.
    """
    if len(ordered) == 1:
        ordered = np.repeat(ordered, 2)
    n = len(ordered)
    share = np.log(np.interp(values, ordered, np.arange(n, 0, -1))) - np.log(n + 1)
    tail = tail_length(ordered)
    above = (values - ordered[-1]) / tail
    below = (ordered[0] - values) / tail
    share = np.where(below > 0, np.log(n + 1 - np.exp(-np.maximum(below, 0))) - np.log(n + 1), share)
    return np.where(above > 0, -above - np.log(n + 1), share)


def log_tail_of_own(ordered: Float[ndarray, " n"]) -> Float[ndarray, " n"]:
    """`log_tail` of each calibration value among all the others, so that it is judged like a row from outside."""
    n, tail = len(ordered), tail_length(ordered)
    if n < 3:
        return np.log(np.arange(n, 0, -1) / (n + 1))
    low, mid, high = ordered[:-2], ordered[1:-1], ordered[2:]
    gap = np.where(high > low, high - low, 1.0)
    inner = np.arange(n - 2, 0, -1) + np.where(high > low, (high - mid) / gap, 1.0)
    first = np.log(n - np.exp(-(ordered[1] - ordered[0]) / tail))
    last = -(ordered[-1] - ordered[-2]) / tail
    return np.concatenate([[first], np.log(inner), [last]]) - np.log(n)


def tail_length(ordered: Float[ndarray, " n"]) -> float:
    """Mean excess of the largest tenth over its smallest value: the scale of an exponential tail (Hill-type)."""
    n = len(ordered)
    top = ordered[-max(5, round(TAIL * n)) :]
    spread = float(np.mean(top - top[0]))
    floor = 1e-6 * max(float(np.abs(ordered).max()), 1e-30)
    return max(spread, float(ordered.std()) * 1e-3, floor)
