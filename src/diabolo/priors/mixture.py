"""A mixture of Gaussians over codes."""

from __future__ import annotations

import math
import warnings
from typing import Any

import torch
from jaxtyping import Float
from sklearn.exceptions import ConvergenceWarning
from sklearn.mixture import GaussianMixture
from torch import Tensor, nn
from torch.distributions import Categorical, Independent, MixtureSameFamily, MultivariateNormal, Normal
from torch.nn import functional

from ..blocks.positions import real_rows
from ..core.batch import Batch
from ..core.errors import DataError, out_of_range
from ..core.interfaces import FromData, Prior
from ..core.module import AutoencoderModule
from ..core.registry import register

SMALLEST_STD = 1e-3
EMPTY = 1e-12
COVARIANCES = ("diag", "full")


@register("prior", "mixture")
class Mixture(Prior, FromData):
    """A mixture of Gaussians, trained with the model or fitted to its codes afterwards.

        p(z) = Σ_k π_k N(z; μ_k, C_k)

    Trained by gradient it starts at the codes of some rows; `fit` is expectation-maximisation (scikit-learn's).

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D; every position is a draw of its own.
    components : int, at least 1. K.
    covariance : "diag" or "full".

    Raises `UsageError` for values out of range, `DataError` for fewer than 2 codes.

    Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", section 4 (fitted afterwards);
    Jiang et al. (2017), "Variational deep embedding", equation 4 (trained with the model).

    >>> prior = Mixture(features=2, components=3)
    >>> prior.fit(torch.randn(100, 2)), prior.density().log_prob(torch.zeros(5, 2)).shape
    (True, torch.Size([5]))
    """

    def __init__(self, features: int, components: int = 10, covariance: str = "diag") -> None:
        super().__init__()
        for name, value in (("features", features), ("components", components)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if covariance not in COVARIANCES:
            raise out_of_range("covariance", "'diag' or 'full'", covariance)
        self.components, self.covariance = components, covariance
        self.logits = nn.Parameter(torch.zeros(components))
        self.means = nn.Parameter(torch.randn(components, features))
        shape = (components, features, features) if covariance == "full" else (components, features)
        self.raw_scale = nn.Parameter(torch.zeros(shape))
        self._set_scales(torch.ones(components, features))

    def density(self) -> MixtureSameFamily:
        """p(z), events of D values."""
        weights = Categorical(logits=self.logits, validate_args=False)
        parts: Independent | MultivariateNormal
        if self.covariance == "full":
            root = torch.tril(self.raw_scale, -1) + torch.diag_embed(self._stds(self.raw_scale.diagonal(0, -2, -1)))
            parts = MultivariateNormal(self.means, scale_tril=root, validate_args=False)
        else:
            scales = self._stds(self.raw_scale)
            parts = Independent(Normal(self.means, scales, validate_args=False), 1, validate_args=False)
        return MixtureSameFamily(weights, parts, validate_args=False)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> MixtureSameFamily:
        return self.density()

    def responsibilities(self, z: Float[Tensor, "*b d"]) -> Float[Tensor, "*b k"]:
        """p(component | z), summing to 1."""
        density: Any = self.density()
        parts = density.component_distribution.log_prob(z.unsqueeze(-2))
        return torch.softmax(parts + density.mixture_distribution.logits, -1)

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        z = real_rows(module.encode(batch.x, batch.mask, batch.cond).z, batch.mask)
        self.means.copy_(z[torch.randint(len(z), (self.components,))])
        self._set_scales(z.std(0).clamp_min(0.1).expand_as(self.means) if len(z) > 1 else torch.ones_like(self.means))

    def fit(self, codes: Float[Tensor, "n *p d"], seed: int = 0) -> bool:
        rows = real_rows(codes).detach().cpu().double()
        if len(rows) < 2:
            raise DataError(f"a mixture is fitted to at least 2 codes; got {len(rows)}.")
        # in units of the codes' spread, so that EM's floor under variances means the same at any scale
        middle, spread = rows.mean(0), rows.std(0).clamp_min(SMALLEST_STD)
        found = GaussianMixture(min(self.components, len(rows)), covariance_type=self.covariance, random_state=seed,
                                reg_covar=1e-6, max_iter=200)  # fmt: skip
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", ConvergenceWarning)  # few or equal codes: what was found is good enough
            found.fit(((rows - middle) / spread).numpy())
        weights, means, covariances = (
            torch.as_tensor(value) for value in (found.weights_, found.means_, found.covariances_)
        )
        unit = spread[:, None] * spread if self.covariance == "full" else spread.square()
        self._take(weights, means * spread + middle, covariances * unit)
        return True

    @torch.no_grad()
    def _take(self, weights: Tensor, means: Tensor, covariances: Tensor) -> None:
        """What EM found; components beyond those stay, with next to no weight."""
        n = len(weights)
        self.logits.fill_(math.log(EMPTY))
        self.logits[:n] = weights.clamp_min(EMPTY).log().to(self.logits)
        self.means[:n] = means.to(self.means)
        every = covariances[torch.arange(self.components).clamp_max(n - 1)]
        self._set_scales(every.to(self.means), covariance=True)

    def _set_scales(self, value: Tensor, covariance: bool = False) -> None:
        """Take standard deviations (K, D), or the covariances EM gives."""
        with torch.no_grad():
            if self.covariance == "diag":
                self.raw_scale.copy_(_raw(value.sqrt() if covariance else value))
                return
            root = torch.linalg.cholesky(value) if covariance else torch.diag_embed(value)
            diagonal = torch.diag_embed(_raw(root.diagonal(0, -2, -1)))
            self.raw_scale.copy_(torch.tril(root, -1) + diagonal)

    def _stds(self, raw: Tensor) -> Tensor:
        return functional.softplus(raw) + SMALLEST_STD


def _raw(std: Tensor) -> Tensor:
    """Inverse of softplus plus the floor."""
    above = (std - SMALLEST_STD).clamp_min(1e-6)
    return above + torch.log(-torch.expm1(-above))
