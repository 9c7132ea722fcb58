"""Autoencoders with critics: what their samples and codes are like, and that three players train as exactly as one."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from diabolo import AEGAN, VAE, VAEGAN, AdversarialAutoencoder, Trainer, load
from diabolo.core import Batch
from diabolo.core.errors import ModelError, UsageError
from diabolo.core.metrics import frechet_distance
from diabolo.data import MemoryFeed
from diabolo.estimators.generator import FORMS, Energy
from diabolo.train import Callback, Stage
from diabolo.train.checkpoint import Checkpoint
from diabolo.train.loop import Loop

QUICK = Trainer(epochs=2, batch_size=16)


def rows(n: int = 48, width: int = 5) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(n, 2)) @ random.normal(size=(2, width)) + 0.1 * random.normal(size=(n, width))).astype(
        "float32"
    )


def made(name: str, **knobs: Any) -> Any:
    given: dict[str, Any] = {"hidden": (8,), "critic": (6,), "trainer": QUICK, "random_state": 0, **knobs}
    if name in FORMS:
        return AEGAN(2, form=name, noise=3, **given)
    return {"aae": AdversarialAutoencoder, "aae, labels": AdversarialAutoencoder, "vae-gan": VAEGAN}[name](2, **given)


def labels(name: str) -> Any:
    return np.where(np.arange(48) % 3 == 0, np.arange(48) % 2, -1) if name == "aae, labels" else None


EVERY = ("aae", "aae, labels", "vae-gan", *FORMS)
every = pytest.mark.parametrize("name", EVERY)


# ── as every estimator ────────────────────────────────────────────────────────────────────────────


@every
def test_saved_loaded_pickled_and_refitted_it_is_the_same_to_the_bit(name: str, tmp_path: Path) -> None:
    X, y = rows(), labels(name)
    model = made(name).fit(X, y)
    model.save(tmp_path / "model")
    for again in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), made(name).fit(X, y)):
        np.testing.assert_array_equal(again.transform(X), model.transform(X))
        np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
        np.testing.assert_array_equal(again.sample(7, random_state=1), model.sample(7, random_state=1))
    assert not np.array_equal(model.sample(7, random_state=1), model.sample(7, random_state=2))
    assert np.isfinite(model.sample(7)).all() and np.isfinite(model.score_samples(X)).all()


class Cut(Exception):
    """In place of a power cut."""


class CutAt(Callback):
    """Writes a checkpoint after a step and ends the process, so to say."""

    def __init__(self, at: int, checkpoint: Checkpoint) -> None:
        self.at, self.checkpoint = at, checkpoint

    def on_step(self, loop: Loop) -> None:
        if loop.step == self.at:
            self.checkpoint.write(loop)
            raise Cut


@every
def test_cut_off_and_resumed_all_players_end_with_the_same_bits(name: str, tmp_path: Path) -> None:
    X, y = rows(), labels(name)

    def trained(*callbacks: Any) -> Any:
        knobs = {"epochs": 3, "batch_size": 16, "validation": 0.0}
        return made(name, trainer=Trainer(**knobs, callbacks=callbacks)).fit(X, y)

    whole = trained()
    with pytest.raises(Cut):
        trained(held := Checkpoint(tmp_path / "state"), CutAt(4, held))
    resumed = trained(Checkpoint(tmp_path / "state", resume=True))
    for part in ("module_", "objective_"):
        states = [getattr(model, part).state_dict() for model in (whole, resumed)]
        assert all(torch.equal(a, b) for a, b in zip(*(s.values() for s in states), strict=True))


def test_what_the_user_left_open_is_set_and_what_was_given_is_kept() -> None:
    X = rows()
    free = AEGAN(2, hidden=(4,), trainer=Trainer(epochs=1), random_state=0).fit(X)
    assert (free._trainer.optimizer, free._trainer.lr, free._trainer.epochs) == ("adam(beta1=0.5)", 1e-3, 1)
    assert {"optimizer", "lr"} <= {choice.name for choice in free.choices_}
    bound = AEGAN(2, hidden=(4,), trainer=Trainer(epochs=1, optimizer="sgd", lr=1e-2), random_state=0).fit(X)
    assert (bound._trainer.optimizer, bound._trainer.lr) == ("sgd", 1e-2)


# ── who moves whom ────────────────────────────────────────────────────────────────────────────────


def players(form: str) -> tuple[Any, Any, Batch, Any]:
    x = torch.from_numpy(rows())
    recipe = made(form, loss="squared", network="dense").build((5,), (5,))
    batch = Batch(x, x)
    with torch.no_grad():
        for part in recipe.module.modules():
            if part is recipe.module.judge:
                part.begin(recipe.module, batch)
    return recipe.module, recipe.objective, batch, recipe.module(batch)


def moved(loss: Tensor, module: Any) -> set[str]:
    found = set()
    for name in ("encoder", "decoder", "generator", "judge"):
        part = getattr(module, name)
        params = [] if part is None else list(part.parameters())
        gradients = torch.autograd.grad(loss, params, retain_graph=True, allow_unused=True) if params else []
        if any(g is not None and bool(g.ne(0).any()) for g in gradients):
            found.add(name)
    return found


@pytest.mark.parametrize("form", FORMS)
def test_each_players_loss_reaches_that_player(form: str) -> None:
    module, objective, batch, out = players(form)
    detached = out.detach()
    assert moved(objective(module, batch, out)[0], module) == {"encoder", "decoder"}
    assert "generator" in moved(module.generator.own_loss(module, batch, detached), module)
    if module.judge is not None:
        assert moved(module.judge.own_loss(module, batch, detached), module) == {"judge"}


@pytest.mark.parametrize("form", FORMS)
def test_one_step_moves_every_player_by_the_gradient_of_its_own_loss(form: str) -> None:
    module, objective, batch, _ = players(form)
    for part in (module.generator, module.judge):
        if part is not None:
            part.optimizer, part.lr = "sgd(momentum=0.0)", 0.1
    main = [p for side in (module.encoder, module.decoder) for p in side.parameters()]
    groups = [main, list(module.generator.parameters())]
    groups += [list(module.judge.parameters())] if module.judge is not None else []
    start = [[p.detach().clone() for p in group] for group in groups]
    torch.manual_seed(3)
    out = module(batch)
    losses = [
        lambda: objective(module, batch, out)[0],
        lambda: module.generator.own_loss(module, batch, out.detach()),
        lambda: module.judge.own_loss(module, batch, out.detach()),
    ]
    expected = []
    for group, loss in zip(groups, losses, strict=False):  # one after the other: each sees those before it moved
        gradients = torch.autograd.grad(loss(), group)
        with torch.no_grad():
            for p, g in zip(group, gradients, strict=True):
                p -= 0.1 * g
        expected.append([p.detach().clone() for p in group])
    with torch.no_grad():
        for group, old in zip(groups, start, strict=True):
            for p, was in zip(group, old, strict=True):
                p.copy_(was)
    if module.judge is not None:  # it looked at the data twice
        module.judge.begin(module, batch)
    trainer = Trainer(epochs=1, batch_size=48, optimizer="sgd(momentum=0.0)", lr=0.1, schedule="constant")
    feed = MemoryFeed({"x": batch.x}, lambda t: Batch(t["x"], t["x"]))
    loop = Loop(trainer, [Stage(module, objective)], feed, None, 0)
    loop.begin()
    torch.manual_seed(3)
    loop.train_step(batch)
    for group, after in zip(groups, expected, strict=True):
        for p, wanted in zip(group, after, strict=True):
            torch.testing.assert_close(p.detach(), wanted, rtol=1e-4, atol=1e-6)


def test_beside_the_plain_network_the_autoencoder_is_as_alone() -> None:
    X = rows()
    alone = made("none", trainer=Trainer(epochs=3, batch_size=16)).fit(X)
    other = made("none", trainer=Trainer(epochs=3, batch_size=16), critic=(9, 9)).fit(X)
    np.testing.assert_allclose(alone.transform(X), other.transform(X), rtol=1e-4, atol=1e-5)


def test_samples_of_each_form_are_made_as_it_says() -> None:
    for form in FORMS:
        module, _, _, _ = players(form)
        torch.manual_seed(0)
        noise = torch.randn(4, 3)
        raw = module.generator.body(noise)
        by_hand = raw
        if form == "filter":
            by_hand = module.decode(module.code(raw))
        if form == "codes":
            by_hand = module.decode(raw * module.judge.scale + module.judge.shift)
        torch.manual_seed(0)
        torch.testing.assert_close(module.sample(4), by_hand.detach())


def test_the_scale_of_the_codes_is_followed() -> None:
    module, _, batch, out = players("codes")
    codes = out.latent.code.detach()
    torch.testing.assert_close(module.judge.shift, codes.mean(0))
    torch.testing.assert_close(module.judge.scale, codes.std(0, correction=0))
    far = out.map(lambda t: t + 10).detach()
    module.judge.own_loss(module, batch, far)
    torch.testing.assert_close(module.judge.shift, codes.mean(0) + 0.1)


# ── what comes of it ──────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def digits() -> np.ndarray:
    return (load_digits().data / 16).astype("float32")


def gaussian(X: np.ndarray) -> np.ndarray:
    """The rival: a Gaussian fitted to the pixels."""
    return np.random.default_rng(0).multivariate_normal(X.mean(0), np.cov(X.T), len(X)).clip(0, 1)


def features(X: np.ndarray) -> Any:
    """The hidden layer of a classifier of the digits."""
    from sklearn.neural_network import MLPClassifier

    net = MLPClassifier((64,), random_state=0, max_iter=15).fit(X, load_digits().target)
    return lambda rows: np.maximum(0, rows @ net.coefs_[0] + net.intercepts_[0])


@pytest.fixture(scope="module")
def distance(digits: np.ndarray) -> Any:
    """Frechet distance to the digits in the features of a classifier."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        f = features(digits)
    return lambda made: frechet_distance(f(made), f(digits))


