"""Dropout of columns: whole columns are hidden in many rows at once."""

from __future__ import annotations

import dataclasses

import torch

from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "dropout-columns")
class DropoutColumns(Corruption):
    """Each column (entry of the last axis) is hidden for all rows of a group, at all positions.

        group 1  ■ · · ■ ·        ■ hidden, · seen; the groups are drawn anew in every batch
        group 2  · ■ · · ·

    Unlike masking, which hides cells, it takes away a sensor, a channel or a question of a survey as a whole.

    Parameters
    ----------
    share : float in [0, 1]. Probability that a column is hidden.
    groups : int >= 1. Row groups of a batch with columns of their own; at least the batch: every row its own.
    value : float. What a hidden column shows; a whole number where x holds integers.

    Raises `UsageError` for values out of range.

    Reference: Tompson, Goroshin, Jain, LeCun & Bregler (2015), "Efficient object localization using convolutional
    networks", section 3.2 (dropout of whole feature maps).

    >>> batch = Batch(torch.ones(3, 8), torch.ones(3, 8))
    >>> DropoutColumns(share=0.5)(batch, torch.Generator().manual_seed(0)).x.std(0).sum()     # the same in all rows
    tensor(0.)
    """

    def __init__(self, share: float = 0.25, groups: int = 1, value: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise out_of_range("share", "in [0, 1]", share)
        if not isinstance(groups, int) or groups < 1:
            raise out_of_range("groups", "an int of at least 1", groups)
        self.share, self.groups, self.value = float(share), groups, float(value)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        rows, width, device = len(batch.x), batch.x.shape[-1], batch.x.device
        groups = min(self.groups, rows)
        hidden = torch.empty(groups, width, dtype=torch.bool, device=device).bernoulli_(self.share, generator=generator)
        member = torch.arange(rows, device=device) * groups // max(1, rows)
        if groups > 1:
            member = member[torch.randperm(rows, generator=generator, device=device)]
        hidden = hidden[member].reshape(rows, *(1 for _ in batch.x.shape[1:-1]), width)
        return dataclasses.replace(batch, x=batch.x.masked_fill(hidden, self.value))
