"""What noise and masking do to the distribution of the data."""

from __future__ import annotations

import pytest
import torch
from scipy import stats

from diabolo.core import Batch, make
from diabolo.core.errors import UsageError
from diabolo.corruptions.masking import Masking
from diabolo.corruptions.noise import Noise


def seen(corruption: str, x: torch.Tensor) -> torch.Tensor:
    return make("corruption", corruption)(Batch(x, x), torch.Generator().manual_seed(0)).x


@pytest.mark.parametrize("std", [0.1, 2.0])
def test_noise_keeps_the_mean_and_adds_its_variance(std: float) -> None:
    residual = seen(f"noise(std={std})", torch.full((500, 200), 3.0)) - 3.0
    assert residual.mean().item() == pytest.approx(0.0, abs=0.02 * std)
    assert residual.var().item() == pytest.approx(std**2, rel=0.02)
    assert stats.kstest(residual[:20].flatten().numpy() / std, "norm").pvalue > 1e-3


def test_masking_hides_its_share_independently_and_nothing_else() -> None:
    x = torch.ones(500, 200)
    hidden = seen("masking(share=0.3, value=-1.0)", x) == -1.0
    assert hidden.float().mean().item() == pytest.approx(0.3, abs=0.01)
    assert hidden.float().mean(0).std().item() == pytest.approx((0.21 / 500) ** 0.5, rel=0.2)
    assert set(seen("masking(share=0.3, value=-1.0)", x).unique().tolist()) == {-1.0, 1.0}


def test_masking_hides_tokens_too() -> None:
    tokens = torch.arange(1, 65)[None]
    assert seen("masking(share=0.5)", tokens).dtype == torch.long


def test_the_extremes() -> None:
    x = torch.randn(4, 8)
    assert torch.equal(seen("masking(share=0.0)", x), x)
    assert seen("masking(share=1.0)", x).eq(0).all()
    assert torch.equal(seen("noise(std=0.0)", x), x)


def test_noise_on_tokens_is_refused() -> None:
    with pytest.raises(UsageError, match="real-valued"):
        seen("noise", torch.arange(4)[None])


@pytest.mark.parametrize("share", [-0.1, 1.1, float("nan")])
def test_shares_outside_the_unit_interval_are_refused(share: float) -> None:
    with pytest.raises(UsageError, match="share must be in"):
        Masking(share=share)


@pytest.mark.parametrize("std", [-0.1, float("inf"), float("nan")])
def test_impossible_stds_are_refused(std: float) -> None:
    with pytest.raises(UsageError, match="std must be"):
        Noise(std=std)
