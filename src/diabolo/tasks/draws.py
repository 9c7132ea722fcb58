"""What an imputer's member says of missing cells: means, and draws with the errors it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from ..data.process_filled import FilledTable

CHUNK = 4096
LEVELS = 199
"""Quantiles of the errors that are kept a column."""
BELIEF = 30.0
"""Cells that the belief in the whole weighs against those of one column, and in a normal law against its errors."""
NORMAL = torch.distributions.Normal(0.0, 1.0)


@dataclass(frozen=True)
class Trial:
    """Rows with hidden cells: their true values (N, F), the linear guess, the autoencoder's, the guess's deviation."""

    truth: Tensor
    linear: Tensor
    network: Tensor
    deviation: Tensor
    hidden: Bool[Tensor, "n columns"]


class Teller:
    """One member: the linear guess, the autoencoder's word, and both weighed by ``arrays["weight"]`` (columns,)."""

    def __init__(self, model: Any, arrays: dict[str, np.ndarray]) -> None:
        self.model, self.table = model, model.processor_
        self.weight = self.table.spread_over(torch.from_numpy(arrays["weight"])[None])
        constant = [vars(codec).get("constant", False) for codec in self.table.codecs]
        self.constant = self.table.spread_over(torch.tensor(constant)[None])
        self.quantiles = torch.from_numpy(arrays["quantiles"])

    def blended(self, values: Float[Tensor, "n f"], known: Bool[Tensor, "n columns"]) -> Float[Tensor, "n f"]:
        """linear + weight (autoencoder - linear), in data space; columns of one value at it."""
        linear, network = said(self.model, values, known)
        blended = linear + self.weight * (network - linear)
        return blended.masked_fill(self.constant, 0.0)


