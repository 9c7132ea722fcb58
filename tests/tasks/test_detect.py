"""The detector: planted anomalies are found and explained, levels hold, signs and formats are the ones of scikit-learn
and PyOD, and the same seed gives the same bits."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.base import clone
from sklearn.metrics import roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from diabolo import VAE, AutoencoderDetector, Trainer, load
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Series
from diabolo.data import open as open_source
from diabolo.tasks.neighbours import nearest


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 20, "batch_size": 64, "optimizer": "adam", "lr": 0.01, "validation": 0.0, **knobs})


def rows(n: int, seed: int = 0) -> np.ndarray:
    """Six columns in units of their own, on a plane with some noise."""
    random = np.random.default_rng(seed)
    mixing = np.random.default_rng(99).normal(size=(2, 6))
    made = random.normal(size=(n, 2)) @ mixing + 0.1 * random.normal(size=(n, 6))
    return made * [1, 10, 1000, 0.01, 1, 5] + [0, 50, -4000, 0, 3, 1]


def planted(n: int, seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Rows of which each has one cell from another row, and which cell."""
    random = np.random.default_rng(seed)
    made, column = rows(n, seed), random.integers(0, 6, n)
    spread = rows(1000).std(0)
    made[np.arange(n), column] += 4 * spread[column] * random.choice([-1, 1], n)
    return made, column


@pytest.fixture(scope="module")
def fitted() -> AutoencoderDetector:
    return AutoencoderDetector(trainer=quick(), random_state=0).fit(rows(300))


