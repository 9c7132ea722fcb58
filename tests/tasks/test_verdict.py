"""The verdict: folds, intervals, and that nothing of a test fold is seen by what is judged on it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_1samp
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import Autoencoder, AutoencoderSampler, Trainer, verdict
from diabolo.core.errors import DataError, UsageError
from diabolo.core.metrics import Interval
from diabolo.data import open as open_source
from diabolo.tasks.arms import Arms, balanced_accuracy
from diabolo.tasks.folds import folds_of
from diabolo.tasks.verdict import ARMS, OURS, corrected_interval, held_out, judge, recall_interval

BASE = AutoencoderSampler(Autoencoder(2), trainer=Trainer(epochs=5))
LINEAR = make_pipeline(StandardScaler(), LogisticRegression())


def overlapping(rare: int = 30, usual: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Two classes that overlap: taught by ten times as many of one, a linear model ignores the other."""
    random = np.random.default_rng(seed)
    y = np.arange(rare + usual) < rare
    return random.normal(size=(len(y), 3)) + 0.9 * y[:, None], y


# ── intervals ─────────────────────────────────────────────────────────────────────────────────────


def test_without_overlap_the_interval_is_student_s() -> None:
    gains = np.random.default_rng(0).normal(size=12)
    theirs = ttest_1samp(gains, 0).confidence_interval(0.95)
    ours = corrected_interval(gains, ratio=0.0)
    np.testing.assert_allclose((ours.low, ours.high), (theirs.low, theirs.high))
    wider = corrected_interval(gains, ratio=0.25)
    assert (wider.high - wider.low) / (ours.high - ours.low) == pytest.approx(np.sqrt((1 / 12 + 0.25) * 12))


def test_one_fold_decides_nothing() -> None:
    assert corrected_interval(np.array([0.3]), 0.1) == Interval(0.3, -1.0, 1.0)


def test_a_bootstrap_within_classes_has_the_binomial_s_spread() -> None:
    truth = np.repeat([0, 1], [400, 100])
    hits = np.r_[np.ones(320), np.zeros(80), np.ones(50), np.zeros(50)]
    found = recall_interval(hits, truth, draws=4000)
    spread = np.sqrt(0.8 * 0.2 / 400 + 0.25 / 100) / 2
    assert found.value == pytest.approx(0.65) and found.high - found.low == pytest.approx(2 * 1.96 * spread, rel=0.06)


def test_balanced_accuracy_counts_the_classes_that_are_there() -> None:
    truth, said = np.array([0, 0, 2, 2, 2, 2]), np.array([0, 1, 2, 2, 2, 0])
    assert balanced_accuracy(truth, said) == pytest.approx((1 / 2 + 3 / 4) / 2)


@pytest.mark.parametrize(
    ("gain", "words"),
    [(0.05, "augmentation helps"), (-0.05, "augmentation harms"), (0.0, "augmentation does not help")],
)
def test_the_sentence_says_what_the_folds_say(gain: float, words: str) -> None:
    wobble = 0.002 * np.array([1, -1, 1, -1, 0])
    level = np.full(5, 0.8)
    found = judge({"nothing": level, "SMOTE": level + gain, OURS: level + gain + wobble}, ["density"] * 5, 0.25)
    assert found.verdict.startswith(words) and "no better than SMOTE" in found.verdict
    wild = judge({"nothing": level, "SMOTE": level, OURS: level + gain + 50 * wobble}, ["density"] * 5, 0.25)
    assert wild.verdict.startswith("undecided whether") and "a tie with SMOTE" in wild.verdict
    assert wild.table().rows[0][0] == OURS


# ── folds ─────────────────────────────────────────────────────────────────────────────────────────


def test_every_row_is_asked_for_once_and_every_class_in_every_fold() -> None:
    places = np.random.default_rng(0).permutation(np.repeat([0, 1, 2], [50, 11, 5]))
    folds = folds_of(places, None, 5, seed=1)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(66))
    for train, test in folds:
        assert not set(train) & set(test) and set(places[test]) == {0, 1, 2} == set(places[train])
    assert not np.array_equal(folds[0][1], folds_of(places, None, 5, seed=2)[0][1])


