"""Filling missing cells: what is observed stays, what is filled is right, draws are as wide as they must be."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_wine
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import VAE, AutoencoderImputer, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source
from diabolo.tasks.impute_rivals import RIVALS


def quick(epochs: int = 4, members: int = 2, **params: Any) -> AutoencoderImputer:
    return AutoencoderImputer(
        members=members, trainer=Trainer(epochs=epochs, optimizer="adamw"), random_state=0, **params
    )


def mixed(n: int = 120) -> pd.DataFrame:
    """Columns of every kind, with holes; ``whole`` and ``sure`` have none."""
    random = np.random.default_rng(0)
    a = random.normal(size=n)
    kind = np.where(a + 0.3 * random.normal(size=n) > 0, "x", "y")
    frame = pd.DataFrame({
        "a": a.astype(np.float32),
        "b": 2 * a + 0.1 * random.normal(size=n),
        "kind": kind,
        "level": pd.Categorical(np.where(a > 1, "high", "low"), categories=["low", "high", "never"], ordered=True),
        "maybe": pd.array(a > 0, dtype="boolean"),
        "count": pd.array(np.round(10 * a).astype(int), dtype="Int64"),
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.round(100 * a).astype(int), unit="D"),
        "stamp": [str(pd.Timestamp("2020-01-01").date() + pd.Timedelta(days=int(50 * v))) for v in a],
        "constant": 5.0,
        "empty": np.nan,
        "whole": np.arange(n),
        "sure": a > 0,
    }, index=np.arange(n) + 1000)  # fmt: skip
    for name in frame.columns.difference(["whole", "sure"]):
        frame.loc[frame.index[random.random(n) < 0.2], name] = None
    return frame


@pytest.fixture(scope="module")
def fitted() -> AutoencoderImputer:
    return quick(epochs=30).fit(mixed())


def test_observed_cells_stay_to_the_bit_and_columns_keep_their_types(fitted: Any) -> None:
    given = mixed()
    before = given.copy()
    filled = fitted.transform(given)
    pd.testing.assert_frame_equal(given, before)
    assert filled.dtypes.to_dict() == given.dtypes.to_dict() and filled.index.equals(given.index)
    for name in given:
        known = given[name].notna()
        pd.testing.assert_series_equal(filled[name][known], given[name][known])
        assert filled[name].notna().all() == (name != "empty")
    assert filled["empty"].isna().all() and (filled["constant"] == 5).all()
    assert set(filled["level"].unique()) <= {"low", "high"} and filled["stamp"].str.len().eq(10).all()


def test_what_is_filled_follows_the_other_columns(fitted: Any) -> None:
    given = mixed()
    filled = fitted.transform(given)
    gone = given["b"].isna() & given["a"].notna()
    assert np.abs(filled["b"][gone] - 2 * given["a"][gone]).max() < 0.7
    gone = given["maybe"].isna() & given["a"].notna() & (given["a"].abs() > 0.3)
    assert (filled["maybe"][gone] == (given["a"][gone] > 0)).all()


def test_arrays_keep_their_dtype_and_their_known_values() -> None:
    X = np.random.default_rng(0).normal(size=(60, 4))
    X[::5, 1] = np.nan
    for dtype in (np.float32, np.float64):
        given = X.astype(dtype)
        filled = quick().fit_transform(given)
        known = ~np.isnan(given)
        assert filled.dtype == dtype and np.isfinite(filled).all()
        np.testing.assert_array_equal(filled[known], given[known])
    objects = mixed()[["a", "kind"]].astype(object).to_numpy()
    filled = quick().fit_transform(objects)
    assert filled.dtype == object and not pd.isna(filled).any()
    whole = np.arange(40).reshape(20, 2)
    np.testing.assert_array_equal(quick().fit_transform(whole), whole)


def test_rows_with_nothing_known_columns_whole_at_fit_and_new_categories(fitted: Any) -> None:
    given = mixed().head(3)
    given["whole"], given["sure"] = given["whole"].astype(float), given["sure"].astype("boolean")
    for name in given:
        given.loc[1000, name] = None
    given.loc[1001, "whole"] = given.loc[1001, "sure"] = None
    given.loc[1002, "kind"] = "z"
    given.loc[1002, "b"] = None
    filled = fitted.transform(given)
    assert filled.drop(columns="empty").notna().all().all()
    assert filled.loc[1002, "kind"] == "z"
    learnt = mixed()
    assert learnt["b"].quantile(0.2) < filled.loc[1000, "b"] < learnt["b"].quantile(0.8)


def test_a_table_without_holes_comes_back() -> None:
    X = np.random.default_rng(0).normal(size=(40, 3))
    model = quick().fit(X)
    np.testing.assert_array_equal(model.transform(X), X)
    np.testing.assert_array_equal(model.sample(X, 2, random_state=0)[1], X)


# ── known answers ─────────────────────────────────────────────────────────────────────────────────


def test_a_curve_is_filled_better_than_by_any_simple_method() -> None:
    """y = x² - 1: no linear method knows anything of it."""
    random = np.random.default_rng(0)
    x = random.uniform(-2, 2, size=500)
    X = np.stack([x, x**2 - 1 + 0.1 * random.normal(size=500), random.normal(size=500)], 1)
    gone = random.random(500) < 0.3
    holed = X.copy()
    holed[gone, 1] = np.nan
    filled = AutoencoderImputer(members=2, trainer=Trainer(epochs=120), random_state=0).fit_transform(holed)
    error = np.square(filled - X)[gone, 1].mean() / X[:, 1].var()
    others = {name: np.square(fill(holed, holed) - X)[gone, 1].mean() / X[:, 1].var() for name, fill in RIVALS.items()}
    assert error < 0.1 and error < min(others.values()), (error, others)


@pytest.fixture(scope="module")
def gaussian() -> tuple[AutoencoderImputer, np.ndarray, np.ndarray, float]:
    """Pairs of correlation 0.8, a third of the second gone: E = 0.8 x, Var = 0.36."""
    random = np.random.default_rng(1)
    x = random.normal(size=1500)
    X = np.stack([x, 0.8 * x + 0.6 * random.normal(size=1500)], 1)
    holed = X.copy()
    holed[random.random(1500) < 1 / 3, 1] = np.nan
    return quick(epochs=20, members=3).fit(holed), X, holed, 0.6


def test_draws_have_the_conditional_mean_and_variance(gaussian: Any) -> None:
    model, X, holed, deviation = gaussian
    gone = np.isnan(holed[:, 1])
    draws = np.stack([table[gone, 1] for table in model.sample(holed, 60, random_state=0)])
    away = draws - 0.8 * X[gone, 0]
    assert abs(away.mean()) < 0.06
    assert away.std() == pytest.approx(deviation, rel=0.08)
    assert np.abs(away.mean(0)).mean() < 0.15  # row by row, of 60 draws: 0.6 √(2/60π) = 0.06 by chance alone
    np.testing.assert_allclose(model.transform(holed)[gone, 1], 0.8 * X[gone, 0], atol=0.25)


def test_intervals_of_draws_cover_the_truth_as_often_as_they_say(gaussian: Any) -> None:
    model, X, holed, _ = gaussian
    gone = np.isnan(holed[:, 1])
    draws = np.stack([table[gone, 1] for table in model.sample(holed, 100, random_state=0)])
    for share in (0.5, 0.9):
        low, high = np.quantile(draws, [(1 - share) / 2, (1 + share) / 2], axis=0)
        covered = ((low <= X[gone, 1]) & (X[gone, 1] <= high)).mean()
        assert covered == pytest.approx(share, abs=3.3 * np.sqrt(share * (1 - share) / gone.sum()))


def test_the_mean_of_a_column_is_not_shrunk_by_drawing(gaussian: Any) -> None:
    """Filled by means the column's variance is too small; by draws it is right: 1."""
    model, _, holed, _ = gaussian
    means = model.transform(holed)[:, 1].var()
    drawn = np.mean([table[:, 1].var() for table in model.sample(holed, 20, random_state=0)])
    assert means < 0.95 and drawn == pytest.approx(1.0, abs=0.08)


