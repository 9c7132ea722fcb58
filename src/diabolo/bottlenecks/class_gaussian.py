"""A code that is half class, half style, the class summed out where it is not known."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.distributions import Independent, Normal
from torch.nn import functional

from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import Bottleneck
from .gaussian import SMALLEST_STD


class ClassGaussian(Bottleneck):
    """q(y | x) beside q(z | x, y): every class in turn where y is not known, weighted by q(y | x).

        h = [logits | f | y] ──▶ q(y | x) = softmax(logits)
                             └─▶ q(z | x, y) = N(mean, diag std²),  [mean | raw] = W silu(f + E y)
        decoded:  [z, y]  for each of C classes (C draws a row)

        known y:     L(x, y)                     and  alpha · −log q(y | x)
        unknown y:   Σ_y q(y | x) (L(x, y) + log q(y | x) − log p(y)),     p(y) = 1 / C

    L is what reconstruction and KL cost under a class. The last two terms are here as ``class``; the
    cross-entropy is ``classifier``, a mean over the known rows. The last C features say which class is known
    (one-hot; zeros: none). The code is [mean of z under q(y | x) or the known class, q(y | x) or the known class].

    ``known_weight`` and ``unknown_weight`` (buffers, 1): what a row's bound counts in training, for feeds that
    repeat the few rows whose class is known. Not a part to choose by name: it needs an encoder made for it.

    Parameters
    ----------
    features : int, at least 1. D, values of z; the decoder is given D + C.
    classes : int, at least 1. C.
    alpha : float, at least 0. Weight of the classifier's cross-entropy.

    Raises `UsageError` for values out of range.

    Reference: Kingma, Rezende, Mohamed & Welling (2014), "Semi-supervised learning with deep generative models",
    equations 6 to 9.

    >>> bottleneck = ClassGaussian(features=2, classes=3)
    >>> latent = bottleneck(torch.zeros(4, bottleneck.in_features))
    >>> latent.draws, latent.z.shape, latent.weights.shape
    (3, torch.Size([12, 5]), torch.Size([4, 3]))
    """

    known_weight: Tensor
    unknown_weight: Tensor

    def __init__(self, features: int, classes: int = 2, alpha: float = 0.1) -> None:
        super().__init__()
        for name, value in (("features", features), ("classes", classes)):
            if value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if not 0 <= alpha < math.inf:
            raise out_of_range("alpha", "a finite number of at least 0", alpha)
        self.style, self.classes, self.alpha = features, classes, float(alpha)
        self.width = 4 * features
        self.in_features, self.out_features = self.width + 2 * classes, features + classes
        self.embed = nn.Linear(classes, self.width, bias=False)
        self.out = nn.Linear(self.width, 2 * features)
        for name in ("known_weight", "unknown_weight"):
            self.register_buffer(name, torch.ones(()))

    def odds(self, h: Float[Tensor, "b f"]) -> Float[Tensor, "b c"]:
        """log q(y | x) of every class."""
        return torch.log_softmax(h[:, : self.classes], 1)

    def code(self, h: Float[Tensor, "b f"], mask: Tensor | None = None) -> Float[Tensor, "b d"]:
        _, features, told = self._parts(h)
        y = torch.where(told.sum(1, keepdim=True) > 0, told, self.odds(h).exp())
        return torch.cat([self._posterior(features, y)[0], y], 1)

    def forward(
        self, h: Float[Tensor, "b f"], mask: Tensor | None = None, cond: Float[Tensor, "b c"] | None = None
    ) -> Latent:
        _, features, told = self._parts(h)
        known, log_q, share = told.sum(1) > 0, self.odds(h), math.log(self.classes)
        missed = functional.nll_loss(log_q, told.argmax(1), reduction="none")
        taught = self.alpha * torch.where(known, missed, 0.0).sum() / known.sum().clamp_min(1)
        code = self.code(h)
        if not self.training and bool(known.all()):
            losses = {"class": torch.full_like(missed, share), "classifier": taught}
            return self._latent(features, told, code, losses)
        losses = {"class": (torch.where(known[:, None], 0.0, log_q) + share).flatten(), "classifier": taught}
        weights = torch.where(known[:, None], told, log_q.exp())
        if self.training:
            weights = weights * torch.where(known, self.known_weight, self.unknown_weight)[:, None]
        every = torch.eye(self.classes, dtype=h.dtype, device=h.device).repeat(len(h), 1)
        return self._latent(features.repeat_interleave(self.classes, 0), every, code, losses, weights)

    def _latent(
        self, features: Tensor, y: Tensor, code: Tensor, losses: dict[str, Tensor], weights: Tensor | None = None
    ) -> Latent:
        mean, std = self._posterior(features, y)
        posterior = Independent(Normal(mean, std, validate_args=False), 1, validate_args=False)
        z = torch.cat([torch.addcmul(mean, std, torch.randn_like(std)), y], 1)
        return Latent(z, code, posterior, losses=losses, draws=1 if weights is None else self.classes, weights=weights)

    def _parts(self, h: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Logits, features and the known class."""
        logits, features, told = h.split([self.classes, self.width, self.classes], 1)
        return logits, features, told

    def _posterior(self, features: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        mean, raw = self.out(functional.silu(features + self.embed(y))).chunk(2, -1)
        return mean, functional.softplus(raw) + SMALLEST_STD
