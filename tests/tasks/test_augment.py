"""The sampler: what is made, of which class, in whose range; and SMOTE."""

from __future__ import annotations

import pickle
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import AEGAN, VAE, Autoencoder, AutoencoderClassifier, AutoencoderSampler, ConditionalVAE, Trainer, load
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.data import Source
from diabolo.data import open as open_source
from diabolo.tasks.latent_draws import around, between
from diabolo.tasks.oversample import interpolated, smote, wanted

RARE, USUAL = 12, 120


def blobs(seed: int = 0, rare: int = RARE) -> tuple[np.ndarray, np.ndarray]:
    """Two classes of columns that differ in scale: "rare" stands 4 spreads above "usual" in the first two."""
    random = np.random.default_rng(seed)
    y = np.where(np.arange(USUAL + rare) < rare, "rare", "usual")
    X = random.normal(size=(len(y), 2)) @ random.normal(size=(2, 6)) + 0.2 * random.normal(size=(len(y), 6))
    X[y == "rare", :2] += 4
    return (X * (1, 1000, 1, 1, 0.001, 1)).astype(np.float32), y


def mixed(rows: int = 90) -> tuple[pd.DataFrame, pd.Series]:
    random = np.random.default_rng(1)
    rare = np.arange(rows) < 12
    frame = pd.DataFrame(
        {
            "speed": random.normal(size=rows) + 3 * rare,
            "count": random.poisson(5, rows) + 4 * rare,
            "whole": random.integers(0, 9, rows).astype(float),
            "kind": random.choice(["a", "b", "c"], rows),
            "grade": pd.Categorical(random.choice(["low", "high"], rows), ["low", "high"], ordered=True),
            "ok": random.random(rows) < 0.5,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 300, rows), "D"),
        },
        index=np.arange(1000, 1000 + rows),
    )
    frame.loc[1002:1040:3, "speed"] = np.nan
    return frame, pd.Series(np.where(rare, "worn", "fresh"), index=frame.index, name="state")


def sampler(how: str = "interpolation", epochs: int = 3, **more: Any) -> AutoencoderSampler:
    return AutoencoderSampler(how=how, trainer=Trainer(epochs=epochs), **{"random_state": 0, **more})


# ── how many ──────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("strategy", "made"),
    [
        ("auto", {1: 6, 2: 9}),
        ("not majority", {1: 6, 2: 9}),
        ("minority", {2: 9}),
        ("not minority", {1: 6}),
        ("all", {1: 6, 2: 9}),
        ({"b": 5, "c": 1}, {1: 1}),
    ],
)
def test_how_many_rows_a_strategy_asks_for(strategy: Any, made: dict[int, int]) -> None:
    assert wanted(strategy, np.array(["a", "b", "c"]), np.array([10, 4, 1])) == made


@pytest.mark.parametrize(
    ("strategy", "words"),
    [
        ("automatic", "did you mean 'auto'"),
        ({"d": 5}, "class 'd' is unknown"),
        ({"b": 3}, "class 'b' has 4 rows already"),
        (0.5, "is a share of two classes; there are 3"),
        (None, "sampling_strategy must be"),
    ],
)
def test_a_strategy_that_cannot_be(strategy: Any, words: str) -> None:
    with pytest.raises((UsageError, DataError), match=words):
        wanted(strategy, np.array(["a", "b", "c"]), np.array([10, 4, 1]))


def test_a_share_is_of_the_largest_class() -> None:
    two = np.array(["a", "b"])
    assert wanted(0.5, two, np.array([20, 4])) == {1: 6} and wanted(0.2, two, np.array([20, 4])) == {}
    with pytest.raises(DataError, match=r"stand at 0\.2 already"):
        wanted(0.1, two, np.array([20, 4]))


# ── SMOTE ─────────────────────────────────────────────────────────────────────────────────────────


def off_the_lines(made: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """Distance of each made row from the nearest line between a row and one of its k nearest."""
    apart = np.linalg.norm(rows[:, None] - rows, axis=2)
    near = apart.argsort(1)[:, 1 : k + 1]
    start, end = np.repeat(rows, k, 0), rows[near.ravel()]
    way = end - start
    share = np.clip(np.einsum("nd,md->nm", made, way) - (start * way).sum(1), 0, (way**2).sum(1)) / (way**2).sum(1)
    return np.linalg.norm(made[:, None] - start - share[..., None] * way, axis=2).min(1)


def test_smote_makes_rows_on_the_lines_between_near_rows() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(20, 3))
    made = smote(rows, 500, k=4, random=random)
    assert made.shape == (500, 3) and off_the_lines(made, rows, 4).max() < 1e-9
    assert off_the_lines(made, rows, 2).max() > 1e-3
    base, other, share = interpolated(rows, 45, 4, random)
    assert set(np.bincount(base, minlength=20)) == {2, 3} and (base != other).all()
    assert (share >= 0).all() and (share < 1).all()


