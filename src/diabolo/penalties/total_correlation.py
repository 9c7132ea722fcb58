"""The KL of a variational model in three parts, each a term of its own."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.distributions import Independent

from ..blocks.positions import real_rows
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty, Sized
from ..core.module import AutoencoderModule
from ..core.registry import register

ESTIMATORS = ("stratified", "weighted")


class Decomposed(Penalty, Sized):
    """What the three terms share: log q(z) of the average posterior, estimated from the batch.

        E KL(q(z|x) ‖ p(z)) = MI + TC + Σ_j KL(q(z_j) ‖ p(z_j))

        log q(z) ≈ log Σ_j w_ij q(z | x_j);   stratified: w_ii = 1/N, else (N − 1) / (N (B − 1));  weighted: 1/(N B)

    N is the number of training rows, which the composition tells. The terms are scalars: they speak of all rows.
    """

    batchwise = True
    count: Tensor

    def __init__(self, weight: Any = 1.0, estimator: str = "stratified", rows: int | None = None) -> None:
        super().__init__(weight)
        if estimator not in ESTIMATORS:
            raise out_of_range("estimator", "'stratified' or 'weighted'", estimator)
        if rows is not None and not (isinstance(rows, int) and rows >= 1):
            raise out_of_range("rows", "an int of at least 1, or None", rows)
        self.estimator, self.given = estimator, rows
        # a buffer, so that a saved model knows it; 0: not told yet, the batch is taken for all there is
        self.register_buffer("count", torch.tensor(float(rows or 0)))

    def size(self, rows: int) -> None:
        if self.given is None:
            self.count.fill_(rows)

    def _densities(self, batch: Batch, out: Output) -> tuple[Tensor, Tensor, Tensor]:
        """log q(z|x), log q(z) and log q(z_j) (n, D) of every code; n rows, or real positions."""
        posterior = out.latent.posterior
        base = posterior.base_dist if isinstance(posterior, Independent) else None
        if base is None or out.latent.draws != 1:
            raise UsageError(
                f"penalty {self.name!r} needs one draw from a posterior of independent values: bottleneck 'gaussian'."
            )
        z, mean, std = (real_rows(t, batch.mask) for t in (out.latent.z, base.mean, base.stddev))
        pairs = type(base)(mean[None], std[None], validate_args=False).log_prob(z[:, None])  # (n, n, D): z_i at q_j
        log_weights = self._log_weights(len(z), z)
        joint = torch.logsumexp(pairs.sum(2) + log_weights, 1)
        return pairs.sum(2).diagonal(), joint, torch.logsumexp(pairs + log_weights[..., None], 1)

    def _log_weights(self, n: int, like: Tensor) -> Float[Tensor, "n n"]:
        rows = self.count.to(like).clamp_min(n)
        if self.estimator == "weighted" or n == 1:
            return -(rows * n).log().expand(n, n) if self.estimator == "weighted" else like.new_zeros(1, 1)
        others = ((rows - 1) / (rows * (n - 1))).log().expand(n, n)
        return torch.where(torch.eye(n, dtype=torch.bool, device=like.device), -rows.log(), others)


@register("penalty", "mutual-information")
class MutualInformation(Decomposed):
    """What the code says of which row it came from, in nats: the part of the KL that reconstruction lives on.

        MI = E [log q(z|x) − log q(z)]

    Parameters
    ----------
    weight : float or `Schedule`. α − 1 beside a full KL.
    estimator : "stratified" or "weighted" minibatch sampling.
    rows : number of training rows; None: the composition tells.

    Raises `UsageError` without a Gaussian posterior, or for values out of range.

    Reference: Chen et al. (2018), "Isolating sources of disentanglement in variational autoencoders", equation 2 and
    appendix C; Hoffman & Johnson (2016), "ELBO surgery".

    >>> MutualInformation().name
    'mutual-information'
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        own, joint, _ = self._densities(batch, out)
        return (own - joint).mean()


@register("penalty", "total-correlation")
class TotalCorrelation(Decomposed):
    """How far the values of the code are from independent over the data, in nats.

        TC = E [log q(z) − Σ_j log q(z_j)]

    Parameters
    ----------
    weight : float or `Schedule`. β − 1 beside a full KL, whose own weight is 1.
    estimator : "stratified" or "weighted" minibatch sampling.
    rows : number of training rows; None: the composition tells.

    Raises `UsageError` without a Gaussian posterior, or for values out of range.

    Reference: Chen et al. (2018), "Isolating sources of disentanglement in variational autoencoders", equations 2 and 4
    and appendix C.

    >>> TotalCorrelation(rows=1000).count
    tensor(1000.)
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        _, joint, single = self._densities(batch, out)
        return (joint - single.sum(1)).mean()


@register("penalty", "dimension-kl")
class DimensionKL(Decomposed):
    """How far each value of the code, over the data, is from its prior, in nats, summed over the values.

        Σ_j KL(q(z_j) ‖ p(z_j)) = E [Σ_j log q(z_j) − log p(z)],    for a prior of independent values

    Parameters
    ----------
    weight : float or `Schedule`. γ − 1 beside a full KL.
    estimator : "stratified" or "weighted" minibatch sampling.
    rows : number of training rows; None: the composition tells.

    Raises `UsageError` without a Gaussian posterior or a prior, or for values out of range.

    Reference: Chen et al. (2018), "Isolating sources of disentanglement in variational autoencoders", equation 2 and
    appendix C.

    >>> DimensionKL().batchwise
    True
    """

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, ""]:
        if module.prior is None:
            raise UsageError("penalty 'dimension-kl' needs a prior, such as prior 'normal'.")
        _, _, single = self._densities(batch, out)
        z = real_rows(out.latent.z, batch.mask)
        return (single.sum(1) - module.prior(module, batch.cond).log_prob(z)).mean()
