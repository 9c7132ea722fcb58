"""A likelihood for tables: every column by its own kind, all in nats, so they can be added."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import ClassVar

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import UsageError, out_of_range, unknown
from ..core.interfaces import ReconstructionLoss, Shape
from ..core.registry import register
from .gaussian import HALF_LOG_TAU
from .scaled import at_least

KINDS = ("numeric", "boolean", "categorical")


@register("loss", "mixed")
class Mixed(ReconstructionLoss):
    """Gaussian, Bernoulli and categorical columns side by side.

        target  [ 0.3 | 1 | 0 1 0 ]      cost  [ Gaussian | Bernoulli | softmax ]  (B, columns), nats
                 numeric  categorical                                              scored: (B, columns)
                     boolean

    Numeric columns learn a scale each, σ ≥ 0.05. They are expected with variance near 1, and a density has no
    upper bound: without a floor one predictable column (a constant, a sum of others) would drive log σ to
    minus infinity and outweigh all the rest. At 0.05 it can earn log 20 = 3 nats, about what a categorical
    column of 20 values can cost. A one-hot target of all zeros (an unseen or missing category) costs nothing.

    Parameters
    ----------
    columns : list of [kind, width] in the order of the encoded target (B, F); kind is "numeric" or "boolean"
        (width 1) or "categorical" (width K ≥ 1, one-hot). F is the sum of widths.

    Raises `UsageError` for no columns, an unknown kind, a width its kind cannot have, or a target whose shape
    is not (F,).

    Reference: Nazábal, Olmos, Ghahramani & Valera (2020), "Handling incomplete heterogeneous data using VAEs",
    section 3.

    >>> import torch
    >>> loss = Mixed(columns=[["boolean", 1], ["categorical", 3]])
    >>> loss.elementwise(torch.zeros(1, 4), torch.tensor([[1.0, 0.0, 0.0, 1.0]]))     # log 2, log 3
    tensor([[0.6931, 1.0986]])
    """

    support: ClassVar[tuple[float, float] | None] = None
    floor = math.log(0.05)
    numeric: Tensor
    boolean: Tensor
    order: Tensor

    def __init__(self, columns: Sequence[tuple[str, int] | list]) -> None:
        super().__init__()
        self.columns = [_checked(column) for column in columns]
        if not self.columns:
            raise out_of_range("columns", "a list of at least one [kind, width]", columns)
        self.n_features = sum(width for _, width in self.columns)
        self.widths = sorted({width for kind, width in self.columns if kind == "categorical"})
        # columns are costed kind by kind; `order` brings them back to the table's order
        groups = [("numeric", 1), ("boolean", 1), *(("categorical", width) for width in self.widths)]
        entries = {group: self._entries(group) for group in groups}
        self._keep("numeric", entries["numeric", 1])
        self._keep("boolean", entries["boolean", 1])
        for width in self.widths:
            starts = torch.tensor(entries["categorical", width])
            self._keep(f"categorical_{width}", starts[:, None] + torch.arange(width))
        position = {column: i for i, column in enumerate(c for g in groups for c in self._members(g))}
        self._keep("order", [position[column] for column in range(len(self.columns))])
        self.raw_scale = nn.Parameter(torch.zeros(len(self.numeric)))

    def _members(self, group: tuple[str, int]) -> list[int]:
        return [i for i, column in enumerate(self.columns) if column == group]

    def _entries(self, group: tuple[str, int]) -> list[int]:
        """Where in F the columns of a group begin."""
        return [sum(width for _, width in self.columns[:i]) for i in self._members(group)]

    def _keep(self, name: str, index: list[int] | Tensor) -> None:
        self.register_buffer(name, torch.as_tensor(index, dtype=torch.long), persistent=False)

    def recon_shape(self, shape: Shape) -> Shape:
        if shape != (self.n_features,):
            raise UsageError(
                f"the columns of loss 'mixed' fill {self.n_features} entries; the target has shape {shape}."
            )
        return shape

    def log_scale(self) -> Float[Tensor, " n"]:
        """log σ of every numeric column."""
        return at_least(self.floor, self.raw_scale)

    def elementwise(self, recon: Float[Tensor, "b f"], target: Float[Tensor, "b f"]) -> Float[Tensor, "b n"]:
        costs = []
        if len(self.numeric):
            log_scale = self.log_scale()
            whitened = (recon[:, self.numeric] - target[:, self.numeric]) * torch.exp(-log_scale)
            costs.append(0.5 * whitened.square() + (log_scale + HALF_LOG_TAU))
        if len(self.boolean):
            logits = recon[:, self.boolean]
            costs.append(functional.softplus(logits) - logits * target[:, self.boolean])
        for width in self.widths:
            at = self.get_buffer(f"categorical_{width}")
            costs.append(-(target[:, at] * torch.log_softmax(recon[:, at], -1)).sum(-1))
        return torch.cat(costs, 1)[:, self.order]

    def link(self, recon: Float[Tensor, "b f"]) -> Float[Tensor, "b f"]:
        """Means of numeric columns, probabilities of all others."""
        data = recon.clone()
        data[:, self.boolean] = torch.sigmoid(recon[:, self.boolean])
        for width in self.widths:
            at = self.get_buffer(f"categorical_{width}")
            data[:, at] = torch.softmax(recon[:, at], -1)
        return data

    def start(self, mean: Float[Tensor, "*b f"]) -> Float[Tensor, "*b f"]:
        """The mean of numeric columns, logits of the shares of all others."""
        recon = mean.clone()
        recon[..., self.boolean] = torch.logit(mean[..., self.boolean].clamp(0.01, 0.99))
        for width in self.widths:
            at = self.get_buffer(f"categorical_{width}")
            recon[..., at] = torch.log(mean[..., at].clamp(min=1e-3))  # a category that is rare, not impossible
        return recon


def _checked(column: tuple[str, int] | list) -> tuple[str, int]:
    try:
        kind, width = column
    except (TypeError, ValueError) as error:
        raise out_of_range("a column of loss 'mixed'", "[kind, width]", column) from error
    if kind not in KINDS:
        raise unknown("column kind", kind, KINDS)
    if not isinstance(width, int) or width < 1 or (kind != "categorical" and width != 1):
        allowed = "an int of at least 1" if kind == "categorical" else "1"
        raise out_of_range(f"the width of a {kind} column", allowed, width)
    return kind, width
