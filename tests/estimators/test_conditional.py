"""Told a class: the class decides what is drawn, and the best class is found where none is told."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch.distributions import Independent, Normal, kl_divergence

from diabolo import ConditionalVAE, Trainer, load
from diabolo.core import Batch
from diabolo.core.errors import DataError, UsageError

CENTRES = np.array([[3.0, 0.0, 0.0], [0.0, 3.0, 0.0], [0.0, 0.0, 3.0]], dtype="float32")


def rows(n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Three clusters; the style is where in its cluster a row lies."""
    random = np.random.default_rng(0)
    y = random.integers(3, size=n)
    return (CENTRES[y] + 0.3 * random.normal(size=(n, 3))).astype("float32"), np.array(["a", "b", "c"])[y]


def fitted(**given: Any) -> ConditionalVAE:
    trainer = Trainer(epochs=20, batch_size=32)
    return ConditionalVAE(2, **{"hidden": (16,), "trainer": trainer, "random_state": 0, **given}).fit(*rows())


@pytest.fixture(scope="module")
def model() -> ConditionalVAE:
    return fitted()


def test_what_is_drawn_is_of_the_class_asked_for(model: ConditionalVAE) -> None:
    for place, name in enumerate("abc"):
        drawn = model.sample(200, y=name, random_state=0)
        np.testing.assert_allclose(drawn.mean(0), CENTRES[place], atol=0.35)
    each = model.sample(3, y=["c", "a", "b"], random_state=0)
    assert model.predict(each).tolist() == ["c", "a", "b"]
    everything = model.predict(model.sample(300, random_state=0))
    assert {name: 60 < (everything == name).sum() < 140 for name in "abc"} == dict.fromkeys("abc", True)


def test_the_bound_of_a_told_row_is_the_one_written_out(model: ConditionalVAE) -> None:
    X, y = rows(40)
    x, cond = torch.from_numpy(X), model.labels_.one_hot(model.labels_.encode(y))
    module = model.module_
    with torch.no_grad():
        mean, raw = module.features(x, None, cond).chunk(2, 1)
        std = torch.nn.functional.softplus(raw) + 1e-4
        recon = module.decode(mean, Batch(x, x, cond=cond))
        cost = model.objective_.loss(recon, x)
        kl = kl_divergence(Independent(Normal(mean, std), 1), Independent(Normal(torch.zeros(2), torch.ones(2)), 1))
    np.testing.assert_allclose(model.score_samples(X, y), -(cost + kl).numpy(), rtol=1e-4, atol=1e-4)


def test_without_a_class_the_score_is_the_sum_over_the_classes(model: ConditionalVAE) -> None:
    X, _ = rows(40)
    each = np.stack([model.score_samples(X, [name] * 40) for name in "abc"], 1).astype(np.float64)
    summed = np.log(np.exp(each - each.max(1, keepdims=True)).mean(1)) + each.max(1)
    np.testing.assert_allclose(model.score_samples(X), summed, rtol=1e-4, atol=1e-4)
    assert (model.score_samples(X) <= each.max(1) + 1e-4).all()
    odds = np.exp(each - each.max(1, keepdims=True))
    np.testing.assert_allclose(model.predict_proba(X), odds / odds.sum(1, keepdims=True), atol=1e-4)
    assert (model.predict(X) == np.array(list("abc"))[each.argmax(1)]).all()


def test_rows_are_taken_under_their_best_class(model: ConditionalVAE) -> None:
    X, y = rows()
    said = model.predict(X)
    assert (said == y).mean() > 0.97
    np.testing.assert_array_equal(model.transform(X), model.transform(X, said))
    np.testing.assert_array_equal(model.reconstruct(X), model.reconstruct(X, said))
    mixed = np.where(np.arange(len(y)) < 5, y, "")
    np.testing.assert_array_equal(model.transform(X, mixed)[5:], model.transform(X)[5:])
    np.testing.assert_array_equal(model.transform(X, mixed)[:5], model.transform(X, y)[:5])
    np.testing.assert_allclose(
        model.score_samples(X, mixed), np.where(mixed == "", model.score_samples(X), model.score_samples(X, y)),
        rtol=1e-5, atol=1e-5,
    )  # fmt: skip
    np.testing.assert_allclose(
        model.inverse_transform(model.transform(X, y), y), model.reconstruct(X, y), rtol=1e-5, atol=1e-5
    )


def test_the_class_leaves_the_code() -> None:
    """What the class says need not be in z: the means of z by class lie closer than those of the data."""
    X, y = rows()
    codes = fitted().transform(X, y)
    between = np.var([codes[y == name].mean(0) for name in "abc"], axis=0).sum()
    assert between < 0.25 * codes.var(0).sum()


def test_saved_and_loaded_to_the_same_bits(model: ConditionalVAE, tmp_path: Path) -> None:
    X, _ = rows()
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    for one, other in ((model.transform(X), again.transform(X)), (model.predict(X), again.predict(X))):
        np.testing.assert_array_equal(one, other)
    np.testing.assert_array_equal(again.sample(4, y="b", random_state=1), model.sample(4, y="b", random_state=1))
    again.describe()


@pytest.mark.parametrize("network", ["conv(channels=(4,), image=(8, 8))", "conv(channels=(4,), flat=False)"])
def test_with_convolutions(network: str) -> None:
    X, y = load_digits(return_X_y=True)
    X = (X[:200] / 16).astype("float32").reshape(-1, 8, 8)
    model = ConditionalVAE(2, network=network, trainer=Trainer(epochs=2), random_state=0).fit(X, y[:200])
    assert model.sample(2, y=7, random_state=0).shape == (2, 8, 8)
    assert model.transform(X).shape[0] == len(model.predict(X)) == 200


def test_what_cannot_be_told(model: ConditionalVAE) -> None:
    with pytest.raises(UsageError, match="give y to fit"):
        ConditionalVAE(2).fit(rows()[0])
    with pytest.raises(DataError, match="3 of them, one for each row"):
        model.sample(3, y=["a", "b"])
    with pytest.raises(DataError, match="a class that was not there at fit"):
        model.sample(3, y="z")
