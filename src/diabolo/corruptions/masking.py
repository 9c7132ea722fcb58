"""Masking noise: some entries are hidden from the encoder."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption, TakesSparse
from ..core.registry import register
from ..core.sparse import dense, is_sparse, with_values


@register("corruption", "masking")
class Masking(Corruption, TakesSparse):
    """Each entry is replaced by one value, independently and with the same probability.

        x̃ᵢ = value  with probability share,   xᵢ otherwise

    The encoder is not told which entries were hidden; it has to infer them from the others.

    Parameters
    ----------
    share : float in [0, 1]. Expected share of the entries that are hidden.
    value : float. What a hidden entry shows; a whole number where x holds integers.

    Raises `UsageError` if ``share`` is outside [0, 1].

    Reference: Vincent, Larochelle, Bengio & Manzagol (2008), "Extracting and composing robust features with
    denoising autoencoders", section 2.3.

    >>> import torch
    >>> batch = Batch(torch.ones(1, 8), torch.ones(1, 8))
    >>> Masking(share=0.5)(batch, torch.Generator().manual_seed(0)).x.unique()
    tensor([0., 1.])
    """

    def __init__(self, share: float = 0.25, value: float = 0.0) -> None:
        if not 0 <= share <= 1:
            raise out_of_range("share", "in [0, 1]", share)
        self.share, self.value = float(share), float(value)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        if is_sparse(batch.x) and self.value == 0:  # zeros hide nothing, so the entries are all there is to draw for
            return dataclasses.replace(batch, x=with_values(batch.x, lambda values: self._masked(values, generator)))
        return dataclasses.replace(batch, x=self._masked(dense(batch.x), generator))

    def _masked(self, x: Tensor, generator: torch.Generator | None) -> Tensor:
        hidden = torch.empty_like(x, dtype=torch.bool).bernoulli_(self.share, generator=generator)
        return x.masked_fill(hidden, self.value)
