"""Paths and arithmetic among codes: closed forms, ends that are reconstructions, every kind of model and of rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import (
    RAE,
    VAE,
    VQVAE,
    Autoencoder,
    ConditionalVAE,
    FSQAutoencoder,
    HierarchicalVAE,
    SemiSupervisedVAE,
    SequenceAutoencoder,
    Trainer,
)
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.data import Series, Sound, objects
from diabolo.tasks.latent_paths import (
    analogy,
    code_of,
    direction,
    interpolate,
    moved,
    must_decode,
    path,
    remark,
    shape_for,
)

FEW = Trainer(epochs=2)


def rows(n: int = 64, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, 5)).astype(np.float32)


def linear(n: int = 200) -> tuple[Autoencoder, np.ndarray]:
    """A linear autoencoder as wide as the data: codes are the data up to a linear map, so arithmetic is exact."""
    X = rows(n)
    return Autoencoder(5, hidden=(), trainer=Trainer(epochs=150), random_state=0).fit(X), X


# ── closed forms ──────────────────────────────────────────────────────────────────────────────────


def test_a_great_circle_keeps_the_length_and_the_pace() -> None:
    random = np.random.default_rng(0)
    a, b = (part / np.linalg.norm(part) for part in random.normal(size=(2, 7)))
    way = path(a, b, 9, "sphere")
    np.testing.assert_allclose(np.linalg.norm(way, axis=1), 1)
    cosines = (way[1:] * way[:-1]).sum(1)
    np.testing.assert_allclose(cosines, np.cos(np.arccos(a @ b) / 8))
    np.testing.assert_allclose(way[[0, -1]], [a, b])


@pytest.mark.parametrize("b", [np.array([2.0, 4.0]), np.array([-1.0, -2.0]), np.zeros(2)])
def test_a_great_circle_that_is_none_is_a_line(b: np.ndarray) -> None:
    a = np.array([1.0, 2.0])
    np.testing.assert_allclose(path(a, b, 5, "sphere"), path(a, b, 5, "linear"), atol=1e-6)
    np.testing.assert_allclose(path(a, b, 5)[2], (a + b) / 2)


def test_in_a_linear_model_the_middle_of_the_path_is_the_middle_of_the_rows() -> None:
    model, X = linear()
    way = interpolate(model, X[:1], X[1:2], 3)
    back = model.reconstruct(X[:2])
    np.testing.assert_allclose(way, [back[0], back.mean(0), back[1]], atol=1e-4)


def test_in_a_linear_model_an_analogy_is_that_of_the_rows() -> None:
    model, X = linear()
    a, b, c = X[:20], X[20:50], X[60:61]
    expected = model.reconstruct(c) + model.reconstruct(b).mean(0) - model.reconstruct(a).mean(0)
    np.testing.assert_allclose(analogy(model, a, b, c), expected, atol=1e-4)


def test_the_direction_of_an_attribute_changes_that_and_nothing_else() -> None:
    """Column 2 depends on the attribute, the others do not: along its direction column 2 alone moves, by the gap."""
    X = rows(4000)
    has = np.arange(4000) % 2 == 0
    X[has, 2] += 3
    model = Autoencoder(5, hidden=(), trainer=Trainer(epochs=20), random_state=0).fit(X)
    along = direction(model, X, np.where(has, "with", "without"), "with")
    less, same, more = moved(model, X[1:2], along, (-1, 0, 1))
    gap = np.array([0, 0, 3, 0, 0])
    np.testing.assert_allclose(more - same, gap, atol=0.25)
    np.testing.assert_allclose(same - less, gap, atol=0.25)


# ── every kind of model ───────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", [VAE, HierarchicalVAE, VQVAE, FSQAutoencoder, RAE])
def test_both_ends_are_reconstructions(kind: Any) -> None:
    X = rows()
    model = kind(4, trainer=FEW, random_state=0).fit(X)
    way = interpolate(model, X[:1], X[1:2], 6)
    np.testing.assert_allclose(way[[0, -1]], model.reconstruct(X[:2]), atol=1e-4)
    assert way.shape == (6, 5) and np.isfinite(way).all()


@pytest.mark.parametrize("kind", [ConditionalVAE, SemiSupervisedVAE])
def test_a_model_that_is_told_the_class_goes_from_class_to_class(kind: Any) -> None:
    X = rows(80)
    y = np.where(np.arange(80) < 40, "low", "high")
    X[y == "high"] += 4
    model = kind(2, trainer=Trainer(epochs=5), random_state=0).fit(X, y)
    ends = [X[:1], X[-1:]]
    way = interpolate(model, *ends, 5)
    np.testing.assert_allclose(way[[0, -1]], np.concatenate([model.reconstruct(end) for end in ends]), atol=1e-4)


def test_a_discrete_code_takes_codes_there_are() -> None:
    X = rows(200)
    model = FSQAutoencoder(4, trainer=FEW, random_state=0).fit(X)
    codes = model.transform(interpolate(model, X[:1], X[1:2], 50))
    assert codes.shape == (50, 4)
    way = interpolate(model, X[:1], X[1:2], 50)
    assert len(np.unique(way.round(5), axis=0)) < 50, "rows change by jumps"
    assert "discrete" in remark(model)


def test_the_shape_follows_the_prior() -> None:
    X = rows()
    normal, free = VAE(2, trainer=FEW, random_state=0).fit(X), Autoencoder(2, trainer=FEW, random_state=0).fit(X)
    assert (shape_for(normal, "auto"), shape_for(free, "auto"), shape_for(free, "sphere")) == (
        "sphere",
        "linear",
        "sphere",
    )
    assert remark(normal) == "" and "brought its codes to a prior" in remark(free)
    assert remark(free.fit_prior(X, "mixture(components=2)")) == ""
    assert shape_for(normal.fit_prior(X, "mixture(components=2)"), "auto") == "linear"


# ── every kind of rows ────────────────────────────────────────────────────────────────────────────


def test_pictures_tables_texts_series_and_sounds() -> None:
    random = np.random.default_rng(0)
    X = random.integers(0, 255, (40, 6, 5, 3), dtype=np.uint8)
    way = interpolate(VAE(2, trainer=FEW, random_state=0).fit(X), X[:1], X[1:2], 4)
    assert way.shape == (4, 6, 5, 3) and way.dtype == np.uint8

    frame = pd.DataFrame({"age": random.integers(0, 90, 50), "city": random.choice(["Rome", "Oslo"], 50)})
    made = interpolate(VAE(2, trainer=FEW, random_state=0).fit(frame), frame[:1], frame[1:2], 4)
    assert list(made) == ["age", "city"] and len(made) == 4 and set(made["city"]) <= {"Rome", "Oslo"}

    texts = ["red fish", "blue fish", "one fish", "two fish"] * 5
    said = interpolate(SequenceAutoencoder(4, trainer=FEW, random_state=0).fit(texts), texts[:1], texts[1:2], 3)
    assert len(said) == 3 and all(isinstance(text, str) for text in said)

    waves = objects(Series(np.sin(np.arange(64) / k)[:, None], None, ("v",)) for k in range(1, 7))
    drawn = interpolate(Autoencoder(2, trainer=FEW, random_state=0).fit(waves), waves[:1], waves[1:2], 3)
    assert len(drawn) == 3 and np.isfinite(drawn[1].values).all()

    sounds = objects(Sound(np.sin(np.arange(4000) / k).astype(np.float32) * 0.5, 8000) for k in range(2, 8))
    heard = interpolate(Autoencoder(2, trainer=FEW, random_state=0).fit(sounds), sounds[:1], sounds[1:2], 3)
    assert len(heard) == 3 and heard[1].rate == 8000 and np.isfinite(heard[1].samples).all()


# ── what cannot be ────────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be() -> None:
    X = rows()
    model = VAE(2, trainer=FEW, random_state=0).fit(X)
    with pytest.raises(DataError, match="one row; got 3"):
        interpolate(model, X[:3], X[:1])
    with pytest.raises(UsageError, match="steps must be an int of at least 2"):
        interpolate(model, X[:1], X[1:2], 1)
    with pytest.raises(UsageError, match="did you mean 'sphere'"):
        interpolate(model, X[:1], X[1:2], shape="spher")
    with pytest.raises(DataError, match="all of the rows have 1"):
        direction(model, X, np.ones(64), 1)
    with pytest.raises(DataError, match="none of the rows have 'x'"):
        direction(model, X, np.ones(64), "x")
    with pytest.raises(DataError, match="3 values of the attribute for 64 codes"):
        direction(model, X, np.ones(3), 1)
    with pytest.raises(DataError, match="a direction among codes"):
        moved(model, X[:1], np.ones(3), (1.0,))
    with pytest.raises(ModelError, match="an autoencoder"):
        must_decode(object())
    assert code_of(model, X[:1]).shape == (2,)
