"""Bringing silent units back: they are asked for what the active ones miss."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from ..blocks.sparse_code import SparseCode, keep_largest
from ..core.batch import Batch, Output
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Penalty
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("penalty", "dead-units")
class DeadUnits(Penalty):
    """Squared error with which the dead units alone would reconstruct the residual (AuxK).

        e = x − x̂        ê = D(the ``k`` largest dead units of the row) − D(0)        ‖e − ê‖²

    A unit that no row selects gets no gradient and stays dead; this term gives it one. Nothing but the dead units'
    way in and out is moved: e is held fixed. Zero while no unit is dead, and outside training.

    Parameters
    ----------
    k : int, at least 1, or None: half the width of the data, at most the dead units there are.
    weight : float or `Schedule`. α of the paper, 1/32 there.

    Raises `UsageError` if the bottleneck is not a sparse one, or ``k`` is out of range.

    Reference: Gao et al. (2024), "Scaling and evaluating sparse autoencoders", section 2.4 and appendix A.2.

    >>> from torch import nn
    >>> from diabolo.bottlenecks.sparse import TopK
    >>> module = AutoencoderModule(nn.Identity(), TopK(features=2, k=1), nn.Identity())
    >>> DeadUnits()(module.eval(), Batch(torch.ones(3, 2), torch.ones(3, 2)), None)
    tensor([0., 0., 0.])
    """

    def __init__(self, k: int | None = None, weight: Any = 1 / 32) -> None:
        super().__init__(weight)
        if k is not None and (isinstance(k, bool) or not isinstance(k, int) or k < 1):
            raise out_of_range("k", "an int of at least 1, or None", k)
        self.k = k

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Float[Tensor, " b"]:
        neck = module.bottleneck
        if not isinstance(neck, SparseCode):
            raise UsageError("penalty 'dead-units' needs a sparse bottleneck, such as 'top-k'.")
        dead = neck.dead()
        count = int(dead.sum()) if module.training else 0
        if not count:
            return batch.x.new_zeros(len(batch))
        k = min(count, self.k if self.k is not None else max(1, batch.target[0].numel() // 2))
        a = torch.where(dead, neck.candidates(module.features(batch.x, batch.mask, batch.cond)), -torch.inf)
        chosen = keep_largest(a, k)
        silent = module.decode(torch.zeros_like(chosen[:1]), batch.map(lambda t: t[:1]))
        missed = (batch.target - out.recon.detach()).flatten(1)
        rebuilt = (module.decode(chosen, batch) - silent).flatten(1)
        return (missed - rebuilt).square().sum(1)