def test_two_missing_cells_of_a_row_are_drawn_together(gaussian: Any) -> None:
    model = gaussian[0]
    table = model.sample(np.full((3000, 2), np.nan), 1, random_state=0)[0]
    assert np.corrcoef(table.T)[0, 1] == pytest.approx(0.8, abs=0.05)


def test_categories_are_drawn_by_their_shares_and_told_each_other() -> None:
    random = np.random.default_rng(0)
    kind = random.choice(["a", "b", "c"], size=600, p=[0.6, 0.3, 0.1])
    frame = pd.DataFrame({"kind": kind, "twin": kind, "noise": random.normal(size=600)})
    frame.loc[random.random(600) < 0.2, "kind"] = None
    model = quick(epochs=30).fit(frame)
    nothing = pd.DataFrame({"kind": [None] * 2000, "twin": [None] * 2000, "noise": np.zeros(2000)})
    drawn = model.sample(nothing, 1, random_state=0)[0]
    shares = drawn["kind"].value_counts(normalize=True)
    assert shares["a"] == pytest.approx(0.6, abs=0.08) and shares["c"] == pytest.approx(0.1, abs=0.06)
    assert (drawn["kind"] == drawn["twin"]).mean() > 0.95


# ── on disk, in scikit-learn, on the command's data ───────────────────────────────────────────────


