"""Invertible maps with exact log-determinants, and the distributions they make."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Float
from torch import Size, Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn import functional

from ..core.errors import out_of_range
from .layers import Mlp, activation, glorot

BOUND = 2.0
"""Log-scales stay in (-2, 2): no step can make a map explode or vanish."""


class Flow(nn.Module, ABC):
    """An invertible map of vectors, one a position; ``context`` is what it is told of the row."""

    @abstractmethod
    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """y (…, D) and log |det dy/dx| (…)."""

    @abstractmethod
    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """The x that gives y."""


class Stack(Flow):
    """Flows one after the other.

    >>> stack = Stack([Shift(2), Turn(2)])
    >>> y, log_det = stack(torch.tensor([[1.0, 2.0]]))
    >>> y, stack.inverse(y)
    (tensor([[2., 1.]], grad_fn=<FlipBackward0>), tensor([[1., 2.]], grad_fn=<SubBackward0>))
    """

    def __init__(self, steps: Sequence[Flow]) -> None:
        super().__init__()
        self.steps = nn.ModuleList(steps)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[:-1])
        for step in self.steps:
            x, log_det = step(x, context)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        for step in reversed(self.steps):
            y = step.inverse(y, context)  # type: ignore[operator]
        return y


class Turn(Flow):
    """The values in reverse order: the next map sees the others first."""

    def __init__(self, features: int) -> None:
        super().__init__()

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return x.flip(-1), x.new_zeros(x.shape[:-1])

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return y.flip(-1)


class Shift(Flow):
    """y = (x + shift) exp(log_scale): "actnorm", which starts by standardising some data.

    Reference: Kingma & Dhariwal (2018), "Glow", section 3.1.
    """

    def __init__(self, features: int) -> None:
        super().__init__()
        self.shift, self.log_scale = nn.Parameter(torch.zeros(features)), nn.Parameter(torch.zeros(features))

    @torch.no_grad()
    def standardise(self, rows: Float[Tensor, "n d"]) -> None:
        """Take the rows' mean away and divide by their spread."""
        self.shift.copy_(-rows.mean(0))
        self.log_scale.copy_(-rows.std(0).clamp_min(1e-3).log() if len(rows) > 1 else torch.zeros_like(self.shift))

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        return (x + self.shift) * self.log_scale.exp(), self.log_scale.sum().expand(x.shape[:-1])

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        return y * (-self.log_scale).exp() - self.shift