@pytest.fixture(scope="module")
def aae(digits: np.ndarray) -> AdversarialAutoencoder:
    return AdversarialAutoencoder(8, trainer=Trainer(epochs=40), random_state=0).fit(digits)


def test_codes_of_all_rows_together_look_like_the_prior(aae: AdversarialAutoencoder, digits: np.ndarray) -> None:
    codes = aae.transform(digits)
    assert np.abs(codes.mean(0)).max() < 0.15
    assert codes.var(0).min() > 0.8 and codes.var(0).max() < 1.25
    assert np.abs(np.corrcoef(codes.T) - np.eye(8)).max() < 0.25


def test_its_samples_are_nearer_to_data_than_a_gaussians(
    aae: AdversarialAutoencoder, digits: np.ndarray, distance: Any
) -> None:
    assert distance(aae.sample(len(digits), random_state=0)) < distance(gaussian(digits))
    spread = float(np.square(digits - digits.mean(0)).sum(1).mean())
    assert float(np.square(aae.reconstruct(digits) - digits).sum(1).mean()) < 0.25 * spread


def test_without_a_critic_the_codes_are_not_the_priors(digits: np.ndarray) -> None:
    loose = AdversarialAutoencoder(8, weight=0.0, trainer=Trainer(epochs=10), random_state=0).fit(digits)
    with pytest.raises(ModelError, match="no term of this model's objective brought its codes to the prior"):
        loose.sample(2)


