"""Pictures with a class at every pixel, as rows to learn from."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Processor, Redrawn, Spec, register
from ..core.errors import DataError, out_of_range
from ..corruptions.holes import Holes

UNKNOWN = -1


@register("processor", "labelled-image")
class LabelledImage(Processor, Redrawn):
    """Pictures, and beside them which class every pixel is of: what a network of dense predictions learns from.

        x = [picture (C) | 1]      target = class of every pixel (H, W), scored where it is known

    Rows are floats (N, H, W, C + 1): values in [0, 1], and the index of the class, -1 where it is not known; without
    the last channel nothing is known. x ends with a channel of ones, as the pictures of processor "holed-image" have
    it where every pixel is known, so that an encoder trained on those goes on here. In training pictures are turned
    over, and a share of the pixels is hidden and guessed smoothly, as there: few pictures are learnt by heart else.

    Parameters: ``classes``: how many there are, at least 2; ``hide``: mean share of the pixels that is hidden, in
    [0, 1); ``flips``: turn pictures over, left to right and upside down.

    Reference: Long, Shelhamer & Darrell (2015), "Fully convolutional networks for semantic segmentation".

    >>> rows = np.zeros((2, 4, 4, 2), np.float32)
    >>> rows[0, :, :, 1] = -1
    >>> labelled = LabelledImage(classes=3).fit(rows)
    >>> batch = labelled.collate(labelled.encode(rows))
    >>> labelled.shape, labelled.target_shape, batch.scored.flatten(1).all(1).tolist()
    ((4, 4, 2), (4, 4), [False, True])
    """

    def __init__(self, classes: int = 2, hide: float = 0.0, flips: bool = True) -> None:
        if not isinstance(classes, int) or classes < 2:
            raise out_of_range("classes", "an int of at least 2", classes)
        self.hide, self.holes = float(hide), Holes("mixed", hide, known=True) if hide else None
        self.classes, self.flips, self._shape = classes, bool(flips), (0, 0, 0)

    def fit(self, rows: Any) -> Self:
        """Learn the shape of rows (N, H, W, C + 1)."""
        self._shape = tuple(_checked(rows).shape[1:])
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """``x`` (N, H, W, C + 1) with classes of -1 where rows came without."""
        values = _checked(rows)
        if values.shape[-1] == self._shape[-1] - 1:
            values = np.concatenate([values, np.full_like(values[..., :1], UNKNOWN)], -1)
        if values.shape[-1] != self._shape[-1]:
            raise DataError(
                f"pictures have {values.shape[-1]} channels, but the model is expecting {self._shape[-1] - 1}."
            )
        return {"x": torch.from_numpy(np.ascontiguousarray(values))}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].clone()
        target = x[..., -1].long()
        x[..., -1] = 1
        return Batch(x, target.clamp_min(0), scored=target >= 0)

    def redraw(self, batch: Batch) -> Batch:
        """Pictures turned over, with their classes, and pixels hidden. Draws from torch's global generator."""
        for axis in (1, 2) if self.flips else ():
            over = (torch.rand(len(batch)) < 0.5).to(batch.x.device)[:, None, None]
            scored = None if batch.scored is None else torch.where(over, batch.scored.flip(axis), batch.scored)
            target = torch.where(over, batch.target.flip(axis), batch.target)
            batch = replace(
                batch, x=torch.where(over[..., None], batch.x.flip(axis), batch.x), target=target, scored=scored
            )
        return batch if self.holes is None else replace(batch, x=self.holes(batch).x)

    def invert(self, data: Tensor) -> ndarray:
        """The likeliest class (N, H, W) from probabilities (N, H, W, classes), or classes as they are."""
        index = data.argmax(-1) if data.is_floating_point() and data.ndim == len(self._shape) + 1 else data
        return index.detach().cpu().numpy()

    def defaults(self) -> dict[str, Spec]:
        return {
            "loss": Spec("categorical", classes=self.classes),
            "network": Spec("u-shaped", residual=False),
        }

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self._shape[:-1]

    def state(self) -> dict[str, Any]:
        return {"classes": self.classes, "hide": self.hide, "flips": self.flips, "shape": list(self._shape)}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(state["classes"], state["hide"], state["flips"])
        made._shape = tuple(state["shape"])
        return made


def _checked(rows: Any) -> ndarray:
    values = np.asarray(rows, np.float32)
    values = values[..., None] if values.ndim == 3 else values
    if values.ndim != 4 or 0 in values.shape:
        raise DataError(f"pictures must be (N, H, W) or (N, H, W, channels), at least one; got {values.shape}.")
    return values
