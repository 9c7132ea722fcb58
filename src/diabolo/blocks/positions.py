"""Codes as rows, whatever positions they stand at."""

from __future__ import annotations

from jaxtyping import Bool, Float
from torch import Tensor


def real_rows(z: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "n d"]:
    """The codes of all real positions, one a row; padded ones are left out.

    >>> import torch
    >>> real_rows(torch.zeros(2, 3, 4), torch.tensor([[True, True, False], [True, False, False]])).shape
    torch.Size([3, 4])
    """
    if mask is not None and mask.shape == z.shape[:-1]:
        return z[mask]
    return z.flatten(0, -2)
