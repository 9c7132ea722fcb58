"""The measures of made rows against closed forms and known overlaps."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.datasets import load_digits

from diabolo import VAE, SequenceAutoencoder, Trainer
from diabolo.core.errors import DataError, UsageError
from diabolo.core.metrics import frechet_distance, frechet_of_gaussians
from diabolo.data import Series, Sound, Source, objects
from diabolo.data import open as open_source
from diabolo.tasks.features import Features, principal, suited, taught
from diabolo.tasks.sample_quality import (
    MEASURES,
    frechet_weighted,
    gaussian_rows,
    judged_samples,
    kernel_distance,
    measured,
    precision_recall,
    sample_quality,
    vectors,
)

AS_THEY_ARE = Features("the values", lambda rows: rows)


def normal(n: int, mean: float = 0.0, spread: float = 1.0, seed: int = 0, width: int = 4) -> np.ndarray:
    return np.random.default_rng(seed).normal(mean, spread, (n, width))


# ── the measures ──────────────────────────────────────────────────────────────────────────────────


def test_frechet_distance_of_two_gaussians() -> None:
    """|m|² + Σ (s_a - s_b)² where covariances commute, and so it is estimated from rows."""
    assert frechet_of_gaussians(np.zeros(4), np.eye(4), np.full(4, 2.0), 9 * np.eye(4)) == pytest.approx(4 * 4 + 4 * 4)
    a, b = normal(20_000), normal(20_000, 2.0, 3.0, seed=1)
    ones = np.ones((1, 20_000))
    found = frechet_weighted(a, b, ones, ones)[0]
    assert found == pytest.approx(32, rel=0.03) and found == pytest.approx(frechet_distance(a, b), rel=1e-9)


def test_a_row_that_counts_twice_is_there_twice() -> None:
    a, b = normal(30), normal(40, 1.0, seed=1)
    weight = np.random.default_rng(2).integers(0, 3, 30).astype(float)
    found = frechet_weighted(a, b, weight[None], np.ones((1, 40)))[0]
    assert found == pytest.approx(frechet_distance(np.repeat(a, weight.astype(int), axis=0), b))


def test_kernel_distance_is_unbiased_at_zero_and_its_expectation_is_known() -> None:
    """Of equal distributions it is 0 on average, though a biased estimate would be far from it; of N(m, I) and N(0, I)
    in one dimension E k(x, y) = E (xy + 1)³ = 1 + 3 E xy + 3 E x²y² + E x³y³."""
    same = np.array([kernel_distance(normal(25, seed=2 * s), normal(25, seed=2 * s + 1)) for s in range(300)])
    assert abs(same.mean()) < 3 * same.std() / np.sqrt(300) and (same < 0).mean() > 0.3

    def expected(m: float, k: float) -> float:
        first, second, third = m * k, (m**2 + 1) * (k**2 + 1), (m**3 + 3 * m) * (k**3 + 3 * k)
        return 1 + 3 * first + 3 * second + third

    far = expected(1, 1) + expected(0, 0) - 2 * expected(1, 0)
    many = [kernel_distance(normal(400, 1, seed=s, width=1), normal(400, seed=900 + s, width=1)) for s in range(40)]
    assert np.mean(many) == pytest.approx(far, abs=4 * np.std(many) / np.sqrt(40))


def test_kernel_distance_is_the_double_sum() -> None:
    a, b = normal(7), normal(5, 1.0, seed=1)

    def k(x: np.ndarray, y: np.ndarray) -> np.ndarray:
        return (x @ y.T / 4 + 1) ** 3

    own = [(k(x, x).sum() - np.trace(k(x, x))) / (len(x) * (len(x) - 1)) for x in (a, b)]
    assert kernel_distance(a, b) == pytest.approx(sum(own) - 2 * k(a, b).mean())


def test_precision_and_recall_of_known_overlaps() -> None:
    real = np.concatenate([normal(300), normal(300, 50.0, seed=1)])  # two clusters
    one = normal(300, seed=2)  # the first of them alone
    precision, recall = precision_recall(real, one)
    assert precision > 0.9 and 0.4 < recall < 0.52
    both_and_junk = np.concatenate([normal(150, seed=3), normal(150, 50.0, seed=4), normal(100, -90.0, seed=5)])
    precision, recall = precision_recall(real, both_and_junk)
    assert 0.65 < precision <= 0.75 and recall > 0.85
    assert precision_recall(real, real) == (1.0, 1.0) and precision_recall(real, real + 500) == (0.0, 0.0)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    hits = 0
    for seed in range(30):
        found = measured(normal(400, seed=2 * seed), normal(400, 0.5, seed=2 * seed + 1), draws=60, seed=seed)
        hits += found["frechet"].low <= 4 * 0.25 + 0.04 <= found["frechet"].high  # 0.04: its bias at 400 rows, about
        assert all(one.low <= one.value <= one.high for one in found.values())
    assert hits >= 24


# ── together ──────────────────────────────────────────────────────────────────────────────────────


def test_real_rows_reach_their_floor_and_others_are_told_by_what_is_wrong() -> None:
    real = np.concatenate([normal(600), normal(600, 8.0, seed=1)])
    rows = np.concatenate([normal(300, seed=2), normal(300, 8.0, seed=3)])
    good = sample_quality(real, rows, AS_THEY_ARE)
    assert good.rows == 600 and set(good.floor) == set(MEASURES) and "about as lifelike and varied" in good.verdict
    assert good.frechet.value < 3 * good.floor["frechet"].value and good.kernel.low < 0 < good.kernel.high
    assert (
        "lifelike, but much of what is real is not among them"
        in sample_quality(real, normal(500, seed=4), AS_THEY_ARE).verdict
    )
    junk = np.concatenate([rows, normal(600, 90.0, seed=5)])
    assert "many rows look like no real one (precision" in sample_quality(real, junk, AS_THEY_ARE).verdict
    assert "and much of what is real" in sample_quality(real, normal(500, 90.0), AS_THEY_ARE).verdict


def test_the_same_seed_gives_the_same_figures() -> None:
    real, made = normal(200), normal(100, seed=1)
    one, two, other = (sample_quality(real, made, AS_THEY_ARE, seed=seed).as_dict() for seed in (0, 0, 1))
    assert one == two != other


@pytest.mark.parametrize(
    ("real", "made", "words"),
    [
        (normal(19), normal(50), "at least 20 real rows"),
        (normal(50), normal(3), "10 made ones"),
        (normal(50), normal(50, width=3), "must be alike"),
        (normal(50), np.full((50, 4), np.nan), "not finite"),
    ],
)
def test_rows_that_cannot_be_compared(real: np.ndarray, made: np.ndarray, words: str) -> None:
    with pytest.raises(DataError, match=words):
        sample_quality(real, made, AS_THEY_ARE)


def test_parameters_out_of_range() -> None:
    with pytest.raises(UsageError, match="neighbours must be"):
        sample_quality(normal(40), normal(40), AS_THEY_ARE, neighbours=0)
    with pytest.raises(UsageError, match="draws must be"):
        sample_quality(normal(40), normal(40), AS_THEY_ARE, draws=1)


# ── features and rivals ───────────────────────────────────────────────────────────────────────────


def test_features_are_named_and_are_of_a_classifier_where_there_are_classes() -> None:
    X, y = load_digits(return_X_y=True)
    found = suited(X / 16, y)
    assert found(X[:3] / 16).shape == (3, 128) and "classifier of the 10 classes (accuracy 9" in found.name
    assert found.accuracy > 0.9
    for labels in (None, np.linspace(0, 1, len(X)), np.arange(len(X))):
        assert "64 principal components" in suited(X / 16, labels).name
    with pytest.raises(DataError, match="at least 2 classes"):
        taught(X, np.zeros(len(X)))


def test_principal_components_are_those_of_the_covariance() -> None:
    X = normal(500) * [4.0, 3.0, 2.0, 1.0]
    codes = principal(X, 2)(X)
    np.testing.assert_allclose(codes.var(0, ddof=1), np.linalg.eigvalsh(np.cov(X.T))[::-1][:2])


def test_draws_of_the_gaussian_rival_have_its_mean_and_covariance() -> None:
    X = normal(300) @ np.random.default_rng(1).normal(size=(4, 4))
    made = gaussian_rows(X, 50_000)
    np.testing.assert_allclose(made.mean(0), X.mean(0), atol=0.1)
    np.testing.assert_allclose(np.cov(made.T), np.cov(X.T), rtol=0.15, atol=0.15)
    assert (made.min(0) >= X.min(0)).all() and (made.max(0) <= X.max(0)).all()


def test_a_model_of_pictures_is_held_against_them() -> None:
    whole = open_source("digits")
    source = whole.take(np.random.default_rng(0).permutation(len(whole)))
    model = VAE(8, beta=0.1, trainer=Trainer(epochs=10), random_state=0).fit(source.take(slice(0, 1000)))
    made = model.fit_prior(source.take(slice(0, 1000)), "mixture(components=10)").sample(300, random_state=0)
    table = judged_samples(model, source.take(slice(1000, None)), made)
    assert "hidden units of a classifier" in table.title and "Frechet distance" in table.verdict
    assert [line[0] for line in table.rows] == ["these rows", "a Gaussian of the values", "other real rows"]
    ours, gaussian, floor = (float(line[1].split()[0]) for line in table.rows)
    assert floor < min(ours, gaussian)


def test_rows_of_tokens_are_compared_by_their_codes() -> None:
    texts = ["red fish", "blue fish", "one fish", "two fish"] * 5
    model = SequenceAutoencoder(4, trainer=Trainer(epochs=1), random_state=0).fit(texts)
    found, what = vectors(model, texts)
    assert found.shape == (20, 4) and what == "the model's own codes"


def test_series_sounds_and_texts_are_held_against_real_ones() -> None:
    random = np.random.default_rng(0)
    phase = random.uniform(0, 6, 60)
    series = objects(Series(np.sin(np.arange(32) / 3 + p)[:, None], None, ("v",)) for p in phase)
    sounds = objects(Sound((0.5 * np.sin(np.arange(2000) / 5 + p)).astype(np.float32), 8000) for p in phase)
    texts = objects(f"{random.choice(['red', 'blue', 'old'])} {random.choice(['fish', 'bird'])}" for _ in range(60))
    for rows, kind, model in (
        (series, "series", VAE(2, trainer=Trainer(epochs=2), random_state=0)),
        (sounds, "audio", VAE(2, trainer=Trainer(epochs=2), random_state=0)),
        (texts, "text", SequenceAutoencoder(4, trainer=Trainer(epochs=1), random_state=0)),
    ):
        model.fit(rows)
        if kind == "text":
            model.fit_prior(rows, "mixture(components=2)")
        table = judged_samples(model, Source(rows, kind), model.sample(30, random_state=0))
        assert "principal components" in table.title and ("own codes" in table.title) == (kind == "text")
        assert all(np.isfinite(float(line[1].split()[0])) for line in table.rows)
