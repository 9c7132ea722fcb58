"""Contraction and score matching against closed forms: Jacobians written out, Gaussians whose score is known."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo import ContractiveAutoencoder, DenoisingAutoencoder, ScoreMatchingAutoencoder, Trainer
from diabolo.core import AutoencoderModule, Batch, Spec, make
from diabolo.core.errors import ModelError, UsageError
from diabolo.networks.dense import Dense
from diabolo.penalties.contractive import Contractive

B, WIDTH, CODE = 6, 5, 3


def composed(hidden: tuple[int, ...] = (), bottleneck: Any = "identity", **options: Any) -> AutoencoderModule:
    torch.manual_seed(0)
    neck = make("bottleneck", bottleneck, features=CODE)
    encoder, decoder = Dense(hidden=hidden, **options).build((WIDTH,), neck.in_features, CODE, (WIDTH,))
    return AutoencoderModule(encoder, neck, decoder).double()


def rows() -> Batch:
    x = torch.randn(B, WIDTH, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    return Batch(x, x)


def by_autograd(module: AutoencoderModule, batch: Batch) -> Tensor:
    def norm(x: Tensor) -> Tensor:
        jacobian: Any = torch.autograd.functional.jacobian(lambda row: module.code(row[None])[0], x)
        return jacobian.square().sum()

    return torch.stack([norm(x) for x in batch.x])


SIGMOID = Spec("activated", activation="sigmoid")


@pytest.mark.parametrize(
    ("hidden", "neck"),
    [((), SIGMOID), ((), Spec("activated", activation="tanh")), ((), "identity"), ((8,), "identity"), ((8,), SIGMOID)],
)
def test_the_exact_norm_is_that_of_autograd(hidden: tuple[int, ...], neck: Any) -> None:
    module, batch = composed(hidden, neck), rows()
    torch.testing.assert_close(
        Contractive(way="exact")(module, batch, None), by_autograd(module, batch), rtol=1e-9, atol=0
    )


def test_data_standardised_inside_count_in_their_own_units() -> None:
    module, batch = composed((), SIGMOID), rows()
    module.standardise(torch.zeros(WIDTH, dtype=torch.float64), 7.0, output=False)
    torch.testing.assert_close(Contractive()(module, batch, None), by_autograd(module, batch), rtol=1e-9, atol=0)


def test_a_linear_code_pays_weight_decay_of_the_encoder() -> None:
    module, batch = composed(), rows()
    known = module.encoder.body.first.weight.square().sum()
    torch.testing.assert_close(Contractive()(module, batch, None), known.expand(B))


def test_the_estimate_is_unbiased() -> None:
    module, batch = composed((8,), SIGMOID), rows()
    estimate = Contractive(way="estimate", draws=4000)(module, batch, None)
    torch.testing.assert_close(estimate, by_autograd(module, batch), rtol=0.06, atol=0)


def test_the_gradient_of_the_estimate_is_that_of_the_norm() -> None:
    module, batch = composed((8,), SIGMOID), rows()
    weight = module.encoder.body.first.weight
    exact, estimate = (
        torch.autograd.grad(Contractive(way=way, draws=3000)(module, batch, None).sum(), weight)[0]
        for way in ("exact", "estimate")
    )
    assert float((exact - estimate).norm() / exact.norm()) < 0.1


def test_only_the_encoder_is_moved() -> None:
    module, batch = composed((8,), SIGMOID), rows()
    Contractive()(module, batch, None).sum().backward()
    assert all(p.grad is None for p in module.decoder.parameters())
    assert all(p.grad is not None for name, p in module.encoder.named_parameters() if "weight" in name)


def test_batch_norm_and_convolutions_take_the_estimate(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = []
    original = Contractive._estimate
    monkeypatch.setattr(Contractive, "_estimate", lambda self, *given: taken.append(1) or original(self, *given))
    assert Contractive()(composed((8,), "identity", norm="batch"), rows(), None).isfinite().all() and len(taken) == 1
    Contractive()(composed((8,)), rows(), None)
    assert len(taken) == 1


def test_wrong_ways_are_named() -> None:
    with pytest.raises(UsageError, match="way 'exakt' is unknown; did you mean 'exact'"):
        Contractive(way="exakt")
    with pytest.raises(UsageError, match="draws must be an int of at least 1"):
        Contractive(draws=0)


def test_contraction_flattens_the_code_of_real_rows() -> None:
    from sklearn.datasets import load_digits

    X = (load_digits().data[:800] / 16).astype("float32")
    norms = []
    for weight in (0.0, 0.1):
        model = ContractiveAutoencoder(
            32, contraction=weight, hidden=(), activation="sigmoid", trainer=Trainer(epochs=15), random_state=0
        ).fit(X)
        x = torch.from_numpy(X)
        norms.append(float(Contractive()(model.module_, Batch(x, x), None).mean().detach()))
    assert norms[1] < 0.5 * norms[0]


# ── score matching ────────────────────────────────────────────────────────────────────────────────


def gaussian(n: int = 4000) -> tuple[np.ndarray, np.ndarray]:
    """Rows of a Gaussian and its covariance."""
    covariance = np.array([[1.0, 0.5], [0.5, 0.8]])
    return np.random.default_rng(0).multivariate_normal(np.zeros(2), covariance, n).astype("float32"), covariance


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(((a * b).sum(1) / (np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1) + 1e-9)).mean())


@pytest.mark.parametrize("principle", ["denoising", "explicit"])
def test_the_score_of_a_gaussian_is_found(principle: str) -> None:
    X, covariance = gaussian()
    noise = 0.25 if principle == "denoising" else 0.0
    trainer = Trainer(epochs=40, batch_size=128, optimizer="adam", lr=3e-3, validation=0.0)
    model = ScoreMatchingAutoencoder(principle=principle, std=0.5, hidden=(), trainer=trainer, random_state=0).fit(X)
    known = -X @ np.linalg.inv(covariance + noise * np.eye(2)).T
    found = model.score_function(X)
    assert cosine(found, known) > 0.99
    assert np.linalg.norm(found - known) < 0.12 * np.linalg.norm(known)


def test_the_explicit_term_is_smallest_at_the_true_score() -> None:
    """For linear s(x) = −Ax the mean term is −tr A + ½ tr(A Σ Aᵀ), least at A = Σ⁻¹."""
    X, covariance = gaussian(20_000)
    x = torch.from_numpy(X).double()
    penalty = make("penalty", Spec("score-matching", std=1.0, draws=1))

    def cost(matrix: np.ndarray) -> float:
        class Moved:
            @staticmethod
            def decoded(batch: Batch) -> Tensor:
                return batch.x - batch.x @ torch.from_numpy(matrix).T

        return float(penalty(Moved, Batch(x, x), None).mean().detach())

    best = np.linalg.inv(covariance)
    for matrix in (best, np.eye(2), 0.8 * best, 1.2 * best):
        known = -np.trace(matrix) + 0.5 * np.trace(matrix @ np.cov(X.T) @ matrix.T)
        assert cost(matrix) == pytest.approx(known, abs=0.05)
    assert cost(best) < min(cost(np.eye(2)), cost(0.8 * best), cost(1.2 * best))


def test_a_denoiser_has_a_score_in_the_units_of_the_data_and_others_have_none() -> None:
    X, covariance = gaussian()
    X = 100 * X
    trainer = Trainer(epochs=40, batch_size=128, optimizer="adam", lr=3e-3, validation=0.0)
    model = DenoisingAutoencoder(64, corruption="noise(std=50.0)", hidden=(), trainer=trainer, random_state=0).fit(X)
    known = -X @ np.linalg.inv(1e4 * covariance + 2500 * np.eye(2)).T
    assert cosine(model.score_function(X), known) > 0.99
    masked = DenoisingAutoencoder(2, corruption="masking", trainer=Trainer(epochs=1)).fit(X)
    with pytest.raises(ModelError, match="not trained with Gaussian noise"):
        masked.score_function(X)


@pytest.mark.parametrize(
    ("given", "message"),
    [({"principle": "sliced"}, "principle 'sliced' is unknown"), ({"std": 0}, "std must be a number above 0; got 0")],
)
def test_wrong_parameters_are_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ScoreMatchingAutoencoder(**given).fit(gaussian(50)[0])
