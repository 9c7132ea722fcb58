"""Which training rows are suspect, before anything is learnt from them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from .neighbours import SAME

SAMPLE, DRAWS = 16, 64
"""Rows of a sample, and how many samples."""
ROWS = 4096


def least_similar(rows: Float[Tensor, "n d"], seed: int = 0) -> Float[ndarray, " n"]:
    """How far each row is from the nearest of a few random rows, mean over many such samples (N,).

        mean over draws of  min over s in sample |x - s|        sample: 16 of the other rows

    So few rows seldom hold one of a cluster of anomalies, which are each other's nearest neighbours: these stay far,
    where distances to the nearest of all rows would call them usual.

    Reference: Pang, Ting & Albrecht (2015), "LeSiNN: detecting anomalies by identifying least similar nearest
    neighbours".

    >>> rows = torch.cat([torch.randn(90, 2, generator=torch.Generator().manual_seed(0)), torch.full((10, 2), 9.0)])
    >>> sorted(np.argsort(-least_similar(rows))[:10].tolist()) == list(range(90, 100))
    True
    """
    return similarity(rows, rows[samples(len(rows), seed)]).numpy().astype(np.float64)


def samples(rows: int, seed: int) -> Tensor:
    """Numbers of the rows of every sample (draws, rows a sample)."""
    random, size = np.random.default_rng(seed), min(SAMPLE, max(1, rows // 2))
    return torch.from_numpy(np.stack([random.choice(rows, size, replace=False) for _ in range(DRAWS)]))


def similarity(rows: Float[Tensor, "n d"], known: Float[Tensor, "draws s d"]) -> Float[Tensor, " n"]:
    """Distance of each row to the nearest of every sample, mean over the samples; the row itself does not count."""
    draws, size, _ = known.shape
    found = []
    for part in rows.split(ROWS):
        apart = torch.cdist(part, known.flatten(0, 1))
        own = SAME**0.5 * part.square().sum(1, keepdim=True).sqrt()
        apart.masked_fill_(apart <= own, torch.inf)
        nearest = apart.reshape(len(part), draws, size).amin(2)
        alone = torch.isinf(nearest)  # a sample of nothing but the row itself
        found.append(nearest.masked_fill(alone, 0.0).sum(1) / (~alone).sum(1).clamp_min(1))
    return torch.cat(found)
