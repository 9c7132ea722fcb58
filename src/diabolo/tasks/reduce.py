"""Dimension reduction, and the honest question: is this model better than PCA with as many components?"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..core import Batch, Feed, Processor
from ..core.errors import DataError, ModelError
from ..core.metrics import Interval, bootstrap_mean, bootstrap_ratio, squared_error
from ..data import MemoryFeed
from . import principal

CHUNK = 4096
ENTRIES = 2**23
"""Values that are worked on at a time."""
Rows = dict[str, Tensor] | Feed
LARGE_GAP = 0.15
EXACT = 1e-9
"""Errors below this share of the variance are float noise: the reconstruction is exact."""
MANY_TIMES = 3
METHODS = ("model", "pca", "mean")


@dataclass(frozen=True)
class Comparison:
    """Squared error per held-out row, in the encoded target space, of the model and of two baselines.

    model, pca, mean   mean error with a bootstrap interval; ``pca`` has ``pca_components`` components,
                       fitted on the training rows; ``mean`` predicts the training mean
    ratio              model / pca, paired over rows
    train_error, gap   the model's error on the training rows; held-out / train - 1
    errors             name -> (rows,) the errors behind the means (not part of `as_dict`)
    """

    n_components: int
    pca_components: int
    features: int
    rows: int
    model: Interval
    pca: Interval
    mean: Interval
    ratio: Interval
    train_error: float
    gap: float
    verdict: str
    advice: list[str]
    pca_method: str = "exact"
    errors: dict[str, ndarray] = field(default_factory=dict, repr=False, compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON; the errors of single rows are left out."""
        values = dataclasses.asdict(dataclasses.replace(self, errors={}))
        del values["errors"]
        return values

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Comparison:
        """The inverse of `as_dict`."""
        intervals = {name: Interval(**values[name]) for name in (*METHODS, "ratio")}
        return cls(**{**values, **intervals})


def compare(model: Any, train: Rows, held_out: Rows, *, seed: int = 0) -> Comparison:
    """Hold a fitted model against PCA of the same code size and against the mean, on rows it has not seen.

    ``train`` and ``held_out`` are what ``model.processor_.encode`` gives, with ``label`` or ``cond`` beside it for
    models that are told labels, or feeds. Where `Batch.scored` says that an
    entry does not count (a missing cell), it counts for nobody.

    Raises `DataError` without rows on either side, `ModelError` if the model's output is not finite.
    """
    processor: Processor = model.processor_
    train, held_out = (r if isinstance(r, Feed) else MemoryFeed(r, processor.collate) for r in (train, held_out))
    for name, rows in (("train", train), ("held_out", held_out)):
        if not len(rows):
            raise DataError(f"{name} has no rows; a comparison needs at least one on both sides.")
    linear = principal.fit(
        lambda: (batch.target.flatten(1).double().numpy() for batch in _batches(processor, train)),
        int(model.n_components_),
    )
    errors = _held_out_errors(model, linear, held_out)
    train_error = float(np.concatenate([_model_error(model, batch) for batch in _batches(processor, train)]).mean())
    return _judge(model, linear, errors, train_error, seed)


def entry_mask(batch: Batch, processor: Processor) -> ndarray | None:
    """Which entries of the target count, as a mask that broadcasts against it; None: all do.

    A mask per column of a table is widened to the encoded width of each column.
    """
    scored, shape = batch.scored, tuple(batch.target.shape)
    if scored is None:
        return None
    given = tuple(scored.shape)
    if given == shape[: len(given)]:
        return scored.reshape(given + (1,) * (len(shape) - len(given))).numpy()
    widths = column_widths(processor)
    if len(given) != 2 or len(shape) != 2 or given[1] != len(widths) or shape[1] != sum(widths):
        raise DataError(
            f"scored has shape {given}, which fits neither the target {shape} nor its {len(widths)} columns."
        )
    return scored.repeat_interleave(torch.tensor(widths), dim=1).numpy()


def column_widths(processor: Processor) -> list[int]:
    """Encoded width of every column of a table, from the columns its mixed loss names; [] if it names none."""
    loss = processor.defaults().get("loss")
    return [int(width) for _, width in (loss.params.get("columns", ()) if loss is not None else ())]