def test_a_hundred_labels_are_enough_to_tell_digits(digits: np.ndarray) -> None:
    y = load_digits().target
    known = np.where(np.isin(np.arange(len(y)), np.random.default_rng(0).permutation(len(y))[:100]), y, -1)
    model = AdversarialAutoencoder(8, trainer=Trainer(epochs=30), random_state=0).fit(digits, known)
    hidden = known < 0
    assert (model.predict(digits)[hidden] == y[hidden]).mean() > 0.82
    share = model.predict_proba(digits)
    np.testing.assert_allclose(share.sum(1), 1, rtol=1e-4)
    assert np.median(share.max(1)) > 0.95  # the critic made them nearly one-hot
    style = model.transform(digits)[:, 10:]
    assert np.abs(style.mean(0)).max() < 0.2 and style.var(0).min() > 0.7 and style.var(0).max() < 1.35


def test_labels_switch_on_and_off_by_what_fit_is_given() -> None:
    X, y = rows(), np.array(["a", "b"] * 24)
    model = AdversarialAutoencoder(2, hidden=(4,), trainer=QUICK, random_state=0)
    assert model.fit(X, y).transform(X).shape == (48, 4) and set(model.predict(X)) <= {"a", "b"}
    assert model.fit(X).transform(X).shape == (48, 2)
    with pytest.raises(ModelError, match="fitted without labels"):
        model.predict(X)
    assert model.fit(X, y).partial_fit(X[:16]).partial_fit(X[:16], y[:16]).transform(X).shape == (48, 4)


