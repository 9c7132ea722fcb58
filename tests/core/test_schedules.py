"""Schedules stay in their bounds, begin and end where they say, and need no state."""

from __future__ import annotations

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.core.errors import UsageError
from diabolo.core.registry import make, names
from diabolo.core.schedules import Constant, Cosine, Linear, OneCycle, value_at

totals = st.integers(1, 10_000)


@pytest.mark.parametrize("name", names("schedule"))
@settings(deadline=None)  # a busy machine is not a fault
@given(total=totals, at=st.floats(0, 1, exclude_max=True))
def test_defaults_stay_between_zero_and_one(name: str, total: int, at: float) -> None:
    assert 0.0 <= make("schedule", name)(int(at * total), total) <= 1.0


@settings(deadline=None)  # a busy machine is not a fault
@given(totals, st.floats(0.01, 1), st.floats(-5, 5), st.floats(-5, 5))
def test_linear_runs_monotonically_from_start_to_end(total: int, share: float, start: float, end: float) -> None:
    schedule = Linear(start, end, share)
    values = [schedule(step, total) for step in range(0, total + 1, max(1, total // 20))]
    assert values[0] == start
    assert schedule(total, total) == pytest.approx(end)
    assert values == sorted(values, reverse=end < start)


@settings(deadline=None)  # a busy machine is not a fault
@given(totals, st.floats(0, 1))
def test_cosine_falls_from_one_to_its_final_value(total: int, final: float) -> None:
    schedule = Cosine(final)
    values = [schedule(step, total) for step in range(0, total + 1, max(1, total // 20))]
    assert values[0] == pytest.approx(1.0)
    assert schedule(total, total) == pytest.approx(final)
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(values))


@settings(deadline=None)  # a busy machine is not a fault
@given(st.integers(2, 2000), st.floats(0, 0.9), st.floats(0, 0.5))
def test_one_cycle_rises_then_falls(total: int, warm: float, final: float) -> None:
    values = [OneCycle(warm, final)(step, total) for step in range(total)]
    peak = values.index(max(values))
    assert all(0 < value <= 1 for value in values[: peak + 1])
    assert values[: peak + 1] == sorted(values[: peak + 1])
    assert values[peak:] == sorted(values[peak:], reverse=True)
    assert all(value >= final - 1e-12 for value in values[peak:])


def test_a_weight_may_be_a_number_or_a_schedule() -> None:
    assert value_at(0.3, 5, 10) == 0.3
    assert value_at(Constant(0.3), 5, 10) == 0.3
    assert value_at(Linear(0.0, 1.0), 5, 10) == 0.5


@pytest.mark.parametrize(
    "spec", ["linear(share=0.0)", "linear(share=1.5)", "one-cycle(warm=1.0)", "one-cycle(warm=-0.1)"]
)
def test_parameters_out_of_range_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="must be in"):
        make("schedule", spec)
