"""Noise for sequences: positions are dropped, hidden, or move a little."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption
from ..core.registry import register


@register("corruption", "tokens")
class Tokens(Corruption):
    """Words of a sentence are left out, covered, or change places with their neighbours, in this order.

        a b c d e _ _  ──drop──▶  a c d e 0 _ _  ──mask──▶  a 0 d e 0 _ _  ──shuffle──▶  0 a d e 0 _ _

    Positions are the first axis after the batch, so x is (B, T) tokens or (B, T, D) vectors. Padded positions stay as
    they are and where they are. ``mask`` says how long a row is, for encoder and decoder; it is not touched: what
    dropping leaves free, at the end of the real positions, shows ``value``.

    Parameters
    ----------
    drop : float in [0, 1]. Probability that a position is left out; those after it move up.
    mask : float in [0, 1]. Probability that a position shows ``value``.
    shuffle : int >= 0. Nothing moves further than this many places; 0: the order stays.
    value : float. A whole number where x holds integers.

    Raises `UsageError` for values out of range.

    Reference: Lample, Denoyer & Ranzato (2018), "Unsupervised machine translation using monolingual corpora only",
    section 2.3; masking is of Bowman et al. (2016), "Generating sentences from a continuous space", section 3.1.

    >>> batch = Batch(torch.arange(1, 9)[None], torch.arange(1, 9)[None])
    >>> Tokens(drop=0.0, mask=0.0, shuffle=2)(batch, torch.Generator().manual_seed(0)).x.sort().values.tolist()
    [[1, 2, 3, 4, 5, 6, 7, 8]]
    """

    def __init__(self, drop: float = 0.1, mask: float = 0.1, shuffle: int = 3, value: float = 0.0) -> None:
        for name, share in (("drop", drop), ("mask", mask)):
            if not 0 <= share <= 1:
                raise out_of_range(name, "in [0, 1]", share)
        if not isinstance(shuffle, int) or shuffle < 0:
            raise out_of_range("shuffle", "an int of at least 0", shuffle)
        self.drop, self.mask, self.shuffle, self.value = float(drop), float(mask), shuffle, float(value)

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        x = batch.x
        real = torch.ones(x.shape[:2], dtype=torch.bool, device=x.device)
        if batch.mask is not None and batch.mask.shape == real.shape:
            real = batch.mask.bool()
        dropped = self._chosen(real, self.drop, generator)
        # real positions that stay, then the real ones set free, then padding: sorting keeps the order within each
        order = torch.sort(dropped.long() + 2 * (~real).long(), dim=1, stable=True).indices
        freed = torch.gather(dropped, 1, order)
        order, settled = self._in_place(order, freed, real)
        x = _taken(x, order)
        covered = settled | self._chosen(real, self.mask, generator)
        x = x.masked_fill(_over(covered, x), self.value)
        return dataclasses.replace(batch, x=_taken(x, self._moved(real, settled, generator)))

    @staticmethod
    def _chosen(real: Tensor, share: float, generator: torch.Generator | None) -> Tensor:
        drawn = torch.empty_like(real).bernoulli_(share, generator=generator)
        return drawn & real

    @staticmethod
    def _in_place(order: Tensor, freed: Tensor, real: Tensor) -> tuple[Tensor, Tensor]:
        """Put the k-th of ``order`` at the k-th real position and leave padding where it is."""
        place = torch.sort((~real).long(), dim=1, stable=True).indices
        return torch.zeros_like(order).scatter(1, place, order), torch.zeros_like(freed).scatter(1, place, freed)

    def _moved(self, real: Tensor, settled: Tensor, generator: torch.Generator | None) -> Tensor:
        """An order in which no position is further than ``shuffle`` from where it was; padding and ends stay."""
        place = torch.arange(real.shape[1], device=real.device).expand(real.shape)
        noise = torch.empty(real.shape, device=real.device).uniform_(0, self.shuffle + 1, generator=generator)
        noise = noise if self.shuffle else torch.zeros_like(noise)
        free = real & ~settled
        rank = torch.where(free, torch.where(free, place, 0).float() + noise, torch.inf)
        # the free positions in their new order, written to the free places in theirs
        new = torch.sort(rank, dim=1, stable=True).indices
        old = torch.sort((~free).long(), dim=1, stable=True).indices
        kept = torch.where(torch.gather(free, 1, old), torch.gather(new, 1, place), old)
        return torch.zeros_like(old).scatter(1, old, kept)


def _over(mask: Tensor, x: Tensor) -> Tensor:
    return mask.reshape(*mask.shape, *(1 for _ in x.shape[2:]))


def _taken(x: Tensor, order: Tensor) -> Tensor:
    """Positions of every row in another order."""
    return torch.gather(x, 1, _over(order, x).expand(x.shape))
