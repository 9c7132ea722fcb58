"""The quality of a synthetic table: copies are found, an independent half is perfect, shuffled columns are not."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.tasks.closeness import Closeness, duplicates
from diabolo.tasks.quality import associations, compared_tables, copula, difference, quality, shuffled


def table(rows: int, seed: int) -> pd.DataFrame:
    """Numbers that go together, a category that follows one, gaps, dates, and a target made of two columns."""
    random = np.random.default_rng(seed)
    a = random.normal(size=rows)
    frame = pd.DataFrame({"a": a, "b": 0.8 * a + 0.6 * random.normal(size=rows), "c": random.exponential(size=rows)})
    frame["kind"] = np.where(a + 0.5 * random.normal(size=rows) > 0, "x", random.choice(["y", "z"], rows))
    frame["day"] = pd.Timestamp("2024-01-01") + pd.to_timedelta((50 * np.abs(a)).astype(int), "D")
    frame["y"] = (a + frame["c"] + 0.3 * random.normal(size=rows) > 1).astype(int)
    frame.loc[random.random(rows) < 0.1, "c"] = np.nan
    return frame


REAL, HELD, HALF = table(800, 0), table(800, 1), table(800, 2)


def test_an_independent_half_is_as_good_as_real() -> None:
    found = quality(REAL, HALF, HELD, "y")
    assert found.column < 0.05 and found.pair < 0.04 and found.measure == "AUROC"
    assert found.score / found.real == pytest.approx(1, abs=0.05) and found.real > 0.9
    assert found.nearest == pytest.approx(1, abs=0.1) and found.duplicates == 0
    assert found.detected == pytest.approx(0.5, abs=0.06)
    assert "no copies" in found.verdict and "taught by these rows" in found.verdict
    json.dumps(found.as_dict())


def test_copies_are_found() -> None:
    found = quality(REAL, REAL, HELD, "y")
    assert found.nearest == 0 and found.duplicates == 800 and found.held_duplicates == 0
    assert found.verdict.startswith("too close to real rows")
    noisy = REAL.assign(**{name: REAL[name] + 0.01 * np.random.default_rng(0).normal(size=800) for name in "abc"})
    assert quality(REAL, noisy, HELD).nearest < 0.2


def test_shuffled_columns_are_right_alone_and_wrong_together() -> None:
    found = quality(REAL, shuffled(REAL, 800), HELD, "y")
    assert found.column < 0.05 and found.pair > 0.15
    assert found.score < 0.7 and found.detected > 0.8


def test_a_copula_has_the_columns_and_the_rank_correlations() -> None:
    made = copula(REAL, 3000)
    assert made.dtypes.equals(REAL.dtypes)
    assert max(difference(REAL[name], made[name]) for name in REAL) < 0.05
    real, new = (rows[["a", "b"]].corr("spearman").iloc[0, 1] for rows in (REAL, made))
    assert new == pytest.approx(real, abs=0.05)


def test_differences_of_columns_in_closed_form() -> None:
    uniform = pd.Series(np.linspace(0, 1, 1001))
    assert difference(uniform, uniform) == 0
    assert difference(uniform, uniform + 0.3) == pytest.approx(0.3, abs=0.01)
    assert difference(pd.Series(["a", "b"]), pd.Series(["c", "c"])) == 1
    gaps = uniform.mask(uniform < 0.25)
    assert difference(uniform[uniform > 0.25], gaps) == pytest.approx(0.25, abs=0.01)


def test_associations_are_the_known_ones() -> None:
    rows = pd.DataFrame({"n": np.arange(400.0), "m": -(np.arange(400.0) ** 3), "k": np.repeat(list("abcd"), 100)})
    rows["same"] = rows["k"].str.upper()
    rows["apart"] = np.tile(list("uv"), 200)
    found = associations(rows)
    np.testing.assert_allclose(np.diag(found), 1, atol=1e-9)
    assert found[0, 1] == pytest.approx(-1)  # rank correlation
    assert found[2, 3] == pytest.approx(1) and found[2, 4] == pytest.approx(0, abs=1e-9)  # Cramer's V
    assert found[0, 2] == pytest.approx(np.sqrt(15 / 16), abs=1e-4)  # correlation ratio of four equal stretches


def test_the_distance_to_the_closest_row() -> None:
    real = pd.DataFrame({"a": [0.0, 10.0, 20.0], "k": ["x", "x", "y"]})
    close = Closeness(real)
    spread = real["a"].std(ddof=0)
    asked = pd.DataFrame({"a": [1.0, 20.0], "k": ["x", "x"]})
    np.testing.assert_allclose(close.distances(asked), [1 / spread, 1.0], rtol=1e-6)
    assert duplicates(real.iloc[[1, 1]], real) == 2 and duplicates(asked, real) == 0


def test_numbers_as_targets_are_judged_by_r2() -> None:
    found = quality(REAL, HALF, HELD, "b")
    assert found.measure == "R2" and found.score == pytest.approx(found.real, abs=0.1)


def test_what_cannot_be_compared_is_said() -> None:
    with pytest.raises(DataError, match="column 'b' is in the real one alone"):
        quality(REAL, HALF.drop(columns="b"))
    with pytest.raises(UsageError, match="target 'z' is unknown"):
        quality(REAL, HALF, HELD, "z")


def test_the_table_beside_the_simple_methods() -> None:
    found = compared_tables(REAL, HELD, {"this model": HALF}, target="y")
    assert [line[0] for line in found.rows] == ["this model", "a Gaussian copula", "shuffled columns", "the real rows"]
    assert "; ahead of " in found.verdict
    worse = compared_tables(REAL, HELD, {"this model": shuffled(REAL, 800, 5)}, target="y")
    assert "; behind a Gaussian copula" in worse.verdict
    assert found.columns[3] == "AUROC" and all(len(line) == len(found.columns) for line in found.rows)