def test_groups_stay_together_and_their_draw_varies() -> None:
    random = np.random.default_rng(0)
    groups = np.repeat(np.arange(12), 10)
    places = (np.isin(groups, [1, 4, 5, 8, 9, 11]) & (random.random(120) < 0.5)).astype(int)
    drawn = [folds_of(places, groups, 3, seed) for seed in range(4)]
    for folds in drawn:
        for train, test in folds:
            assert not set(groups[train]) & set(groups[test]) and set(places[test]) == {0, 1}
    assert len({tuple(folds[0][1]) for folds in drawn}) > 1


@pytest.mark.parametrize(
    ("places", "groups", "folds", "words"),
    [
        ([0, 0, 0, 1], None, 2, "a class with 1 row"),
        ([0, 0, 1, 1], [0, 0, 1, 1], 2, "in one group alone"),
        ([0, 0, 1, 1], [0, 0, 1, 1], 3, "2 groups for 3 folds"),
        ([0, 0, 1, 1], [0, 1], 2, "2 groups for 4 rows"),
        ([0, 0, 1, 1], None, 1, "folds must be"),
    ],
)
def test_folds_that_cannot_be(places: list[int], groups: Any, folds: int, words: str) -> None:
    with pytest.raises((DataError, UsageError), match=words):
        folds_of(np.array(places), groups, folds, 0)


# ── the comparison ────────────────────────────────────────────────────────────────────────────────


def test_it_says_that_a_linear_model_of_rare_rows_is_helped() -> None:
    X, y = overlapping()
    found = verdict(X, y, classifier=LINEAR, sampler=BASE, ways=["density"], folds=5, repeats=2)
    assert found.words["nothing"] == "helps" and found.gains["nothing"].value > 0.1
    assert set(found.scores) == {"nothing", "class weights", "repeated rows", "SMOTE", OURS}
    assert all(len(scores) == 10 for scores in found.scores.values())
    assert found.scores["SMOTE"].mean() > found.scores["nothing"].mean() + 0.1 and found.words["SMOTE"] != "harms"


def test_it_says_that_balanced_classes_need_no_rows() -> None:
    X, y = overlapping(rare=60, usual=60)
    found = verdict(X, y, classifier=LINEAR, sampler=BASE, ways=["density"], folds=2, repeats=1)
    np.testing.assert_array_equal(found.scores[OURS], found.scores["nothing"])
    assert found.words == {"nothing": "does not help", "SMOTE": "does not help"}


