"""The standard normal prior against SciPy."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn
from torch.distributions import Distribution

from diabolo.core import AutoencoderModule
from diabolo.core.errors import UsageError
from diabolo.priors.normal import StandardNormal


def distribution(prior: StandardNormal) -> Distribution:
    return prior(AutoencoderModule(nn.Identity(), nn.Identity(), nn.Identity(), prior))  # type: ignore[arg-type]


def test_density_is_scipys() -> None:
    z = torch.randn(6, 4)
    density = distribution(StandardNormal(4)).log_prob(z)
    np.testing.assert_allclose(density, stats.multivariate_normal(np.zeros(4)).logpdf(z), rtol=1e-5)


def test_samples_have_mean_zero_and_unit_covariance() -> None:
    z = distribution(StandardNormal(3)).sample(torch.Size([50_000]))
    torch.testing.assert_close(z.mean(0), torch.zeros(3), rtol=0, atol=0.02)
    torch.testing.assert_close(z.T.cov(), torch.eye(3), rtol=0, atol=0.03)


def test_it_follows_the_models_precision_and_saves_nothing() -> None:
    prior = StandardNormal(2).double()
    assert distribution(prior).sample().dtype == torch.float64
    assert not prior.state_dict()


def test_features_below_one_are_refused() -> None:
    with pytest.raises(UsageError, match="features must be an int of at least 1; got 0"):
        StandardNormal(0)