def test_the_disk_a_pickle_and_the_seed_change_nothing(fitted: Any, tmp_path: Path) -> None:
    given = mixed()
    fitted.save(tmp_path / "m")
    for again in (load(tmp_path / "m"), pickle.loads(pickle.dumps(fitted)), clone(fitted).fit(given)):
        pd.testing.assert_frame_equal(again.transform(given), fitted.transform(given))
        one, other = again.sample(given, 2, random_state=3)[1], fitted.sample(given, 2, random_state=3)[1]
        pd.testing.assert_frame_equal(one, other)
    assert not fitted.sample(given, 1, random_state=4)[0].equals(fitted.sample(given, 1, random_state=3)[0])


@parametrize_with_checks([quick(epochs=1, members=1)])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_in_a_pipeline_and_as_a_frame() -> None:
    X, y = load_wine(return_X_y=True)
    holed = np.where(np.random.default_rng(0).random(X.shape) < 0.2, np.nan, X)
    pipe = make_pipeline(quick(epochs=20), StandardScaler(), LogisticRegression(max_iter=500)).fit(holed, y)
    assert pipe.score(holed, y) > 0.9
    frame = pd.DataFrame(holed, index=np.arange(len(X)) + 5).add_prefix("f")
    model = quick(epochs=1, members=1).fit(frame)
    assert model.get_feature_names_out().tolist() == list(frame) == model.feature_names_in_.tolist()
    out = quick(epochs=1, members=1).set_output(transform="pandas").fit(holed).transform(holed)
    assert isinstance(out, pd.DataFrame) and out.shape == X.shape


def test_any_autoencoder_can_do_the_work_and_a_bad_one_is_not_believed() -> None:
    X = np.random.default_rng(0).normal(size=(300, 2)) @ np.random.default_rng(1).normal(size=(2, 6))
    X += 0.1 * np.random.default_rng(2).normal(size=X.shape)
    gone = np.random.default_rng(3).random(X.shape) < 0.2
    holed = np.where(gone, np.nan, X)
    lost = AutoencoderImputer(VAE(1), members=1, trainer=Trainer(epochs=1, lr=1e-6), random_state=0).fit(holed)
    assert lost.arrays_["weight"].max() < 0.2
    assert np.square(lost.transform(holed) - X)[gone].mean() < 0.3 * X.var()


def test_the_assessment_tells_a_good_model_and_a_hopeless_table() -> None:
    random = np.random.default_rng(0)
    x, noise = random.uniform(-2, 2, size=400), random.normal(size=(400, 6))
    good = pd.DataFrame({"x": x, "x2": x**2, "wave": np.cos(3 * x), "k": np.where(x > 0, "up", "down")})
    good[list("abcdef")] = x[:, None] * [1, 1, 0, 0, 0, 0] + noise * [0.05, 0.05, 1, 1, 1, 1]
    learn, held = Source(good[:300], "table"), Source(good[300:].reset_index(drop=True), "table")
    found = AutoencoderImputer(members=2, trainer=Trainer(epochs=200), random_state=0).fit(learn).assess(learn, held)
    assert found.columns == ("", "error", "accuracy") and [row[0] for row in found.rows][1:] == list(RIVALS)
    assert "numbers: better than" in found.verdict
    noise = pd.DataFrame(random.normal(size=(200, 3)), columns=list("abc"))
    learn, held = Source(noise[:150], "table"), Source(noise[150:].reset_index(drop=True), "table")
    assert "better than mean" not in quick().fit(learn).assess(learn, held).verdict.replace("no better", "")


def test_few_rows_make_few_members() -> None:
    X = np.random.default_rng(0).normal(size=(45, 3))
    assert len(quick(epochs=1, members=5).fit(X).models_) == 2
    assert len(quick(epochs=1, members=5).fit(X[:10]).models_) == 1


@pytest.mark.parametrize(
    ("rows", "text"),
    [
        (np.zeros((4, 3, 2)), "tables"),
        (np.full((5, 2), np.inf), "infinity"),
        (np.zeros((1, 2)), "minimum of 2"),
        (Source(np.zeros((4, 8, 8)), "image"), "image rows are none"),
    ],
)
def test_what_is_no_table_is_refused(rows: Any, text: str) -> None:
    with pytest.raises(DataError, match=text):
        quick().fit(rows)


@pytest.mark.parametrize("given", [{"members": 0}, {"hide": 1.5}, {"prior": -1.0}])
def test_parameters_out_of_range(given: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        AutoencoderImputer(**given).fit(np.zeros((30, 2)))
    with pytest.raises(UsageError, match="n_draws"):
        quick(epochs=1, members=1).fit(np.random.default_rng(0).normal(size=(30, 2))).sample(np.zeros((2, 2)), 0)
