"""Explicit score matching: the gradient of the log-density, learnt without noise and without a density."""

from __future__ import annotations

import math
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "score-matching")
class ScoreMatching(Penalty):
    """Score matching of s(x) = (r(x) − x)/std², the residual of an autoencoder r, a sample.

        tr ∇s(x) + ½ ‖s(x)‖²,    the trace by vᵀ ∇s(x) v, v of random signs (Hutchinson 1990)

    Up to a constant its mean is ½ E ‖s − ∇ log p‖², so its lowest value belongs to the score of the data. No
    reconstruction is paid for: compose it with ``reconstruction=0``. In inference mode (scoring rows) it is 0.

    Parameters
    ----------
    std : float, above 0. What a residual of 1 means, in the units of the data; about the spread of the finest
        structure of interest.
    draws : int, at least 1. Sign vectors a row.

    Raises `UsageError` for numbers out of range, or if the reconstruction has another shape than x.

    Reference: Hyvärinen (2005), "Estimation of non-normalized statistical models by score matching", equation 4; the
    random trace is of Song et al. (2019), "Sliced score matching", the residual as score of Alain & Bengio (2014).

    >>> from torch import nn
    >>> half = nn.Linear(2, 2, bias=False)
    >>> half.weight.data = torch.eye(2) / 2
    >>> half.forward = lambda x, mask=None, cond=None: nn.functional.linear(x, half.weight)
    >>> module = AutoencoderModule(half, None, None)
    >>> module.decoded = lambda batch: half(batch.x)
    >>> x = torch.ones(1, 2)
    >>> ScoreMatching(std=1.0)(module, Batch(x, x), None).item()      # trace −1, ½ ‖(−½, −½)‖² = ¼
    -0.75
    """

    def __init__(self, std: float = 0.3, draws: int = 1, weight: Any = 1.0) -> None:
        super().__init__(weight)
        if not 0 < std < math.inf:
            raise out_of_range("std", "a finite number above 0", std)
        if draws < 1:
            raise out_of_range("draws", "an int of at least 1", draws)
        self.std, self.draws = float(std), draws

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        if torch.is_inference_mode_enabled():
            return batch.x.new_zeros(len(batch))
        with torch.enable_grad():
            x = batch.x.detach().requires_grad_()
            recon = module.decoded(batch.map(lambda t: x if t is batch.x else t))
            if recon.shape != x.shape:
                raise UsageError(
                    "penalty 'score-matching' needs a reconstruction of the data's shape; got "
                    f"{tuple(recon.shape[1:])} for {tuple(x.shape[1:])}."
                )
            score = (recon - x) / self.std**2
            return self._trace(score, x) + 0.5 * score.square().flatten(1).sum(1)

    def _trace(self, score: Tensor, x: Tensor) -> Tensor:
        total = x.new_zeros(len(x))
        for _ in range(self.draws):
            signs = torch.empty_like(x).bernoulli_(0.5).mul_(2).sub_(1)
            (row,) = torch.autograd.grad(score, x, signs, create_graph=True)
            total = total + (row * signs).flatten(1).sum(1)
        return total / self.draws
