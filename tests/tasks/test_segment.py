"""Segmentation: pixel classes from few labelled pictures, at any size, and what is refused."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone

from diabolo import Autoencoder, Segmenter, Trainer, load
from diabolo.core import make
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source
from diabolo.data.process_labelled import LabelledImage
from diabolo.tasks.segment import _Taught
from diabolo.tasks.segment_rivals import forest, mean_iou

SMALL = Autoencoder(8, network="u-shaped(width=8, depth=1)")


def stripes(n: int = 24, side: int = 24, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Upright stripes, and a square of level ones: the same grey levels, another direction."""
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:side, :side]
    pictures, labels = np.empty((n, side, side), np.float32), np.zeros((n, side, side), int)
    for place in range(n):
        top, left = draw.integers(2, side - 12, 2)
        labels[place, top : top + 10, left : left + 10] = 7
        waves = [np.sin(2 * np.pi * axis / 4 + draw.uniform(0, 6)) for axis in (x, y)]
        pictures[place] = 0.5 + 0.3 * np.where(labels[place] == 7, waves[1], waves[0])
    return pictures, labels


def quick(epochs: int = 3, **params: Any) -> Segmenter:
    trainer = Trainer(epochs=epochs, batch_size=4, optimizer="adamw", lr=5e-3, validation=0.0)
    return Segmenter(**{"autoencoder": SMALL, "trainer": trainer, "random_state": 0, **params})


@pytest.fixture(scope="module")
def trained() -> Segmenter:
    X, y = stripes()
    return quick(60).fit(X, np.where(np.arange(24)[:, None, None] < 12, y, -1))


def test_it_tells_textures_of_the_same_grey_levels_apart(trained: Segmenter) -> None:
    X, y = stripes(seed=1)
    assert trained.classes_.tolist() == [0, 7] and trained.facts_["labelled"] == 12
    assert mean_iou(list(y), list(trained.predict(X)), trained.classes_) > 0.75
    odds = trained.predict_proba(X)
    assert odds.shape == (24, 24, 24, 2)
    np.testing.assert_allclose(odds.sum(-1), 1, atol=1e-5)
    assert (trained.classes_[odds.argmax(-1)] == trained.predict(X)).all()


def test_pictures_of_any_size_come_back_as_a_list(trained: Segmenter) -> None:
    X, _ = stripes(2, 40)
    odd = [X[0][:33, :21], X[1]]
    assert [label.shape for label in trained.predict(odd)] == [(33, 21), (40, 40)]


def test_the_encoder_starts_where_pre_training_left_it() -> None:
    X, y = stripes(12)
    model, fresh = quick(2).fit(X, y), quick(2, pretrain=False).fit(X, y)
    assert list(model.models_) == ["autoencoder", "segmenter"] and list(fresh.models_) == ["segmenter"]
    before = model.models_["autoencoder"]
    told = _Taught.of(model._base(), 2, before)
    told.random_state = 5
    told.plan(Source(np.zeros((4, 24, 24, 2), np.float32), "array", processor=LabelledImage(2)))
    weights, started = before.module_.encoder.state_dict(), told.module_.encoder.state_dict()
    assert all(torch.equal(weights[name], started[name]) for name in weights)
    assert told.module_.decoder.head[-1].weight.shape[0] == 2  # the head is a new one


def test_a_fitted_autoencoder_is_the_start_and_is_not_trained_again(trained: Segmenter) -> None:
    X, y = stripes(8)
    before = {name: held.clone() for name, held in trained.autoencoder_.module_.state_dict().items()}
    model = clone(quick(autoencoder=trained.autoencoder_)).fit(X, y)
    assert model.autoencoder_ is trained.autoencoder_
    assert all(torch.equal(held, before[name]) for name, held in model.autoencoder_.module_.state_dict().items())
    with pytest.raises(UsageError, match=r"fitted to pictures of 1 channels, these have 3"):
        quick(autoencoder=trained.autoencoder_).fit(np.stack([X] * 3, -1), y)


def test_what_is_not_known_or_ignored_is_not_learnt() -> None:
    X, y = stripes(8)
    half = y.copy()
    half[:, :, :12] = -1
    void = np.where(half == -1, 255, half)
    one = quick().fit(X, half).predict_proba(X)
    other = quick(ignore=255).fit(X, void).predict_proba(X)
    nothing = quick().fit(X, [*half[:4], None, None, None, None])
    assert (one == other).all() and nothing.facts_["labelled"] == 4
    assert quick().fit(X, np.where(half == -1, np.nan, half)).classes_.tolist() == [0, 7]