def test_nothing_of_a_test_fold_is_fitted_made_or_chosen_by(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = overlapping(rare=20, usual=60)
    X[:, 0] = np.arange(80)  # tells which row it is
    seen: list[set[float]] = []
    fit, score = AutoencoderSampler.fit, Arms.score

    def spied_fit(self: Any, rows: Any, labels: Any = None) -> Any:
        seen.append(set(rows[:, 0]))
        return fit(self, rows, labels)

    def spied_score(self: Any, arm: str, rows: Any, places: Any, way: str = "interpolation") -> Any:
        found = score(self, arm, rows, places, way)
        if arm == OURS:
            test = set(rows[:, 0])
            assert not set(self.rows[:, 0]) & test
            if len(self.rows) == 40:  # an outer fold: nothing since the last one saw its test rows
                assert len(seen) == 3 and not set.union(*seen) & test
                seen.clear()
        return found

    monkeypatch.setattr(AutoencoderSampler, "fit", spied_fit)
    monkeypatch.setattr(Arms, "score", spied_score)
    found = verdict(X, y, classifier=LINEAR, sampler=BASE, ways=["density", "interpolation"], folds=2, repeats=1)
    assert set(found.chosen) <= {"density", "interpolation"} and not seen


def test_the_way_that_does_best_in_the_inner_folds_is_taken(monkeypatch: pytest.MonkeyPatch) -> None:
    X, y = overlapping()
    right = {"interpolation": 0.2, "density": 0.9}
    monkeypatch.setattr(Arms, "score", lambda self, arm, rows, places, way="": right[way])
    assert Arms(X, y.astype(int), LINEAR, BASE, 0).choose(["interpolation", "density"], None, 2) == "density"


def test_a_way_that_cannot_be_is_not_chosen() -> None:
    X, y = overlapping(rare=3, usual=60)  # two inner folds leave one rare row in one of them
    arms = Arms(X, y.astype(int), LINEAR, BASE, 0)
    assert arms.choose(["interpolation", "density"], None, 2) == "density"
    with pytest.raises(DataError, match="has one row"):
        arms.choose(["interpolation", "interpolation"], None, 2)
    single = Arms(X[2:], y[2:].astype(int), LINEAR, BASE, 0)  # one rare row: no inner folds
    assert single.choose(["density", "interpolation"], None, 2) == "density"


def test_tables_with_gaps_and_classifiers_without_weights() -> None:
    X, y = overlapping(rare=20, usual=60)
    frame = pd.DataFrame(X, columns=list("abc"))
    frame["kind"] = np.where(y, "x", np.random.default_rng(0).choice(["x", "y"], len(y)))
    frame.loc[::7, "a"] = np.nan
    words, base = np.where(y, "rare", "usual"), clone(BASE).set_params(sampling_strategy={"rare": 25})
    found = verdict(frame, words, sampler=base, ways=["density"], folds=2, repeats=1)
    assert "class weights" in found.scores and found.scores[OURS].mean() > 0.5
    near = KNeighborsClassifier(3)
    assert "class weights" not in verdict(X, y, None, near, sampler=BASE, ways=["density"], folds=2, repeats=1).scores
    with pytest.raises(UsageError, match="ways must name"):
        verdict(X, y, ways=[])


def test_a_quick_look_needs_rows_of_every_class() -> None:
    X, y = overlapping(rare=40, usual=200)
    source = open_source(X)
    source.target = y
    order = np.random.default_rng(0).permutation(240)
    learn, held, few = source.take(order[:140]), source.take(order[140:]), source.take(order[140:150])
    model = AutoencoderSampler(Autoencoder(2), how="density", trainer=Trainer(epochs=5), random_state=0).fit(learn)
    found = held_out(model, learn, held)
    assert [line[0] for line in found.rows] == [OURS, "nothing", "class weights", "repeated rows", "SMOTE"]
    assert "balanced accuracy" in found.verdict
    assert "at least 10 are needed" in held_out(model, learn, few).verdict


def test_pictures_are_held_against_warped_ones_too() -> None:
    digits = load_digits()
    keep = np.r_[np.flatnonzero(digits.target == 3)[:60], np.flatnonzero(digits.target == 8)[:12]]
    X, y = (digits.images[keep] * 15).astype(np.uint8), digits.target[keep]
    base = AutoencoderSampler(trainer=Trainer(epochs=3))
    found = verdict(X, y, sampler=base, ways=["interpolation"], folds=2, repeats=1)
    assert set(found.scores) == {*ARMS, "warping", OURS} and set(found.gains) == {"nothing", "SMOTE", "warping"}
    assert "warping" in found.verdict and found.table().rows[0][0] == OURS
    flat = verdict(X.reshape(72, -1), y, sampler=base, ways=["interpolation"], folds=2, repeats=1)
    assert "warping" not in flat.scores and "warping" not in flat.verdict


def test_the_warping_arm_warps_rows_of_the_class_it_fills_up() -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 255, (30, 8, 8), dtype=np.uint8)
    y = np.arange(30) < 6
    X[y] = 200  # warped flat pictures stay flat
    rows, labels = Arms(X, y, None, AutoencoderSampler(), 0).taught("warping", "density")
    assert (rows[:30] == X).all() and labels.sum() == 24 and rows.dtype == np.uint8
    assert (rows[30:] == 200).all() and labels[30:].all()
