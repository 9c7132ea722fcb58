"""Several corruptions, one after the other."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from ..core.batch import Batch
from ..core.errors import out_of_range
from ..core.interfaces import Corruption, Shape
from ..core.registry import make, register


@register("corruption", "several")
class Several(Corruption):
    """What one corruption leaves is given to the next.

        x ──first──▶ ──second──▶ … ──▶ x̃

    Parameters
    ----------
    parts : list of corruptions by name, Spec or instance, in order; at least one.
    shape : the data's shape, which the composition gives.

    Raises `UsageError` for an empty list or an unknown name.

    Reference: Vincent, Larochelle, Lajoie, Bengio & Manzagol (2010), "Stacked denoising autoencoders", section 3.3.

    >>> batch = Batch(torch.ones(1, 8), torch.ones(1, 8))
    >>> parts = ["speckle(std=0.1)", "masking(share=0.5)"]
    >>> seen = Several(parts)(batch, torch.Generator().manual_seed(0)).x
    >>> bool(seen.eq(0).any()), bool(seen.eq(1).any())
    (True, False)
    """

    def __init__(self, parts: Sequence[Any], shape: Shape | None = None) -> None:
        if isinstance(parts, str) or not len(parts):
            raise out_of_range("parts", "a list of at least one corruption", parts)
        self.parts = [make("corruption", part, **({} if shape is None else {"shape": shape})) for part in parts]

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        for part in self.parts:
            batch = part(batch, generator)
        return batch
