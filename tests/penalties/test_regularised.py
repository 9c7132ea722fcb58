"""RAE's terms against the formulas they state."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from diabolo.core import AutoencoderModule, Batch, Latent, Output
from diabolo.core.errors import UsageError
from diabolo.penalties.code_likelihood import CodeLikelihood
from diabolo.penalties.decay import WeightDecay
from diabolo.penalties.regularised import CodeNorm, DecoderGradient, SpectralNorm
from diabolo.priors.normal import StandardNormal


class Decode(nn.Module):
    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body = body

    def forward(self, z: torch.Tensor, batch: Batch | None = None) -> torch.Tensor:
        return self.body(z)


def model(decoder: nn.Module, encoder: nn.Module | None = None) -> AutoencoderModule:
    parts = (encoder or nn.Identity(), nn.Identity(), Decode(decoder), StandardNormal(3))
    return AutoencoderModule(*parts)  # type: ignore[arg-type]


def out(z: torch.Tensor) -> Output:
    return Output(Latent(z, z), z)


def test_code_norm_sums_positions_and_leaves_padding_free() -> None:
    z, mask = torch.randn(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])
    cost = CodeNorm()(model(nn.Identity()), Batch(z, z, mask), out(z))
    torch.testing.assert_close(cost, 0.5 * torch.stack([z[0, :2].square().sum(), z[1, 0].square().sum()]))


def test_code_likelihood_is_minus_the_priors_density() -> None:
    z = torch.randn(5, 3)
    cost = CodeLikelihood()(model(nn.Identity()), Batch(z, z), out(z))
    torch.testing.assert_close(cost, -torch.distributions.Normal(0.0, 1.0).log_prob(z).sum(1))


def test_decoder_gradient_is_half_the_squared_jacobian_on_average() -> None:
    decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))
    z = torch.randn(4, 3)
    exact = torch.stack([0.5 * torch.autograd.functional.jacobian(decoder, row).square().sum() for row in z])
    many = z.repeat(5000, 1)
    cost = DecoderGradient()(model(decoder), Batch(many, many), out(many)).view(5000, 4).mean(0)
    torch.testing.assert_close(cost.detach(), exact, rtol=0.05, atol=0)


def test_decoder_gradient_trains_the_decoder_and_is_left_out_of_scores() -> None:
    decoder = nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.Linear(8, 6))
    z = torch.randn(4, 3, requires_grad=True)
    penalty = DecoderGradient()
    penalty(model(decoder), Batch(z, z), out(z)).sum().backward()
    assert decoder[0].weight.grad.ne(0).any() and z.grad is not None and z.grad.ne(0).any()
    with torch.no_grad():
        assert penalty(model(decoder), Batch(z, z), out(z)).eq(0).all()


def test_spectral_norm_is_half_the_largest_singular_values_squared() -> None:
    decoder, encoder = nn.Sequential(nn.Linear(5, 7), nn.Conv2d(2, 3, 2)), nn.Linear(4, 5)
    for layer in (decoder[0], decoder[1], encoder):  # a clear gap, so that 30 iterations are exact
        with torch.no_grad():
            matrix = layer.weight.flatten(1)
            u, s, v = torch.linalg.svd(matrix, full_matrices=False)
            s[0] = 2 * s[0]
            layer.weight.copy_((u @ torch.diag(s) @ v).view_as(layer.weight))
    norms = [torch.linalg.matrix_norm(layer.weight.flatten(1), 2) for layer in (decoder[0], decoder[1], encoder)]
    whole = model(decoder, encoder)
    cost = SpectralNorm(side="decoder")(whole, None, None)  # type: ignore[arg-type]
    torch.testing.assert_close(cost, 0.5 * (norms[0] ** 2 + norms[1] ** 2), rtol=1e-4, atol=0)
    torch.testing.assert_close(
        SpectralNorm()(whole, None, None),  # type: ignore[arg-type]
        0.5 * sum(norm**2 for norm in norms),
        rtol=1e-4,
        atol=0,
    )


def test_a_side_pays_alone() -> None:
    encoder, decoder = nn.Linear(4, 3), nn.Linear(3, 4)
    z = torch.zeros(1, 3)
    cost = WeightDecay(side="decoder")(model(decoder, encoder), Batch(z, z), out(z))
    torch.testing.assert_close(cost, 0.5 * decoder.weight.square().sum())
    for penalty in (WeightDecay, SpectralNorm):
        with pytest.raises(UsageError, match="side must be 'both', 'encoder' or 'decoder'; got 'up'"):
            penalty(side="up")