def table(n: int, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    z = random.normal(size=n)
    frame = pd.DataFrame(
        {
            "age": 40 + 10 * z + random.normal(size=n),
            "income": 1000 + 300 * z + 30 * random.normal(size=n),
            "job": np.where(z > 0, "clerk", "smith"),
            "member": z > 0.5,
            "visits": np.rint(20 + 5 * z).astype(int),
        }
    )
    frame.loc[::17, "income"] = np.nan
    return frame


@pytest.fixture(scope="module")
def of_a_table() -> AutoencoderDetector:
    return AutoencoderDetector(trainer=quick(epochs=40), random_state=0).fit(table(300))


# ── finding ───────────────────────────────────────────────────────────────────────────────────────


def test_rows_off_the_plane_are_found_in_any_units(fitted: AutoencoderDetector) -> None:
    strange, _ = planted(100)
    usual = rows(200, seed=2)
    both, truth = np.concatenate([usual, strange]), np.arange(300) >= 200
    assert roc_auc_score(truth, -fitted.score_samples(both)) > 0.98
    assert (fitted.p_values(strange) <= 0.05).mean() > 0.9


def test_lower_is_more_abnormal_and_the_decision_is_at_zero(fitted: AutoencoderDetector) -> None:
    both = np.concatenate([rows(50, seed=2), planted(50)[0]])
    score, p = fitted.judge(both)
    np.testing.assert_array_equal(fitted.decision_function(both), score - fitted.offset_)
    np.testing.assert_array_equal(fitted.predict(both) == -1, p <= fitted.alpha)
    order = np.argsort(score)
    assert (np.diff(p[order]) >= 0).all() and len(np.unique(score)) == 100


@pytest.mark.parametrize(("n", "folds"), [(120, "auto"), (400, 1)])
def test_false_alarms_are_as_many_as_was_said(n: int, folds: Any) -> None:
    """Fresh normal rows against the level: exact for one split, close for rows held out in turn."""
    alarms = []
    for seed in range(6):
        model = AutoencoderDetector(alpha=0.1, folds=folds, trainer=quick(epochs=5), random_state=seed)
        alarms.append((model.fit(rows(n, seed)).p_values(rows(300, 50 + seed)) <= 0.1).mean())
    assert 0.03 < np.mean(alarms) < 0.15


def test_an_anomaly_stands_alone_among_many_rows() -> None:
    model = AutoencoderDetector(folds=1, trainer=quick(epochs=5), random_state=0).fit(rows(3000))
    both = np.concatenate([rows(60, seed=2), planted(40)[0] + 5 * rows(1000).std(0)])
    named = model.discoveries(both)
    assert named[60:].mean() > 0.9 and named[:60].sum() <= 4
    assert model.discoveries(both, 1e-6).sum() == 0


def test_contamination_is_a_share_of_the_training_rows() -> None:
    both = np.concatenate([rows(180), planted(20)[0]])
    model = AutoencoderDetector(contamination=0.1, trainer=quick(epochs=40), random_state=0).fit(both)
    assert (model.predict(both) == -1).sum() == 20
    assert (model.predict(both)[180:] == -1).mean() > 0.7
    none = AutoencoderDetector(contamination=0, trainer=quick(epochs=5), random_state=0).fit(rows(200))
    fresh = rows(500, seed=3)
    np.testing.assert_array_equal(none.predict(fresh) == -1, none.p_values(fresh) <= 1 / 201)


def test_trimming_takes_anomalies_out_of_the_training_rows() -> None:
    """A tenth of the rows is one far cluster: learnt from, it is normal; left out, it is not."""
    cluster = rows(1000).mean(0) + 6 * rows(1000).std(0) + 0.1 * rows(30, seed=5)
    both = np.concatenate([rows(270), cluster])
    scores = [
        AutoencoderDetector(trim=trim, trainer=quick(), random_state=0).fit(both).score_samples(both)
        for trim in (0.0, 0.15)
    ]
    plain, robust = (roc_auc_score(np.arange(300) >= 270, -score) for score in scores)
    assert robust > 0.99 > plain


def test_an_autoencoder_by_name_is_judged_by_its_own_objective() -> None:
    model = AutoencoderDetector(VAE(2, trainer=quick(epochs=40)), random_state=0).fit(rows(300))
    assert model.facts_["measures"][0] == "objective"
    assert (model.p_values(planted(100)[0]) <= 0.05).mean() > 0.8


# ── why ───────────────────────────────────────────────────────────────────────────────────────────


def test_the_column_that_was_changed_contributes_most(fitted: AutoencoderDetector) -> None:
    strange, column = planted(60)
    why = fitted.explain(strange)
    np.testing.assert_allclose(why.contributions.sum(1), 1)
    assert (why.contributions.argmax(1) == column).mean() > 0.85
    names, shares = why.top(2)
    assert names[0, 0] == f"x{why.contributions[0].argmax()}" and (shares[:, 0] >= shares[:, 1]).all()


def test_the_normal_version_changes_little_and_is_normal(fitted: AutoencoderDetector) -> None:
    strange, column = planted(60)
    why = fitted.explain(strange)
    assert why.normal.shape == strange.shape and (fitted.p_values(why.normal) > 0.05).mean() > 0.9
    np.testing.assert_array_equal(np.where(why.replaced, strange, why.normal), strange)
    alone = why.replaced.sum(1) == 1
    assert alone.mean() > 0.6
    usual = rows(60, seed=1)
    cells = np.arange(60), column
    wrong, mended = (np.abs(part[cells] - usual[cells]) / usual.std(0)[column] for part in (strange, why.normal))
    assert np.median(mended) < 0.25 * np.median(wrong)


def test_a_frame_comes_back_as_a_frame(of_a_table: AutoencoderDetector) -> None:
    frame = table(8, seed=3).set_index(np.arange(100, 108))
    frame.loc[101, "income"], frame.loc[103, "age"], frame.loc[104, "visits"] = 5000.0, -20.0, 90
    frame.loc[102] = {"age": 55.0, "income": 1450.0, "job": "smith", "member": True, "visits": 28}
    why = of_a_table.explain(frame)
    assert [why.top(1)[0][place, 0] for place in (1, 2, 3, 4)] == ["income", "job", "age", "visits"]
    assert list(why.normal.dtypes) == list(frame.dtypes) and why.normal.index.equals(frame.index)
    assert abs(why.normal.loc[101, "income"] - 1000) < 900 and why.normal.loc[103, "age"] > 10
    assert why.normal.loc[102, "job"] == "clerk"
    assert (of_a_table.predict(frame) == -1).sum() >= 4
    assert why.texts()[1, 0].startswith("income ") and why.texts()[1, 0].endswith(" %")


def test_missing_cells_alone_are_no_anomaly(of_a_table: AutoencoderDetector) -> None:
    frame = table(200, seed=4)
    frame.loc[:100, "income"] = np.nan
    assert (of_a_table.predict(frame) == -1).mean() < 0.15


# ── kinds of rows ─────────────────────────────────────────────────────────────────────────────────


def test_windows_of_one_series() -> None:
    time = np.arange(1200)
    wave = np.sin(time / 5) + 0.05 * np.random.default_rng(0).normal(size=1200)
    model = AutoencoderDetector(trainer=quick(), random_state=0)
    source = open_source([Series(wave[:1000])], processor="series(window=20)")
    fitted = model.fit(source)
    broken = wave[1000:].copy()
    broken[90:110] = 0
    score = fitted.score_samples([Series(broken)])
    _, first, after = fitted.processor_.places([Series(broken)])
    hit = (first < 110) & (after > 90)
    assert len(score) == len(first) and score[hit].max() < score[~hit].min()
    why = fitted.explain([Series(broken)])
    assert why.contributions.shape == (len(first), 20) and why.columns[3] == "value at step 3"
    assert why.normal[0].steps == 200


def test_pictures_and_texts() -> None:
    random = np.random.default_rng(0)
    pictures = (random.random((80, 6, 6)) * 40).astype(np.uint8)
    pictures[:, 2:4] += 150
    model = AutoencoderDetector(trainer=quick(epochs=5), random_state=0).fit(pictures)
    odd = pictures[:3].transpose(0, 2, 1)
    assert (model.p_values(odd) <= 0.05).all()
    words = ["a plain line of text", "one more line of text", "text of one plain line"] * 10
    read = AutoencoderDetector(trainer=quick(epochs=2), random_state=0).fit(words)
    assert read.facts_["measures"] == ["objective", "latent"] and read.p_values(words).shape == (30,)
    with pytest.raises(UsageError, match="distance"):
        read.explain(words)


# ── scikit-learn, PyOD, disk ──────────────────────────────────────────────────────────────────────


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([AutoencoderDetector(folds=2, trainer=quick(epochs=2))])
def test_scikit_learns_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_pickle_clone_and_pipeline(fitted: AutoencoderDetector) -> None:
    X = rows(30, seed=2)
    again = pickle.loads(pickle.dumps(fitted))
    np.testing.assert_array_equal(again.score_samples(X), fitted.score_samples(X))
    assert "models_" not in vars(clone(fitted))
    pipe = make_pipeline(StandardScaler(), AutoencoderDetector(trainer=quick(epochs=5), random_state=0))
    assert set(pipe.fit_predict(rows(100))) == {-1, 1}


def test_the_same_seed_gives_the_same_bits_and_so_does_the_disk(fitted: AutoencoderDetector, tmp_path: Path) -> None:
    X = rows(30, seed=2)
    other = clone(fitted).fit(rows(300))
    np.testing.assert_array_equal(other.score_samples(X), fitted.score_samples(X))
    fitted.save(tmp_path / "m")
    loaded: Any = load(tmp_path / "m")
    np.testing.assert_array_equal(loaded.score_samples(X), fitted.score_samples(X))
    np.testing.assert_array_equal(loaded.explain(X[:3]).contributions, fitted.explain(X[:3]).contributions)
    assert loaded.offset_ == fitted.offset_ and loaded.n_calibration_ == 300


def test_pyods_signs() -> None:
    both = np.concatenate([rows(90), planted(10)[0]])
    clf = AutoencoderDetector(contamination=0.1, trainer=quick(epochs=40), random_state=0).as_pyod()
    assert clf.fit(both) is clf and clf.contamination == 0.1
    np.testing.assert_array_equal(clf.decision_scores_, -clf.detector.score_samples(both))
    np.testing.assert_array_equal(clf.labels_, (clf.decision_scores_ > clf.threshold_).astype(int))
    np.testing.assert_array_equal(clf.predict(both), clf.labels_)
    assert clf.labels_.sum() == 10 and clf.labels_[90:].mean() > 0.5
    for method in ("linear", "unify"):
        odds = clf.predict_proba(both, method)
        np.testing.assert_allclose(odds.sum(1), 1)
        assert odds[90:, 1].mean() > odds[:90, 1].mean()
    with pytest.raises(UsageError, match="method"):
        clf.predict_proba(both, "linea")


# ── errors ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "wrong",
    [{"alpha": 0}, {"alpha": 1.0}, {"contamination": 0.5}, {"contamination": "none"}, {"trim": 0.6}, {"trim": -0.1},
     {"neighbors": 0}, {"folds": 0}, {"folds": "many"}],
)  # fmt: skip
def test_parameters_out_of_range(wrong: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=next(iter(wrong))):
        AutoencoderDetector(**wrong).fit(rows(20))


