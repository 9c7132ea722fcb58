"""Sounds, videos and series as plain arrays, for a report on their windows."""

from __future__ import annotations

import copy
from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..core import Batch, Processor, Spec, Windowed
from ..core.errors import ModelError
from ..data import Source, Stored

SAMPLE = 2000


def plain(model: Any, source: Source) -> tuple[Any, Source]:
    """The model and rows as a report takes them: windows become float arrays, NaN where padded.

    Rows on disk become a sample of them. Rows that are not cut into windows are returned as they are.
    """
    if isinstance(source.rows, Stored):
        source = source.rows.sample(SAMPLE)
    processor: Processor = model.processor_
    if not isinstance(processor, Windowed):
        return model, source
    batch = processor.collate(processor.encode(source.rows))
    x = batch.x.float()
    if batch.mask is not None:
        x = x.masked_fill(~batch.mask.reshape(batch.mask.shape + (1,) * (x.ndim - batch.mask.ndim)), torch.nan)
    target = source.target
    if target is not None:
        target = np.asarray(target)[processor.places(source.rows)[0]]
    seen = copy.copy(model)
    seen.processor_ = Encoded(processor)
    seen.n_features_in_ = int(np.prod(x.shape[1:]))
    return seen, Source(x.numpy(), "array", None, target, source.notes, origin=source.origin)


class Encoded(Processor):
    """Rows that another processor has encoded already (N, *S), NaN at steps that are padding."""

    def __init__(self, processor: Processor) -> None:
        self.processor, self.part_name = processor, processor.part_name  # type: ignore[attr-defined]

    def fit(self, rows: Any) -> Self:
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """``x`` (N, *S) as it is."""
        return {"x": torch.from_numpy(np.ascontiguousarray(rows, np.float32))}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"]
        real = ~x.flatten(2).isnan().all(-1) if x.ndim > 2 else torch.ones(x.shape[:1], dtype=torch.bool)
        x = x.nan_to_num()
        return Batch(x, x) if bool(real.all()) else Batch(x, x, mask=real, scored=real)

    def invert(self, data: Tensor) -> np.ndarray:
        """Data (N, *T) as an array."""
        return data.detach().cpu().float().numpy()

    def defaults(self) -> dict[str, Spec]:
        return self.processor.defaults()

    @property
    def shape(self) -> tuple[int, ...]:
        return self.processor.shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.processor.target_shape

    def state(self) -> dict[str, Any]:
        return self.processor.state()

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        raise ModelError("rows that are encoded already have no processor of their own on disk.")