def test_a_vae_gan_does_not_collapse(digits: np.ndarray, distance: Any) -> None:
    model = VAEGAN(8, trainer=Trainer(epochs=20), random_state=0).fit(digits)
    spread = float(np.square(digits - digits.mean(0)).sum(1).mean())
    assert float(np.square(model.reconstruct(digits) - digits).sum(1).mean()) < 0.6 * spread
    assert (model.transform(digits).var(0) > 0.1).all()
    vae = VAE(8, trainer=Trainer(epochs=20), random_state=0).fit(digits)
    assert distance(model.sample(len(digits), random_state=0)) < distance(vae.sample(len(digits), random_state=0))


@pytest.mark.parametrize("form", ["codes", "filter"])
def test_samples_of_a_gan_are_as_diverse_as_the_data(form: str, digits: np.ndarray) -> None:
    model = AEGAN(8, form=form, trainer=Trainer(epochs=20), random_state=0).fit(digits)
    drawn = model.sample(500, random_state=0)
    assert 0.7 < drawn.std(0).mean() / digits.std(0).mean() < 1.1
    nearest = np.square(digits[:, None] - drawn[None, :300]).sum(-1).argmin(1)
    assert len(np.unique(nearest)) > 150  # a collapsed generator is near by few of its own samples


def test_the_energy_of_samples_is_pushed_up_to_a_multiple_of_the_datas() -> None:
    module, objective, batch, out = players("energy")
    energy: Energy = objective.penalties[0]
    with torch.no_grad():
        energy.begin(module, batch)
        torch.manual_seed(2)
        x = module.make(len(batch))
        data = (out.recon - batch.target).norm(dim=1).mean()
        samples = (module.decode(module.code(x)) - x).norm(dim=1)
        centred = (batch.x - batch.x.mean(0)).square().sum(1).mean().sqrt()
        for margin in (1.1, 5.0):
            energy.margin = margin
            torch.manual_seed(2)
            by_hand = centred * torch.relu(margin * data - samples).mean()
            torch.testing.assert_close(energy(module, batch, out), by_hand, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"form": "code"}, "form 'code' is unknown; did you mean 'codes'"),
        ({"noise": 0}, "noise must be an int of at least 1"),
        ({"margin": 1.0}, "margin must be a number above 1"),
    ],
)
def test_parameters_out_of_range_are_named(knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        AEGAN(2, **knobs).fit(rows())
    with pytest.raises(UsageError, match="pixel must be a number of at least 0"):
        VAEGAN(2, pixel=-1.0).fit(rows())


def test_a_table_with_missing_cells_cannot_be_filtered_but_has_codes() -> None:
    import pandas as pd

    frame = pd.DataFrame(rows(), columns=list("abcde"))
    frame.loc[3, "b"] = np.nan
    with pytest.raises(UsageError, match="also told what cells are missing"):
        AEGAN(2, form="filter", hidden=(4,), trainer=QUICK).fit(frame)
    for model in (made("codes"), made("none"), made("vae-gan"), made("aae")):
        drawn = model.fit(frame).sample(4, random_state=0)
        assert list(drawn.columns) == list("abcde") and len(drawn) == 4


def test_pictures_keep_their_kind() -> None:
    pictures = np.random.default_rng(0).integers(0, 256, (24, 9, 8, 3), dtype=np.uint8)
    for form in FORMS:
        model = made(form, network="conv(channels=(3, 4))", hidden="auto").fit(pictures)
        drawn = model.sample(2, random_state=0)
        assert drawn.shape == (2, 9, 8, 3) and drawn.dtype == np.uint8
    positions = made("codes", network="conv(channels=(3,), flat=False)", hidden="auto").fit(pictures)
    assert positions.sample(2).shape == (2, 9, 8, 3) and positions.transform(pictures).shape == (24, 5, 4, 2)
