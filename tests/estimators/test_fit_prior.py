"""A prior fitted after training: sampling, disk, pickles, further training, and where it is refused."""

from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.base import clone
from sklearn.datasets import load_digits

from diabolo import RAE, VAE, Autoencoder, Trainer, load
from diabolo.core.errors import ModelError, UsageError

DIGITS = (load_digits().data / 16).astype("float32")[:600]
QUICK = Trainer(epochs=8)


def plain(**params: Any) -> Autoencoder:
    return Autoencoder(4, hidden=(32,), trainer=QUICK, random_state=0, **params)


@pytest.fixture(scope="module")
def fitted() -> Autoencoder:
    return plain().fit(DIGITS)


def clusters() -> np.ndarray:
    """Five tight groups of rows, far from each other."""
    random = np.random.default_rng(0)
    centres = random.normal(size=(5, 6)) * 2
    return (centres[random.integers(5, size=600)] + 0.1 * random.normal(size=(600, 6))).astype("float32")


def nearest(samples: np.ndarray) -> float:
    """Mean squared distance of samples to the nearest real row."""
    return float(np.square(samples[:, None] - clusters()[None]).sum(2).min(1).mean())


@pytest.mark.parametrize("prior", ["mixture", "mixture(components=20, covariance='full')", "flow(steps=6)"])
def test_samples_lie_where_data_do(prior: str) -> None:
    model, X = Autoencoder(2, hidden=(32,), trainer=Trainer(epochs=40), random_state=0).fit(clusters()), clusters()
    with pytest.raises(ModelError, match=r"fit a prior to its codes: fit_prior\(X\)"):
        model.sample(3)
    assert model.fit_prior(X, prior, trainer=Trainer(epochs=100, lr=1e-2, optimizer="adam")) is model
    codes = model.transform(X)
    random = np.random.default_rng(0)
    blind = model.inverse_transform(random.multivariate_normal(codes.mean(0), np.cov(codes.T), size=200))
    assert nearest(model.sample(200, random_state=0)) < 0.6 * nearest(blind)
    np.testing.assert_array_equal(model.sample(5, random_state=1), model.sample(5, random_state=1))


@pytest.mark.parametrize("prior", ["mixture(components=3, covariance='full')", "flow(steps=1)"])
def test_it_is_saved_pickled_and_forgotten_by_a_fit(fitted: Autoencoder, prior: str, tmp_path: Path) -> None:
    model = pickle.loads(pickle.dumps(fitted))
    model.fit_prior(DIGITS, prior, trainer=Trainer(epochs=2))
    wanted = model.sample(7, random_state=3)
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.sample(7, random_state=3), wanted)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(model)).sample(7, random_state=3), wanted)
    again.save(tmp_path / "twice")
    for name in ("config.json", "model.safetensors"):
        assert (tmp_path / "model" / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()
    assert "prior_" not in vars(clone(model))
    again.partial_fit(DIGITS[:64])
    assert again.sample(2, random_state=0).shape == (2, 64)
    again.fit(DIGITS)
    assert "prior_" not in vars(again) and again.module_.prior is None


def test_a_model_may_start_from_one_with_a_fitted_prior(fitted: Autoencoder) -> None:
    model = pickle.loads(pickle.dumps(fitted)).fit_prior(DIGITS)
    other = plain().start_from(model).fit(DIGITS)
    assert other.module_.prior is None and "prior_" not in vars(other)


def test_codes_and_global_random_numbers_stay_as_they_are(fitted: Autoencoder) -> None:
    model = pickle.loads(pickle.dumps(fitted))
    before, state = model.transform(DIGITS), torch.get_rng_state()
    model.fit_prior(DIGITS, "flow(steps=1)", trainer=Trainer(epochs=2))
    np.testing.assert_array_equal(model.transform(DIGITS), before)
    assert torch.equal(torch.get_rng_state(), state)
    assert all(p.requires_grad for p in model.module_.encoder.parameters())


def test_a_vaes_bound_gains_from_a_prior_fitted_to_its_codes() -> None:
    model = VAE(4, hidden=(32,), trainer=Trainer(epochs=20), random_state=0).fit(DIGITS[:400])
    fresh = DIGITS[400:]
    before = model.log_likelihood(fresh, 50, random_state=0).mean()
    model.fit_prior(DIGITS[:400], "mixture(components=5, covariance='full')")
    assert model.log_likelihood(fresh, 50, random_state=0).mean() > before - 0.2


def test_rae_fits_its_prior_by_itself() -> None:
    model = RAE(4, hidden=(32,), trainer=QUICK, random_state=0).fit(DIGITS)
    assert model.prior_.name == "mixture" and model.sample(3, random_state=0).shape == (3, 64)
    with pytest.raises(ModelError, match="fit a prior"):
        model.set_params(prior=None).fit(DIGITS).sample(2)


@pytest.mark.parametrize("regulariser", ["l2", "gradient", "spectral", "none"])
def test_every_regulariser_trains_and_counts(regulariser: str) -> None:
    model = RAE(4, regulariser=regulariser, hidden=(16,), lam=1e-2, trainer=QUICK, random_state=0).fit(DIGITS[:200])
    terms = model.history_[-1]["train"]
    assert "code-norm" in terms and len(terms) == (3 if regulariser == "none" else 4)
    assert all(value > 0 for name, value in terms.items() if name != "loss")


@pytest.mark.parametrize(
    ("prior", "message"),
    [
        ("normal", "prior 'normal' has nothing to fit"),
        ("vamp", "'vamp' is made of posteriors"),
        ("mixtur", "prior 'mixtur' is unknown; did you mean 'mixture'"),
    ],
)
def test_what_cannot_be_fitted_is_named(fitted: Autoencoder, prior: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        pickle.loads(pickle.dumps(fitted)).fit_prior(DIGITS, prior)


def test_an_unknown_regulariser_is_refused() -> None:
    with pytest.raises(UsageError, match="regulariser must be 'l2' or 'gradient'"):
        RAE(2, regulariser="l3").fit(DIGITS[:50])
