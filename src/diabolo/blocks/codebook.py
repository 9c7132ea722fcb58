"""A codebook: nearest codes, their running means, and new places for codes that nothing is near to."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor, nn
from torch.nn import functional

from ..core.collectives import all_reduce_, rank, world
from ..core.errors import out_of_range, unknown
from .kmeans import drawn_by, kmeans, nearest, totals

GRADIENTS = ("rotation", "straight-through")
WARM_UP = 10
START_VECTORS = 64
"""Vectors a code that k-means looks at, at most: enough to place it."""


class Codebook(nn.Module):
    """G codebooks of K codes for the G slices of a vector (product quantisation; G = 1: one for all of it).

    With ``ema`` a code follows the mean of the vectors nearest to it, seen through a window of 1 / (1 − decay) steps:

        N ← γ N + (1 − γ) n        e ← e + (1 − γ) (s − n e) / N

    where n is the share of a step's vectors that chose the code and s their sum, divided by the step's number of
    vectors. That is van den Oord's running sum m and count N with e = m / N, written so that a code nothing chose
    stays where it is to the bit. The encoder moves fast at first, so step t looks back less far: γ is at most
    (1 + t) / (10 + t). Without ``ema`` the codes are parameters.

    A code whose N falls below ``revive`` / K is dead: it moves to a vector of the step, drawn by its squared distance
    from its code, and counts as used as much as the mean code. What a step saw waits in buffers until `settle`, so the
    codes do not move while a step is computed.
    """

    codes: Tensor
    share: Tensor
    sums: Tensor
    hits: Tensor
    drawn: Tensor

    def __init__(
        self, features: int, codes: int, groups: int, decay: float, ema: bool, revive: float, cosine: bool
    ) -> None:
        super().__init__()
        if codes < 2:
            raise out_of_range("codes", "an int of at least 2", codes)
        if groups < 1 or features % groups:
            raise out_of_range("groups", f"a divisor of the {features} features", groups)
        if not 0 <= decay < 1:
            raise out_of_range("decay", "in [0, 1)", decay)
        if not 0 <= revive < 1:
            raise out_of_range("revive", "in [0, 1)", revive)
        self.size, self.groups, self.width = codes, groups, features // groups
        self.decay, self.ema, self.revive, self.cosine = decay, ema, revive, cosine
        shape = (groups, codes, self.width)
        start = (2 * torch.rand(shape) - 1) / codes  # van den Oord's, in their published code
        if ema:
            self.register_buffer("codes", start)
        else:
            # a vector, not a matrix, so that optimisers neither decay nor orthogonalise it
            self.codes = nn.Parameter(start.flatten())
        self.register_buffer("share", torch.full((groups, codes), 1 / codes))
        self.register_buffer("sums", torch.zeros(shape), persistent=False)
        self.register_buffer("hits", torch.zeros(groups, codes), persistent=False)
        self.register_buffer("drawn", torch.zeros(shape), persistent=False)

    @property
    def table(self) -> Float[Tensor, "g k d"]:
        """The codes as they are used."""
        codes = self.codes.view(self.groups, self.size, self.width)
        return functional.normalize(codes, dim=-1) if self.cosine else codes

    def slices(self, h: Float[Tensor, "*b f"]) -> Float[Tensor, "g n d"]:
        """Vectors as their G slices; of unit length where nearness is the cosine."""
        parts = h.reshape(-1, self.groups, self.width).transpose(0, 1)
        return functional.normalize(parts, dim=-1) if self.cosine else parts

    def whole(self, h: Float[Tensor, "*b f"]) -> Float[Tensor, "*b f"]:
        """Vectors as quantisation sees them: with slices of unit length where nearness is the cosine."""
        return functional.normalize(h.unflatten(-1, (self.groups, -1)), dim=-1).flatten(-2) if self.cosine else h

    def find(self, h: Float[Tensor, "*b f"]) -> Int[Tensor, "*b g"]:
        """Index of the nearest code of every slice."""
        index = nearest(self.slices(h.detach()), self.table.detach())
        return index.T.reshape(*h.shape[:-1], self.groups)

    def look_up(self, index: Int[Tensor, "*b g"]) -> Float[Tensor, "*b f"]:
        """The codes of indices, slices side by side."""
        first = torch.arange(self.groups, device=index.device) * self.size
        return self.table.flatten(0, 1)[index + first].flatten(-2)

    @torch.no_grad()
    def start(self, h: Float[Tensor, "n f"]) -> None:
        """Put the codes where k-means finds clusters of some vectors."""
        chosen = h[torch.randperm(len(h))[: START_VECTORS * self.size]]
        made = [kmeans(part, self.size) for part in self.slices(chosen)]
        self.codes.copy_(torch.stack([centres for centres, _ in made]).view_as(self.codes))
        self.share.copy_(torch.stack([share for _, share in made]))

    @torch.no_grad()
    def see(self, h: Float[Tensor, "n f"], index: Int[Tensor, "n g"]) -> None:
        """Note which vectors chose which code, and draw some that dead codes may move to."""
        if not len(h):
            return
        parts = self.slices(h.detach())
        for group in range(self.groups):
            sums, hits = totals(parts[group], index[:, group], self.size)
            self.sums[group] = sums
            self.hits[group] = hits
        if self.revive:
            far = (parts - self.table[torch.arange(self.groups).unsqueeze(1), index.T]).square().sum(-1)
            self.drawn.copy_(parts.gather(1, drawn_by(far, self.size).unsqueeze(2).expand(-1, -1, self.width)))

    @torch.no_grad()
    def settle(self, step: int) -> None:
        """Move the codes by what step number ``step`` saw; the same on every process."""
        decay = min(self.decay, (1 + step) / (WARM_UP + step))
        if self.revive:
            mine = torch.arange(self.size, device=self.drawn.device) % world() == rank()
            self.drawn.mul_(mine.unsqueeze(1))
        for seen in (self.sums, self.hits, self.drawn):
            all_reduce_(seen)
        count = self.hits.sum(1, keepdim=True)
        keep = torch.where(count > 0, decay, 1.0)
        hits = self.hits / count.clamp_min(1)
        self.share.mul_(keep).add_((1 - keep) * hits)
        table = self.table.clone()
        if self.ema:
            pull = self.sums / count.clamp_min(1).unsqueeze(2) - hits.unsqueeze(2) * table
            table += (1 - keep).unsqueeze(2) * pull / self.share.clamp_min(1e-12).unsqueeze(2)
        if self.revive:
            dead = (self.share < self.revive / self.size) & (count > 0)
            table = torch.where(dead.unsqueeze(2), self.drawn, table)
            self.share.copy_(torch.where(dead, 1 / self.size, self.share))
        if self.ema or self.revive:
            self.codes.copy_((functional.normalize(table, dim=-1) if self.cosine else table).view_as(self.codes))
        for seen in (self.sums, self.hits, self.drawn):
            seen.zero_()


def passed(h: Float[Tensor, "*b d"], q: Float[Tensor, "*b d"], gradient: str) -> Float[Tensor, "*b d"]:
    """q in value, with a gradient to h.

    straight-through   q + h − sg[h]: the gradient of q is that of h
    rotation           λ R h with λ = ‖q‖ / ‖h‖, R = I − 2 r rᵀ + 2 q̂ ĥᵀ and r ∝ ĥ + q̂, both held fixed: the rotation
                       of h into q in the plane of the two, so angles to the gradient are kept (Fifty et al. 2024)

    >>> h, q = torch.tensor([[1.0, 0.0]]), torch.tensor([[0.0, 2.0]])
    >>> passed(h, q, "rotation")
    tensor([[0., 2.]])
    """
    if gradient not in GRADIENTS:
        raise unknown("gradient", gradient, GRADIENTS)
    moved = h
    if gradient == "rotation":
        turned = rotated(h, q)
        # opposite or vanishing vectors leave no plane to turn in: their gradient passes as it is
        whole = ((turned - q).abs() <= 1e-3 * (1 + q.abs())).all(-1, keepdim=True)
        moved = torch.where(whole, turned, h)
    return q.detach() + (moved - moved.detach())  # q to the bit


def rotated(h: Float[Tensor, "*b d"], q: Float[Tensor, "*b d"]) -> Float[Tensor, "*b d"]:
    """h turned and stretched into q, by a map that is held fixed."""
    fixed, q = h.detach(), q.detach()
    unit_h, unit_q = functional.normalize(fixed, dim=-1), functional.normalize(q, dim=-1)
    middle = functional.normalize(unit_h + unit_q, dim=-1)
    gain = q.norm(dim=-1, keepdim=True) / fixed.norm(dim=-1, keepdim=True).clamp_min(1e-12)
    along_middle = (h * middle).sum(-1, keepdim=True)
    along_h = (h * unit_h).sum(-1, keepdim=True)
    return gain * (h - 2 * along_middle * middle + 2 * along_h * unit_q)


def decompose(books: Sequence[Codebook], codes: Float[Tensor, "n f"], beam: int = 64) -> Int[Tensor, "n l g"]:
    """Indices whose codes, one of each book, add up to given vectors.

    Taking the nearest code of every book in turn need not give back the codes a sum was made of, so the ``beam``
    best partial sums are followed.
    """
    first = books[0]
    rest = codes.reshape(-1, first.groups, 1, first.width)
    paths = rest.new_zeros((*rest.shape[:3], 0), dtype=torch.long)
    for book in books:
        table = book.table.detach()
        cost = rest.square().sum(-1, keepdim=True) - 2 * rest @ table.mT + table.square().sum(-1).unsqueeze(1)
        best = cost.flatten(2).topk(min(beam, cost[0, 0].numel()), largest=False).indices.unsqueeze(-1)
        parent, child = best // book.size, best % book.size
        slot = torch.arange(book.groups, device=child.device).view(1, -1, 1, 1)
        rest = rest.gather(2, parent.expand(-1, -1, -1, first.width)) - table[slot, child].squeeze(3)
        paths = torch.cat([paths.gather(2, parent.expand(-1, -1, -1, paths.shape[-1])), child], -1)
    return paths[:, :, 0].transpose(1, 2)
