"""Grey levels as chances of ink: training draws every picture anew in every epoch."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from ..core import Batch, Redrawn, Spec, register
from ..core.errors import DataError
from .process_array import ArrayProcessor
from .record import Source


@register("processor", "binary")
class BinaryProcessor(ArrayProcessor, Redrawn):
    """Arrays (N, *S) of numbers in [0, 1], each the chance that its entry is 1: dynamic binarisation.

        training:  p ──▶ x = target ~ Bernoulli(p), anew in every epoch        using a model:  x = p, nothing drawn

    Zeros and ones stay what they are, so a binary data set is the special case in which nothing moves; give test
    rows binarised once, with a seed of your own. Asked for by ``Source(rows, "binary")``.

    Raises `DataError` for numbers outside [0, 1].

    Reference: Salakhutdinov & Murray (2008), "On the quantitative analysis of deep belief networks", section 5.

    >>> from diabolo.data import Source, processor_for
    >>> binary = processor_for(Source(torch.full((2, 3), 0.5).numpy(), "binary"))
    >>> type(binary).__name__, binary.defaults()["loss"]
    ('BinaryProcessor', Spec('bernoulli'))
    """

    def fit(self, rows: Any) -> Self:
        return super().fit(_rows(rows))

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Rows (N, *S) as ``x`` float32 (N, *S)."""
        tensors = super().encode(_rows(rows))
        low, high = float(tensors["x"].min()), float(tensors["x"].max())
        if low < 0 or high > 1:
            raise DataError(
                f"binary data are chances in [0, 1]; got values from {low:g} to {high:g}. Divide 8-bit pictures by 255."
            )
        return tensors

    def redraw(self, batch: Batch) -> Batch:
        x = torch.bernoulli(batch.x)
        return replace(batch, x=x, target=x)

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("bernoulli")}


def _rows(rows: Any) -> Any:
    return rows.rows if isinstance(rows, Source) else rows
