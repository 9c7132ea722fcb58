"""Semi-supervised: the bound is the sum over the classes written out, and unlabelled rows teach the classifier."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from torch import Tensor

from diabolo import SemiSupervisedVAE, Trainer, load
from diabolo.bottlenecks.class_gaussian import ClassGaussian
from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.estimators.labels import Labels
from diabolo.estimators.recipe import Recipe
from diabolo.train import Callback

C, D = 3, 2


def composed(alpha: float = 0.0, **given: Any) -> tuple[Recipe, Batch]:
    torch.manual_seed(0)
    model = SemiSupervisedVAE(D, network="dense", hidden=(8,), loss="bernoulli", alpha=alpha, **given)
    model.labels_ = Labels().fit(range(C))
    x = torch.rand(5, 6)
    return model.build((6,), (6,)), Batch(x, x)


def bound(recipe: Recipe, x: Tensor, y: Tensor, noise: Tensor) -> Tensor:
    """-log p(x | z, y) + KL(q(z | x, y) || p(z)) - log p(y), with this noise in z, by the parts."""
    module, neck = recipe.module, recipe.module.bottleneck
    features = module.encoder.style(x)
    mean, raw = neck.out(torch.nn.functional.silu(features + neck.embed(y))).chunk(2, 1)
    std = torch.nn.functional.softplus(raw) + 1e-4
    logits = module.decoder(torch.cat([mean + std * noise, y], 1))
    cost = torch.nn.functional.binary_cross_entropy_with_logits(logits, x, reduction="none").sum(1)
    return cost + 0.5 * (mean**2 + std**2 - 1 - 2 * std.log()).sum(1) + math.log(C)


def noise_of(rows: int) -> Tensor:
    torch.manual_seed(7)
    return torch.randn(rows, D)


def test_a_row_of_unknown_class_pays_the_sum_over_the_classes_less_the_entropy() -> None:
    recipe, batch = composed()
    noise = noise_of(5 * C).view(5, C, D)
    torch.manual_seed(7)
    cost = recipe.objective.per_sample(recipe.module, batch, recipe.module(batch))
    q = torch.softmax(recipe.module.encoder.classifier(batch.x), 1)
    each = torch.stack([bound(recipe, batch.x, torch.eye(C)[[c] * 5], noise[:, c]) for c in range(C)], 1)
    torch.testing.assert_close(cost, (q * (each + q.log())).sum(1))
    assert (cost >= -torch.logsumexp(-each, 1) - 1e-5).all()


@pytest.mark.parametrize("training", [True, False])
def test_a_row_of_known_class_pays_the_bound_of_that_class(training: bool) -> None:
    recipe, batch = composed(alpha=0.0)
    recipe.module.train(training)
    y = torch.tensor([0, 1, 2, 0, 1])
    told = Batch(batch.x, batch.x, cond=torch.eye(C)[y])
    noise = noise_of(5 * C if training else 5)
    noise = noise.view(5, C, D)[torch.arange(5), y] if training else noise
    torch.manual_seed(7)
    out = recipe.module(told)
    assert out.latent.draws == (C if training else 1)
    cost = recipe.objective.per_sample(recipe.module, told, out)
    torch.testing.assert_close(cost, bound(recipe, batch.x, torch.eye(C)[y], noise))


def test_known_and_unknown_rows_stand_in_one_batch() -> None:
    recipe, batch = composed(alpha=2.0)
    cond = torch.eye(C)[[0, 1, 2, 0, 1]] * torch.tensor([1, 0, 0, 1, 0])[:, None]
    torch.manual_seed(7)
    mixed = recipe.objective.terms(recipe.module, batch, recipe.module(Batch(batch.x, batch.x, cond=cond)))
    torch.manual_seed(7)
    alone = recipe.objective.per_sample(recipe.module, batch, recipe.module(batch))
    total = torch.stack([term for term in mixed.values() if term.ndim == 1]).sum(0)
    torch.testing.assert_close(total[[1, 2, 4]], alone[[1, 2, 4]])
    logits = recipe.module.encoder.classifier(batch.x)[[0, 3]]
    entropy = torch.nn.functional.cross_entropy(logits, torch.tensor([0, 0]))
    torch.testing.assert_close(mixed["classifier"], 2.0 * entropy)


def test_rows_of_unknown_class_teach_the_classifier() -> None:
    recipe, batch = composed(alpha=0.0)
    loss, _ = recipe.objective(recipe.module, batch, recipe.module(batch))
    loss.backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in recipe.module.parameters())


def test_a_row_that_comes_more_often_counts_as_much_as_the_others() -> None:
    """Sum over the repeated feed, weighted, = sum over the rows."""
    y = np.array([0, 1, 2] + [-1] * 57)
    X = np.random.default_rng(0).random((60, 6)).astype("float32")
    model = SemiSupervisedVAE(D, network="dense", hidden=(8,), random_state=0, trainer=Trainer(epochs=1, batch_size=16))
    neck: Any = model.plan(X, y).module_.bottleneck
    labels = model._beside(X, y, 60, fitting=False)
    train, _ = model._split(model._feed({**model.processor_.encode(X), **labels}))
    known, times = int(train.known().sum()), train.times(0.2)
    unknown = len(train) - known
    assert float(neck.known_weight) * known * times == pytest.approx(known * (unknown + known * times) / len(train))
    assert float(neck.unknown_weight) == pytest.approx((unknown + known * times) / len(train))
    assert known * times / (unknown + known * times) == pytest.approx(0.2, abs=0.03)


def digits() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    X, y = load_digits(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(X))
    return (X[order] / 16).astype("float32"), y[order], np.where(np.arange(len(y)) < 60, y[order], -1)


@pytest.mark.slow
@pytest.mark.parametrize("stacked", [False, True])
def test_on_digits_unlabelled_rows_help(stacked: bool) -> None:
    X, y, known = digits()
    model = SemiSupervisedVAE(8, stacked=stacked, trainer=Trainer(validation=0.0), random_state=0)
    model.fit(X[:1200], known[:1200])
    plain = LogisticRegression(max_iter=2000).fit(X[:60], y[:60]).score(X[1200:], y[1200:])
    assert model.score(X[1200:], y[1200:]) > plain + (0.0 if stacked else 0.03)


@pytest.fixture(scope="module", params=[False, True], ids=["M2", "M1+M2"])
def small(request: pytest.FixtureRequest) -> SemiSupervisedVAE:
    X, _, known = digits()
    trainer = Trainer(epochs=2, batch_size=64)
    return SemiSupervisedVAE(4, hidden=(16,), stacked=request.param, trainer=trainer, random_state=0).fit(X, known)


def test_codes_are_style_and_class_and_decode(small: SemiSupervisedVAE) -> None:
    X = digits()[0][:50]
    codes, odds = small.transform(X), small.predict_proba(X)
    assert codes.shape == (50, 4 + 10)
    np.testing.assert_array_equal(codes[:, 4:], np.eye(10)[odds.argmax(1)])
    np.testing.assert_allclose(odds.sum(1), 1, atol=1e-6)
    assert (small.predict(X) == odds.argmax(1)).all()
    np.testing.assert_array_equal(codes, small.transform(X, small.predict(X)))
    np.testing.assert_allclose(small.inverse_transform(codes), small.reconstruct(X), rtol=1e-4, atol=1e-5)
    assert small.sample(3, y=7, random_state=0).shape == (3, 64)


def test_the_score_is_the_sum_over_the_classes(small: SemiSupervisedVAE) -> None:
    X = digits()[0][:20]
    each = np.stack([small.score_samples(X, [c] * 20) for c in range(10)], 1).astype(np.float64)
    top = each.max(1, keepdims=True)
    np.testing.assert_allclose(
        small.score_samples(X), np.log(np.exp(each - top).sum(1)) + top[:, 0], rtol=1e-4, atol=1e-3
    )


def test_saved_and_loaded_to_the_same_bits(small: SemiSupervisedVAE, tmp_path: Path) -> None:
    X = digits()[0][:50]
    small.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(X), small.transform(X))
    np.testing.assert_array_equal(again.predict(X), small.predict(X))
    np.testing.assert_array_equal(again.score_samples(X), small.score_samples(X))
    again.describe()


def test_m1_is_trained_first_and_stands_still_then() -> None:
    X, _, known = digits()
    seen = {}

    class Watch(Callback):
        def on_epoch(self, loop: Any) -> None:
            module = loop.stages[0].module
            seen[loop.stage_index] = [p.detach().clone() for p in module.parameters()]

    trainer = Trainer(epochs=1, batch_size=64, validation=0.0, callbacks=[Watch()])
    SemiSupervisedVAE(4, hidden=(16,), stacked=True, trainer=trainer, random_state=0).fit(X[:200], known[:200])
    assert all(torch.equal(a, b) for a, b in zip(seen[0], seen[1], strict=True))


def test_what_cannot_be() -> None:
    with pytest.raises(UsageError, match="alpha must be a finite number of at least 0; got -1"):
        ClassGaussian(2, 3, alpha=-1)
    with pytest.raises(UsageError, match="features must be an int of at least 1"):
        ClassGaussian(0, 3)
    X, _, known = digits()
    model = SemiSupervisedVAE(2, network="conv(channels=(3,), image=(8, 8), flat=False)", trainer=Trainer(epochs=1))
    with pytest.raises(UsageError, match="keeps positions"):
        model.fit(X[:40], known[:40])
