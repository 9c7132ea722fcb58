"""Recommendation: closed forms, known rankings, fold-in, what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from diabolo import Autoencoder, Recommender, Trainer, load
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.data import Source
from diabolo.data.write_interactions import best
from diabolo.tasks import item_weights
from diabolo.tasks.item_weights import _inverse, gram, linear_weights
from diabolo.tasks.ranking import halves, measured
from diabolo.tasks.recommend_rivals import item_neighbours
from diabolo.tasks.side_items import carried, features

GROUPS, EACH = 3, 6


def histories(users: int = 90, seed: int = 0) -> csr_matrix:
    """Users who have four of the six items of one group, and one of any other now and then."""
    draw = np.random.default_rng(seed)
    made = np.zeros((users, GROUPS * EACH), np.float32)
    for user in range(users):
        made[user, (user % GROUPS) * EACH + draw.permutation(EACH)[:4]] = 1
        made[user, draw.integers(GROUPS * EACH)] = 1
    return csr_matrix(made)


X = histories()


def test_ease_is_the_ridge_solution_with_a_diagonal_of_zeros() -> None:
    """Column j of B is the ridge regression of item j on all others."""
    dense, penalty = X.toarray().astype(float), 3.0
    weights = linear_weights(gram(X), penalty)
    assert np.array_equal(np.diag(weights), np.zeros(len(weights)))
    for j in (0, 7, 17):
        others = np.delete(np.arange(len(weights)), j)
        given = dense[:, others]
        ridge = np.linalg.solve(given.T @ given + penalty * np.eye(len(others)), given.T @ dense[:, j])
        np.testing.assert_allclose(weights[others, j], ridge, atol=1e-5)


def test_edlae_is_what_gradient_descent_on_dropped_inputs_comes_to() -> None:
    """The mean over drop-out of |x_j - (x * keep / q) b|^2, b_j = 0: its gradient is 0 at the closed form."""
    dense, dropout, penalty, item = X.toarray().astype(float), 0.4, 2.0, 4
    draw = np.random.default_rng(1)
    others = np.delete(np.arange(dense.shape[1]), item)
    given = dense[:, others]
    # the expectation is |x_j - X b|^2 + dropout / (1 - dropout) sum_i b_i^2 |x_i|^2; descended here
    spread, b = dropout / (1 - dropout) * (given**2).sum(0) + penalty, np.zeros(len(others))
    step = 1 / (np.linalg.eigvalsh(given.T @ given).max() + spread.max())
    for _ in range(5000):
        b -= step * (given.T @ (given @ b - dense[:, item]) + spread * b)
    found = linear_weights(gram(X), penalty, dropout)[others, item]
    np.testing.assert_allclose(found, b, atol=1e-5)
    # and the expectation is that of drawn masks
    losses = [
        np.square(dense[:, item] - (given * (draw.random(given.shape) > dropout) / (1 - dropout)) @ b).sum()
        for _ in range(3000)
    ]
    meant = np.square(dense[:, item] - given @ b).sum() + ((spread - penalty) * b**2).sum()
    assert np.mean(losses) == pytest.approx(meant, rel=0.01)


def test_the_inverse_in_single_precision_is_that_in_double() -> None:
    counts = gram(X)
    ridge = np.full(len(counts), 5.0)
    np.testing.assert_allclose(_inverse(counts, ridge, np.float32), _inverse(counts, ridge, np.float64), atol=1e-6)
    np.testing.assert_allclose(_inverse(counts, ridge, np.float64), np.linalg.inv(counts + np.diag(ridge)), atol=1e-10)


def test_pairs_are_counted_alike_with_dense_and_sparse_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(item_weights, "USERS", 7)
    found = []
    for share in (0.0, 2.0):
        monkeypatch.setattr(item_weights, "DENSE", share)
        found.append(gram(X))
    np.testing.assert_array_equal(found[0], found[1])
    np.testing.assert_array_equal(found[0], (X.T @ X).toarray())


def test_gain_and_recall_have_their_known_values() -> None:
    scores = np.array([[5.0, 4.0, 3.0, 2.0, 1.0]])
    hidden, none = csr_matrix([[0, 1, 0, 1, 0]]), csr_matrix((1, 5))
    found = measured(scores, none, hidden)
    want = (1 / np.log2(3) + 1 / np.log2(5)) / (1 + 1 / np.log2(3))
    assert found["nDCG@100"] == pytest.approx(want) and found["recall@20"] == 1
    # what is told makes room: both hidden items move up one rank
    assert measured(scores, csr_matrix([[1, 0, 0, 0, 0]]), hidden)["nDCG@100"] == pytest.approx(
        (1 + 1 / np.log2(4)) / (1 + 1 / np.log2(3))
    )
    # recall counts what could be found: 30 hidden, the first 20 all of them
    many = csr_matrix(np.r_[np.ones(30), np.zeros(30)][None])
    assert measured(-np.arange(60.0)[None], csr_matrix((1, 60)), many)["recall@20"] == 1
    assert len(measured(scores, none, none)["nDCG@100"]) == 0


def test_histories_are_parted_without_loss() -> None:
    told, hidden = halves(X, 0.2, seed=3)
    np.testing.assert_array_equal((told + hidden).toarray(), X.toarray())
    assert not told.multiply(hidden).nnz and (np.diff(told.indptr) > 0).all() and (np.diff(hidden.indptr) > 0).all()
    assert 0.15 < hidden.nnz / X.nnz < 0.35
    single = csr_matrix([[1.0, 0.0]])
    assert halves(single, 1e-9)[0].nnz == 1


def test_nearest_items_are_sums_of_cosines() -> None:
    counts = gram(X)
    told = csr_matrix(([1.0], ([0], [2])), shape=(1, len(counts)))
    cosine = counts[2] / np.sqrt(counts[2, 2] * np.diag(counts))
    cosine[2] = 0
    np.testing.assert_allclose(item_neighbours(X, told, counts, len(counts))[0], cosine, rtol=1e-6)


@pytest.fixture(scope="module", params=["vae", "dae", "ease", "edlae", "auto"])
def fitted(request: Any) -> Recommender:
    return Recommender(kind=request.param, trainer=Trainer(epochs=60), random_state=0).fit(X)


def test_every_kind_finds_the_group_of_a_user(fitted: Recommender) -> None:
    """A new user with three items of a group gets the other three."""
    new = csr_matrix(np.kron(np.eye(GROUPS), [1.0, 1, 1, 0, 0, 0]))
    items, scores = fitted.recommend(new, k=3)
    assert [sorted(row) for row in items.tolist()] == [[g * EACH + i for i in (3, 4, 5)] for g in range(GROUPS)]
    assert (np.diff(scores, axis=1) <= 0).all()
    near, _ = fitted.similar_items(EACH, k=5)
    assert len(set(near) & set(range(EACH, 2 * EACH))) >= 4


def test_a_user_is_served_alike_at_any_place_and_never_gets_what_is_seen(fitted: Recommender) -> None:
    items, scores = fitted.recommend(X, k=5)
    order = np.random.default_rng(0).permutation(X.shape[0])
    again, values = fitted.recommend(X[order], k=5)
    np.testing.assert_array_equal(items[order], again)
    np.testing.assert_allclose(scores[order], values, atol=1e-5)
    # a training user by fold-in is a user like any other: one alone gets the same
    np.testing.assert_array_equal(fitted.recommend(X[7:8], k=5)[0][0], items[7])
    assert not X.toarray()[np.arange(len(items))[:, None], items].any()
    assert X.toarray()[np.arange(len(items))[:, None], fitted.recommend(X, k=5, exclude_seen=False)[0]].any()


def test_what_is_saved_recommends_alike(fitted: Recommender, tmp_path: Path) -> None:
    fitted.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_array_equal(again.scores(X), fitted.scores(X))
    assert again.describe()["parameter_count"] == fitted.describe()["parameter_count"]
    assert again.describe()["facts"]["items"] == GROUPS * EACH
    if fitted.kind in ("ease", "edlae"):
        with pytest.raises(ModelError, match="no codes"):
            _ = again.autoencoder_


def test_users_without_a_history_get_what_is_popular(fitted: Recommender) -> None:
    empty = csr_matrix((2, X.shape[1]))
    counts = np.asarray(X.sum(0)).ravel()
    items, _ = fitted.recommend(empty, k=4)
    assert (np.sort(counts[items[0]])[::-1] == np.sort(counts)[::-1][:4]).all()
    assert fitted.without_history(empty).all() and not fitted.without_history(X).any()


def test_no_more_is_recommended_than_there_is() -> None:
    model = Recommender(kind="ease", penalty=1.0).fit(X)
    full = csr_matrix(np.r_[np.ones(17), 0][None])
    items, scores = model.recommend(full, k=3)
    assert items.tolist() == [[17, -1, -1]] and np.isneginf(scores[0, 1:]).all()
    assert best(np.zeros((1, 3)), None, 9)[0].tolist() == [[0, 1, 2]]


def test_new_items_are_placed_by_what_is_known_of_them() -> None:
    model = Recommender(kind="ease", penalty=1.0).fit(X)
    words = features([f"film {['crime', 'war', 'love'][i // EACH]}" for i in range(18)] + ["new war", "new love"])
    new = csr_matrix(np.kron(np.eye(GROUPS), [1.0, 1, 1, 0, 0, 0]))
    scores = model.cold_scores(new, words[:18], words[18:])
    assert scores[1, 0] > scores[1, 1] and scores[2, 1] > scores[2, 0]
    # ridge from features to weights, and from there to scores, is the same
    weights, known = np.random.default_rng(0).normal(size=(5, 18)), words[:18].toarray()
    foretold = weights @ known @ np.linalg.inv(known.T @ known + np.eye(known.shape[1])) @ words[18:].toarray().T
    np.testing.assert_allclose(carried(weights, words[:18], words[18:]), foretold, atol=1e-8)
    with pytest.raises(DataError, match="18 items"):
        model.cold_scores(new, words[:5], words[18:])


def test_it_is_held_against_simple_methods_on_users_not_seen() -> None:
    model = Recommender(kind="edlae", random_state=0).fit(X)
    found = model.assess(Source(X, "interactions"), Source(histories(30, 5), "interactions"))
    assert found is not None and [row[0].split()[0] for row in found.rows] == ["this", "EASE,", "100", "popularity"]
    ours, popular = (float(found.rows[place][1].split()[0]) for place in (0, 3))
    assert ours > popular + 0.2 and "nDCG@100" in found.verdict
    assert model.assess(Source(X, "interactions"), Source(X[:3], "interactions")) is None
    sections = model.exhibits(Source(X, "interactions"))
    assert len(sections[0].rows) == 10 and len(sections[1].rows) == 6


def test_an_autoencoder_of_ones_own_and_the_same_seed_twice() -> None:
    own = Autoencoder(4, hidden=(8,))
    made = [Recommender(own, kind="dae", trainer=Trainer(epochs=3), random_state=0).fit(X) for _ in range(2)]
    np.testing.assert_array_equal(made[0].scores(X), made[1].scores(X))
    assert made[0].autoencoder_.n_components_ == 4


def test_what_cannot_be_used_is_said() -> None:
    with pytest.raises(DataError, match="users x items"):
        Recommender().fit(np.full((4, 3), -1.0))
    with pytest.raises(DataError, match="users x items"):
        Recommender().fit(np.array([["a", "b"], ["c", "d"]]))
    with pytest.raises(DataError, match="of kind 'array'"):
        Recommender().fit(Source(np.zeros((3, 2))))
    with pytest.raises(DataError, match="no interaction"):
        Recommender(kind="ease").fit(csr_matrix((3, 2)))
    with pytest.raises(UsageError, match="not by the ratings"):
        Recommender().fit(Source(X, "interactions", processor="interactions(values='rating')"))
    for wrong in ({"kind": "magic"}, {"penalty": 0}, {"dropout": 1.0}, {"autoencoder": Autoencoder(), "kind": "ease"}):
        with pytest.raises(UsageError):
            Recommender(**wrong).fit(X)
    model = Recommender(kind="ease", penalty=1.0).fit(X)
    with pytest.raises(DataError, match="features"):
        model.recommend(X[:, :5])
    with pytest.raises(UsageError, match="k must be"):
        model.recommend(X, k=0)
    with pytest.raises(UsageError, match="not one of the 18"):
        model.similar_items("nobody")
    with pytest.raises(UsageError, match="penalty must be"):
        linear_weights(gram(X), 0.0)
