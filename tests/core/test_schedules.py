"""Schedules stay in their bounds, begin and end where they say, and need no state."""

from __future__ import annotations

import math
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.core.errors import UsageError
from diabolo.core.registry import make, names
from diabolo.core.schedules import Constant, Cosine, Cyclical, Exponential, Linear, OneCycle, Sigmoid, Steps, value_at

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


@settings(deadline=None)  # a busy machine is not a fault
@given(st.integers(1, 5000))
def test_steps_hold_each_value_from_its_share_of_training_on(total: int) -> None:
    schedule = Steps(values=(1.0, 0.3, 0.1), shares=(0.5, 0.8))
    for step in range(0, total, max(1, total // 50)):
        assert schedule(step, total) == (1.0 if step < 0.5 * total else 0.3 if step < 0.8 * total else 0.1)


@settings(deadline=None)  # a busy machine is not a fault
@given(st.integers(2, 2000), st.floats(1e-6, 1))
def test_exponential_falls_by_one_factor_from_one_to_its_final_value(total: int, final: float) -> None:
    schedule = Exponential(final)
    values = [schedule(step, total) for step in range(total + 1)]
    assert values[0] == 1.0 and values[-1] == pytest.approx(final)
    factor = final ** (1 / total)
    assert all(later == pytest.approx(factor * earlier) for earlier, later in pairwise(values))


@settings(deadline=None)  # a busy machine is not a fault
@given(st.integers(2, 2000), st.floats(0.05, 0.95), st.floats(0.1, 500))
def test_sigmoid_rises_from_zero_to_one_and_is_symmetric_about_the_middle(
    total: int, middle: float, steepness: float
) -> None:
    schedule = Sigmoid(middle, steepness)
    values = [schedule(step, total) for step in range(0, total + 1, max(1, total // 50))]
    assert values[0] == 0.0 and schedule(total, total) == pytest.approx(1.0)
    assert all(later >= earlier for earlier, later in pairwise(values))
    mirrored = Sigmoid(1 - middle, steepness)
    assert schedule(total // 3, total) == pytest.approx(1 - mirrored(total - total // 3, total), abs=1e-6)


def test_a_steep_sigmoid_is_the_logistic_function() -> None:
    schedule = Sigmoid(middle=0.5, steepness=40.0)
    for step in range(0, 101, 10):
        assert schedule(step, 100) == pytest.approx(1 / (1 + math.exp(-40.0 * (step / 100 - 0.5))), abs=1e-8)


@settings(deadline=None)  # a busy machine is not a fault
@given(st.integers(1, 8), st.integers(8, 300), st.floats(0.1, 1))
def test_cyclical_repeats_itself_and_ends_at_its_end(cycles: int, length: int, rise: float) -> None:
    schedule, total = Cyclical(cycles, rise, start=0.2, end=0.7), cycles * length
    first = [schedule(step, total) for step in range(length)]
    for cycle in range(1, cycles):
        again = [schedule(cycle * length + step, total) for step in range(1, length)]
        assert again == pytest.approx(first[1:], abs=1e-6)
    assert first[0] == 0.2 and first == sorted(first) and schedule(total, total) == 0.7
    assert sum(value < 0.7 for value in first) == pytest.approx(rise * length, abs=1)


@pytest.mark.parametrize("name", names("schedule"))
def test_a_schedule_keeps_no_state(name: str) -> None:
    """Asked in any order, from a fresh one or an old one, it says the same: resumed training needs only the step."""
    one = make("schedule", name)
    forwards = [one(step, 40) for step in range(40)]
    backwards = [one(step, 40) for step in reversed(range(40))][::-1]
    assert forwards == backwards == [make("schedule", name)(step, 40) for step in range(40)]


def test_a_weight_may_be_a_number_or_a_schedule() -> None:
    assert value_at(0.3, 5, 10) == 0.3
    assert value_at(Constant(0.3), 5, 10) == 0.3
    assert value_at(Linear(0.0, 1.0), 5, 10) == 0.5


@pytest.mark.parametrize(
    "spec",
    [
        *("linear(share=0.0)", "linear(share=1.5)", "one-cycle(warm=1.0)", "one-cycle(warm=-0.1)"),
        *("steps(shares=(0.8, 0.5))", "steps(shares=(0.5,))", "steps(shares=(0.0, 0.5))", "steps(shares=(0.5, 1.0))"),
        *("exponential(final=0.0)", "exponential(final=1.5)", "sigmoid(middle=0.0)", "sigmoid(steepness=0)"),
        *("cyclical(cycles=0)", "cyclical(cycles=1.5)", "cyclical(rise=0.0)", "cyclical(rise=2)"),
    ],
)
def test_parameters_out_of_range_are_refused(spec: str) -> None:
    with pytest.raises(UsageError, match="must be "):
        make("schedule", spec)
