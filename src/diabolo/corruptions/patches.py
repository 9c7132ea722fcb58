"""Most patches are hidden; the loss counts there alone."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import torch
from torch import Tensor

from ..blocks.patches import Patches
from ..core.batch import Batch
from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "patches")
class HiddenPatches(Corruption):
    """A random share of every row's patches is hidden, the same number in each row.

        mask (B, P)     True at the visible patches: what the encoder may look at
        x               0 at hidden entries
        scored (B, *S)  True at hidden entries (those that counted before)

    At least one patch stays visible, and one is hidden where there are two. Padded steps of a sequence are never
    visible: a patch is real if any step of it is. The numbers are drawn for every row and step of training anew;
    validation is corrupted too.

    Parameters
    ----------
    share : float in (0, 1). Share of the patches that are hidden.
    patch : int, tuple of ints or "auto"; as the network's (`diabolo.blocks.patches.Patches`).

    Raises `UsageError` for values out of range, or if the encoder's input is not what must come back.

    Reference: He, Chen, Xie, Li, Dollár & Girshick (2022), "Masked autoencoders are scalable vision learners",
    section 3.

    >>> import torch
    >>> batch = HiddenPatches(share=0.75, patch=2)(Batch(torch.ones(5, 4, 4), torch.ones(5, 4, 4)))
    >>> batch.mask.sum(1).tolist(), batch.scored.sum((1, 2)).tolist()
    ([1, 1, 1, 1, 1], [12, 12, 12, 12, 12])
    """

    defines_task = True

    def __init__(self, share: float = 0.75, patch: int | Sequence[int] | str = "auto") -> None:
        if not 0 < share < 1:
            raise out_of_range("share", "in (0, 1)", share)
        self.share, self.patch = float(share), patch

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if batch.x.shape != batch.target.shape:
            raise UsageError(
                f"corruption 'patches' hides entries that must come back; here the encoder sees rows of shape "
                f"{tuple(batch.x.shape[1:])} and {tuple(batch.target.shape[1:])} must come back. Use 'masking'."
            )
        patches = Patches(tuple(batch.x.shape[1:]), self.patch)
        hidden = max(1, min(patches.count - 1, round(self.share * patches.count))) if patches.count > 1 else 0
        order = torch.empty(len(batch), patches.count, device=batch.x.device).uniform_(generator=generator)
        visible = order.argsort(1).argsort(1) >= hidden
        away = patches.spread(~visible)
        mask = visible if batch.mask is None else visible & _real(batch.mask.bool(), patches)
        scored = away if batch.scored is None else away & _wide(batch.scored.bool(), away)
        return dataclasses.replace(batch, x=batch.x.masked_fill(away, 0), mask=mask, scored=scored)


def _real(mask: Tensor, patches: Patches) -> Tensor:
    """Patches any step of which is real."""
    steps = _wide(mask, torch.empty(len(mask), *patches.shape))
    return patches.split(steps.float()).amax(2) > 0


def _wide(mask: Tensor, like: Tensor) -> Tensor:
    return mask.reshape(mask.shape + (1,) * (like.ndim - mask.ndim)).expand(like.shape)