def test_saved_and_loaded_it_says_the_same(trained: Segmenter, tmp_path: Any) -> None:
    X, _ = stripes(3, seed=2)
    trained.save(tmp_path / "m")
    assert (load(tmp_path / "m").predict_proba(X) == trained.predict_proba(X)).all()


def test_the_same_seed_gives_the_same_model() -> None:
    X, y = stripes(8)
    one, other, third = (quick(random_state=seed).fit(X, y).predict_proba(X) for seed in (0, 0, 1))
    assert (one == other).all() and (one != third).any()


def test_assessment_and_exhibits(trained: Segmenter) -> None:
    learn, held = (Source(*stripes(8, seed=seed)[:1], "array", None, stripes(8, seed=seed)[1]) for seed in (3, 4))
    model = quick(2).fit(learn)
    found = model.assess(learn, held)
    assert found is not None
    names = ["this model", "without pre-training", "forest of pixels", "commonest class"]
    assert [row[0] for row in found.rows] == names and float(found.rows[-1][1]) < 50
    (shown,) = trained.exhibits(held)
    assert len(shown.strips) == 6 and shown.strips[0].captions == ("picture", "this model", "label")
    held.target = None
    assert trained.exhibits(held)[0].strips[0].captions == ("picture", "this model")


# ── what the parts promise ────────────────────────────────────────────────────────────────────────


def test_intersection_over_union_in_closed_form() -> None:
    label, said = np.array([[0, 0, 1, 1, -1]]), np.array([[0, 1, 1, 1, 0]])
    assert mean_iou([label], [said], np.array([0, 1, 2])) == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert mean_iou([label], [label], np.array([0, 1])) == 1


def test_the_forest_tells_grey_levels_apart() -> None:
    X = np.random.default_rng(0).random((2, 20, 20, 1)).astype(np.float32)
    y = (X[..., 0] > 0.5).astype(int)
    assert (forest([X[0]], [y[0]], [X[1]])[0] == y[1]).mean() > 0.95


def test_labels_are_turned_over_with_their_picture() -> None:
    rows = np.random.default_rng(0).random((30, 6, 5, 2)).astype(np.float32)
    rows[..., 1] = np.round(rows[..., 0] * 3)  # the class is told by the level, wherever it lies
    processor = make("processor", "labelled-image(classes=4)").fit(rows)
    batch = processor.collate(processor.encode(rows))
    with torch.random.fork_rng():
        torch.manual_seed(0)
        seen = processor.redraw(batch)
    assert (seen.target == (seen.x[..., 0] * 3).round()).all() and not torch.equal(seen.x, batch.x)


# ── misuse is named ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (None, r"there are no label pictures for 4 pictures"),
        (np.zeros((3, 24, 24), int), r"there are 3 label pictures for 4 pictures"),
        (np.zeros(4, int), r"label picture 0 has shape \(\), its picture \(24, 24\).*--target LABELS"),
        (np.zeros((4, 24, 24), int), r"hold 1 class; at least two"),
        (np.full((4, 24, 24), -1), r"hold 0 classes"),
        (np.full((4, 24, 24), 0.5), r"label picture 0 holds float64 values; whole numbers"),
        (np.full((4, 24, 24), "a"), r"label picture 0 holds <U1 values"),
    ],
)
def test_labels_that_cannot_be_learnt(labels: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        quick().fit(stripes(4)[0], labels)


def test_parameters_and_pictures_out_of_range(trained: Segmenter) -> None:
    X, y = stripes(4)
    with pytest.raises(UsageError, match=r"autoencoder must be one with network 'u-shaped', or None"):
        quick(autoencoder=Autoencoder(network="dense")).fit(X, y)
    with pytest.raises(UsageError, match=r"tile must be an int of at least 8"):
        quick(tile=2).fit(X, y)
    with pytest.raises(DataError, match=r"picture 0 has 3 channels, 1 is expected"):
        trained.predict(np.zeros((2, 9, 9, 3), np.uint8))
    with pytest.raises(UsageError, match=r"classes must be an int of at least 2; got 1"):
        make("processor", "labelled-image(classes=1)")
