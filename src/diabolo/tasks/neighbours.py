"""Nearest neighbours of rows among reference rows, by blocks of matrix products."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

ENTRIES = 2**22
"""Distances that are held at a time."""
SAME = 1e-5
"""Squared distances below this share of the squared lengths are float noise: it is the row itself."""


def nearest(rows: Float[Tensor, "m d"], reference: Float[Tensor, "n d"], k: int) -> tuple[Float[Tensor, "m k"], Tensor]:
    """Euclidean distances (m, k) to the k nearest reference rows, nearest first, and their numbers (m, k).

        |a - b|² = |a|² + |b|² - 2 a·b

    A reference row equal to the row asked about counts as the row itself, once, and is left out: rows that are
    among the reference are judged by the others, like rows from outside. With fewer than k others the last repeats.
    """
    take = min(k + 1, len(reference))
    lengths = reference.square().sum(1)
    found, places = [], []
    for part in rows.split(max(1, ENTRIES // len(reference))):
        own = part.square().sum(1, keepdim=True)
        squares = torch.addmm(lengths + own, part, reference.T, alpha=-2)
        values, index = squares.topk(take, dim=1, largest=False)
        itself = (values[:, :1] <= SAME * (own + lengths[index[:, :1]])) & (take > 1)
        pick = (torch.arange(k) + itself.long()).clamp_max(take - 1)
        found.append(values.gather(1, pick).clamp_min(0).sqrt())
        places.append(index.gather(1, pick))
    return torch.cat(found), torch.cat(places)
