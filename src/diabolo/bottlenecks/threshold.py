"""Sparse codes by a threshold: how many units a row uses is the row's own affair."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from ..blocks.sparse_code import SparseCode, checked_k
from ..core.batch import Latent
from ..core.errors import out_of_range
from ..core.registry import register


@register("bottleneck", "batch-top-k")
class BatchTopK(SparseCode):
    """The B · k largest activations of a whole batch: k a row on average, more where a row needs them.

        training:  z = a where a is among the B · k largest of the batch        a = ReLU(h)
        later:     z = a where a > threshold, the running mean of the smallest activation that was kept

    Parameters
    ----------
    features : int, at least 1. Units, D.
    k : int in [1, D], or None: a sixteenth of D. Mean number of active units of a position.
    decay : float in [0, 1). Of the running mean.

    Raises `UsageError` for numbers out of range.

    Reference: Bussmann, Leask & Nanda (2024), "BatchTopK sparse autoencoders", equations 5 and 6.

    >>> BatchTopK(features=2, k=1)(torch.tensor([[3.0, 2.0], [1.0, 0.5]])).z
    tensor([[3., 2.],
            [0., 0.]])
    """

    threshold: Tensor
    seen: Tensor

    def __init__(self, features: int, k: int | None = None, decay: float = 0.99, patience: int = 10_000) -> None:
        super().__init__(features, patience)
        self.k = checked_k(max(1, features // 16) if k is None else k, features)
        if not 0 <= decay < 1:
            raise out_of_range("decay", "in [0, 1)", decay)
        self.decay = decay
        self.register_buffer("threshold", torch.zeros(()))
        self.register_buffer("seen", torch.zeros((), dtype=torch.long))

    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        return torch.relu(h)

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        a = self.candidates(h)
        return torch.where(a > self.threshold, a, 0.0)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        if not self.training:
            z = self.code(h, mask)
            return Latent(z, z)
        a = self.candidates(h)
        real = a if mask is None else torch.where(mask[..., None], a, 0.0)
        positions = real[..., 0].numel() if mask is None else int(mask.sum())
        least = real.detach().flatten().topk(positions * self.k).values[-1]
        z = torch.where((real >= least) & (real > 0), real, 0.0)
        self._remember(z.detach())
        self.watch(z, mask)
        return Latent(z, self.code(h, mask))

    @torch.no_grad()
    def _remember(self, z: Tensor) -> None:
        smallest = torch.where(z > 0, z, math.inf).amin()
        smallest = torch.where(smallest.isfinite(), smallest, self.threshold)
        self.threshold.copy_(torch.where(self.seen == 0, smallest, self.threshold.lerp(smallest, 1 - self.decay)))
        self.seen += 1


class _Jump(torch.autograd.Function):
    """h · H(h − θ), and H(h − θ) itself, with rectangles of width ε in place of the step's derivative by θ."""

    @staticmethod
    def forward(ctx: Any, h: Tensor, theta: Tensor, width: float) -> tuple[Tensor, Tensor]:
        ctx.save_for_backward(h, theta)
        ctx.width = width
        step = (h > theta).to(h.dtype)
        return h * step, step

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor, None]:
        h, theta = ctx.saved_tensors
        of_z, of_step = gradients
        near = ((h - theta).abs() < ctx.width / 2).to(h.dtype) / ctx.width
        by_theta = -near * (theta * of_z + of_step)
        return of_z * (h > theta), by_theta.flatten(0, -2).sum(0), None


@register("bottleneck", "jump-relu")
class JumpReLU(SparseCode):
    """Units with a threshold of their own, learnt; the number of active ones is what is paid for.

        z = h · H(h − θ),    sparsity = λ · Σ H(h − θ)        H: the unit step, θ > 0

    Unlike l1, the count does not shrink what stays active. The step has no gradient; a rectangle of width ε around θ
    takes the place of its derivative (only θ is moved by the count).

    Parameters
    ----------
    features : int, at least 1. Units, D.
    sparsity : float, at least 0. λ, in the units of the loss, a unit.
    threshold : float, above 0. Where every θ starts, in the units of h.
    bandwidth : float, above 0. ε, in the units of h.

    Raises `UsageError` for numbers out of range.

    Reference: Rajamanoharan et al. (2024), "Jumping ahead: improving reconstruction fidelity with JumpReLU sparse
    autoencoders", equations 5, 9 and 11.

    >>> latent = JumpReLU(features=3, sparsity=2.0, threshold=0.5)(torch.tensor([[1.0, 0.4, 0.6]]))
    >>> latent.z, latent.losses["sparsity"]
    (tensor([[1.0000, 0.0000, 0.6000]], grad_fn=<_JumpBackward>), tensor([4.], grad_fn=<MulBackward0>))
    """

    def __init__(
        self,
        features: int,
        sparsity: float = 1e-3,
        threshold: float = 0.05,
        bandwidth: float = 0.05,
        patience: int = 10_000,
    ) -> None:
        super().__init__(features, patience)
        if not 0 <= sparsity < math.inf:
            raise out_of_range("sparsity", "a finite number of at least 0", sparsity)
        for name, value in (("threshold", threshold), ("bandwidth", bandwidth)):
            if not 0 < value < math.inf:
                raise out_of_range(name, "a finite number above 0", value)
        self.sparsity, self.bandwidth = float(sparsity), float(bandwidth)
        self.log_threshold = nn.Parameter(torch.full((features,), math.log(threshold)))

    def candidates(self, h: Float[Tensor, "b *p d"]) -> Float[Tensor, "b *p d"]:
        return torch.relu(h)

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return torch.where(h > self.log_threshold.exp(), h, 0.0)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        z, active = _Jump.apply(h, self.log_threshold.exp(), self.bandwidth)  # type: ignore[no-untyped-call]
        if mask is not None:
            active = torch.where(mask[..., None], active, 0.0)
        self.watch(z, mask)
        return Latent(z, z, losses={"sparsity": active.flatten(1).sum(1) * self.sparsity})
