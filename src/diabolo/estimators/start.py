"""Where training starts: at the data's mean and scale, and at what else a part takes from some rows."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ..core import AutoencoderModule, Batch, Centred, FromData, Processor, Redrawn, Sized
from ..core.interfaces import TakesSparse
from ..core.sparse import column_means, dense, is_sparse, observed_means
from ..train import Stage
from .recipe import Recipe

INSIDE = 3.0
"""Data are brought to a standard deviation of 1/3, as pixels have: measured to generalise better than 1."""


def centre(recipe: Recipe, sample: Batch) -> None:
    """Start at the data's mean: the first bias takes it away, the last one gives it back.

    Data far from unit scale, or far from zero, are also standardised inside the module.
    """
    if not (sample.x.is_floating_point() and sample.target.is_floating_point()):
        return  # tokens and classes have no mean
    if is_sparse(sample.target):
        _start_sparse(recipe, sample)
        return
    if sample.mask is not None:
        _centre_padded(recipe, sample, sample.mask)
        return
    mean, target = sample.x.mean(0), sample.target.mean(0)
    scale = float((sample.x - mean).square().mean().sqrt())
    module, loss = recipe.module, recipe.objective.loss
    far = not 0.1 <= scale <= 1 or float(mean.abs().max()) > 5 * scale
    if far and scale > 0 and mean.shape == target.shape:
        module.standardise(mean, INSIDE * scale, loss.linear)
        for stage in recipe.plan():
            _as_the_whole(stage, module)
        mean, target = torch.zeros_like(mean), torch.zeros_like(target) if loss.linear else target
    if isinstance(module.encoder, Centred):
        module.encoder.centre(mean)
    loss.measure(sample.target)
    start = loss.start(target)
    if start is not None and isinstance(module.decoder, Centred):
        module.decoder.centre(start)


def _centre_padded(recipe: Recipe, sample: Batch, mask: Tensor) -> None:
    """The same for sequences, which their processor has standardised: one mean a channel, over real steps alone."""
    module, loss = recipe.module, recipe.objective.loss
    seen, real = sample.x[mask], sample.target[mask]
    if isinstance(module.encoder, Centred):
        module.encoder.centre(seen.mean(0).expand(sample.x.shape[1:]))
    loss.measure(real)
    start = loss.start(real.mean(0).expand(sample.target.shape[1:]))
    if start is not None and isinstance(module.decoder, Centred):
        module.decoder.centre(start)


def _start_sparse(recipe: Recipe, sample: Batch) -> None:
    """Rows of many columns, nearly all zero, stay as they are; the decoder starts at the columns' means."""
    module, loss = recipe.module, recipe.objective.loss
    loss.measure(sample.target if isinstance(loss, TakesSparse) else dense(sample.target))
    start = loss.start(observed_means(sample.target) if sample.scored is not None else column_means(sample.target))
    if start is not None and isinstance(module.decoder, Centred):
        module.decoder.centre(start)


def _as_the_whole(stage: Stage, module: AutoencoderModule) -> None:
    """A stage that is given the data sees them as the whole module does; a label keeps its own units."""
    if stage.inputs is None and stage.module is not module and module.shift is not None:
        linear = stage.objective.loss.linear and not stage.supervised
        stage.module.standardise(module.shift, module.scale, linear)


def from_data(recipe: Recipe, sample: Batch, rows: int) -> None:
    """Let every part that starts from data look at some rows, as the first stage that has it will see them.

    ``rows``: how many there are to learn from, for the parts that ask.
    """
    whole = Stage(recipe.module, recipe.objective)
    seen: set[int] = set()
    for stage in [*recipe.plan(), whole]:
        for part in stage.parts().modules():
            if isinstance(part, Sized):
                part.size(rows)
            if isinstance(part, FromData) and id(part) not in seen:
                seen.add(id(part))
                with torch.no_grad():
                    part.begin(stage.module, stage.prepare(sample).dense())


def redraw(processor: Processor) -> Callable[[Batch], Batch] | None:
    """What draws the data anew in every epoch, where they are random themselves."""
    return processor.redraw if isinstance(processor, Redrawn) else None


def matrices(recipe: Recipe) -> list[tuple[int, int]]:
    """(short, long) sides of the weight matrices: an orthogonal step costs with the cube of the short one."""
    sides = [(len(p), p[0].numel()) for p in recipe.module.parameters() if p.ndim >= 2]
    return [(min(pair), max(pair)) for pair in sides if min(pair) > 1]
