"""What theory says of a fitted model: PCA, the score of noise, the evidence bound, independence of units."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from scipy.linalg import subspace_angles
from sklearn.decomposition import PCA

from diabolo import VAE, Autoencoder, Trainer
from diabolo.core import Batch
from diabolo.core.errors import ModelError, UsageError


def ellipsoid(n: int = 1000, width: int = 8, seed: int = 0) -> np.ndarray:
    """Rows of N(mean, C) with three strong directions in general position."""
    random = np.random.default_rng(seed)
    axes, _ = np.linalg.qr(random.normal(size=(width, width)))
    mean = random.normal(size=width)
    spread = np.array([1.0, 0.8, 0.6] + [0.1] * (width - 3))
    return ((random.normal(size=(n, width)) * spread) @ axes.T + mean).astype("float32")


def error(model: Any, X: np.ndarray) -> float:
    return float(np.square(model.reconstruct(X) - X).sum(1).mean())


def pca_error(train: np.ndarray, test: np.ndarray, k: int) -> float:
    pca = PCA(k).fit(train)
    return float(np.square(pca.inverse_transform(pca.transform(test)) - test).sum(1).mean())


# ── linear ────────────────────────────────────────────────────────────────────────────────────────


def linear(**knobs: Any) -> Autoencoder:
    trainer = Trainer(**{"epochs": 60, "batch_size": 50, "validation": 0.0, **knobs})
    return Autoencoder(3, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=0)


@pytest.mark.parametrize(
    "knobs",
    [
        {"optimizer": "muon"},
        {"optimizer": "adam", "lr": 3e-2, "epochs": 100},
        {"optimizer": "lbfgs", "batch_size": "full", "schedule": "constant", "epochs": 15},
    ],
    ids=["muon", "adam", "lbfgs"],
)
def test_a_linear_autoencoder_spans_the_principal_subspace(knobs: dict[str, Any]) -> None:
    X = ellipsoid()
    model = linear(**knobs).fit(X)
    decoder = model.module_.decoder.body.last.weight.detach().numpy()
    degrees = np.rad2deg(subspace_angles(decoder, PCA(3).fit(X).components_.T).max())
    assert degrees < 2
    assert 1 - 1e-6 < error(model, X) / pca_error(X, X, 3) < 1.005


@pytest.mark.parametrize("width", [4, 8, 20])
def test_a_linear_autoencoder_with_everything_automatic_is_as_good_as_pca(width: int) -> None:
    X = ellipsoid(width=width)
    model = Autoencoder(3, network="dense", hidden=(), random_state=0).fit(X)
    assert error(model, X) < 1.1 * pca_error(X, X, 3)


@pytest.mark.parametrize(("gain", "shift"), [(1000.0, 5000.0), (1e-3, 0.0), (1.0, -30.0)])
def test_units_do_not_matter(gain: float, shift: float) -> None:
    X = ellipsoid(400).astype("float64")
    other = X * gain + shift

    def relative(rows: np.ndarray) -> float:
        model = Autoencoder(3, trainer=Trainer(epochs=30), random_state=0).fit(rows)
        return error(model, rows) / float(np.square(rows - rows.mean(0)).sum(1).mean())

    assert relative(other) == pytest.approx(relative(X), rel=0.1)


# ── denoising ─────────────────────────────────────────────────────────────────────────────────────


def test_the_residual_of_a_denoiser_is_the_score_of_the_noisy_density() -> None:
    std, width, n = 0.3, 4, 20_000
    random = np.random.default_rng(0)
    axes, _ = np.linalg.qr(random.normal(size=(width, width)))
    C = axes @ np.diag([1.0, 0.5, 0.2, 0.05]) @ axes.T
    root = axes @ np.diag(np.sqrt([1.0, 0.5, 0.2, 0.05]))
    X = (random.normal(size=(n, width)) @ root.T).astype("float32")
    trainer = Trainer(epochs=12, batch_size=200, validation=0.0)
    model = Autoencoder(
        width, network="dense", hidden=(128, 128), loss="squared", corruption=f"noise(std={std})", trainer=trainer,
        random_state=0,
    ).fit(X)  # fmt: skip
    clean = random.normal(size=(40_000, width)) @ root.T
    noisy = clean + std * random.normal(size=clean.shape)
    recon = model.reconstruct(noisy.astype("float32"))
    noisy_precision = np.linalg.inv(C + std**2 * np.eye(width))
    score = -noisy @ noisy_precision
    residual = (recon - noisy) / std**2
    cosine = (score * residual).sum() / np.sqrt((score**2).sum() * (residual**2).sum())
    assert cosine > 0.99
    # against the best denoiser on the same noise: the difference of the two errors has little variance
    best = noisy + std**2 * score
    bayes = float(np.trace(C - C @ noisy_precision @ C))
    excess = np.square(recon - clean).sum(1) - np.square(best - clean).sum(1)
    assert 0 < excess.mean() < 0.04 * bayes


# ── variational ───────────────────────────────────────────────────────────────────────────────────


@pytest.fixture(scope="module")
def vae() -> tuple[VAE, np.ndarray]:
    X = ellipsoid(800)
    return VAE(5, hidden=(32,), trainer=Trainer(epochs=60), random_state=0).fit(X), X


def test_a_vae_uses_as_many_units_as_the_data_have_directions(vae: tuple[VAE, np.ndarray]) -> None:
    model, X = vae
    means = model.transform(X)
    assert int((means.var(0) > 0.01).sum()) >= 3
    with torch.no_grad():
        latent = model.module_.encode(torch.from_numpy(X))
    kl = torch.distributions.kl_divergence(latent.posterior.base_dist, torch.distributions.Normal(0.0, 1.0)).mean(0)
    assert 3 <= int((kl > 0.1).sum()) <= 5


def test_the_bound_beats_a_model_that_ignores_its_code(vae: tuple[VAE, np.ndarray]) -> None:
    """Collapsed, the best that is left is one Gaussian around the mean: its log-likelihood in closed form."""
    model, X = vae
    variance = float(np.square(X - X.mean(0)).mean())
    collapsed = -0.5 * X.shape[1] * (np.log(2 * np.pi * variance) + 1)
    assert model.score(X) > collapsed + 1.0


def test_the_bound_lies_below_the_likelihood_of_the_true_density(vae: tuple[VAE, np.ndarray]) -> None:
    """The mean log-density of a Gaussian under itself is minus its entropy; no bound may exceed it."""
    rows = ellipsoid(4000)  # of the same mean and axes; the first 800 are those of the fit
    entropy = 0.5 * (np.linalg.slogdet(2 * np.pi * np.cov(rows.T))[1] + rows.shape[1])
    fresh = torch.from_numpy(rows[800:])
    torch.manual_seed(0)
    with torch.no_grad():
        batch = Batch(fresh, fresh)
        bound = -float(vae[0].objective_(vae[0].module_, batch, vae[0].module_(batch), 1, 1)[0])
    assert -entropy - 1.5 < bound < -entropy


@pytest.mark.parametrize(("gain", "shift"), [(1000.0, 5000.0), (1e-3, 0.0)])
def test_units_do_not_matter_to_a_vae_either(gain: float, shift: float) -> None:
    """The bound moves by the log-determinant of the change of units, the relative error not at all."""
    X = ellipsoid(800).astype("float64")

    def fit(rows: np.ndarray) -> tuple[float, float]:
        model = VAE(4, hidden=(32,), trainer=Trainer(epochs=100), random_state=0).fit(rows)
        return model.score(rows), error(model, rows) / float(np.square(rows - rows.mean(0)).sum(1).mean())

    (plain, relative), (other, same) = fit(X), fit(X * gain + shift)
    assert same == pytest.approx(relative, rel=0.2)
    assert other + X.shape[1] * np.log(gain) == pytest.approx(plain, abs=0.5)


def test_draws_are_seeded_and_look_like_the_data(vae: tuple[VAE, np.ndarray]) -> None:
    model, X = vae
    draws = model.sample(4000, random_state=1)
    assert draws.shape == (4000, X.shape[1]) and draws.dtype == np.float32
    np.testing.assert_array_equal(draws, model.sample(4000, random_state=1))
    assert not np.array_equal(draws, model.sample(4000, random_state=2))
    spread = np.sqrt(np.trace(np.cov(X.T)))
    assert np.linalg.norm(draws.mean(0) - X.mean(0)) < 0.2 * spread
    assert 0.6 < np.trace(np.cov(draws.T)) / np.trace(np.cov(X.T)) < 1.2


def test_drawing_leaves_the_global_generator_alone(vae: tuple[VAE, np.ndarray]) -> None:
    state = torch.get_rng_state()
    vae[0].sample(3, random_state=1)
    vae[0].transform(vae[1])
    vae[0].score_samples(vae[1])
    assert torch.equal(torch.get_rng_state(), state)


def test_codes_and_scores_are_deterministic(vae: tuple[VAE, np.ndarray]) -> None:
    model, X = vae
    np.testing.assert_array_equal(model.transform(X), model.transform(X))
    np.testing.assert_array_equal(model.score_samples(X), model.score_samples(X))


def test_a_larger_beta_pays_for_a_smaller_divergence() -> None:
    X = ellipsoid(400)
    spent = []
    for beta in (0.1, 1.0, 20.0):
        model = VAE(3, hidden=(16,), beta=beta, trainer=Trainer(epochs=30), random_state=0).fit(X)
        spent.append(model.history_[-1]["validation"]["kl"] / beta)
    assert spent[0] > spent[1] > spent[2]


def test_without_a_prior_nothing_can_be_drawn() -> None:
    model = Autoencoder(2, trainer=Trainer(epochs=1)).fit(ellipsoid(50))
    with pytest.raises(ModelError, match=r"cannot sample: .*trained without|cannot sample: .*train a variational"):
        model.sample()


# ── what is automatic is said ─────────────────────────────────────────────────────────────────────


def test_every_automatic_choice_comes_with_a_reason() -> None:
    model = Autoencoder(trainer=Trainer(), random_state=0).plan(ellipsoid())
    chosen = {choice.name: choice for choice in model.choices_}
    assert {"network", "n_components", "loss", "hidden", "batch_size", "optimizer", "epochs"} <= chosen.keys()
    assert all(choice.why for choice in model.choices_)
    assert chosen["n_components"].value == 3


def test_what_is_given_is_not_chosen() -> None:
    trainer = Trainer(epochs=3, batch_size=10, optimizer="adam")
    model = Autoencoder(2, network="dense", hidden=(4,), loss="squared", trainer=trainer).plan(ellipsoid())
    assert model.choices_ == []


def test_a_code_as_wide_as_the_data_is_remarked_on() -> None:
    X = ellipsoid(60)
    free = Autoencoder(8, trainer=Trainer(epochs=1)).plan(X)
    assert any("copy" in choice.why for choice in free.choices_)
    for bound in ({"corruption": "noise"}, {"penalties": ["weight-decay"]}, {"n_components": 3}):
        model = Autoencoder(**{"n_components": 8, "trainer": Trainer(epochs=1), **bound}).plan(X)
        assert not any("copy" in choice.why for choice in model.choices_)


def test_a_plan_trains_nothing() -> None:
    X = ellipsoid()
    trainer = Trainer(epochs=1, optimizer="sgd", lr=1e-30, validation=0.0)
    planned = Autoencoder(2, trainer=trainer, random_state=0).plan(X)
    fitted = Autoencoder(2, trainer=trainer, random_state=0).fit(X)
    assert planned.history_ == []
    np.testing.assert_allclose(planned.transform(X), fitted.transform(X), atol=1e-6)


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"n_components": 0}, r"n_components must be an int of at least 1, or 'auto'; got 0"),
        ({"n_components": 2.5}, r"n_components must be an int .* got 2.5"),
        ({"network": "dens"}, r"network 'dens' is unknown; did you mean 'dense'\?"),
        ({"loss": "sqared"}, r"loss 'sqared' is unknown; did you mean 'squared'\?"),
        ({"bottleneck": "gausian"}, r"did you mean 'gaussian'\?"),
        ({"corruption": "noise(std=-1)"}, r"std must be .*got -1"),
        ({"penalties": ["kl"]}, r"penalty 'kl' needs a bottleneck with a posterior"),
        ({"network": "dense(tied=True)", "bottleneck": "gaussian"}, r"tied weights need"),
    ],
)
def test_parameters_out_of_range_are_named(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        Autoencoder(**{"n_components": 2, "trainer": Trainer(epochs=1), **params}).fit(ellipsoid(50))
