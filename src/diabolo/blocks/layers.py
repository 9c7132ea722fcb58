"""Layers with the initialisation, normalisation and activation every network shares."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from torch import Tensor, nn
from torch.nn import functional

from ..core.errors import UsageError, out_of_range, unknown
from ..core.registry import lookup, register
from ..core.sparse import is_sparse

for _name, _activation in {
    "relu": nn.ReLU,
    "leaky-relu": nn.LeakyReLU,
    "gelu": nn.GELU,
    "silu": nn.SiLU,
    "elu": nn.ELU,
    "tanh": nn.Tanh,
    "sigmoid": nn.Sigmoid,
    "softplus": nn.Softplus,
    "linear": nn.Identity,
}.items():
    register("activation", _name)(_activation)

WEIGHTED = (
    nn.Linear, nn.Conv1d, nn.Conv2d, nn.Conv3d, nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d,
)  # fmt: skip
NORMS = ("none", "batch", "layer")
_BATCH_NORMS = (nn.BatchNorm1d, nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d)


def activation(name: str) -> nn.Module:
    """An activation by its name. Raises `UsageError` with the known names.

    >>> activation("silu")
    SiLU()
    """
    layer: nn.Module = lookup("activation", name)()
    return layer


def glorot(layer: nn.Module) -> nn.Module:
    """Glorot-uniform weights, zero bias (Glorot & Bengio 2010); measured to start ahead of PyTorch's default."""
    if isinstance(layer, WEIGHTED):
        nn.init.xavier_uniform_(layer.weight)
        if layer.bias is not None:
            nn.init.zeros_(layer.bias)
    return layer


def norm(kind: str, width: int, dims: int = 0) -> nn.Module | None:
    """Batch or layer normalisation over ``width`` channels of data with ``dims`` positions, or None.

    Ioffe & Szegedy (2015); Ba et al. (2016), as one group over channels and positions for images.
    """
    if kind == "none":
        return None
    if kind == "batch":
        return BatchNorm(_BATCH_NORMS[dims](width))
    if kind == "layer":
        return nn.LayerNorm(width) if dims == 0 else nn.GroupNorm(1, width)
    raise unknown("norm", kind, NORMS)


class BatchNorm(nn.Module):
    """Batch norm that takes a batch of a single value (the last row of an epoch), by its running statistics."""

    def __init__(self, body: nn.Module) -> None:
        super().__init__()
        self.body: Any = body

    def forward(self, x: Tensor) -> Tensor:
        if self.training and x.numel() == x.shape[1]:
            mean, variance = self.body.running_mean, self.body.running_var
            return functional.batch_norm(x, mean, variance, self.body.weight, self.body.bias, eps=self.body.eps)
        out: Tensor = self.body(x)
        return out


def finish(
    layer: nn.Module, width: int, act: str, kind: str = "none", dropout: float = 0.0, dims: int = 0
) -> nn.Sequential:
    """layer ▶ norm ▶ activation ▶ dropout, leaving out what does nothing."""
    if not 0 <= dropout < 1:
        raise out_of_range("dropout", "in [0, 1)", dropout)
    parts: list[nn.Module | None] = [glorot(layer), norm(kind, width, dims), None, None]
    if act != "linear":
        parts[2] = activation(act)
    if dropout:
        parts[3] = nn.Dropout(dropout)
    return nn.Sequential(*(part for part in parts if part is not None))


class Mlp(nn.Module):
    """A stack of fully connected layers; the last one is linear.

        (B, sizes[0]) ──Linear, norm, activation, dropout── … ──Linear──▶ (B, sizes[-1])

    >>> import torch
    >>> Mlp((4, 8, 2), "relu")(torch.zeros(3, 4)).shape
    torch.Size([3, 2])
    """

    def __init__(self, sizes: Sequence[int], act: str = "silu", kind: str = "none", dropout: float = 0.0) -> None:
        super().__init__()
        if len(sizes) < 2 or min(sizes) < 1:
            raise UsageError(f"layer widths must be at least 1; got {tuple(sizes)}.")
        last = len(sizes) - 2
        self.stages = nn.Sequential(
            *(
                finish(nn.Linear(wide, out), out, act, kind, dropout)
                if i < last
                else finish(nn.Linear(wide, out), out, "linear")
                for i, (wide, out) in enumerate(pairwise(sizes))
            )
        )

    @property
    def first(self) -> nn.Linear:
        """The first linear layer."""
        return self.stages[0][0]  # type: ignore[index, return-value]

    @property
    def last(self) -> nn.Linear:
        """The last linear layer."""
        return self.stages[-1][0]  # type: ignore[index, return-value]

    def forward(self, x: Tensor) -> Tensor:
        if is_sparse(x):
            return self._from_sparse(x)
        for stage in self.stages:
            for layer in stage:  # type: ignore[attr-defined]
                x = layer(x)
        return x

    def _from_sparse(self, x: Tensor) -> Tensor:
        """The first layer sums the rows of its weights that the entries pick; the rest is as ever."""
        x = x @ self.first.weight.T + self.first.bias
        layers = [layer for stage in self.stages for layer in stage.children()]
        for layer in layers[1:]:
            x = layer(x)
        return x
