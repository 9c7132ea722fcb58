"""Total variation and orthogonality against sums written out, and what they do to a trained model."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from diabolo import Autoencoder, Trainer
from diabolo.core import AutoencoderModule, Batch, Latent, Output, make
from diabolo.core.errors import UsageError
from diabolo.penalties.orthogonality import reader

DIGITS = (load_digits().data[:300] / 16).astype("float32")


def term(spec: str, recon: torch.Tensor, mask: torch.Tensor | None = None, module: object = None) -> torch.Tensor:
    z = recon if recon.ndim == 2 else recon.flatten(1)
    return make("penalty", spec)(module, Batch(recon, recon, mask=mask), Output(Latent(z, z), recon))


def test_variation_is_the_sum_of_steps_along_both_sides() -> None:
    x = torch.randn(4, 5, 6, 2)
    down, across = np.diff(x.numpy(), axis=1), np.diff(x.numpy(), axis=2)
    by_hand = np.abs(down).sum((1, 2, 3)) + np.abs(across).sum((1, 2, 3))
    np.testing.assert_allclose(term("total-variation", x), by_hand, rtol=1e-5)
    squares = np.square(down).sum((1, 2, 3)) + np.square(across).sum((1, 2, 3))
    np.testing.assert_allclose(term("total-variation(norm='squared')", x), squares, rtol=1e-5)
    np.testing.assert_allclose(term("total-variation(image=(5, 6, 2))", x.flatten(1)), by_hand, rtol=1e-5)


def test_variation_of_a_constant_is_nothing_and_of_an_edge_its_length() -> None:
    edge = torch.zeros(1, 6, 8)
    assert term("total-variation", edge).item() == 0
    edge[:, :, 4:] = 2.0
    assert term("total-variation", edge).item() == 12.0


def test_padded_positions_of_a_series_vary_freely() -> None:
    x = torch.tensor([[[0.0], [1.0], [9.0], [-9.0]]])
    assert term("total-variation(dims=1)", x, torch.tensor([[True, True, False, False]])).item() == 1.0


def test_the_penalty_makes_reconstructions_smoother() -> None:
    def roughness(weight: float) -> float:
        model = Autoencoder(
            10, loss="squared", penalties=[f"total-variation(weight={weight}, image=(8, 8))"],
            trainer=Trainer(epochs=15), random_state=0,
        ).fit(DIGITS)  # fmt: skip
        pictures = model.reconstruct(DIGITS).reshape(-1, 8, 8)
        return float(np.abs(np.diff(pictures, axis=1)).sum() + np.abs(np.diff(pictures, axis=2)).sum())

    assert roughness(0.3) < 0.8 * roughness(0.0)


def test_code_orthogonality_is_the_covariance_off_its_diagonal() -> None:
    z = torch.randn(50, 4, dtype=torch.float64) @ torch.randn(4, 4, dtype=torch.float64)
    covariance = np.cov(z.numpy().T, bias=True)
    by_hand = 0.5 * (np.square(covariance).sum() - np.square(np.diag(covariance)).sum())
    assert term("orthogonality", z).item() == pytest.approx(by_hand, rel=1e-9)
    axes = torch.linalg.eigh(torch.from_numpy(covariance)).eigenvectors
    assert term("orthogonality", z @ axes).item() == pytest.approx(0.0, abs=1e-18)


def test_padded_positions_do_not_count() -> None:
    z = torch.randn(3, 5, 2)
    mask = torch.arange(5) < torch.tensor([[5], [2], [3]])
    other = torch.where(mask[..., None], z, 100.0)
    penalty = make("penalty", "orthogonality")
    a, b = (penalty(None, Batch(v, v, mask=mask), Output(Latent(v, v), v)) for v in (z, other))
    torch.testing.assert_close(a, b)


def test_decoder_orthogonality_is_zero_for_a_rotation() -> None:
    decoder = nn.Linear(3, 5)
    module = AutoencoderModule(nn.Linear(5, 3), nn.Identity(), decoder)
    z = torch.randn(2, 3)
    gram = decoder.weight.T @ decoder.weight - torch.eye(3)
    assert term("orthogonality(of='decoder')", z, module=module).item() == pytest.approx(gram.square().sum().item())
    nn.init.orthogonal_(decoder.weight)
    assert term("orthogonality(of='decoder')", z, module=module).item() == pytest.approx(0.0, abs=1e-10)
    assert reader(module, 3) is decoder.weight


def test_the_penalties_do_what_they_say_to_a_model() -> None:
    def fitted(*penalties: str) -> Autoencoder:
        trainer = Trainer(epochs=30, optimizer="adam", lr=1e-2)
        return Autoencoder(4, hidden=(), penalties=penalties, trainer=trainer, random_state=0).fit(DIGITS)

    free, apart = fitted(), fitted("orthogonality(weight=10.0)")
    offs = [np.corrcoef(m.transform(DIGITS).T)[np.triu_indices(4, 1)] for m in (free, apart)]
    assert np.abs(offs[1]).max() < 0.3 * np.abs(offs[0]).max()
    weight = reader(fitted("orthogonality(weight=10.0, of='decoder')").module_, 4)
    torch.testing.assert_close(weight.T @ weight, torch.eye(4), atol=0.05, rtol=0)


def test_parameters_out_of_range() -> None:
    with pytest.raises(UsageError, match="norm must be"):
        make("penalty", "total-variation(norm='cubed')")
    with pytest.raises(UsageError, match="of must be"):
        make("penalty", "orthogonality(of='prior')")
    module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity())
    with pytest.raises(UsageError, match="needs a matrix that reads the 3 values"):
        term("orthogonality(of='decoder')", torch.randn(2, 3), module=module)
