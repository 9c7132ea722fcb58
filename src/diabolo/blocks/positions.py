"""Codes as rows, whatever positions they stand at."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..core.batch import Batch
from ..core.module import AutoencoderModule

CHUNK = 256


def real_rows(z: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "n d"]:
    """The codes of all real positions, one a row; padded ones are left out.

    >>> import torch
    >>> real_rows(torch.zeros(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])).shape
    torch.Size([3, 4])
    """
    if mask is not None and mask.shape == z.shape[:-1]:
        return z[mask]
    return z.flatten(0, -2)


def first_features(module: AutoencoderModule, batch: Batch, wanted: int) -> Float[Tensor, "n f"]:
    """The encoder's features of some rows, at real positions, until there are as many as wanted."""
    found: list[Tensor] = []
    for first in range(0, len(batch), CHUNK):
        part = batch.map(lambda tensor, first=first: tensor[first : first + CHUNK])
        found.append(real_rows(module.features(part.x, part.mask, part.cond), part.mask))
        if sum(map(len, found)) >= wanted:
            break
    return torch.cat(found)
