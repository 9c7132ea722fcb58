"""Conformal p-values and false-discovery control: exact counts, exact levels, by hand and by simulation."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.tasks import conformal

RANDOM = np.random.default_rng(0)


def test_p_values_by_hand() -> None:
    found = conformal.p_values(np.array([3.0, 1.0, 2.0]), np.array([0.5, 1.0, 2.5, 3.0, 4.0]))
    np.testing.assert_allclose(found, np.array([4, 4, 2, 2, 1]) / 4)


@pytest.mark.parametrize("level", [0.05, 0.2, 0.5])
def test_a_fresh_row_falls_below_a_level_just_so_often(level: float) -> None:
    """P(p <= t) = floor(t (n + 1)) / (n + 1), whatever the distribution: here a heavy-tailed one."""
    n, draws = 19, 20_000
    values = RANDOM.standard_cauchy((draws, n + 1))
    p = np.array([conformal.p_values(row[:-1], row[-1:])[0] for row in values])
    exact = np.floor(level * (n + 1) + 1e-9) / (n + 1)
    assert abs((p <= level + 1e-9).mean() - exact) < 4 * np.sqrt(exact * (1 - exact) / draws)


def test_discoveries_by_hand() -> None:
    p = np.array([0.001, 0.9, 0.02, 0.04, 0.03])
    assert conformal.discoveries(p, 0.05).tolist() == [True, False, True, True, True]  # 0.04 <= 0.05 * 4 / 5
    assert conformal.discoveries(p, 0.04).tolist() == [True, False, False, False, False]
    assert not conformal.discoveries(np.array([0.5, 0.2]), 0.05).any()
    assert conformal.discoveries(np.zeros(0), 0.05).shape == (0,)
    assert conformal.cutoff(p, 0.05) == 0.04


def test_false_discoveries_stay_below_the_level() -> None:
    """100 normal rows and 20 far ones, judged by 999 calibration rows; the level times the share of normal rows."""
    shares, found = [], []
    for _ in range(400):
        calibration = RANDOM.normal(size=999)
        rows = np.concatenate([RANDOM.normal(size=100), RANDOM.normal(4, 1, size=20)])
        named = conformal.discoveries(conformal.p_values(calibration, rows), 0.2)
        shares.append(named[:100].sum() / max(1, named.sum()))
        found.append(named[100:].mean())
    assert np.mean(shares) <= 0.2 * 100 / 120 + 3 * np.std(shares) / 20
    assert np.mean(found) > 0.8


def test_the_smooth_tail_falls_through_the_shares_and_goes_on_beyond() -> None:
    ordered = np.sort(RANDOM.exponential(size=200))
    at_own = np.exp(conformal.log_tail(ordered, ordered))
    np.testing.assert_allclose(at_own, np.arange(200, 0, -1) / 201)
    values = np.linspace(-1, 30, 500)
    found = conformal.log_tail(ordered, values)
    assert (np.diff(found) < 0).all() and found[0] <= 0 and found[-1] < np.log(1 / 201)
    slope = np.diff(found[values > ordered[-1]]) / np.diff(values[values > ordered[-1]])
    np.testing.assert_allclose(slope, slope[0])
    assert slope[0] == pytest.approx(-1, rel=0.35)  # an exponential of scale 1 has that tail


def test_own_values_are_judged_as_by_the_others() -> None:
    ordered = np.sort(RANDOM.normal(size=30))
    own = conformal.log_tail_of_own(ordered)
    assert (np.diff(own) < 0).all()
    others = [np.delete(ordered, place) for place in range(1, 29)]
    by_hand = [conformal.log_tail(rest, ordered[[place]])[0] for place, rest in enumerate(others, start=1)]
    np.testing.assert_allclose(own[1:-1], by_hand, rtol=1e-9)


def test_values_all_alike_and_very_few_are_no_trouble() -> None:
    for ordered in (np.ones(10), np.array([1.0]), np.array([1.0, 2.0])):
        assert np.isfinite(conformal.log_tail(ordered, np.array([0.0, 1.0, 5.0]))).all()
        assert np.isfinite(conformal.log_tail_of_own(ordered)).all()
