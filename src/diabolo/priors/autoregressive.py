"""An autoregressive prior over the indices of a discrete code, fitted once the codes stand still."""

from __future__ import annotations

from collections.abc import Sequence
from math import prod
from typing import Any

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.distributions import Distribution, constraints
from torch.nn import functional

from ..core.errors import UsageError, out_of_range
from ..core.interfaces import Discrete, Prior
from ..core.module import AutoencoderModule
from ..core.registry import register


@register("prior", "autoregressive")
class Autoregressive(Prior):
    """Every index given those before it, by a causal transformer over the flattened grid of positions.

        p(z) = Π_t p(i_t | i_1 … i_{t−1}),    i = indices of z, position by position

        start, i_1, … i_{T−1} ──embed + place──▶ causal attention, layers times ──▶ logits of i_1 … i_T

    It is fitted by gradient on −log p(z) of codes that no longer move. An event is one whole code (*P, D).

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D.
    sizes : ints. How many values each index of a position has: the bottleneck's ``sizes``.
    positions : ints. The grid *P; () for one code a row.
    width, layers, heads : ints, at least 1. Of the transformer; ``heads`` divides ``width``.

    Raises `UsageError` for values out of range, or a bottleneck without indices of these sizes.

    Reference: van den Oord, Vinyals & Kavukcuoglu (2017), "Neural discrete representation learning", section 3.3, which
    fits a PixelCNN; the transformer over code indices is of Esser, Rombach & Ommer (2021), "Taming transformers".

    >>> from diabolo.core import make
    >>> neck = make("bottleneck", "fsq(levels=(3, 3))", features=2)
    >>> module = AutoencoderModule(nn.Identity(), neck, nn.Identity(), Autoregressive(2, sizes=neck.sizes, width=8))
    >>> density = module.prior(module)
    >>> density.sample((5,)).shape, density.log_prob(torch.zeros(4, 2)).shape
    (torch.Size([5, 2]), torch.Size([4]))
    """

    first: Tensor
    allowed: Tensor

    def __init__(
        self,
        features: int,
        sizes: Sequence[int] = (256,),
        positions: Sequence[int] = (),
        width: int = 64,
        layers: int = 2,
        heads: int = 4,
    ) -> None:
        super().__init__()
        for name, value in (("features", features), ("width", width), ("layers", layers), ("heads", heads)):
            if value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if width % heads:
            raise out_of_range("heads", f"a divisor of width ({width})", heads)
        if not sizes or min(sizes) < 1:
            raise UsageError("prior 'autoregressive' is over indices; it needs a discrete bottleneck: vq, fsq …")
        self.features, self.sizes, self.positions = features, tuple(sizes), tuple(positions)
        self.length = prod(self.positions) * len(self.sizes)
        places = prod(self.positions)
        kinds = torch.arange(len(self.sizes)).repeat(places)
        counts = torch.tensor(self.sizes)
        self.register_buffer("first", (counts.cumsum(0) - counts)[kinds], persistent=False)
        self.register_buffer("allowed", torch.arange(max(self.sizes)) < counts[kinds].unsqueeze(1), persistent=False)
        self.tokens = nn.Embedding(sum(self.sizes) + 1, width)  # the last one stands before the first index
        self.places = nn.Parameter(0.02 * torch.randn(self.length, width))
        nn.init.normal_(self.tokens.weight, std=0.02)
        self.layers = nn.ModuleList(
            nn.TransformerEncoderLayer(width, heads, 4 * width, 0.0, "gelu", batch_first=True, norm_first=True)
            for _ in range(layers)
        )
        self.norm, self.head = nn.LayerNorm(width), nn.Linear(width, max(self.sizes))

    def logits(self, indices: Int[Tensor, "n s"]) -> Float[Tensor, "n s1 k"]:
        """Logits of the first s + 1 indices of the code (at most all of them), given the first s."""
        count, seen = len(indices), indices.shape[1]
        start = indices.new_full((count, 1), len(self.tokens.weight) - 1)
        given = torch.cat([start, indices + self.first[:seen]], 1)[:, : self.length]
        x = self.tokens(given) + self.places[: given.shape[1]]
        causal = nn.Transformer.generate_square_subsequent_mask(given.shape[1], device=x.device, dtype=x.dtype)
        for layer in self.layers:
            x = layer(x, src_mask=causal, is_causal=True)
        scores: Tensor = self.head(self.norm(x))
        return scores.masked_fill(~self.allowed[: given.shape[1]], -torch.inf)

    def forward(self, module: AutoencoderModule, cond: Float[Tensor, "b c"] | None = None) -> IndexSequence:
        neck = module.bottleneck
        if not isinstance(neck, Discrete):
            raise UsageError("prior 'autoregressive' is over indices; it needs a discrete bottleneck: vq, fsq …")
        if neck.sizes != self.sizes:
            raise UsageError(f"prior 'autoregressive' has sizes {self.sizes}, the bottleneck's indices {neck.sizes}.")
        return IndexSequence(self, neck)


class IndexSequence(Distribution):
    """p(z) of whole codes (*P, D), through their indices."""

    arg_constraints: dict[str, Any] = {}
    support = constraints.real

    def __init__(self, prior: Autoregressive, neck: Discrete) -> None:
        self.prior, self.neck = prior, neck
        super().__init__(torch.Size(), torch.Size([*prior.positions, prior.features]), validate_args=False)

    def log_prob(self, value: Float[Tensor, "*b d"]) -> Float[Tensor, "*b"]:
        rows = value.shape[: value.ndim - len(self.event_shape)]
        if value.shape[len(rows) :] != self.event_shape:
            raise UsageError(
                f"prior 'autoregressive' is over codes of shape {tuple(self.event_shape)}; got {tuple(value.shape)}. "
                "Where rows are padded, their codes have no one shape: take prior 'mixture'."
            )
        indices = self.neck.codes_to_indices(value.detach()).reshape(-1, self.prior.length)
        logits = self.prior.logits(indices[:, :-1])
        each = functional.cross_entropy(logits.flatten(0, 1), indices.flatten(), reduction="none")
        return -each.view(*rows, self.prior.length).sum(-1)

    def sample(self, sample_shape: Any = ()) -> Float[Tensor, "*n d"]:
        shape, prior = torch.Size(sample_shape), self.prior
        with torch.no_grad():
            drawn = prior.first.new_zeros(prod(shape), 0)
            for _ in range(prior.length):
                chances = torch.softmax(prior.logits(drawn)[:, -1], -1)
                drawn = torch.cat([drawn, torch.multinomial(chances, 1)], 1)
            grid = drawn.view(*shape, *prior.positions, *((len(prior.sizes),) if len(prior.sizes) > 1 else ()))
            return self.neck.indices_to_codes(grid)
