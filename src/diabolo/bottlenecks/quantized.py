"""Vector quantisation: the code is the nearest entry of a codebook, or a sum of entries of several."""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor, nn

from ..blocks.codebook import GRADIENTS, START_VECTORS, Codebook, decompose, passed
from ..blocks.positions import first_features, real_rows
from ..core.batch import Batch, Latent
from ..core.errors import out_of_range, unknown
from ..core.interfaces import Bottleneck, Discrete, FromData, StepHook
from ..core.module import AutoencoderModule
from ..core.registry import register

STARTS = ("kmeans", "random")


class Quantizer(Bottleneck, Discrete, FromData, StepHook):
    """What plain and residual quantisation share: L codebooks, each for what the ones before it left over.

    r₁ = h,   qₗ = nearest code of codebook l to rₗ,   rₗ₊₁ = rₗ − qₗ,   z = Σₗ qₗ
    """

    def __init__(
        self, features: int, codebooks: list[Codebook], commitment: float, gradient: str, start: str = "kmeans"
    ) -> None:
        super().__init__()
        if start not in STARTS:
            raise unknown("start", start, STARTS)
        if not commitment >= 0:
            raise out_of_range("commitment", "at least 0", commitment)
        if gradient not in GRADIENTS:
            raise unknown("gradient", gradient, GRADIENTS)
        self.in_features = self.out_features = features
        self.codebooks: nn.ModuleList = nn.ModuleList(codebooks)
        self.commitment, self.gradient = commitment, gradient
        self.sizes = tuple(book.size for book in codebooks for _ in range(book.groups))
        self.start, self.dropout = start, False

    @property
    def books(self) -> list[Codebook]:
        """The codebooks, coarse to fine."""
        return list(self.codebooks)  # type: ignore[arg-type]

    def indices(self, h: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        rest, found = self.books[0].whole(h.detach()), []
        for book in self.books:
            found.append(book.find(rest))
            rest = rest - book.look_up(found[-1])
        return self._shaped(found)

    def indices_to_codes(self, indices: Int[Tensor, "b *p *i"]) -> Float[Tensor, "b *p d"]:
        each = indices.unsqueeze(-1) if len(self.sizes) == 1 else indices
        parts = each.split([book.groups for book in self.books], -1)
        return torch.stack([book.look_up(part) for book, part in zip(self.books, parts, strict=True)]).sum(0)

    def code(self, h: Float[Tensor, "b *p d"], mask: Bool[Tensor, " b *p"] | None = None) -> Float[Tensor, "b *p d"]:
        return self.indices_to_codes(self.indices(h))

    def begin(self, module: AutoencoderModule, batch: Batch) -> None:
        """Start the codebooks at the clusters of the encoder's first features."""
        if self.start == "random":
            return
        rest = self.books[0].whole(first_features(module, batch, START_VECTORS * max(self.sizes)))
        for book in self.books:
            book.start(rest)
            rest = rest - book.look_up(book.find(rest))

    def after_step(self, step: int, total: int) -> None:
        for book in self.books:
            book.settle(step)

    def forward(
        self,
        h: Float[Tensor, "b *p d"],
        mask: Bool[Tensor, " b *p"] | None = None,
        cond: Float[Tensor, "b c"] | None = None,
    ) -> Latent:
        kept = self._levels(h)
        losses: dict[str, Tensor] = {}
        seen = self.books[0].whole(h)
        rest, q, found = seen, torch.zeros_like(seen), []
        for level, book in enumerate(self.books):
            index = book.find(rest)
            near = book.look_up(index)
            reached = None if kept is None else kept > level
            if self.training and h.requires_grad:  # the codebook follows the encoder; where that is frozen, it rests
                book.see(*_counted(rest, index, mask, reached))
            _add(losses, "commitment", self.commitment, (rest - near.detach()).square(), mask, reached)
            if not book.ema:
                _add(losses, "codebook", 1.0, (rest.detach() - near).square(), mask, reached)
            near = near.detach() if reached is None else torch.where(_beside(reached, near), near.detach(), 0.0)
            rest, q = rest - near, q + near
            found.append(index)
        z = self._passed(seen, q) if h.requires_grad else q
        return Latent(z, q, indices=self._shaped(found), losses=losses)

    def _levels(self, h: Tensor) -> Tensor | None:
        """How many levels each sample is given, where that is random."""
        if not (self.dropout and self.training):
            return None
        return torch.randint(1, len(self.codebooks) + 1, (len(h),), device=h.device)

    def _passed(self, h: Tensor, q: Tensor) -> Tensor:
        groups = (self.books[0].groups, -1)
        return passed(h.unflatten(-1, groups), q.unflatten(-1, groups), self.gradient).flatten(-2)

    def _shaped(self, found: list[Tensor]) -> Tensor:
        every = torch.cat(found, -1)
        return every.squeeze(-1) if len(self.sizes) == 1 else every


@register("bottleneck", "vq")
class VQ(Quantizer):
    """Vector quantisation: z is the nearest of K codes, and the code is its index.

        h ──nearest──▶ index ──look up──▶ z = e[index]        ∂z/∂h: straight through, or the rotation of h into z
        losses: commitment = β ‖h − sg[e]‖²  (and codebook = ‖sg[h] − e‖² where ``ema`` is off)

    With ``groups`` G a vector is G slices, each with a codebook of its own: K^G vectors from G K codes (product
    quantisation, Jégou et al. 2011). A dense network has one vector a row, so it needs groups.

    Parameters
    ----------
    features : int, at least 1. Values of z a position, D.
    codes : int, at least 2. K.
    groups : int that divides D. Indices are (B, *P), or (B, *P, G) with groups.
    commitment : float, at least 0. β; summed over dimensions and positions, as the reconstruction is.
    decay : float in [0, 1). γ of the running means.
    ema : codes are running means of the vectors that chose them (buffers), else parameters.
    revive : float in [0, 1). A code used less than this share of the mean moves to a random vector; 0: never.
    gradient : straight-through, or rotation (keeps angles; here the error was lower without).
    cosine : slices and codes have unit length (Yu et al. 2022).
    start : kmeans (the clusters of the encoder's first features) or random (as published).

    Padded positions never touch the codes and pay nothing.

    Raises `UsageError` for values out of range.

    Reference: van den Oord, Vinyals & Kavukcuoglu (2017), "Neural discrete representation learning", equations 1–3
    and appendix A.1; the rotation is of Fifty et al. (2024), "Restructuring vector quantization with the rotation
    trick", equation 4.

    >>> bottleneck = VQ(features=4, codes=8, groups=2)
    >>> latent = bottleneck(torch.zeros(3, 4))
    >>> latent.indices.shape, bool((bottleneck.indices_to_codes(latent.indices) == latent.code).all())
    (torch.Size([3, 2]), True)
    """

    def __init__(
        self,
        features: int,
        codes: int = 256,
        groups: int = 1,
        commitment: float = 0.25,
        decay: float = 0.99,
        ema: bool = True,
        revive: float = 0.1,
        gradient: str = "straight-through",
        cosine: bool = False,
        start: str = "kmeans",
    ) -> None:
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        book = Codebook(features, codes, groups, decay, ema, revive, cosine)
        super().__init__(features, [book], commitment, gradient, start)

    def codes_to_indices(self, codes: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        return self.indices(codes)


@register("bottleneck", "residual-vq")
class ResidualVQ(Quantizer):
    """Residual vector quantisation: every level quantises what the levels before it left over.

        h ──vq₁──▶ q₁, r₂ = h − q₁ ──vq₂──▶ q₂, … ;   z = q₁ + … + q_L;   loss β Σₗ ‖rₗ − sg[qₗ]‖²

    L levels of K codes reach K^L vectors, and the first levels alone give a coarse code.

    Parameters
    ----------
    features, codes, groups, commitment, decay, revive, gradient : as for ``vq``, for every level.
    levels : int, at least 1. L; indices are (B, *P, L · groups), coarse to fine.
    dropout : in training every sample is given a random number of levels, 1 to L, so that a cut code works too.

    Raises `UsageError` for values out of range.

    Reference: Zeghidour et al. (2021), "SoundStream: an end-to-end neural audio codec", section III.C and algorithm 1.

    >>> ResidualVQ(features=2, codes=8, levels=3)(torch.ones(5, 2)).indices.shape
    torch.Size([5, 3])
    """

    def __init__(
        self,
        features: int,
        codes: int = 256,
        levels: int = 4,
        groups: int = 1,
        commitment: float = 0.25,
        decay: float = 0.99,
        revive: float = 0.1,
        gradient: str = "straight-through",
        dropout: bool = False,
    ) -> None:
        if features < 1:
            raise out_of_range("features", "an int of at least 1", features)
        if levels < 1:
            raise out_of_range("levels", "an int of at least 1", levels)
        books = [Codebook(features, codes, groups, decay, True, revive, False) for _ in range(levels)]
        super().__init__(features, books, commitment, gradient)
        self.dropout = dropout

    def codes_to_indices(self, codes: Float[Tensor, "b *p d"]) -> Int[Tensor, "b *p *i"]:
        paths = decompose(self.books, codes.flatten(0, -2)).flatten(1)
        return self._shaped([paths.view(*codes.shape[:-1], -1)])


def _counted(
    h: Tensor, index: Tensor, mask: Tensor | None, reached: Tensor | None
) -> tuple[Float[Tensor, "n d"], Int[Tensor, "n g"]]:
    """The vectors that count, and their indices: at real positions, of samples that this level reached."""
    if reached is not None:
        mask = _beside(reached, h)[..., 0].expand(h.shape[:-1]) if mask is None else mask & _beside(reached, mask)
    return real_rows(h, mask), real_rows(index, mask)


def _beside(flag: Float[Tensor, " b"], like: Tensor) -> Tensor:
    return flag.reshape(-1, *(1,) * (like.ndim - 1))


def _add(
    losses: dict[str, Tensor], name: str, weight: float, cost: Tensor, mask: Tensor | None, reached: Tensor | None
) -> None:
    """Add a cost (B, *P, D) to a named loss (B,), over real positions and samples that this level reached."""
    if mask is not None:
        cost = torch.where(mask.unsqueeze(-1), cost, 0.0)
    term = weight * cost.flatten(1).sum(1)
    if reached is not None:
        term = torch.where(reached, term, 0.0)
    losses[name] = losses[name] + term if name in losses else term
