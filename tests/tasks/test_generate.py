"""New tables: known moments come back, columns stay what they are, conditions hold, rows are no copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import VAE, AutoencoderGenerator, ConditionalVAE, Trainer, data, load
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.tasks.closeness import Closeness
from diabolo.tasks.quality import quality

MEANS = np.array([[-3.0, 0.0, 2.0], [3.0, 1.0, -2.0]])
COVARIANCE = np.array([[1.0, 0.7, 0.0], [0.7, 1.0, 0.3], [0.0, 0.3, 0.5]])


def mixture(rows: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two Gaussians, the second as common as a third of the first."""
    random = np.random.default_rng(seed)
    y = (random.random(rows) < 0.25).astype(int)
    return MEANS[y] + random.multivariate_normal(np.zeros(3), COVARIANCE, rows), y


def people(rows: int = 400, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    age = random.integers(18, 80, rows)
    frame = pd.DataFrame(
        {
            "age": age,
            "income": (random.lognormal(9, 0.5, rows) * (1 + age / 40)).round(2),
            "city": random.choice(["Rome", "Oslo", "Lima"], rows, p=[0.6, 0.3, 0.1]),
            "member": random.random(rows) < 0.3,
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 900, rows), "D"),
            "visits": pd.array(random.poisson(2, rows), dtype="Int64"),
            "grade": pd.Categorical(random.choice([1, 2, 3], rows), ordered=True),
        }
    )
    frame.loc[random.random(rows) < 0.2, "income"] = np.nan
    frame.loc[random.random(rows) < 0.1, "city"] = None
    frame.loc[random.random(rows) < 0.1, "visits"] = pd.NA
    return frame


@pytest.fixture(scope="module")
def of_people() -> AutoencoderGenerator:
    return AutoencoderGenerator(trainer=Trainer(epochs=15), random_state=0).fit(people())


@pytest.fixture(scope="module", params=["neighbours", "mixture"])
def of_mixture(request: Any) -> AutoencoderGenerator:
    made = AutoencoderGenerator(density=request.param, trainer=Trainer(epochs=30), random_state=0)
    return made.fit(*mixture(1200))


def test_a_mixture_of_known_moments_comes_back(of_mixture: AutoencoderGenerator) -> None:
    X, y = of_mixture.sample(6000, random_state=1)
    assert X.shape == (6000, 3) and y.dtype == np.int64
    assert y.mean() == pytest.approx(0.25, abs=0.03)
    for name in (0, 1):
        np.testing.assert_allclose(X[y == name].mean(0), MEANS[name], atol=0.2)
        np.testing.assert_allclose(np.cov(X[y == name].T), COVARIANCE, atol=0.3)


def test_new_rows_are_like_unseen_ones_and_no_copies(of_mixture: AutoencoderGenerator) -> None:
    real, held = (pd.DataFrame(X, columns=["x0", "x1", "x2"]).assign(y=y) for X, y in (mixture(1200), mixture(1200, 7)))
    found = quality(real, of_mixture.draw(1200, random_state=2).rows, held, "y")
    assert found.column < 0.05 and found.pair < 0.06 and found.nearest > 0.8 and found.duplicates == 0
    assert found.score > 0.97 * found.real and found.detected < 0.65


def test_the_distance_asked_for_is_kept() -> None:
    X, _ = mixture(800)
    frame = pd.DataFrame(X, columns=["x0", "x1", "x2"])
    close = Closeness(frame)
    near, far = (
        close.ratio(
            AutoencoderGenerator(distance=distance, trainer=Trainer(epochs=20), random_state=0)
            .fit(frame)
            .sample(800, random_state=0)
        )
        for distance in (0.5, 0.9)
    )
    assert near < 0.8 and far == pytest.approx(0.9, abs=0.06)


