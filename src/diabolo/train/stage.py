"""Stage: one phase of training."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, nn

from ..core import AutoencoderModule, Batch, Corruption, Feed, Objective
from ..core.errors import UsageError
from ..core.interfaces import TakesSparse
from ..core.sparse import dense

MIN_KNOWN = 10
"""Fewer rows of known label, held out, choose no epoch."""


@dataclass
class Stage:
    """What is trained, on what, for how long.

    ``trainable`` chooses the module's parameters by name (None: all); ``inputs`` is a frozen map applied to
    the data first (the layers below, in greedy pre-training); ``supervised``: what is decoded is the label, over
    rows whose label is known, not the data; ``known_share``: few such rows among many come more often, until they are
    that share of a batch; ``epochs``, ``lr`` and ``optimizer`` override the trainer's; ``redraw`` draws rows that are
    random themselves anew, before anything else.
    """

    module: AutoencoderModule
    objective: Objective
    corruption: Corruption | None = None
    trainable: Callable[[str], bool] | None = None
    epochs: int | None = None
    inputs: Callable[[Tensor], Tensor] | None = None
    supervised: bool = False
    known_share: float | None = None
    lr: float | None = None
    optimizer: Any = None
    redraw: Callable[[Batch], Batch] | None = None

    def parts(self) -> nn.ModuleList:
        """Module and objective as one, for devices, modes and checkpoints."""
        return nn.ModuleList([self.module, self.objective])

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that train in this stage."""
        chosen = [p for name, p in self.module.named_parameters() if self.trainable is None or self.trainable(name)]
        return [p for p in [*chosen, *self.objective.parameters()] if p.requires_grad]

    def freeze(self) -> list[nn.Parameter]:
        """Take what does not train out of the graph; gives it back, to be thawed afterwards."""
        trained = {id(p) for p in self.parameters()}
        frozen = [p for p in self.module.parameters() if p.requires_grad and id(p) not in trained]
        for p in frozen:
            p.requires_grad_(False)
        return frozen

    def rows(self, feed: Feed, validation: Feed | None) -> tuple[Feed, Feed | None]:
        """The rows the stage goes over, and those held out: all, or those whose label is known.

        Raises `UsageError` if no label is known.
        """
        if self.known_share is not None:
            feed = feed.balanced(self.known_share)
        if not self.supervised:
            return feed, validation
        known = feed.labelled()
        if known is None:
            raise UsageError("a supervised stage needs labels, and no row to train on has one; give more to fit.")
        held = validation.labelled() if validation is not None else None
        return known, held if held is not None and len(held) >= MIN_KNOWN else None

    def prepare(self, batch: Batch) -> Batch:
        """The batch as this stage sees it, before corruption."""
        if self.redraw is not None:
            batch = self.redraw(batch)
        if self.inputs is not None:
            with torch.no_grad():
                x = self.inputs(dense(batch.x))
            batch = replace(batch, x=x, target=x)
        return labelled(batch) if self.supervised else batch

    def corrupted(self, batch: Batch) -> Batch:
        """What the encoder is denied, taken out; sparse rows are written out for a corruption that needs it."""
        if self.corruption is None:
            return batch
        return self.corruption(batch if isinstance(self.corruption, TakesSparse) else batch.dense())


def labelled(batch: Batch) -> Batch:
    """The batch with its label as the target, scored where it is known."""
    if batch.label is None:
        raise UsageError("a supervised stage needs labels; give y to fit.")
    label = batch.label
    known = label.isfinite() if label.is_floating_point() else label >= 0
    return replace(batch, target=torch.where(known, label, 0), scored=known)


def training_mode(parts: nn.Module) -> None:
    """Train mode, except layers that do not train: a frozen batch norm keeps its statistics."""
    parts.train()
    for part in parts.modules():
        own = list(part.parameters(recurse=False))
        if own and not any(p.requires_grad for p in own):
            part.eval()


def largest_product(stages: Sequence[Stage], rows: int) -> float:
    """FLOP of the largest matrix product of a step; infinite where kernels are convolved."""
    weights = [p for stage in stages for p in stage.parts().parameters()]
    sizes = [p.numel() for p in weights if p.ndim == 2]
    return math.inf if any(p.ndim > 2 for p in weights) else 2.0 * rows * max(sizes, default=1)