def test_too_few_rows_and_a_level_that_cannot_be_told() -> None:
    with pytest.raises(DataError, match="at least"):
        AutoencoderDetector().fit(rows(3))
    model = AutoencoderDetector(alpha=0.01, trainer=quick(epochs=2), random_state=0).fit(rows(40))
    assert "99" in model.facts_["notice"] and (model.predict(planted(20)[0]) == 1).all()


# ── neighbours ────────────────────────────────────────────────────────────────────────────────────


def test_neighbours_are_those_of_all_distances() -> None:
    random = torch.Generator().manual_seed(0)
    known, asked = torch.randn(50, 4, generator=random), torch.randn(20, 4, generator=random)
    distance, place = nearest(asked, known, 3)
    every = torch.cdist(asked, known).sort(1)
    torch.testing.assert_close(distance, every.values[:, :3])
    assert torch.equal(place, every.indices[:, :3])


def test_a_row_is_not_its_own_neighbour() -> None:
    known = torch.tensor([[0.0], [1.0], [3.0], [3.0]])
    distance, place = nearest(known, known, 2)
    assert distance.tolist() == [[1.0, 3.0], [1.0, 2.0], [0.0, 2.0], [0.0, 2.0]]
    assert place[:2, 0].tolist() == [1, 0]
    assert nearest(known[:1], known[:1], 2)[0].tolist() == [[0.0, 0.0]]
