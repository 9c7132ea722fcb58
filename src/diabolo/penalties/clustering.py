"""Codes drawn towards cluster centres: what deep embedded clustering pays."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.kmeans import kmeans, nearest
from ..core.batch import Batch, Output
from ..core.errors import out_of_range
from ..core.interfaces import FromData, Penalty, StepHook, TakesSparse
from ..core.module import AutoencoderModule
from ..core.registry import register

MEMORY = 0.9
"""What the running frequencies keep of themselves in a step."""


@register("penalty", "clustering")
class Clustering(Penalty, FromData, StepHook, TakesSparse):
    """Divergence of soft assignments to clusters from sharper ones, in nats a sample.

        q_ij ∝ 1 / (1 + |z_i − μ_j|² / s²)        Student's t with one degree of freedom, s the codes' own spread
        p_ij ∝ q_ij² / f_j,    f_j = Σ_i q_ij     sharper, and every cluster pulls alike, however large it is
        KL(p ‖ q) = Σ_j p_ij log(p_ij / q_ij)     moves the encoder and the centres μ; p has no gradient

    After `follow` p stands still between two refreshes: it is made of what q was for every row when the row was last
    seen (the row's number comes as `Batch.label`), f_j is over all rows, and no pass over the rows is needed.
    Otherwise p is of the batch at hand, with frequencies that run over batches.

    Parameters
    ----------
    features : int, at least 1. Values of a code: of each position, or of the whole code, which is then one row.
    clusters : int, at least 1. K.
    weight : float or `Schedule`.

    Raises `UsageError` for values out of range.

    Reference: Xie, Girshick & Farhadi (2016), "Unsupervised deep embedding for clustering analysis", equations 1–3;
    beside a reconstruction: Guo, Gao, Liu & Yin (2017), "Improved deep embedded clustering with local structure
    preservation", equation 10.

    >>> penalty = Clustering(features=1, clusters=2)
    >>> penalty.take(torch.tensor([[0.0], [2.0]]), 1.0)
    >>> penalty.assign(torch.tensor([[0.0], [1.0]])).detach()
    tensor([[0.8333, 0.1667],
            [0.5000, 0.5000]])
    """

    spread: Tensor
    frequencies: Tensor
    changed: Tensor
    seen: Tensor
    target: Tensor

    def __init__(self, features: int, clusters: int = 10, weight: Any = 1.0) -> None:
        super().__init__(weight)
        for name, value in (("features", features), ("clusters", clusters)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        self.features, self.clusters, self.every = features, clusters, 0
        self.centres = nn.Parameter(torch.randn(clusters, features))
        self.register_buffer("spread", torch.ones(()))
        self.register_buffer("frequencies", torch.full((clusters,), 1 / clusters))
        self._last: tuple[Tensor, Tensor | None] | None = None

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        z = self._rows(module.code(batch.x, batch.mask, batch.cond), batch.mask)
        centres, _ = kmeans(z, self.clusters)
        self.take(centres, own_spread(z, centres))
        self.frequencies.copy_(self.assign(z).mean(0))

    @torch.no_grad()
    def take(self, centres: Float[Tensor, "k d"], spread: float) -> None:
        """Set the centres and the unit of distances."""
        self.centres.copy_(centres)
        self.spread.fill_(spread)

    def follow(self, q: Float[Tensor, "n k"], every: int) -> None:
        """From now on keep the target of each row, at first by these assignments, made anew ``every`` steps.

        What is kept are 2 N K numbers, a part of the state of training like every buffer.
        """
        self.every = every
        self.register_buffer("seen", q.detach().clone(), persistent=False)
        self.register_buffer("target", sharpened(q.detach(), q.detach().sum(0)), persistent=False)
        self.register_buffer("changed", torch.ones(()), persistent=False)

    def assign(self, z: Float[Tensor, "n d"]) -> Float[Tensor, "n k"]:
        """q: the soft assignment of codes, rows summing to 1."""
        unit = self.spread.square()
        squares = (z.square().sum(1)[:, None] + self.centres.square().sum(1) - 2 * z @ self.centres.T).clamp_min(0)
        near = 1 / (1 + squares / unit)
        return near / near.sum(1, keepdim=True)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        code, mask = out.latent.code, batch.mask
        q = self.assign(code.reshape(-1, self.features))
        numbered = self.every > 0 and self.training
        p = self.target[batch.label] if numbered else sharpened(q.detach(), self.frequencies)
        self._last = q.detach(), batch.label
        cost = (torch.xlogy(p, p) - torch.xlogy(p, q)).sum(1).view(len(code), -1)
        if mask is not None and mask.shape == code.shape[:-1] and cost.shape[1] > 1:
            cost = torch.where(mask.flatten(1), cost, 0.0)
        return cost.sum(1)

    def after_step(self, step: int, total: int) -> None:
        if self._last is None:
            return
        (q, rows), self._last = self._last, None
        if not self.every:
            self.frequencies.lerp_(q.mean(0), 1 - MEMORY)
            return
        self.seen[rows] = q
        if (step + 1) % self.every == 0:
            fresh = sharpened(self.seen, self.seen.sum(0))
            self.changed.copy_((fresh.argmax(1) != self.target.argmax(1)).float().mean())
            self.target.copy_(fresh)
            self.frequencies.copy_(self.seen.mean(0))

    def _rows(self, code: Tensor, mask: Tensor | None) -> Tensor:
        rows = code.reshape(-1, self.features)
        real = mask is not None and mask.shape == code.shape[:-1] and code.shape[-1] == self.features
        return rows[mask.flatten()] if real and mask is not None else rows


def sharpened(q: Float[Tensor, "n k"], frequencies: Float[Tensor, " k"]) -> Float[Tensor, "n k"]:
    """p ∝ q² / f, rows summing to 1.

    >>> sharpened(torch.tensor([[0.8, 0.2]]), torch.ones(2))
    tensor([[0.9412, 0.0588]])
    """
    raised = q.square() / frequencies.clamp_min(1e-12)
    return raised / raised.sum(1, keepdim=True)


def own_spread(z: Float[Tensor, "n d"], centres: Float[Tensor, "k d"]) -> float:
    """Root mean squared distance of codes to their nearest centre: what is near and what is far."""
    squares = (z - centres[nearest(z, centres)]).square().sum(1).mean()
    return float(squares.sqrt().clamp_min(1e-6))