class Coupling(Flow):
    """The first half stays and says how the second is scaled and moved.

        y1 = x1,    y2 = x2 exp(s(x1)) + t(x1),    log |det| = sum of s

    It starts as the identity. Fast both ways.

    Reference: Dinh, Sohl-Dickstein & Bengio (2017), "Density estimation using Real NVP", equations 7 and 8.
    """

    def __init__(self, features: int, hidden: Sequence[int], context: int = 0) -> None:
        super().__init__()
        self.kept, self.context = features // 2, context
        self.net = Mlp((max(1, self.kept + context), *hidden, 2 * (features - self.kept)))
        nn.init.zeros_(self.net.last.weight)

    def _maps(self, kept: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        given = kept if context is None or not self.context else _beside(kept, context)
        given = given if given.shape[-1] else given.new_zeros(*given.shape[:-1], 1)  # one value: nothing to look at
        raw, shift = self.net(given).chunk(2, -1)
        return BOUND * torch.tanh(raw / BOUND), shift

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        kept, moved = x[..., : self.kept], x[..., self.kept :]
        log_scale, shift = self._maps(kept, context)
        return torch.cat([kept, moved * log_scale.exp() + shift], -1), log_scale.sum(-1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        kept, moved = y[..., : self.kept], y[..., self.kept :]
        log_scale, shift = self._maps(kept, context)
        return torch.cat([kept, (moved - shift) * (-log_scale).exp()], -1)


class Autoregressive(Flow):
    """Every value is scaled and moved by what the values before it say.

        y_i = x_i exp(s_i) + t_i,    (s_i, t_i) = f(x_1 … x_{i-1}, context),    log |det| = sum of s

    f is one masked network, so y takes one pass and x from y as many as there are values. From noise to code it is
    the inverse autoregressive flow, from code to noise the masked one. It starts as the identity.

    Reference: Germain et al. (2015), "MADE: masked autoencoder for distribution estimation", equations 8 and 9;
    Kingma et al. (2016), "Improved variational inference with inverse autoregressive flow"; Papamakarios et al. (2017),
    "Masked autoregressive flow for density estimation".
    """

    def __init__(self, features: int, hidden: Sequence[int], context: int = 0) -> None:
        super().__init__()
        self.features = features
        degrees = [torch.arange(features) + 1]
        degrees += [torch.arange(width) % max(1, features - 1) + 1 for width in hidden]
        outer = (torch.arange(features) + 1).repeat(2)
        self.layers = nn.ModuleList(Masked(below, above, strict=False) for below, above in pairwise(degrees))
        self.last = Masked(degrees[-1], outer, strict=True)
        self.told = nn.Linear(context, len(degrees[1]) if hidden else 2 * features, bias=False) if context else None
        self.act = activation("silu")
        nn.init.zeros_(self.last.weight)

    def _maps(self, x: Tensor, context: Tensor | None) -> tuple[Tensor, Tensor]:
        extra = 0.0 if self.told is None or context is None else self.told(context)
        for i, layer in enumerate(self.layers):
            x = self.act(layer(x) + extra if i == 0 else layer(x))
        raw, shift = (self.last(x) if len(self.layers) else self.last(x) + extra).chunk(2, -1)
        return BOUND * torch.tanh(raw / BOUND), shift

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        log_scale, shift = self._maps(x, context)
        return x * log_scale.exp() + shift, log_scale.sum(-1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        x = torch.zeros_like(y)
        for _ in range(self.features):  # each pass puts one more value right, from the first
            log_scale, shift = self._maps(x, context)
            x = (y - shift) * (-log_scale).exp()
        return x


class Masked(nn.Module):
    """A linear layer whose outputs see only inputs of a degree below theirs (or equal, unless ``strict``)."""

    mask: Tensor

    def __init__(self, below: Tensor, above: Tensor, strict: bool) -> None:
        super().__init__()
        layer = nn.Linear(len(below), len(above))
        glorot(layer)
        self.weight, self.bias = layer.weight, layer.bias
        seen = above[:, None] > below if strict else above[:, None] >= below
        self.register_buffer("mask", seen.float(), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        return functional.linear(x, self.weight * self.mask, self.bias)


class Planar(Flow):
    """A push along one direction, whose parameters the context holds: y = x + u tanh(w . x + b).

        log |det| = log |1 + u . w (1 - tanh^2(w . x + b))|,    u kept where it is invertible: u . w >= -1

    ``context`` (…, 2 D + 1) is [w | u | b].

    Reference: Rezende & Mohamed (2015), "Variational inference with normalizing flows", equations 10 to 12 and
    appendix A.1.
    """

    HALVINGS = 60

    def __init__(self, features: int) -> None:
        super().__init__()
        self.features = features

    def _parts(self, context: Tensor | None) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if context is None:
            raise out_of_range("context", "what holds w, u and b", context)
        w, u, b = context.split((self.features, self.features, 1), -1)
        along, size = (w * u).sum(-1, keepdim=True), w.square().sum(-1, keepdim=True).clamp_min(1e-12)
        u = u + (functional.softplus(along) - 1 - along) * w / size
        return w, u, b, (w * u).sum(-1, keepdim=True)

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        w, u, b, along = self._parts(context)
        bend = torch.tanh((w * x).sum(-1, keepdim=True) + b)
        return x + u * bend, torch.log1p(along * (1 - bend.square())).squeeze(-1)

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        """By bisection: w . y = a + u . w tanh(a + b) rises with a."""
        w, u, b, along = self._parts(context)
        goal = (w * y).sum(-1, keepdim=True)
        low, high = goal - along.abs(), goal + along.abs()
        for _ in range(self.HALVINGS):
            middle = (low + high) / 2
            above = middle + along * torch.tanh(middle + b) > goal
            low, high = torch.where(above, low, middle), torch.where(above, middle, high)
        return y - u * torch.tanh((low + high) / 2 + b)


class Planars(Flow):
    """Several planar maps, whose parameters stand one after the other in the context (…, steps (2 D + 1))."""

    def __init__(self, features: int, steps: int) -> None:
        super().__init__()
        self.step, self.steps = Planar(features), steps

    def forward(self, x: Tensor, context: Tensor | None = None) -> tuple[Tensor, Tensor]:
        total = x.new_zeros(x.shape[:-1])
        for part in self._parts(context):
            x, log_det = self.step(x, part)
            total = total + log_det
        return x, total

    def inverse(self, y: Tensor, context: Tensor | None = None) -> Tensor:
        for part in reversed(self._parts(context)):
            y = self.step.inverse(y, part)
        return y

    def _parts(self, context: Tensor | None) -> tuple[Tensor, ...]:
        if context is None:
            raise out_of_range("context", "what holds w, u and b of every step", context)
        return context.chunk(self.steps, -1)


KINDS: dict[str, type[Coupling] | type[Autoregressive]] = {"coupling": Coupling, "autoregressive": Autoregressive}


def stacked(kind: str, features: int, steps: int, hidden: Sequence[int], context: int = 0) -> Stack:
    """``steps`` maps of a kind, each after a shift and before a turn. Raises `UsageError` for an unknown kind."""
    if kind not in KINDS:
        raise out_of_range("kind", " or ".join(map(repr, KINDS)), kind)
    if not isinstance(steps, int) or steps < 1:
        raise out_of_range("steps", "an int of at least 1", steps)
    parts: list[Flow] = []
    for _ in range(steps):
        parts += [Shift(features), KINDS[kind](features, hidden, context), Turn(features)]
    return Stack(parts)


class Transported(Distribution):
    """z = flow(u), u from a base: fast to draw, with log q at what was drawn.

        log q(z) = log base(u) - log |det dz/du|

    At another z than the last one drawn the flow is inverted first.
    """

    has_rsample = True
    arg_constraints: dict[str, Any] = {}
    support = constraints.real_vector

    def __init__(self, base: Distribution, flow: Flow, context: Tensor | None = None) -> None:
        self.base, self.flow, self.context = base, flow, context
        self._drawn: tuple[Tensor, Tensor] | None = None
        super().__init__(base.batch_shape, base.event_shape, validate_args=False)

    def rsample(self, sample_shape: Any = ()) -> Tensor:
        u = self.base.rsample(Size(sample_shape))
        z, log_det = self.flow(u, self._told(u))
        self._drawn = (z, self.base.log_prob(u) - log_det)
        return z

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            return self.rsample(sample_shape)

    def log_prob(self, value: Tensor) -> Tensor:
        if self._drawn is not None and value is self._drawn[0]:
            return self._drawn[1]
        told = self._told(value)
        u = self.flow.inverse(value, told)
        return self.base.log_prob(u) - self.flow(u, told)[1]

    def _told(self, like: Tensor) -> Tensor | None:
        return None if self.context is None else self.context.expand(*like.shape[:-1], self.context.shape[-1])


class Normalised(Distribution):
    """u = flow(z) is standard normal: exact densities of any z; draws go through the inverse.

    log p(z) = log N(u; 0, I) + log |det du/dz|
    """

    arg_constraints: dict[str, Any] = {}
    support = constraints.real_vector

    def __init__(self, flow: Flow, features: int, like: Tensor) -> None:
        self.flow, self.like = flow, like
        super().__init__(Size(()), Size([features]), validate_args=False)

    def sample(self, sample_shape: Any = ()) -> Tensor:
        with torch.no_grad():
            noise = torch.randn(*sample_shape, *self.event_shape, dtype=self.like.dtype, device=self.like.device)
            return self.flow.inverse(noise)

    def log_prob(self, value: Tensor) -> Tensor:
        u, log_det = self.flow(value)
        return log_det - 0.5 * (u.square() + math.log(2 * math.pi)).sum(-1)


def _beside(x: Tensor, context: Tensor) -> Tensor:
    return torch.cat([x, context.expand(*x.shape[:-1], context.shape[-1])], -1)
