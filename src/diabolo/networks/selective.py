"""Columns in place of a code: an encoder that picks some of them, and a decoder that rebuilds all."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor, nn

from ..blocks.column_choice import correlations, greedy, layout
from ..blocks.layers import Mlp
from ..blocks.one_hot import gumbel
from ..core import Batch, Centred, Decoder, Encoder, FromData, Network, StepHook, register
from ..core.errors import UsageError, out_of_range, unknown
from ..core.interfaces import Shape
from ..core.module import AutoencoderModule
from ..core.schedules import scheduled, value_at

WAYS = ("concrete", "group", "kept")
HEAD_START = 3.0
"""How far the logit of a column that correlations name is ahead of the others at the start."""
RIDGE = 1e-3
"""What a decoder's least-squares start pays for large weights, as a share of a column's variance."""


@register("network", "selective")
class Selective(Network):
    """A dense decoder on a few columns of the row; which ones is learnt, or given.

        concrete   z_j = Σ_c m_jc x_c,   m_j = softmax((logits_j + g) / T),  g ~ Gumbel     T falls: m_j is one-hot
        group      z = dense(gate · x),  the gates of the weakest columns close one after the other
        kept       z = x[kept]
        decoder    x̂ = A z + dense(z),   A starts by least squares ("kept")

    Parameters
    ----------
    way : "concrete", "group" or "kept".
    keep : columns that stay in the end ("group"); of "concrete" it follows from the size of the code.
    kept : their numbers ("kept").
    columns : [kind, width] of the columns a row of values is made of; (): one number each. A column of several values
        (one-hot) is picked or left as one.
    indicators : numbers of the columns whose missing cells are marked, in the order of the marks at the row's end.
    scaled : see columns in units of their own deviation, and rebuild them in their own.
    hidden : widths of the decoder's hidden layers ("group": the encoder mirrors them).
    activation : of hidden layers.
    warm, cooling : T at the start, and the schedule that it follows from there ("concrete").

    Raises `UsageError` for values out of range.

    Reference: Balın, Abid & Zou (2019), "Concrete autoencoders: differentiable feature selection and reconstruction";
    Han, Wang, Zhang, Li & Xu (2018), "Autoencoder inspired unsupervised feature selection".

    >>> encoder, decoder = Selective(way="kept", kept=[2, 0]).build((3,), 2, 2, (3,))
    >>> encoder(torch.tensor([[1.0, 2.0, 3.0]])).tolist()
    [[3.0, 1.0]]
    """

    def __init__(
        self,
        way: str = "concrete",
        keep: int = 1,
        kept: Sequence[int] = (),
        columns: Sequence[Any] = (),
        indicators: Sequence[int] = (),
        scaled: bool = False,
        hidden: Sequence[int] = (),
        activation: str = "silu",
        warm: float = 1.0,
        cooling: Any = "exponential(final=0.1)",
    ) -> None:
        if way not in WAYS:
            raise unknown("way", way, WAYS)
        if not warm > 0:
            raise out_of_range("warm", "above 0", warm)
        self.way, self.keep, self.kept, self.columns, self.indicators = way, keep, list(kept), columns, indicators
        self.scaled, self.hidden, self.activation = scaled, tuple(int(width) for width in hidden), activation
        self.warm, self.cooling = float(warm), scheduled(cooling, "cooling")

    def build(self, shape: Shape, features: int, code: int, out_shape: Shape) -> tuple[Encoder, Decoder]:
        owner, place = layout(self.columns, self.indicators, prod(shape))
        if len(owner) != prod(shape):
            raise UsageError(f"the columns of network 'selective' fill {len(owner)} values; a row has {prod(shape)}.")
        view = View(owner, place, self.scaled)
        decoder = ColumnDecoder(code, self.hidden, self.activation, out_shape, self._numbers(out_shape), self.scaled)
        return self._encoder(view, features), decoder

    def _encoder(self, view: View, features: int) -> Encoder:
        if self.way == "group":
            if not 1 <= self.keep <= view.count:
                raise out_of_range("keep", f"in 1 to {view.count}, the number of columns", self.keep)
            return GatedEncoder(view, (len(view.owner), *self.hidden, features), self.activation, self.keep)
        if self.way == "concrete":
            if features % view.width:
                raise out_of_range("n_components", f"a multiple of {view.width}, the widest column", features)
            return ConcreteEncoder(view, features // view.width, self.warm, self.cooling)
        encoder = KeptEncoder(view, self.kept)
        if len(encoder.index) != features:
            raise out_of_range("n_components", f"{len(encoder.index)}, the values of the columns kept", features)
        return encoder

    def _numbers(self, out_shape: Shape) -> list[int]:
        """The entries of the target that are plain numbers, which least squares may start."""
        kinds = [kind for kind, width in self.columns for _ in range(int(width))] or ["numeric"] * prod(out_shape)
        return [at for at, kind in enumerate(kinds) if kind == "numeric"] if self.way == "kept" else []


class View(nn.Module, FromData):
    """A row as columns, in units of their own if so asked."""

    centre: Tensor
    unit: Tensor
    owner: Tensor
    place: Tensor

    def __init__(self, owner: Sequence[int], place: Sequence[int], scaled: bool) -> None:
        super().__init__()
        self.register_buffer("owner", torch.tensor(owner), persistent=False)
        self.register_buffer("place", torch.tensor(place), persistent=False)
        self.register_buffer("centre", torch.zeros(len(owner)))
        self.register_buffer("unit", torch.ones(len(owner)))
        self.owners, self.count, self.width, self.scaled = list(owner), max(owner) + 1, max(place) + 1, scaled

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        if self.scaled:
            centre, unit = _units(_inside(module, batch.x))
            self.centre.copy_(centre)
            self.unit.copy_(unit)

    def forward(self, x: Float[Tensor, "b *s"]) -> Float[Tensor, "b f"]:
        return (x.flatten(1) - self.centre) / self.unit

    def apart(self, x: Float[Tensor, "b f"]) -> Float[Tensor, "b c w"]:
        """The values of every column side by side, narrow ones filled up with zeros."""
        if self.width == 1 and self.count == x.shape[1]:
            return x.unsqueeze(-1)
        wide = x.new_zeros(len(x), self.count * self.width)
        return wide.index_copy(1, self.owner * self.width + self.place, x).unflatten(1, (self.count, self.width))


class ConcreteEncoder(Encoder, FromData, StepHook):
    """k nodes, each a relaxed draw of one column while training runs, and its likeliest column afterwards.

    The first logits favour the columns that explain most by their correlations, one a node.
    """

    temperature: Tensor

    def __init__(self, view: View, nodes: int, warm: float, cooling: Any) -> None:
        super().__init__()
        self.view, self.warm, self.cooling = view, warm, cooling
        self.logits = nn.Parameter(0.01 * torch.randn(nodes, view.count))
        self.register_buffer("temperature", torch.tensor(warm))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        self.view.begin(module, batch)
        seen = self.view(_inside(module, batch.x)).double().cpu().numpy()
        owner = np.array(self.view.owners)
        first = greedy(correlations(seen, owner), owner, min(len(self.logits), self.view.count))
        self.logits.data[range(len(first)), first] += HEAD_START

    def after_step(self, step: int, total: int) -> None:
        self.temperature.fill_(self.warm * value_at(self.cooling, step + 1, total))

    def mixture(self) -> Float[Tensor, "k c"]:
        """How much of each column a node gives."""
        if not self.training:
            return nn.functional.one_hot(self.logits.argmax(1), self.view.count).to(self.logits.dtype)
        return torch.softmax((self.logits + gumbel(self.logits, self.logits.shape)) / self.temperature, 1)

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        return torch.einsum("kc,bcw->bkw", self.mixture(), self.view.apart(self.view(x))).flatten(1)

    @torch.no_grad()
    def strengths(self) -> Float[Tensor, " c"]:
        """How surely some node picks each column (C,), in [0, 1]."""
        return torch.softmax(self.logits / self.temperature, 1).amax(0)


class GatedEncoder(Encoder, FromData, StepHook):
    """A dense encoder behind one gate a column; gates close, weakest first, until ``keep`` are open.

    Between shares ``START`` and ``END`` of training the number of open gates falls as the cube of the time left, so
    that the last ones are decided slowly (Zhu & Gupta 2017, "To prune, or not to prune"). A column is as strong as
    the norm of its weights in the first layer, which penalty ``column-sparsity`` holds down. It closes for good.
    """

    START, END = 0.1, 0.8
    gate: Tensor

    def __init__(self, view: View, sizes: Sequence[int], activation: str, keep: int) -> None:
        super().__init__()
        self.view, self.keep = view, keep
        self.body = Mlp(sizes, activation)
        self.register_buffer("gate", torch.full((view.count,), torch.inf))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        self.view.begin(module, batch)

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        out: Tensor = self.body(self.view(x) * self._open())
        return out

    def _open(self) -> Float[Tensor, " f"]:
        return self.gate.isinf()[self.view.owner].to(self.body.first.weight.dtype)

    @torch.no_grad()
    def after_step(self, step: int, total: int) -> None:
        """``gate`` is infinite while a column is open, and the time at which it was closed afterwards."""
        done = min(1.0, max(0.0, ((step + 1) / total - self.START) / (self.END - self.START)))
        wanted = self.keep + round((self.view.count - self.keep) * (1 - done) ** 3)
        closing = int(self.gate.isinf().sum()) - wanted
        if closing > 0:
            norms = torch.where(self.gate.isinf(), self.norms(), torch.inf)
            self.gate[norms.argsort()[:closing]] = float(step)

    def norms(self) -> Float[Tensor, " c"]:
        """Norm of a column's weights in the first layer (C,)."""
        squares = self.body.first.weight.detach().square().sum(0)
        return squares.new_zeros(self.view.count).index_add(0, self.view.owner, squares).sqrt()

    @torch.no_grad()
    def strengths(self) -> Float[Tensor, " c"]:
        """Open columns by their norm, above all others by when they were closed (C,), in [0, 2]."""
        last = max(1.0, float(self.gate[self.gate.isfinite()].max())) if bool(self.gate.isfinite().any()) else 1.0
        norms = self.norms()
        return torch.where(self.gate.isinf(), 1 + norms / norms.max().clamp_min(1e-12), self.gate / last)