def test_smote_is_imbalanced_learn_s() -> None:
    over_sampling = import_module("imblearn.over_sampling")
    random = np.random.default_rng(0)
    X, y = random.normal(size=(70, 3)), np.arange(70) < 20
    theirs, labels = over_sampling.SMOTE(sampling_strategy={True: 3020}, k_neighbors=4, random_state=0).fit_resample(
        X, y
    )
    ours = smote(X[:20], 3000, k=4, random=random)
    assert labels[70:].all() and off_the_lines(theirs[70:], X[:20], 4).max() < 1e-9
    np.testing.assert_allclose(ours.mean(0), theirs[70:].mean(0), atol=0.05)
    np.testing.assert_allclose(np.cov(ours.T), np.cov(theirs[70:].T), atol=0.06)


def test_equal_rows_and_a_single_one() -> None:
    made = smote(np.ones((6, 2)), 10, random=np.random.default_rng(0))
    assert (made == 1).all()
    with pytest.raises(DataError, match="at least 2 are needed"):
        smote(np.ones((1, 2)), 1)


# ── draws of codes ────────────────────────────────────────────────────────────────────────────────


def codes(rare: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Codes of two classes of one covariance, their places, and that covariance's root."""
    random = np.random.default_rng(2)
    root = np.array([[2.0, 0.0], [1.0, 0.5]])
    places = np.r_[np.zeros(2000, int), np.ones(rare, int)]
    return random.normal(size=(len(places), 2)) @ root.T + np.array([[0.0, 0.0], [9.0, -5.0]])[places], places, root


def test_one_row_varies_as_the_other_classes_do() -> None:
    z, places, root = codes(rare=1)
    made, base = around(z, places, np.array([2000]), 20_000, np.random.default_rng(0))
    assert set(base) == {2000}
    np.testing.assert_allclose(made.mean(0), z[2000], atol=0.06)
    np.testing.assert_allclose(np.cov(made.T), root @ root.T, rtol=0.08, atol=0.05)


def test_a_density_keeps_mean_and_covariance_of_its_class() -> None:
    z, places, _ = codes(rare=400)
    own = np.flatnonzero(places == 1)
    own_z = z[own] * (1, 3)
    z[own] = own_z
    made, _ = around(z, places, own, 20_000, np.random.default_rng(0))
    np.testing.assert_allclose(made.mean(0), own_z.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(own_z.T), rtol=0.08, atol=0.05)


def test_codes_between_lie_on_lines_of_their_class() -> None:
    z, places, _ = codes(rare=10)
    own = np.flatnonzero(places == 1)
    made, base = between(z, own, 200, 3, np.random.default_rng(0))
    scaled = z[own] / z.std(0)
    assert set(base) == set(own) and off_the_lines(made / z.std(0), scaled, 3).max() < 1e-9


# ── what is made ──────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("how", ["interpolation", "density", "conditional"])
def test_the_given_rows_come_first_and_made_ones_look_like_their_class(how: str) -> None:
    X, y = blobs()
    before = X.copy()
    more, labels = sampler(how, epochs=40).fit_resample(X, y)
    np.testing.assert_array_equal(X, before)
    assert more.dtype == X.dtype and (more[: len(X)] == X).all() and (labels[: len(X)] == y).all()
    assert (labels[len(X) :] == "rare").all() and (labels == "rare").sum() == USUAL
    scale = X.std(0)
    judge = LogisticRegression().fit(X / scale, y)
    assert (judge.predict(more[len(X) :] / scale) == "rare").mean() > 0.9
    made, rare = more[len(X) :] / scale, X[y == "rare"] / scale
    assert np.abs(made.mean(0) - rare.mean(0)).max() < 0.5
    assert (made.std(0) > 0.4 * rare.std(0)).all(), "made rows vary: they are no copies of the mean"
    assert (more.min(0) >= X.min(0) - 1e-3 * scale).all() and (more.max(0) <= X.max(0) + 1e-3 * scale).all()


def test_what_the_code_does_not_hold_stays_with_the_row() -> None:
    """A code of one value: the five columns that are noise keep the spread they have in real rows."""
    random = np.random.default_rng(0)
    X = random.normal(size=(200, 6))
    y = np.arange(200) < 40
    model = sampler("density", epochs=5).set_params(autoencoder=Autoencoder(1)).fit(X, y)
    made = model.sample(2000, y=True, random_state=0)
    assert (made.std(0) > 0.8 * X[y].std(0)).all()
    model.arrays_["rest"] = np.zeros_like(model.arrays_["rest"])
    assert np.median(model.sample(2000, y=True, random_state=0).std(0)) < 0.5


def test_an_ae_gan_gives_the_codes_a_discriminant_calls_the_class() -> None:
    X, y = blobs(rare=40)
    model = sampler("ae-gan", epochs=60).fit(X, y)
    assert isinstance(model.autoencoder_, AEGAN) and model.ways_ == ("density", "interpolation", "ae-gan")
    scale = X.std(0)
    judge = LogisticRegression().fit(X / scale, y)
    assert (judge.predict(model.sample(200, y="rare", random_state=0) / scale) == "rare").mean() > 0.8
    model.arrays_["codes"][model.arrays_["places"] == 0] += 1e6
    with pytest.raises(DataError, match="hardly one is of the class"):
        model.sample(5, y="rare", random_state=0)


def test_mixed_columns_keep_their_types_ranges_and_gaps() -> None:
    X, y = mixed()
    more, labels = sampler("density", epochs=10).fit_resample(X, y)
    made = more.iloc[len(X) :]
    pd.testing.assert_frame_equal(more.iloc[: len(X)], X.reset_index(drop=True))
    assert isinstance(labels, pd.Series) and labels.name == "state" and (labels.iloc[len(X) :] == "worn").all()
    assert (more.dtypes == X.dtypes).all() and more.index.equals(pd.RangeIndex(len(more)))
    assert (made["whole"] % 1 == 0).all() and set(made["kind"]) <= set("abc")
    for name in ("count", "whole", "day"):
        assert X[name].min() <= made[name].min() and made[name].max() <= X[name].max()
    lacking = X.loc[y == "worn", "speed"].isna().mean()
    assert (
        lacking > 0
        and abs(made["speed"].isna().mean() - lacking) < 0.25
        and not made.drop(columns="speed").isna().any(axis=None)
    )


def test_whole_numbers_of_arrays_stay_whole_and_gaps_stay() -> None:
    X, y = blobs()
    X[:, 3] = np.rint(X[:, 3] * 3)
    X[::4, 5] = np.nan
    more, _ = sampler().fit_resample(X, y)
    made = more[len(X) :]
    assert (made[:, 3] % 1 == 0).all() and 0 < np.isnan(made[:, 5]).mean() < 1 and np.isfinite(made[:, :5]).all()
    whole, _ = sampler().fit_resample((X[:, :4] * 10).astype(np.int64), y)
    assert whole.dtype == np.int64


def test_pictures() -> None:
    digits = load_digits()
    keep = np.r_[np.flatnonzero(digits.target == 0)[:60], np.flatnonzero(digits.target == 1)[:8]]
    X, y = (digits.images[keep] * 15).astype(np.uint8), digits.target[keep]
    more, labels = sampler("density").fit_resample(X, y)
    assert more.dtype == np.uint8 and more.shape == (120, 8, 8) and (labels == 1).sum() == 60
    assert (more[:68] == X).all()


# ── few rows, odd classes ─────────────────────────────────────────────────────────────────────────


def test_classes_of_two_rows_and_of_one() -> None:
    X, y = blobs(rare=2)
    assert (sampler().fit_resample(X, y)[1] == "rare").sum() == USUAL
    X, y = X[1:], y[1:]
    with pytest.raises(DataError, match="class 'rare' has one row"):
        sampler().fit_resample(X, y)
    made = sampler("density").fit_resample(X, y)[0][len(X) :]
    assert len(np.unique(made, axis=0)) == USUAL - 1
    assert len(sampler(sampling_strategy={"usual": USUAL + 2}).fit_resample(X, y)[0]) == len(X) + 2


@pytest.mark.parametrize("classes", [(-1, 1), (False, True), (0.0, 1.0), ("1", "2")])
def test_classes_of_any_kind(classes: tuple[Any, Any]) -> None:
    X, y = blobs()
    given = np.where(y == "rare", *classes)
    labels = sampler(sampling_strategy="minority").fit_resample(X, given)[1]
    assert labels.dtype == given.dtype and (labels == classes[0]).sum() == USUAL
    assert sampler().fit_resample(X.tolist(), given.tolist())[1].tolist() == labels.tolist()


@pytest.mark.parametrize(
    ("y", "words"),
    [
        (None, "requires y"),
        (np.zeros(USUAL + RARE), "only one class"),
        (np.r_[np.nan, np.ones(USUAL + RARE - 1)], "row 0 has no class"),
        (np.array([None] + ["a"] * (USUAL + RARE - 1), object), "row 0 has no class"),
        (np.linspace(0, 1, USUAL + RARE), "continuous"),
        (np.arange(5) % 2, "5 classes for 132 rows"),
    ],
)
def test_classes_that_cannot_be(y: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        sampler().fit(blobs()[0], y)


def test_parameters_and_rows_that_cannot_be(tmp_path: Path) -> None:
    X, y = blobs()
    for made, words in (
        (sampler("interpolate"), "did you mean 'interpolation'"),
        (sampler(k_neighbors=0), "k_neighbors must be"),
        (sampler(autoencoder=AutoencoderClassifier()), "autoencoder must be"),
    ):
        with pytest.raises(UsageError, match=words):
            made.fit(X, y)
    fitted = sampler().fit(X, y)
    with pytest.raises(ModelError, match="fit with how='conditional'"):
        fitted.sample(2, y="rare", how="conditional")
    with pytest.raises(ModelError, match="fit with how='ae-gan'"):
        fitted.sample(2, y="rare", how="ae-gan")
    with pytest.raises(DataError, match="'odd', a class that was not there"):
        fitted.sample(2, y="odd")
    with pytest.raises(UsageError, match="kind 'text' cannot be made anew"):
        sampler().fit(open_source(["a text", "another"] * 4), np.arange(8) % 2)
    np.save(tmp_path / "rows.npy", X)
    with pytest.raises(UsageError, match="stay on disk"):
        sampler().fit(open_source(tmp_path / "rows.npy", memory=100), y)


# ── the model ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("base", [None, VAE(2), ConditionalVAE(2)])
def test_saved_and_loaded_it_makes_the_same_rows(base: Any, tmp_path: Path) -> None:
    X, y = mixed()
    model = sampler(autoencoder=base).fit(X, y)
    model.save(tmp_path / "m")
    again = load(tmp_path / "m")
    for way in model.ways_:
        one, two = (held.resample(X, y, how=way)[0] for held in (model, again))
        pd.testing.assert_frame_equal(one, two)
    assert again.classes_.tolist() == ["fresh", "worn"] and again.describe()["facts"]["counts"] == [78, 12]


def test_the_seed_decides_everything() -> None:
    X, y = blobs()
    one, two, other = (sampler(random_state=seed).fit_resample(X, y)[0] for seed in (3, 3, 4))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other)
    model = sampler().fit(X, y)
    assert not np.array_equal(model.sample(4, y="rare", random_state=1), model.sample(4, y="rare", random_state=2))
    kept = pickle.loads(pickle.dumps(model)).resample(X, y)[0]
    np.testing.assert_array_equal(kept, model.resample(X, y)[0])


def test_other_rows_are_filled_up_by_what_was_learnt() -> None:
    X, y = blobs()
    model = sampler().fit(X, y)
    more, labels = model.resample(X[:30], y[:30], sampling_strategy={"rare": 40, "usual": 20})
    asked = model.resample(X[:30], y[:30], sampling_strategy=lambda y: {"rare": int((y == "rare").sum()) + 3})
    assert len(asked[0]) == 33
    assert len(more) == 60 and (labels[30:] == np.repeat(["rare", "usual"], [28, 2])).all()
    assert len(model.resample(X[RARE : RARE + 3], y[RARE : RARE + 3], sampling_strategy="minority")[0]) == 6


def test_a_clone_and_a_nested_parameter() -> None:
    model = sampler(autoencoder=Autoencoder(2)).set_params(autoencoder__n_components=3, k_neighbors=2)
    fitted = clone(model).fit(*blobs())
    assert fitted.autoencoder_.n_components_ == 3 and fitted.arrays_["codes"].shape == (USUAL + RARE, 3)
    assert model.plan(*blobs()).autoencoder_.history_ == []


def test_inside_imbalanced_learn_s_pipeline() -> None:
    pipeline = import_module("imblearn.pipeline")
    X, y = blobs()
    pipe = pipeline.make_pipeline(sampler(), LogisticRegression(max_iter=2000)).fit(X, y)
    assert pipe.score(X, y) > 0.9


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderSampler(Autoencoder(2), how="density", trainer=Trainer(epochs=1))])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_made_pictures_are_decoded_codes_without_what_is_left_of_others() -> None:
    digits = load_digits()
    keep = np.r_[np.flatnonzero(digits.target == 0)[:60], np.flatnonzero(digits.target == 1)[:8]]
    X, y = (digits.images[keep] * 15).astype(np.uint8), digits.target[keep]
    model = sampler("interpolation").fit(X, y)
    assert not model.arrays_["rest"].any()
    assert model.exhibits(open_source(X.reshape(68, -1))) == ()
    shown = model.exhibits(Source(X, "image", None, y))[0]
    assert [strip.title for strip in shown.strips] == ["Class 1, 8 rows: real", "Class 1: made (interpolation)"]
    assert len(shown.strips[0].pictures) == 8 and shown.strips[1].pictures[0].dtype == np.uint8
