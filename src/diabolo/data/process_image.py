"""Pictures, kept as bytes until a batch is made."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from torch import Tensor

from ..blocks.scratch import scaled
from ..core import Batch, Processor, Spec, register
from ..core.errors import DataError


@register("processor", "image")
class ImageProcessor(Processor):
    """Pictures uint8 (N, H, W) or (N, H, W, C), C of 1 to 4, as values in [0, 1] and back.

        uint8 ──encode──▶ uint8 in memory ──collate──▶ float32 / 255 … recon ──invert──▶ uint8, rounded, clamped

    Raises `DataError` for other dtypes and shapes.

    >>> pictures = np.array([[[0, 255], [7, 9]]], np.uint8)
    >>> image = ImageProcessor().fit(pictures)
    >>> batch = image.collate(image.encode(pictures))
    >>> image.shape, batch.x.max().item(), image.invert(batch.target).tolist()
    ((2, 2), 1.0, [[[0, 255], [7, 9]]])
    """

    def __init__(self) -> None:
        self._shape: tuple[int, ...] = ()

    def fit(self, rows: Any) -> Self:
        """Learn the shape of pictures (N, H, W) or (N, H, W, C)."""
        self._shape = _check(rows).shape[1:]
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Pictures as ``x`` uint8, of the shape they have."""
        pictures = _check(rows)
        if pictures.shape[1:] != self._shape:
            size = "x".join(str(n) for n in self._shape)
            raise DataError(
                f"pictures have shape {pictures.shape[1:]}, but the model is expecting {self._shape}; "
                f"resize or convert them to {size} (height x width x channels)."
            )
        pictures = np.ascontiguousarray(pictures)
        return {"x": torch.from_numpy(pictures if pictures.flags.writeable else pictures.copy())}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = scaled(tensors["x"], 1 / 255) if tensors["x"].dtype == torch.uint8 else tensors["x"].float()
        return Batch(x, x)

    def invert(self, data: Tensor) -> np.ndarray:
        """Values (N, H, W[, C]), meant to lie in [0, 1], as uint8."""
        return data.detach().cpu().float().nan_to_num().mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared", low=0.0, high=1.0)}

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self._shape

    def state(self) -> dict[str, Any]:
        return {"shape": list(self._shape)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls()
        made._shape = tuple(state["shape"])
        return made


def _check(rows: Any) -> np.ndarray:
    pictures = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    if pictures.dtype != np.uint8:
        raise DataError(f"pictures must be uint8, 0 to 255; got {pictures.dtype}. Floats go in as an array.")
    if pictures.ndim not in (3, 4) or (pictures.ndim == 4 and not 1 <= pictures.shape[3] <= 4):
        raise DataError(f"pictures must be (N, H, W) or (N, H, W, 1 to 4 channels); got {pictures.shape}.")
    if 0 in pictures.shape:
        raise DataError(f"there are no pictures: the array has shape {pictures.shape}.")
    return pictures