class KeptEncoder(Encoder):
    """The values of the columns kept, in their order."""

    index: Tensor

    def __init__(self, view: View, kept: Sequence[int]) -> None:
        super().__init__()
        if not kept or not all(isinstance(c, int) and 0 <= c < view.count for c in kept) or len(set(kept)) < len(kept):
            raise out_of_range("kept", f"different column numbers from 0 to {view.count - 1}", kept)
        self.view = view
        places = [at for column in kept for at, owner in enumerate(view.owners) if owner == column]
        self.register_buffer("index", torch.tensor(places), persistent=False)

    def forward(
        self, x: Float[Tensor, "b *s"], mask: Tensor | None = None, cond: Tensor | None = None
    ) -> Float[Tensor, "b f"]:
        return self.view(x)[:, self.index]


class ColumnDecoder(Decoder, Centred, FromData):
    """A linear map and a dense stack beside each other, in the columns' own units if so asked."""

    middle: Tensor
    unit: Tensor

    def __init__(
        self, code: int, hidden: Sequence[int], act: str, out_shape: Shape, numbers: Sequence[int], scaled: bool
    ) -> None:
        super().__init__()
        values = prod(out_shape)
        self.line, self.out_shape, self.numbers, self.scaled = Mlp((code, values)), out_shape, list(numbers), scaled
        self.body = Mlp((code, *hidden, values), act) if hidden else None
        self.register_buffer("middle", torch.zeros(values))
        self.register_buffer("unit", torch.ones(values))

    def forward(self, z: Float[Tensor, "b d"], batch: Batch | None = None) -> Float[Tensor, "b *t"]:
        out = self.line(z) if self.body is None else self.line(z) + self.body(z)
        return (out * self.unit + self.middle).unflatten(1, self.out_shape)

    def centre(self, value: Tensor) -> None:
        """Start at ``value``: the last bias takes it."""
        with torch.no_grad():
            self.line.last.bias.copy_(value.flatten())

    @torch.no_grad()
    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        target = batch.target.flatten(1)
        if self.scaled:
            target = _inside(module, target) if module.scales_output else target
            middle, unit = _units(target)
            self.middle.copy_(middle)
            self.unit.copy_(unit)
            self.centre(torch.zeros_like(middle))
            target = (target - middle) / unit
        if self.numbers:
            self._fit(module.features(batch.x), target[:, self.numbers])

    def _fit(self, z: Tensor, target: Tensor) -> None:
        """Ridge regression of numbers on z; the dense stack starts at nothing."""
        z, target = z.double(), target.double()
        middle, means = z.mean(0), target.mean(0)
        centred = z - middle
        products = centred.T @ centred / len(z)
        ridge = RIDGE * products.diagonal().clamp_min(1e-6)
        weight = torch.linalg.solve(products + ridge.diag(), centred.T @ (target - means) / len(z)).T
        line, rows = self.line.last, torch.tensor(self.numbers)
        line.weight[rows] = weight.float()
        line.bias[rows] = (means - weight @ middle).float()
        if self.body is not None:
            self.body.last.weight[rows] = 0.0


def _inside(module: AutoencoderModule, x: Tensor) -> Tensor:
    """Rows as the networks see them."""
    return x if module.shift is None else (x - module.shift) / module.scale


def _units(x: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation of every value; the deviation of one that does not vary counts as 1."""
    flat = x.flatten(1)
    spread, middle = flat.std(0, correction=0), flat.mean(0)
    return middle, torch.where(spread > 1e-6 * flat.abs().amax(0).clamp_min(1e-30), spread, 1.0)
