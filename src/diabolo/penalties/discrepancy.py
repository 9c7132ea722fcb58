"""How far the codes of a batch, taken together, are from the prior."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.positions import real_rows
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register

KERNELS = ("imq", "rbf")


@register("penalty", "discrepancy")
class Discrepancy(Penalty):
    """Maximum mean discrepancy (MMD) between codes and as many draws from the prior, without bias.

        MMD² = mean k(z, z') + mean k(p, p') − 2 mean k(z, p),    z ≠ z', p ≠ p'

        imq:  k(a, b) = Σ_s c / (c + |a − b|²)        c = 2 D s, the distance of two draws of N(0, I), times the scales
        rbf:  k(a, b) = Σ_s exp(−|a − b|² / c)

    Only the codes as a whole are brought to the prior, no single one as by a KL: the decoder loses nothing. A
    scalar, 0 on average for equal distributions (it may be below). All real positions count as codes.

    Parameters
    ----------
    weight : float or `Schedule`. λ; 10 to 1000 beside a reconstruction in nats.
    kernel : "imq" (inverse multiquadratic) or "rbf".
    scales : numbers above 0; the kernels of all of them are summed.

    Raises `UsageError` if the model has no prior, or for values out of range.

    Reference: Tolstikhin et al. (2018), "Wasserstein auto-encoders", algorithm 2; Gretton et al. (2012), "A kernel
    two-sample test", equation 3.

    >>> a, b = torch.randn(400, 2), torch.randn(400, 2)
    >>> bool(Discrepancy().between(a, b).abs() < 0.1 < Discrepancy().between(a, b + 1))
    True
    """

    ties_prior = True
    batchwise = True

    def __init__(
        self, weight: Any = 1.0, kernel: str = "imq", scales: Sequence[float] = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
    ) -> None:
        super().__init__(weight)
        if kernel not in KERNELS:
            raise out_of_range("kernel", "'imq' or 'rbf'", kernel)
        if not scales or not all(scale > 0 for scale in scales):
            raise out_of_range("scales", "some numbers above 0", scales)
        self.kernel, self.scales = kernel, tuple(float(scale) for scale in scales)

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        if module.prior is None:
            raise UsageError("penalty 'discrepancy' needs a prior, such as prior 'normal'.")
        z, prior = out.latent.z, module.prior(module, batch.cond)
        alone = () if len(prior.batch_shape) else z.shape[: z.ndim - len(prior.event_shape)]
        with torch.no_grad():
            drawn = prior.sample(torch.Size(alone)).expand(z.shape)
        return self.between(real_rows(z, batch.mask), real_rows(drawn, batch.mask))

    def between(self, a: Float[Tensor, "n d"], b: Float[Tensor, "n d"]) -> Float[Tensor, ""]:
        """MMD² of two sets of as many rows; 0 for fewer than two."""
        n = len(a)
        if n < 2:
            return 0.0 * a.sum()
        near = self._sum(a, a, others=True) + self._sum(b, b, others=True)
        return near / (n * (n - 1)) - 2 * self._sum(a, b) / n**2

    def _sum(self, a: Tensor, b: Tensor, others: bool = False) -> Tensor:
        """The kernel summed over all pairs; ``others``: not of a row with itself, where every kernel is 1."""
        total = a.new_zeros(())
        for kernel in self._kernels(a, b):
            total = total + kernel.sum()
        return total - len(a) * len(self.scales) if others else total

    def pairs(self, a: Float[Tensor, "n d"], b: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
        """The kernel of every pair of rows, summed over the scales.

        >>> Discrepancy(kernel="rbf", scales=[1]).pairs(torch.zeros(1, 2), torch.ones(3, 2)).shape
        torch.Size([1, 3])
        """
        return torch.stack(list(self._kernels(a, b))).sum(0)

    def _kernels(self, a: Tensor, b: Tensor) -> Iterator[Tensor]:
        squares = (a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T).clamp_min(0)
        for scale in self.scales:
            c = 2 * a.shape[1] * scale
            yield c / (c + squares) if self.kernel == "imq" else torch.exp(-squares / c)