def test_columns_stay_what_they_are(of_people: AutoencoderGenerator) -> None:
    rows, made = people(), of_people.sample(1000, random_state=0)
    assert made.dtypes.equals(rows.dtypes) and list(made) == list(rows) and len(made) == 1000
    assert set(made["city"].dropna()) <= {"Rome", "Oslo", "Lima"}
    for name in ("age", "income", "day", "visits"):
        assert made[name].dropna().between(rows[name].min(), rows[name].max()).all()
    np.testing.assert_array_equal(made["income"].dropna(), made["income"].dropna().round(2))
    np.testing.assert_allclose(made.isna().mean(), rows.isna().mean(), atol=0.05)
    assert max(abs(made["city"].value_counts(normalize=True) - rows["city"].value_counts(normalize=True))) < 0.07


@pytest.mark.parametrize(
    "where",
    [
        {"city": "Lima"},
        {"age": (60, None), "member": True},
        ["age>=79"],
        ["day<2020-02-01", "city!=Rome"],
        {"income": None},
        {"grade": [1, 3], "visits": 2},
        ["income=20000..20100"],
    ],
)
def test_every_row_satisfies_the_conditions(of_people: AutoencoderGenerator, where: Any) -> None:
    from diabolo.tasks.where import conditions, satisfied

    drawn = of_people.draw(40, where=where, random_state=0)
    assert len(drawn.rows) == 40 <= drawn.draws
    assert satisfied(drawn.rows, conditions(where)).all()
    assert drawn.rows.drop_duplicates().shape[0] > 35


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (["city=Roma"], "'city' holds Lima, Oslo, Rome"),
        (["age>90"], "'age' goes from 18 to 79"),
        (["age=90..99"], "'age' goes from"),
        (["day<2019-01-01"], "'day' goes from 2020"),
        (["age="], "no cell of 'age' was missing"),
        (["town=Rome"], "column 'town' is unknown"),
    ],
)
def test_impossible_conditions_are_said_at_once(of_people: AutoencoderGenerator, where: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        of_people.draw(10, where=where)


def test_values_that_no_row_has_are_given_up_in_words(
    of_people: AutoencoderGenerator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("diabolo.tasks.where.PATIENCE", 2000)
    with pytest.raises(ModelError, match=r"0 of 1 rows satisfied income=12345\.678"):
        of_people.draw(1, where={"income": 12345.678})


def test_a_class_is_drawn_at_once(of_mixture: AutoencoderGenerator) -> None:
    drawn = of_mixture.draw(500, where={"y": 1}, random_state=0)
    assert (drawn.rows["y"] == 1).all()
    assert of_mixture.density == "mixture" or drawn.draws <= 600
    np.testing.assert_allclose(drawn.rows[["x0", "x1", "x2"]].mean(), MEANS[1], atol=0.25)


def test_same_seed_same_rows_also_from_disk(of_mixture: AutoencoderGenerator, tmp_path: Path) -> None:
    of_mixture.save(tmp_path / "m")
    again = load(tmp_path / "m")
    for one, other in zip(*(model.sample(50, random_state=3) for model in (of_mixture, again)), strict=True):
        np.testing.assert_array_equal(one, other)
    assert not np.array_equal(again.sample(50, random_state=4)[0], again.sample(50, random_state=3)[0])
    assert ("codes" in again.arrays_) == (of_mixture.density == "neighbours")
    one, two = (clone(of_mixture).set_params(trainer__epochs=1).fit(*mixture(90)).sample(9, random_state=0)[0]
                for _ in range(2))  # fmt: skip
    np.testing.assert_array_equal(one, two)


def test_the_kind_of_rows_comes_back() -> None:
    X, y = mixture(60)
    quick = AutoencoderGenerator(trainer=Trainer(epochs=1), random_state=0)
    assert clone(quick).fit(X.astype(np.float32)).sample(3).dtype == np.float32
    names = np.where(y == 1, "b", "a")
    frame = pd.DataFrame(X, columns=list("uvw"))
    made, said = clone(quick).fit(frame, pd.Series(names, name="kind")).sample(5, where={"kind": "b"})
    assert list(made) == list("uvw") and set(said) == {"b"}
    both = clone(quick).fit(data.open(frame.assign(kind=names), target="kind")).draw(4).rows
    assert list(both) == [*"uvw", "kind"]
    numbers = clone(quick).fit(frame, X[:, 0] ** 2).sample(5)[1]
    assert numbers.dtype == np.float64 and len(set(numbers)) > 2
    holes = X.copy()
    holes[::3, 1] = np.nan
    assert np.isnan(clone(quick).fit(holes).sample(200, random_state=0)[:, 1]).mean() == pytest.approx(1 / 3, abs=0.15)


def test_a_class_of_one_row_and_constant_columns_do_no_harm() -> None:
    X, _ = mixture(60)
    rows = pd.DataFrame(X, columns=list("uvw")).assign(same=1.5, none=None)
    y = np.where(np.arange(60) == 5, "rare", "usual")
    made, said = AutoencoderGenerator(trainer=Trainer(epochs=1), random_state=0).fit(rows, y).sample(120)
    assert (made["same"] == 1.5).all() and made["none"].isna().all() and (said == "rare").sum() == 2
    assert made.dtypes.equals(rows.dtypes)


def test_the_density_is_chosen_on_rows_kept_aside() -> None:
    X, y = mixture(600)
    model = AutoencoderGenerator(trainer=Trainer(epochs=10), random_state=0).fit(X, y)
    assert set(model.facts_["tried"]) == {"neighbours", "mixture"} and min(model.facts_["tried"].values()) > 0.9
    assert model.facts_["density"] == "neighbours"  # a tie
    assert AutoencoderGenerator(trainer=Trainer(epochs=1)).fit(X).facts_["density"] == "neighbours"


def test_an_autoencoder_of_one_s_own_is_taken() -> None:
    X, _ = mixture(100)
    model = AutoencoderGenerator(VAE(2, hidden=(8,)), trainer=Trainer(epochs=2), random_state=0).fit(X)
    assert model.autoencoder_.n_components_ == 2 and model.sample(7).shape == (7, 3)


def test_the_assessment_has_the_simple_methods_beside_it(of_mixture: AutoencoderGenerator) -> None:
    learn, held = (data.open(pd.DataFrame(X).assign(y=y).rename(columns=lambda c: f"x{c}" if c != "y" else c),
                             target="y") for X, y in (mixture(600), mixture(200, 5)))  # fmt: skip
    found = of_mixture.assess(learn, held)
    assert found is not None and found.rows[0][0] == "this model" and "AUROC" in found.columns
    assert "taught by these rows" in found.verdict


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"density": "kernel"}, "density"),
        ({"neighbours": 2}, "neighbours"),
        ({"distance": 0}, "distance"),
        ({"autoencoder": ConditionalVAE()}, "told no class"),
    ],
)
def test_parameters_out_of_range_are_said(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AutoencoderGenerator(**parameters).fit(mixture(30)[0])


def test_rows_that_stay_on_disk_are_refused(tmp_path: Path) -> None:
    people().to_parquet(tmp_path / "p.parquet")
    with pytest.raises(DataError, match="learnt from rows in memory"):
        AutoencoderGenerator().fit(data.open(tmp_path / "p.parquet", memory=2000))


def test_what_is_no_table_is_refused() -> None:
    for rows in (np.zeros((5, 4, 4)), data.open("digits")):
        with pytest.raises(DataError, match=r"dim 3|image"):
            AutoencoderGenerator().fit(rows)
    with pytest.raises(UsageError, match="column 'y' already"):
        AutoencoderGenerator().fit(pd.DataFrame({"y": [1.0, 2.0]}), [0, 1])
    with pytest.raises(DataError, match="one entry a row"):
        AutoencoderGenerator().fit(np.zeros((4, 2)), [0, 1])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderGenerator(trainer=Trainer(epochs=1), random_state=0)])
def test_scikit_learn_s_checks(estimator: Any, check: Any) -> None:
    check(estimator)
