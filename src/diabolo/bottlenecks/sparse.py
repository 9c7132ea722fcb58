"""Sparse codes: of many units, a row uses a few."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..blocks.layers import activation as activation_layer
from ..blocks.sparse_code import SparseCode, checked_k, keep_largest
from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.interfaces import StepHook
from ..core.registry import register


@register("bottleneck", "activated")
class Activated(SparseCode):
    """Units behind an activation, made sparse by a penalty (``sparsity``, ``l1``), not by selection.

        z = a(h)

    Parameters
    ----------
    features : int, at least 1. Units, D.
    activation : name of an activation; "sigmoid" for units in (0, 1), as the KL penalty asks; "relu" for l1.
    patience : int, at least 1. Positions without activity after which a unit counts as dead.

    Raises `UsageError` for an unknown activation or numbers out of range.

    Reference: Ng (2011), "Sparse autoencoder", CS294A lecture notes, section 3.

    >>> Activated(features=2, activation="relu")(torch.tensor([[1.0, -1.0]])).z
    tensor([[1., 0.]])
    """

    def __init__(self, features: int, activation: str = "relu", patience: int = 10_000) -> None:
        super().__init__(features, patience)
        self.act = activation_layer(activation)

    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        a: Tensor = self.act(h)
        return a

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return self.candidates(h)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z = self.candidates(h)
        self.watch(z, mask)
        return Latent(z, z)


@register("bottleneck", "k-sparse")
class KSparse(SparseCode, StepHook):
    """Linear units of which the k largest stay; k falls while training runs.

        h ──▶ z = h at the k largest values of a position, 0 elsewhere

    With few active units from the first step most would never be chosen; k therefore falls in a straight line from
    ``start`` to ``k`` over the first ``share`` of training. The code, once trained, keeps ``alpha`` k units: more than
    in training describe a row better for a classifier.

    Parameters
    ----------
    features : int, at least 1. Units, D.
    k : int in [1, D], or None: a tenth of D.
    start : int in [k, D], or None: the larger of k and the smaller of 4 k and D.
    share : float in (0, 1]. Share of training over which k falls.
    alpha : float, at least 1.

    Raises `UsageError` for numbers out of range.

    Reference: Makhzani & Frey (2013), "k-sparse autoencoders", sections 2.1 and 4.2.1 (the schedule).

    >>> bottleneck = KSparse(features=4, k=1, start=2)
    >>> h = torch.tensor([[3.0, 2.0, 1.0, -9.0]])
    >>> bottleneck(h).z, bottleneck.eval().code(h)
    (tensor([[3., 2., 0., 0.]]), tensor([[3., 0., 0., 0.]]))
    """

    level: Tensor

    def __init__(
        self,
        features: int,
        k: int | None = None,
        start: int | None = None,
        share: float = 0.5,
        alpha: float = 1.0,
        patience: int = 10_000,
    ) -> None:
        super().__init__(features, patience)
        self.k = checked_k(max(1, features // 10) if k is None else k, features)
        self.start = checked_k(min(4 * self.k, features) if start is None else start, features, "start")
        if self.start < self.k:
            raise out_of_range("start", f"at least k, {self.k}", start)
        if not 0 < share <= 1:
            raise out_of_range("share", "in (0, 1]", share)
        if not alpha >= 1:
            raise out_of_range("alpha", "at least 1", alpha)
        self.share, self.alpha = share, alpha
        self.register_buffer("level", torch.tensor(self.start))

    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        return h

    def after_step(self, step: int, total: int) -> None:
        done = min(1.0, (step + 1) / max(1.0, self.share * total))
        self.level.fill_(round(self.start + (self.k - self.start) * done))

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return keep_largest(h, min(round(self.alpha * self.k), self.out_features))

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z = keep_largest(h, int(self.level) if self.training else self.k)
        self.watch(z, mask)
        return Latent(z, self.code(h, mask))


@register("bottleneck", "top-k")
class TopK(SparseCode):
    """The k largest units of a row, negative ones cut off: L0 is chosen, not tuned.

        h ──ReLU──▶ a ──▶ z = a at the k largest values of a position, 0 elsewhere

    Parameters
    ----------
    features : int, at least 1. Units, D.
    k : int in [1, D], or None: a sixteenth of D.
    patience : int, at least 1. Positions without activity after which a unit counts as dead.

    Raises `UsageError` for numbers out of range.

    Reference: Gao et al. (2024), "Scaling and evaluating sparse autoencoders", equation 4.

    >>> TopK(features=4, k=2)(torch.tensor([[3.0, 2.0, 1.0, -9.0]])).z
    tensor([[3., 2., 0., 0.]])
    """

    def __init__(self, features: int, k: int | None = None, patience: int = 10_000) -> None:
        super().__init__(features, patience)
        self.k = checked_k(max(1, features // 16) if k is None else k, features)

    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        return torch.relu(h)

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return keep_largest(self.candidates(h), self.k)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z = self.code(h, mask)
        self.watch(z, mask)
        return Latent(z, z)


@register("bottleneck", "matryoshka")
class Matryoshka(TopK):
    """Nested codes: the first units alone must already reconstruct, more units add detail.

        z ──▶ z[: m₁], z[: m₂], …, z        each is decoded in training, the loss is their mean

    In training a row has one draw of z for each prefix; afterwards the whole code is decoded. Units early in the
    code are general, late ones special, and a code may be cut short without training again.

    Parameters
    ----------
    features : int, at least 1. Units, D.
    k : int in [1, D], or None: a sixteenth of D. Active units of a row.
    prefixes : shares of D in (0, 1], rising; the last one is 1.

    Raises `UsageError` for numbers out of range.

    Reference: Bussmann, Nabeshima, Karvonen & Nanda (2025), "Learning multi-level features with Matryoshka sparse
    autoencoders", equation 4; nested codes are of Kusupati et al. (2022).

    >>> latent = Matryoshka(features=4, k=4, prefixes=(0.5, 1.0))(torch.ones(1, 4))
    >>> latent.z, latent.draws
    (tensor([[1., 1., 0., 0.],
            [1., 1., 1., 1.]]), 2)
    """

    keep: Tensor

    def __init__(
        self,
        features: int,
        k: int | None = None,
        prefixes: Any = (0.125, 0.25, 0.5, 1.0),
        patience: int = 10_000,
    ) -> None:
        super().__init__(features, k, patience)
        shares = tuple(float(share) for share in prefixes)
        if not shares or list(shares) != sorted(shares) or not shares[0] > 0 or shares[-1] != 1:
            raise out_of_range("prefixes", "rising shares in (0, 1], the last one 1", prefixes)
        sizes = torch.tensor([max(1, round(share * features)) for share in shares])
        self.register_buffer("keep", torch.arange(features) < sizes[:, None], persistent=False)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z = self.code(h, mask)
        self.watch(z, mask)
        if not self.training:
            return Latent(z, z)
        keep = self.keep.view(1, len(self.keep), *(1,) * (z.ndim - 2), z.shape[-1])
        return Latent((z[:, None] * keep).flatten(0, 1), z, draws=len(self.keep))
