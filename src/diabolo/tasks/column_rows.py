"""Rows as the networks of a selector see them: columns in units of their own, and what is rebuilt of each."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ..blocks.column_choice import by_column, layout
from ..core import Batch, Processor, Spec
from ..core.errors import DataError
from ..data import ArrayProcessor, Source, Stored, TableProcessor, is_frame, processor_for
from ..estimators.base import BaseAutoencoder
from ..estimators.from_disk import few
from . import columns as choice

SAMPLE = 20_000
"""Rows that are looked at at a time."""
WIDEST = 10_000
"""Encoded values of a row at most: all are correlated with each other."""
NEITHER = "columns are chosen of tables and of arrays (N, F), not of sparse matrices, pictures or texts."


class Columns:
    """Rows as the networks see them, which of their values are one column, and how they are paid for.

    x, raw       (N, F) values as encoded, and in the user's units
    owner        (F,) the column of each; ``all_owners``: of the encoder's input too, with the marks of missing cells
    kinds        [kind, width] of each column of a table; [] for an array, whose columns the networks must scale
    """

    def __init__(self, processor: Processor, rows: Any) -> None:
        batch = collated(processor, sampled(rows))
        if batch.target.shape[1] > WIDEST:
            raise DataError(
                f"rows have {batch.target.shape[1]:,} encoded values, and columns are chosen of at most {WIDEST:,}: "
                "leave out those that hardly vary, or categories of many values."
            )
        self.x = self.raw = batch.target.double().numpy()
        kinds, self.indicators = [], []
        if isinstance(processor, TableProcessor):
            kinds = [list(pair) for pair in processor.defaults()["loss"].params["columns"]]
            self.indicators = [processor.columns.index(name) for name in processor.indicators]
        self.kinds: list[list[Any]] = kinds
        owner, place = layout(kinds, self.indicators, self.x.shape[1])
        self.all_owners, self.owner = np.array(owner), np.array(owner[: self.x.shape[1]])
        self.count, self.width, self.scaled = int(self.owner.max()) + 1, max(place) + 1, not kinds
        self.loss = self._loss(processor)
        if isinstance(processor, TableProcessor):
            self.raw = self.x * np.array([vars(codec).get("scale", 1.0) for codec in processor.codecs])[self.owner]

    def _loss(self, processor: Processor) -> Any:
        """Every number counts in units of its own deviation; other kinds of columns in nats."""
        if any(kind != "numeric" for kind, _ in self.kinds):
            return processor.defaults()["loss"]
        if not self.scaled:
            return "squared"
        spread = choice.variances(self.x, self.owner)
        moving = spread > 0
        weights = np.where(moving, 1 / np.where(moving, spread, 1.0), 0.0) if moving.any() else np.ones_like(spread)
        return Spec("weighted", weights=weights.clip(max=1e30).tolist(), loss="squared")


def fitted_processor(rows: Any) -> Processor:
    made = processor_for(rows)
    if not isinstance(made, TableProcessor | ArrayProcessor):
        raise DataError(NEITHER)
    return made.fit(rows)


def collated(processor: Processor, rows: Any) -> Batch:
    return processor.collate(processor.encode(rows))


def at(rows: Any, index: np.ndarray) -> Any:
    return rows.iloc[index] if is_frame(rows) else rows[index]


def sampled(rows: Any) -> Any:
    """At most `SAMPLE` rows, spread over all of them."""
    return rows if len(rows) <= SAMPLE else at(rows, _spread(len(rows), SAMPLE))


def _spread(rows: int, count: int) -> np.ndarray:
    return np.linspace(0, rows - 1, count).astype(int)


def in_memory(source: Source) -> Source:
    stored = source.rows
    return stored.sample(min(SAMPLE, few(stored))) if isinstance(stored, Stored) else source


def some(batch: Batch, seen: Columns) -> Batch:
    """Few enough rows to go over once for each column."""
    most = int(max(100, min(2000, 4_000_000 // seen.x.shape[1])))
    if len(batch) <= most:
        return batch
    index = torch.from_numpy(_spread(len(batch), most))
    return batch.map(lambda tensor: tensor[index])


@torch.no_grad()
def recon_of(model: BaseAutoencoder, batch: Batch) -> np.ndarray:
    recon: np.ndarray = model.objective_.loss.link(model.module_.decoded(batch)).double().numpy()
    return recon


def errors_of(model: BaseAutoencoder, batch: Batch, seen: Columns, known: np.ndarray | None) -> np.ndarray:
    """Squared error of every column, summed over the rows in which it is known (C,)."""
    errors = by_column(np.square(batch.target.double().numpy() - recon_of(model, batch)), seen.owner)
    return (errors if known is None else np.where(known, errors, 0.0)).sum(0)  # type: ignore[no-any-return]
