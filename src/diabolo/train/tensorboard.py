"""What TensorBoard shows: losses, rates, reconstructions, and the codes for its projector."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..core import Batch
from ..core.errors import require
from .callbacks import Callback

if TYPE_CHECKING:
    from .loop import Loop

SHOWN = 16
PROJECTED = 2000


class TensorBoard(Callback):
    """Writes an event file into ``log_dir`` (extra ``tensorboard``).

    Every epoch: each term on training and validation rows, the learning rate, rows per second. At the end:
    up to 16 validation rows above their reconstructions (pictures), and up to 2,000 codes for the projector.
    """

    def __init__(self, log_dir: str | Path) -> None:
        self.log_dir = Path(log_dir)
        self._writer: Any = None

    def on_start(self, loop: Loop) -> None:
        require("tensorboard", "tensorboard", "--log-dir")
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self.log_dir))

    def on_epoch(self, loop: Loop) -> None:
        record = loop.history[-1]
        step = len(loop.history)
        for part in ("train", "validation"):
            for name, value in (record[part] or {}).items():
                self._writer.add_scalar(f"{name}/{part}", value, step)
        self._writer.add_scalar("learning rate", record["lr"], step)
        self._writer.add_scalar("rows per second", len(loop.feed) / max(record["seconds"], 1e-9), step)

    def on_end(self, loop: Loop) -> None:
        if self._writer is None:
            return
        feed = loop.validation if loop.validation is not None else loop.feed
        batch = next(iter(feed.batches(PROJECTED)))
        module = loop.stage.module.eval()
        with torch.inference_mode():
            codes = module.code(batch.x, batch.mask, batch.cond)
            recon = loop.stage.objective.loss.link(module.decoded(batch))
        pictures = _pictures(batch, recon)
        if pictures is not None:
            self._writer.add_images("original above reconstruction", pictures, len(loop.history), dataformats="NHWC")
        self._writer.add_embedding(codes.flatten(1), tag="codes", global_step=len(loop.history))
        self._writer.close()
        self._writer = None


def _pictures(batch: Batch, recon: Tensor) -> Tensor | None:
    """Originals above reconstructions, (N, 2H, W, C) in [0, 1]; None for rows that are no pictures."""
    rows = batch.target
    if rows.ndim not in (3, 4) or recon.shape != rows.shape or (rows.ndim == 4 and rows.shape[-1] not in (1, 3)):
        return None
    both = torch.cat([rows[:SHOWN], recon[:SHOWN]], 1)
    both = both[..., None] if both.ndim == 3 else both
    low, high = both.amin(), both.amax()
    return (both - low) / (high - low).clamp_min(1e-12)
