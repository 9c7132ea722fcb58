"""Scratches are straight, thin, wholly light or dark, through all channels, and leave the rest alone."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import ndimage, stats

from diabolo.blocks.segments import places_of, squared_distance
from diabolo.core import Batch, make
from diabolo.core.errors import UsageError

GREY = 0.5


def scratched(spec: str, shape: tuple[int, ...], seed: int = 0) -> torch.Tensor:
    x = torch.full(shape, GREY)
    return make("corruption", spec)(Batch(x, x), torch.Generator().manual_seed(seed)).x


def test_distance_to_a_line_beside_it_beyond_its_ends_and_to_a_point() -> None:
    places = places_of((5, 7))
    assert places[3, 4].tolist() == [3, 4]
    along, point = torch.tensor([[2.0, 1.0], [2.0, 1.0]]), torch.tensor([[0.0, 3.0], [0.0, 0.0]])
    line, dot = squared_distance(places, along, point)
    assert line[2].tolist() == [1, 0, 0, 0, 0, 1, 4] and line[4, 2] == 4 and line[0, 6] == 4 + 4
    assert torch.equal(dot, (places - along[0]).square().sum(-1))


def test_one_scratch_is_a_thin_straight_line_no_longer_than_asked_for() -> None:
    side, width, length = 60, 2.0, 0.3
    rows = scratched(f"scratches(count=1, length={length}, width={width})", (200, side, side))
    longest = 1.5 * length * np.hypot(side, side)
    for row in rows.numpy():
        spots = np.argwhere(row != GREY)
        off = spots - spots.mean(0)
        along = off @ np.linalg.svd(off, full_matrices=False)[2].T
        assert np.ptp(along[:, 1]) <= width + 1.5 and np.ptp(along[:, 0]) <= longest + width + 1.5


def test_it_is_wholly_light_or_wholly_dark_as_likely() -> None:
    rows = scratched("scratches(count=1, width=2.0, low=-1.0, high=3.0)", (400, 40, 40)).flatten(1)
    lowest, highest = rows.min(1).values, rows.max(1).values
    light = highest > GREY
    assert torch.equal(light, lowest == GREY)
    assert (highest[light] == 3).all() and (lowest[~light] == -1).all()
    assert stats.binomtest(int(light.sum()), 400).pvalue > 1e-3


def test_every_row_has_one_to_count_of_them() -> None:
    rows = scratched("scratches(count=3, length=0.05)", (400, 80, 80)).numpy() != GREY
    found = np.bincount([ndimage.label(row, np.ones((3, 3)))[1] for row in rows], minlength=4)
    assert len(found) == 4 and found[0] == 0 and (found[1:] > 80).all()


def test_all_channels_flat_pictures_and_series() -> None:
    colour = scratched("scratches(width=2.0)", (5, 16, 12, 3))
    assert torch.equal(colour[..., :1].expand_as(colour), colour)
    flat = scratched("scratches(width=2.0, image=(16, 12, 3))", (5, 16 * 12 * 3))
    assert torch.equal(flat.reshape(colour.shape), colour)
    series = scratched("scratches(count=1, width=2.0, dims=1)", (5, 30, 2))
    assert torch.equal(series[..., 0], series[..., 1]) and (series != GREY).any()


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("scratches(count=0)", "count must be an int of at least 1; got 0"),
        ("scratches(length=1.5)", r"length must be in \(0, 1\]; got 1.5"),
        ("scratches(width=0)", "width must be a finite number above 0; got 0"),
        ("scratches(low=1.0, high=0.0)", "low and high must be finite, with low < high"),
    ],
)
def test_what_is_refused(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make("corruption", spec)


def test_tokens_are_refused() -> None:
    tokens = torch.zeros(2, 8, dtype=torch.long)
    with pytest.raises(UsageError, match="needs real-valued data"):
        make("corruption", "scratches")(Batch(tokens, tokens))
