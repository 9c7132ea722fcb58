"""MMD: without bias for equal distributions, far from zero for others, and its sums written out."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from diabolo.core import AutoencoderModule, Batch, Latent, Output
from diabolo.core.errors import UsageError
from diabolo.penalties.discrepancy import Discrepancy
from diabolo.priors.normal import StandardNormal

D = 8


def repeated(penalty: Discrepancy, n: int, shift: float, times: int = 40) -> torch.Tensor:
    return torch.stack([penalty.between(torch.randn(n, D), torch.randn(n, D) + shift) for _ in range(times)])


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_equal_distributions_are_at_zero_and_a_shift_of_a_half_is_seen(kernel: str) -> None:
    n, penalty = 300, Discrepancy(kernel=kernel)
    same, moved = repeated(penalty, n, 0.0), repeated(penalty, n, 0.5)
    assert abs(float(same.mean())) <= 2 / n
    assert float((moved.mean() - same.mean()) / same.std()) > 5


@pytest.mark.parametrize("kernel", ["imq", "rbf"])
def test_it_is_the_unbiased_estimate_written_out(kernel: str) -> None:
    a, b, scales = torch.randn(6, 3), torch.randn(6, 3), (0.5, 2.0)

    def k(x: torch.Tensor, y: torch.Tensor) -> float:
        square = float((x - y).square().sum())
        cs = [2 * 3 * s for s in scales]
        return sum(c / (c + square) if kernel == "imq" else float(torch.exp(torch.tensor(-square / c))) for c in cs)

    pairs = [(i, j) for i in range(6) for j in range(6)]
    near = sum(k(a[i], a[j]) + k(b[i], b[j]) for i, j in pairs if i != j) / 30
    expected = near - 2 * sum(k(a[i], b[j]) for i, j in pairs) / 36
    assert float(Discrepancy(kernel=kernel, scales=scales).between(a, b)) == pytest.approx(expected, abs=1e-5)


def test_descending_it_brings_codes_to_the_prior() -> None:
    z = (torch.randn(200, 2) * 0.3 + 1).requires_grad_()
    module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), StandardNormal(2))  # type: ignore[arg-type]
    optimizer = torch.optim.Adam([z], lr=0.03)
    for _ in range(100):
        optimizer.zero_grad()
        Discrepancy(100.0)(module, Batch(z, z), Output(Latent(z, z), z)).backward()
        optimizer.step()
    assert z.detach().mean(0).abs().max() < 0.4 and 0.7 < z.detach().std(0).min() < 1.3


def test_padded_positions_do_not_count_and_one_code_costs_nothing() -> None:
    module = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), StandardNormal(2))  # type: ignore[arg-type]
    z = torch.randn(4, 5, 2)
    mask = torch.arange(5) < torch.tensor([[5], [3], [1], [4]])
    terms = []
    for code in (z, torch.where(mask[..., None], z, 100.0)):
        torch.manual_seed(3)
        terms.append(Discrepancy()(module, Batch(z, z, mask), Output(Latent(code, code), z)))
    assert torch.equal(*terms)
    assert Discrepancy().between(z[:1, 0], z[1:2, 0]) == 0


def test_what_it_needs_is_named() -> None:
    z = torch.zeros(3, 2)
    without = AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity())  # type: ignore[arg-type]
    with pytest.raises(UsageError, match="needs a prior, such as prior 'normal'"):
        Discrepancy()(without, Batch(z, z), Output(Latent(z, z), z))
    with pytest.raises(UsageError, match="kernel must be 'imq' or 'rbf'; got 'cosine'"):
        Discrepancy(kernel="cosine")
    with pytest.raises(UsageError, match="scales must be some numbers above 0"):
        Discrepancy(scales=(0.0,))
