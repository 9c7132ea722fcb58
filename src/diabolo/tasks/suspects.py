"""Which training rows are suspect, before anything is learnt from them."""

from __future__ import annotations

import numpy as np
import torch
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

SAMPLE, DRAWS = 16, 64
"""Rows of a sample, and how many samples."""
ROWS = 8192


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
    random, n = np.random.default_rng(seed), len(rows)
    total = torch.zeros(n)
    for _ in range(DRAWS):
        sample = torch.from_numpy(random.choice(n, min(SAMPLE, max(1, n // 2)), replace=False))
        for begin in range(0, n, ROWS):
            part = torch.arange(begin, min(n, begin + ROWS))
            squares = torch.cdist(rows[part], rows[sample])
            squares.masked_fill_(part[:, None] == sample, torch.inf)  # no row is its own neighbour
            total[part] += squares.amin(1)
    return (total / DRAWS).numpy().astype(np.float64)
