"""Tables whose missing cells are to be learnt: cells are hidden, filled linearly, and asked for."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Self

import torch
from torch import Tensor

from ..blocks import gaussian
from ..core import Batch, Redrawn, register
from ..core.errors import out_of_range
from .process_table import TableProcessor


@register("processor", "filled-table")
class FilledTable(TableProcessor, Redrawn):
    """A table as the rows an imputer learns from: missing cells at their conditional mean, and a flag a column.

        x = [filled (F) | missing? (columns)]      target = [true (F)], scored where a cell was hidden

    In training known cells are hidden at random, anew in every epoch; they and the missing ones are filled as a
    Gaussian of the encoded row has it (its mean and covariance learnt at `fit` by expectation-maximisation), and the
    loss counts the hidden ones. So the network learns what the linear guess lacks.

    Parameters
    ----------
    hide : share of the known cells that are hidden, in (0, 1), on average over rows: half of it in some, half as
        much again in others.
    prior : weight of the belief that columns are independent, in rows a column.

    Reference: Vincent et al. (2008), "Extracting and composing robust features with denoising autoencoders"; Little &
    Rubin (2002), "Statistical analysis with missing data", section 11.2.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"a": [1.0, 2.0, 3.0, None], "b": [2.0, 4.0, 6.0, 8.0]})
    >>> table = FilledTable().fit(rows)
    >>> table.collate(table.encode(rows)).x.shape, table.target_shape
    (torch.Size([4, 4]), (2,))
    """

    def __init__(self, hide: float = 0.3, prior: float = 0.1) -> None:
        super().__init__()
        if not 0 < hide < 1:
            raise out_of_range("hide", "a share in (0, 1)", hide)
        if not prior >= 0:
            raise out_of_range("prior", "a number of at least 0", prior)
        self.hide, self.prior = float(hide), float(prior)

    def of(self, table: TableProcessor) -> Self:
        """With the columns as another processor knows them; `fit` then learns the Gaussian alone."""
        self.codecs, self._at_fit = list(table.codecs), list(table._at_fit)
        return self

    def fit(self, rows: Any) -> Self:
        if not self.codecs:
            super().fit(rows)
        values, known = self.cells(rows)
        self.gaussian = gaussian.fit(values, self.spread_over(known), prior=self.prior)
        return self

    def cells(self, rows: Any) -> tuple[Tensor, Tensor]:
        """A DataFrame as values (N, F), at the mean where missing, and which cells are known (N, columns)."""
        tensors = super().encode(rows)
        x = tensors["x"][:, : self.target_shape[0]]
        known = tensors.get("scored")
        return x, known if known is not None else torch.ones(len(x), len(self.codecs), dtype=torch.bool)

    def spread_over(self, cells: Tensor) -> Tensor:
        """A mask of cells (N, columns) over the entries of the encoded row (N, F)."""
        return cells.repeat_interleave(torch.tensor([codec.width for codec in self.codecs]), dim=1)

    def seen(self, values: Tensor, known: Tensor) -> Tensor:
        """What the encoder sees (N, F + columns) of values (N, F) of which some cells (N, columns) are known."""
        filled = self.gaussian.fill(values, self.spread_over(known))
        return torch.cat([filled.float(), (~known).float()], 1)

    def plain(self, filled: Tensor) -> Tensor:
        """A linear guess (N, F) as data: shares of categories, and of true cells, in [0, 1]."""
        made = filled.clone()
        for codec, span in zip(self.codecs, self.slices.values(), strict=True):
            if codec.loss_kind == "boolean":
                made[:, span] = made[:, span].clamp(0.02, 0.98)
            if codec.loss_kind == "categorical":
                shares = made[:, span].clamp(0.01, 1)
                made[:, span] = shares / shares.sum(1, keepdim=True)
        return made

    def encode(self, rows: Any) -> dict[str, Tensor]:
        values, known = self.cells(rows)
        return {"x": self.seen(values.double(), known), "scored": known}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = tensors["x"].float()
        return Batch(x, x[:, : self.target_shape[0]], scored=tensors["scored"])

    def redraw(self, batch: Batch) -> Batch:
        """Some known cells hidden; those are asked for. Draws from torch's global generator."""
        width = self.target_shape[0]
        values, known = batch.x[:, :width].cpu(), batch.x[:, width:].cpu() == 0
        share = self.hide * (0.5 + torch.rand(len(values), 1))
        hidden = known & (torch.rand(known.shape) < share)
        device = batch.x.device
        x = self.seen(values, known & ~hidden).to(device)
        return replace(batch, x=x, target=values.to(device), scored=hidden.to(device))

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.target_shape[0] + len(self.codecs),)

    def state(self) -> dict[str, Any]:
        learnt = {name: getattr(self.gaussian, name).tolist() for name in ("mean", "axes", "noise")}
        return {**super().state(), "hide": self.hide, "prior": self.prior, "gaussian": learnt}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = super().from_state(state)
        made.hide, made.prior = state["hide"], state["prior"]
        held = state["gaussian"].items()
        made.gaussian = gaussian.Gaussian(**{name: torch.tensor(value, dtype=torch.float64) for name, value in held})
        return made
