"""Conditions on rows: what they say, what they refuse, and rejection until enough rows satisfy them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo.core.errors import ModelError, UsageError
from diabolo.tasks.where import Condition, conditions, named, rejected, satisfied

ROWS = pd.DataFrame(
    {
        "age": [20, 30, 40, 50],
        "city": ["Rome", None, "Oslo", "Rome"],
        "member": [True, False, True, False],
        "since": pd.to_datetime(["2020-01-01", "2021-01-01", None, "2023-01-01"]),
        "level": pd.Categorical([1, 2, 3, 2], ordered=True),
    }
)


def which(where: Any) -> list[int]:
    return np.flatnonzero(satisfied(ROWS, conditions(where))).tolist()


@pytest.mark.parametrize(
    ("text", "rows"),
    [
        ("age=30", [1]),
        ("age>30", [2, 3]),
        ("age>=30", [1, 2, 3]),
        ("age<30", [0]),
        ("age <= 30", [0, 1]),
        ("age=25..40", [1, 2]),
        ("age=..30", [0, 1]),
        ("age=40..", [2, 3]),
        ("age!=30", [0, 2, 3]),
        ("city=Rome", [0, 3]),
        ("city!=Rome", [1, 2]),
        ("city=", [1]),
        ("city!=", [0, 2, 3]),
        ("member=yes", [0, 2]),
        ("since>=2021-01-01", [1, 3]),
        ("since=2020..2021-06", [0, 1]),
        ("level=2", [1, 3]),
        ("level>1", [1, 2, 3]),
    ],
)
def test_a_text_holds_for_the_rows_it_says(text: str, rows: list[int]) -> None:
    assert which([text]) == rows


def test_values_ranges_and_lists_from_python() -> None:
    assert which({"age": (25, None), "city": "Rome"}) == [3]
    assert which({"city": ["Oslo", "Rome"]}) == [0, 2, 3]
    assert which({"city": None}) == [1] and which({"member": True}) == [0, 2]
    assert which(None) == [0, 1, 2, 3]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["age"], "column=value"),
        ({"age": (1, 2, 3)}, "low, high"),
        (["age>old"], "does not suit column 'age'"),
        (["member=perhaps"], "neither true nor false"),
        (["since>soon"], "does not suit column 'since'"),
        (["city>Rome"], "does not suit column 'city'"),
    ],
)
def test_what_is_no_condition_is_said(where: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        which(where)


def test_an_unknown_column_is_named() -> None:
    with pytest.raises(UsageError, match="'aeg' is unknown; did you mean 'age'"):
        named(conditions(["aeg=3"]), ROWS.columns)
    assert named([Condition("7", "=", 1)], [7])[0].column == 7


def test_how_far_rows_are_is_in_standard_deviations() -> None:
    far = Condition("age", ">", 50).away(ROWS)
    np.testing.assert_allclose(far, np.abs(np.array([30.0, 20.0, 10.0, 0.0])) / np.std([20, 30, 40, 50]))
    assert Condition("city", "=", "Oslo").away(ROWS).tolist() == [1, 1, 0, 1]


def test_rejection_gives_the_conditional_distribution_and_counts_its_draws() -> None:
    random = np.random.default_rng(0)
    rows, draws = rejected(lambda size, few: pd.DataFrame({"a": random.uniform(size=size)}), 3000, conditions(["a>.8"]))
    assert len(rows) == 3000 and rows["a"].min() > 0.8 and rows["a"].mean() == pytest.approx(0.9, abs=0.005)
    assert 3000 / 0.2 * 0.9 < draws < 3000 / 0.2 * 1.5


def test_rejection_asks_for_help_and_at_last_says_why_not() -> None:
    asked = []

    def draw(size: int, few: bool) -> pd.DataFrame:
        asked.append(few)
        return pd.DataFrame({"a": np.linspace(0, 1, size), "b": 0})

    with pytest.raises(ModelError, match=r"0 of 5 rows satisfied b=1 and a>0.5 in .* draws; b=1 alone holds for 0 %"):
        rejected(draw, 5, conditions(["b=1", "a>0.5"]))
    assert not asked[0] and all(asked[1:]) and len(asked) > 5