def said(model: Any, values: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """The linear guess of rows (N, F) and what the autoencoder makes of it, in data space."""
    table: FilledTable = model.processor_
    pairs = []
    with torch.inference_mode():
        for part in torch.arange(len(values)).split(CHUNK):
            x = table.seen(values[part].double(), known[part])
            batch = table.collate({"x": x, "scored": known[part]})
            network = model.objective_.loss.link(model.module_.decoded(batch))
            pairs.append((table.plain(x[:, : table.target_shape[0]]), network))
    return torch.cat([pair[0] for pair in pairs]), torch.cat([pair[1] for pair in pairs])


def trial(model: Any, frame: Any, hide: float, generator: torch.Generator) -> Trial:
    """Hide known cells of rows and ask a member for them."""
    table: FilledTable = model.processor_
    values, known = table.cells(frame)
    hidden = known & (torch.rand(known.shape, generator=generator) < hide)
    linear, network = said(model, values, known & ~hidden)
    deviation = table.gaussian.spread(table.spread_over(known & ~hidden)).float()
    return Trial(values, linear, network, deviation, hidden)


def weighed(trials: list[Trial], table: FilledTable, repeats: int = 1, members: int = 1) -> dict[str, np.ndarray]:
    """What is kept of trials in which every row's cells were hidden ``repeats`` times over.

    ``weight`` (columns,): how far to go from the linear guess to the autoencoder's, by least squares on hidden
    cells, drawn where a column has few to the mean over all columns (half-way to 1 if there are several members, whose
    mean errs less than each); ``quantiles`` (columns, LEVELS) of the errors
    that are left, in units of the guess's deviation.
    """
    names = ("truth", "linear", "network", "deviation")
    truth, linear, network, deviation = (torch.cat([getattr(one, name) for one in trials]) for name in names)
    hidden = torch.cat([one.hidden for one in trials])
    seen = table.spread_over(hidden).float()
    step = (network - linear) * seen
    along, size = (_by_column(part, table) for part in ((truth - linear) * step, step.square()))
    count = hidden.sum(0).clamp_min(1)
    pooled = 1 - (1 - (along.sum() / size.sum().clamp_min(1e-12)).clamp(0, 1)) / min(members, 2)
    belief = BELIEF * repeats * size / count + 1e-12
    weight = ((along + belief * pooled) / (size + belief)).clamp(0, 1)
    error = truth - linear - table.spread_over(weight[None]) * (network - linear)
    ratio = error / deviation.clamp_min(1e-3)
    levels = torch.linspace(0, 1, LEVELS + 2)[1:-1]
    kept = [
        _quantiles(ratio[hidden[:, place], span.start], levels)
        for place, span in enumerate(table.slices.values())
    ]  # fmt: skip
    return {"weight": weight.numpy(), "quantiles": torch.stack(kept).numpy()}


def _by_column(entries: Tensor, table: FilledTable) -> Tensor:
    """Sums (columns,) of entries (N, F)."""
    ends = torch.tensor([span.stop for span in table.slices.values()])
    total = torch.cat([torch.zeros(1), entries.sum(0).cumsum(0)])
    return total[ends] - total[torch.cat([torch.zeros(1, dtype=torch.long), ends[:-1]])]


def _quantiles(ratio: Tensor, levels: Tensor) -> Tensor:
    """Quantiles of errors, drawn to those of a normal law of the same spread where there are few."""
    if not len(ratio):
        return NORMAL.icdf(levels)
    share = len(ratio) / (len(ratio) + BELIEF)
    normal = NORMAL.icdf(levels) * (share * ratio.square().mean() + 1 - share).sqrt()
    return (
        share * torch.from_numpy(np.quantile(ratio.numpy(), levels.numpy()).astype(np.float32)) + (1 - share) * normal
    )


def draw(teller: Teller, values: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """Rows (N, F) with their unknown cells drawn, together, from p(unknown | known)."""
    values, known = values.clone(), known.clone()
    for place, (codec, span) in enumerate(zip(teller.table.codecs, teller.table.slices.values(), strict=True)):
        rows = (~known[:, place]).nonzero()[:, 0]
        if codec.loss_kind != "numeric" and len(rows):
            shares = teller.blended(values[rows], known[rows])[:, span]
            values[rows, span] = _chosen(shares, generator)
            known[rows, place] = True
    rows = (~known).any(1).nonzero()[:, 0]
    for part in rows.split(CHUNK):
        values[part] = _numbers(teller, values[part], known[part], generator)
    return values


def _chosen(shares: Tensor, generator: torch.Generator) -> Tensor:
    """Truth values (N, 1), or categories one-hot (N, K), drawn by their shares."""
    if shares.shape[1] == 1:
        return (torch.rand(shares.shape, generator=generator) < shares).float()
    picked = torch.multinomial(shares.clamp_min(1e-9), 1, generator=generator)
    return torch.zeros_like(shares).scatter_(1, picked, 1.0)


def _numbers(teller: Teller, values: Tensor, known: Tensor, generator: torch.Generator) -> Tensor:
    """Mean and residual: correlated as in the Gaussian, each with the law of its column's errors."""
    table, entries = teller.table, teller.table.spread_over(known)
    mean = teller.blended(values, known)
    deviation = table.gaussian.spread(entries)
    normal = table.gaussian.noise_of(entries, generator) / deviation.clamp_min(1e-12)
    residual = mean.clone()
    for place, span in enumerate(table.slices.values()):
        if span.stop - span.start == 1 and not teller.constant[0, span.start]:
            law = _law(normal[:, span.start], teller.quantiles[place])
            residual[:, span.start] += law * deviation[:, span.start].float()
    return torch.where(entries, values, residual)


def _law(normal: Tensor, quantiles: Tensor) -> Tensor:
    """Standard normal numbers as numbers of a law given by its quantiles; beyond the last one, as a normal tail."""
    levels = NORMAL.icdf(torch.linspace(0, 1, LEVELS + 2)[1:-1])
    scale = quantiles[[0, -1]] / levels[[0, -1]]
    inside = torch.from_numpy(np.interp(normal.numpy(), levels.numpy(), quantiles.numpy())).float()
    low, high = normal < levels[0], normal > levels[-1]
    inside = torch.where(low, scale[0] * normal.float(), inside)
    return torch.where(high, scale[1] * normal.float(), inside)