def _batches(processor: Processor, rows: Feed) -> Iterator[Batch]:
    """Dense batches, of fewer rows where they are wide."""
    for batch in rows.batches(min(CHUNK, max(1, ENTRIES // prod(processor.target_shape)))):
        yield batch.dense()


@torch.no_grad()
def _model_error(model: Any, batch: Batch) -> ndarray:
    """Squared error (B,) of the model's reconstruction, in evaluation mode and on the module's device."""
    module = model.module_
    device = next((p.device for p in module.parameters()), torch.device("cpu"))
    training = module.training
    module.eval()
    try:
        decoded = module.decoded(batch.map(lambda tensor: tensor.to(device)))
        recon = model.objective_.loss.to(device).link(decoded).float().cpu()
    finally:
        module.train(training)
    if recon.shape != batch.target.shape:
        raise ModelError(
            f"the reconstruction has shape {tuple(recon.shape)}, the target {tuple(batch.target.shape)}; only values "
            "of one shape have a squared error, so there is no comparison with PCA."
        )
    if not torch.isfinite(recon).all():
        raise ModelError("the model's reconstruction is not finite, so nothing can be compared; train it again.")
    return squared_error(batch.target.numpy(), recon.numpy(), entry_mask(batch, model.processor_))


def _held_out_errors(model: Any, linear: principal.Principal, rows: Feed) -> dict[str, ndarray]:
    found: dict[str, list[ndarray]] = {name: [] for name in METHODS}
    for batch in _batches(model.processor_, rows):
        shape, mask = batch.target.shape, entry_mask(batch, model.processor_)
        data = batch.target.double().numpy()
        projected = linear.reconstruct(data.reshape(len(data), -1)).reshape(shape)
        found["model"].append(_model_error(model, batch))
        found["pca"].append(squared_error(data, projected, mask))
        found["mean"].append(squared_error(data, linear.mean.reshape(shape[1:])[None], mask))
    return {name: np.concatenate(parts) for name, parts in found.items()}


def _judge(
    model: Any, linear: principal.Principal, errors: dict[str, ndarray], train_error: float, seed: int
) -> Comparison:
    rows = len(errors["model"])
    draws = int(np.clip(10_000_000 // rows, 200, 1000))
    means = {name: bootstrap_mean(values, draws=draws, seed=seed) for name, values in errors.items()}
    floor = max(EXACT * means["mean"].value, 1e-30)
    ratio = bootstrap_ratio(errors["model"] + floor, errors["pca"] + floor, draws=draws, seed=seed)
    gap = (means["model"].value + floor) / (train_error + floor) - 1
    exact = means["pca"].value <= floor
    size, features = int(model.n_components_), len(linear.mean)
    return Comparison(
        n_components=size,
        pca_components=linear.n_components,
        features=features,
        rows=rows,
        **means,
        ratio=ratio,
        train_error=train_error,
        gap=gap,
        verdict=_verdict(ratio, exact),
        advice=_advice(ratio, gap, means, exact, size, features),
        pca_method=linear.method,
        errors=errors,
    )


def _verdict(ratio: Interval, exact: bool) -> str:
    """One line: who is ahead, by how much, how sure.

    >>> _verdict(Interval(0.73, 0.70, 0.76), exact=False)
    'better than PCA: error 27 % lower [24, 30]'
    >>> _verdict(Interval(1.1, 0.9, 1.3), exact=False)
    'a tie with PCA: error 10 % higher [-10, 30]'
    >>> _verdict(Interval(12.5, 9.0, 14.0), exact=False)
    'no better than PCA: error 12.5 times as high [9, 14]'
    """
    if exact:
        return "no better than PCA: PCA of this size reconstructs these rows exactly"
    if ratio.low >= MANY_TIMES:
        return f"no better than PCA: error {ratio.value:.3g} times as high [{ratio.low:.3g}, {ratio.high:.3g}]"
    lower = ratio.value <= 1
    bounds = sorted((1 - r if lower else r - 1) * 100 for r in (ratio.low, ratio.high))
    size = abs(ratio.value - 1) * 100
    digits = 0 if size >= 9.5 else 1
    low, high = (f"{bound + 0:.{digits}f}" for bound in bounds)
    who = "better than PCA" if ratio.high < 1 else "no better than PCA" if ratio.low > 1 else "a tie with PCA"
    return f"{who}: error {size:.{digits}f} % {'lower' if lower else 'higher'} [{low}, {high}]"


def _advice(
    ratio: Interval, gap: float, means: Mapping[str, Interval], exact: bool, size: int, features: int
) -> list[str]:
    """What to try next, most telling first; empty when all is well."""
    advice = []
    if means["model"].low > means["mean"].high:
        advice.append(
            "Worse than predicting the mean: training did not work. Try a lower learning rate and more epochs."
        )
    if gap > LARGE_GAP:
        advice.append(
            f"Held-out error is {100 * gap:.0f} % above training error: the model over-fits. Try more data, a smaller "
            "code or hidden layers, noise as corruption, dropout, weight decay, or fewer epochs."
        )
    if size >= features:
        advice.append(
            f"The code ({size} values) is as large as the data ({features}): over-complete, so copying is possible. "
            "Compare at a smaller code, or add noise, sparsity or a contractive penalty."
        )
    elif exact:
        advice.append("These rows lie on a linear subspace of this size: PCA is enough here. Try a smaller code.")
    if not exact and ratio.low > 1:
        advice.append("PCA is ahead. Try longer training, wider hidden layers, or another network (--network).")
    elif not exact and ratio.high >= 1:
        advice.append("Neither is clearly ahead: PCA is simpler, and longer training or wider layers may change that.")
    return advice
