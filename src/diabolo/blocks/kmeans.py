"""Lloyd's k-means on tensors: where a codebook starts."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int
from torch import Tensor


def nearest(vectors: Float[Tensor, "*g n d"], centres: Float[Tensor, "*g k d"]) -> Int[Tensor, "*g n"]:
    """Index of the nearest centre: argmin of ‖v − c‖² = ‖v‖² − 2 (v·c − ½‖c‖²), as one matrix product.

    >>> nearest(torch.tensor([[0.0, 0.1], [2.0, 2.0]]), torch.tensor([[0.0, 0.0], [1.0, 1.0]]))
    tensor([0, 1])
    """
    scores = vectors @ centres.mT - 0.5 * centres.square().sum(-1).unsqueeze(-2)
    return scores.argmax(-1)


def kmeans(
    vectors: Float[Tensor, "n d"], k: int, iterations: int = 10
) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Centres and the share of the vectors that belongs to each (Lloyd 1982).

    Starts from vectors drawn without replacement; with fewer vectors than centres they are used again, jittered. A
    centre that has no vectors starts again at one drawn by its squared distance from its centre, as in k-means++
    (Arthur & Vassilvitskii 2007). Randomness is torch's global generator's.
    """
    count = len(vectors)
    spread = 0.1 * vectors.std(0, correction=0) + 1e-6
    order = torch.randperm(count)
    again = order[torch.arange(k) % count]
    fresh = (torch.arange(k) >= count).unsqueeze(1)
    centres = vectors[again] + torch.where(fresh, spread * torch.randn(k, vectors.shape[1]), 0.0).to(vectors)
    for _ in range(iterations):
        index = nearest(vectors, centres)
        sums, hits = totals(vectors, index, k)
        far = (vectors - centres[index]).square().sum(1)
        elsewhere = vectors[drawn_by(far, k)] + spread * torch.randn(k, vectors.shape[1]).to(vectors)
        centres = torch.where(hits.unsqueeze(1) > 0, sums / hits.clamp_min(1).unsqueeze(1), elsewhere)
    return centres, totals(vectors, nearest(vectors, centres), k)[1] / count


def totals(
    vectors: Float[Tensor, "n d"], index: Int[Tensor, " n"], k: int
) -> tuple[Float[Tensor, "k d"], Float[Tensor, " k"]]:
    """Sum and number of the vectors of each centre."""
    sums = vectors.new_zeros(k, vectors.shape[1]).index_add_(0, index, vectors)
    return sums, torch.bincount(index, minlength=k).to(vectors.dtype)


def drawn_by(weights: Float[Tensor, "*g n"], k: int) -> Int[Tensor, "*g k"]:
    """k places drawn with replacement, each as likely as its weight is large; evenly where all weights are zero."""
    heights = (weights.double() + 1e-12 * weights.double().mean(-1, keepdim=True) + 1e-30).cumsum(-1)
    at = torch.rand(*weights.shape[:-1], k, dtype=heights.dtype).to(heights.device) * heights[..., -1:]
    return torch.searchsorted(heights, at).clamp_max(weights.shape[-1] - 1)
