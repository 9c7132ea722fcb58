"""Pictures with missing pixels, as rows to learn from: more pixels are hidden, guessed smoothly, and asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..blocks.scratch import scaled
from ..core import Batch, Processor, Redrawn, Spec, register
from ..core.errors import DataError
from ..corruptions.holes import Holes, with_guess


@register("processor", "holed-image")
class HoledImage(Processor, Redrawn):
    """Pictures and which of their pixels are known, as the rows an inpainter learns from.

        x = [picture, guessed smoothly where unknown (C) | known? (1)]      target = picture (C), scored where hidden

    Rows are (N, H, W, C + 1), uint8 (the last channel 255 where a pixel is known) or floats in [0, 1] (1 where it is
    known), or pictures alone, (N, H, W[, C]), all of whose pixels are known. In training some known pixels are hidden,
    anew in every epoch, and pictures are turned over; the loss counts what was hidden.

    Parameters: ``kind``, ``share`` and ``size`` of the holes, as in corruption "holes"; ``flips``: turn pictures over,
    left to right and upside down.

    Reference: Pathak et al. (2016), "Context encoders: feature learning by inpainting"; for learning from damaged
    pictures alone: Batson & Royer (2019), "Noise2Self: blind denoising by self-supervision".

    >>> pictures = np.full((2, 4, 4, 3), 51, np.uint8)
    >>> holed = HoledImage().fit(np.concatenate([pictures, pictures[..., :1] * 5], -1))
    >>> batch = holed.collate(holed.encode(pictures))
    >>> holed.shape, holed.target_shape, bool(holed.redraw(batch).scored.all())
    ((4, 4, 4), (4, 4, 3), False)
    """

    def __init__(self, kind: str = "mixed", share: float = 0.25, size: float = 0.3, flips: bool = True) -> None:
        self.holes = Holes(kind, share, size, known=True)
        self.flips, self._shape = bool(flips), (0, 0, 0)

    def fit(self, rows: Any) -> Self:
        """Learn the shape of rows (N, H, W, C + 1)."""
        self._shape = tuple(_checked(rows).shape[1:])
        return self

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """``x`` (N, H, W, C + 1), uint8 or float32; of pictures alone all pixels are known."""
        pictures = _checked(rows)
        if pictures.shape[-1] == self._shape[-1] - 1:
            full = np.full_like(pictures[..., :1], 255 if pictures.dtype == np.uint8 else 1)
            pictures = np.concatenate([pictures, full], -1)
        if pictures.shape[-1] != self._shape[-1]:
            raise DataError(
                f"pictures have {pictures.shape[-1]} channels, but the model is expecting {self._shape[-1] - 1} "
                "(and one more that tells which pixels are known)."
            )
        return {"x": torch.from_numpy(np.ascontiguousarray(pictures))}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"]
        values = scaled(x, 1 / 255) if x.dtype == torch.uint8 else x.float()
        known = values[..., -1] > 0.5
        x = values if bool(known.all()) else with_guess(values[..., :-1], known)
        return Batch(x, values[..., :-1], scored=known)

    def redraw(self, batch: Batch) -> Batch:
        """Some known pixels hidden, of pictures turned over. Draws from torch's global generator."""
        batch = replace(batch, scored=None)
        for axis in (1, 2) if self.flips else ():
            over = (torch.rand(len(batch)) < 0.5).to(batch.x.device)[:, None, None, None]
            x, target = (torch.where(over, held.flip(axis), held) for held in (batch.x, batch.target))
            batch = replace(batch, x=x, target=target)
        return self.holes(batch)

    def invert(self, data: Tensor) -> ndarray:
        """Values (N, H, W, C), meant to lie in [0, 1], as they are."""
        return data.detach().cpu().float().numpy()

    def defaults(self) -> dict[str, Spec]:
        return {"loss": Spec("squared"), "network": Spec("u-shaped")}

    @property
    def shape(self) -> tuple[int, ...]:
        return self._shape

    @property
    def target_shape(self) -> tuple[int, ...]:
        return (*self._shape[:-1], self._shape[-1] - 1)

    def state(self) -> dict[str, Any]:
        holes = self.holes
        return {"kind": holes.kind, "share": holes.share, "size": holes.size, "flips": self.flips,
                "shape": list(self._shape)}  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(state["kind"], state["share"], state["size"], state["flips"])
        made._shape = tuple(state["shape"])
        return made


def _checked(rows: Any) -> ndarray:
    pictures = rows.detach().cpu().numpy() if isinstance(rows, Tensor) else np.asarray(rows)
    if pictures.dtype.kind == "f":
        pictures = pictures.astype(np.float32, copy=False)
    elif pictures.dtype != np.uint8:
        raise DataError(f"pictures must be uint8, 0 to 255, or floats in [0, 1]; got {pictures.dtype}.")
    pictures = pictures[..., None] if pictures.ndim == 3 else pictures
    if pictures.ndim != 4 or 0 in pictures.shape:
        raise DataError(f"pictures must be (N, H, W) or (N, H, W, channels), at least one; got {pictures.shape}.")
    return pictures
