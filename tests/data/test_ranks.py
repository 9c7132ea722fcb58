"""Tables by rank: any distribution is a normal one, values come back, missing cells are content."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.special import ndtr
from scipy.stats import kstest, norm

from diabolo.core import Spec, make
from diabolo.core.errors import DataError
from diabolo.data import TableProcessor
from diabolo.data.ranks import RankColumn, decimals_of, distribution

RANDOM = np.random.default_rng(0)


def by_rank(rows: pd.DataFrame) -> TableProcessor:
    return TableProcessor(ranks=True).fit(rows)


def back(table: TableProcessor, rows: pd.DataFrame) -> pd.DataFrame:
    return table.invert(table.collate(table.encode(rows)).target)


def rank_column(values: object) -> RankColumn:
    codec = by_rank(pd.DataFrame({"a": values})).codecs[0]
    assert isinstance(codec, RankColumn)
    return codec


@pytest.mark.parametrize("values", [RANDOM.lognormal(3, 2, 2000), RANDOM.gamma(0.3, size=2000)])
def test_scores_of_a_skewed_distribution_are_normal(values: np.ndarray) -> None:
    codec = rank_column(values)
    assert kstest(codec.scores(values), norm.cdf).statistic < 0.01
    np.testing.assert_allclose(codec.raw(codec.scores(values)), values, rtol=0.1, atol=0.1 * np.std(values))


@pytest.mark.parametrize("values", [RANDOM.uniform(size=500), np.repeat([-3, 3], 250) + RANDOM.normal(size=500)])
def test_light_tails_stay_as_they_are(values: np.ndarray) -> None:
    codec = rank_column(values)
    assert codec.linear
    np.testing.assert_array_equal(codec.scores(values), values)
    np.testing.assert_array_equal(codec.raw(np.array([-99.0, 99.0])), [values.min(), values.max()])


def test_scores_that_are_normal_come_back_in_the_distribution_and_range_at_fit() -> None:
    values = RANDOM.lognormal(0, 1, 3000)
    codec = rank_column(values)
    made = codec.raw(np.random.default_rng(1).normal(size=3000))
    assert kstest(made, values).statistic < 0.04
    assert values.min() <= made.min() and made.max() <= values.max()
    assert codec.raw(np.array([-99.0, 99.0])).tolist() == [values.min(), values.max()]


def test_a_value_of_many_cells_covers_its_share_of_scores() -> None:
    values = np.where(np.arange(1000) < 600, 0.0, RANDOM.exponential(size=1000) + 1)
    codec = rank_column(values)
    u = np.linspace(0.001, 0.999, 999)
    made = codec.raw(norm.ppf(u))
    assert (made[u < 0.599] == 0).all() and (made[u > 0.601] >= 1).all()
    assert ndtr(codec.scores(np.zeros(1))) == pytest.approx(0.3)  # the middle of the stretch


def test_whole_numbers_stay_whole_and_decimals_are_kept() -> None:
    rows = pd.DataFrame({"n": RANDOM.integers(0, 500, 400), "price": RANDOM.lognormal(3, 1, 400).round(2)})
    table = by_rank(rows)
    made = table.invert(torch.randn(300, 2))
    assert str(made["n"].dtype) == "int64"
    np.testing.assert_array_equal(made["price"], made["price"].round(2))
    assert decimals_of(np.array([1.0, 2.0])) == 0 and decimals_of(np.array([np.pi])) is None


def test_few_values_come_back_with_no_others_and_two_are_categories() -> None:
    rows = pd.DataFrame({"level": RANDOM.choice([1, 2, 5, 40], 300), "flag": RANDOM.choice([0.5, 3.0], 300)})
    table = by_rank(rows)
    made = table.invert(torch.randn(500, table.target_shape[0]))
    assert set(made["level"]) <= {1, 2, 5, 40} and set(made["flag"]) <= {0.5, 3.0}
    assert table.defaults()["loss"] == Spec("mixed", columns=[["numeric", 1], ["categorical", 2]])
    assert made.dtypes.equals(rows.dtypes)


def test_missing_cells_of_every_kind_come_back_missing() -> None:
    rows = pd.DataFrame(
        {
            "number": [1.5, None, 3.25, 4.0, 9.0],
            "whole": pd.array([1, None, 3, 900, 5], dtype="Int64"),
            "truth": pd.array([True, None, False, True, True], dtype="boolean"),
            "text": ["a", None, "b", "c", "a"],
            "day": pd.to_datetime(["2020-01-01", None, "2020-05-05", "2021-01-01", "2022-02-02"]),
            "none": [None] * 5,
        }
    )
    table = by_rank(rows)
    pd.testing.assert_frame_equal(back(table, rows), rows)
    assert list(table.kinds.values()) == ["numeric", "numeric", "boolean", "categorical", "date", "empty"]
    batch = table.collate(table.encode(rows))
    parts = table.defaults()["loss"].params["columns"]
    assert batch.scored is not None and batch.scored.shape == (5, len(parts))
    assert batch.scored[1].tolist() == [False, True, False, True, True, True, False, True, False]
    make("loss", table.defaults()["loss"])(batch.target, batch.target, batch.scored)


def test_the_state_is_enough() -> None:
    rows = pd.DataFrame({"a": RANDOM.normal(size=50), "b": ["x", None] * 25, "d": pd.date_range("2020", periods=50)})
    table = by_rank(rows)
    again = TableProcessor.from_state(table.state())
    assert torch.equal(again.encode(rows)["x"], table.encode(rows)["x"])


def test_a_distribution_is_kept_in_few_points() -> None:
    values, low, high = distribution(RANDOM.normal(size=100_000))
    assert len(values) <= 257 and (np.diff(values) > 0).all() and (np.diff(low) >= 0).all() and low == high


def test_rows_in_pieces_have_no_ranks() -> None:
    with pytest.raises(DataError, match="ranks need all rows"):
        TableProcessor(ranks=True).fit_parts([pd.DataFrame({"a": [1.0]})])
