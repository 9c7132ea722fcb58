"""Warp: known answers on ramps, where a shift adds and a stretch multiplies."""

from __future__ import annotations

import pytest
import torch

from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.corruptions.warp import Warp, warped


def test_a_ramp_is_moved_and_stretched_about_its_middle() -> None:
    ramp = torch.arange(9.0)[None, :, None]
    moved = warped(ramp, 1, torch.tensor([1.25]), torch.ones(1))[0, :, 0]
    torch.testing.assert_close(moved[:7], torch.arange(7.0) + 1.25)
    assert float(moved[-1]) == 8.0, "beyond the end the last value goes on"
    wide = warped(ramp, 1, torch.zeros(1), torch.tensor([0.5]))[0, :, 0]
    torch.testing.assert_close(wide, 4 + (torch.arange(9.0) - 4) * 0.5)


def test_each_axis_has_its_own_amount_and_the_target_stays() -> None:
    picture = torch.arange(8.0)[None, :, None].expand(64, 8, 5).contiguous()
    batch = Batch(picture, picture)
    along = Warp(shift=(0.0, 2.0))(batch, torch.Generator().manual_seed(0))
    assert torch.equal(along.x, picture), "rows are equal along the second axis"
    other = Warp(shift=(2.0, 0.0))(batch, torch.Generator().manual_seed(0))
    assert torch.equal(other.target, picture)
    off = (other.x - picture)[:, 3, 0]
    assert float(off.abs().max()) <= 2 and float(off.std()) > 0.8, "uniform on (-2, 2)"


def test_what_does_not_fit_is_refused() -> None:
    with pytest.raises(UsageError, match="stretch must be"):
        Warp(stretch=1.0)
    with pytest.raises(UsageError, match="has 3 values, the data 2 axes"):
        Warp(shift=(1.0, 1.0, 1.0))(Batch(torch.zeros(2, 4, 4), torch.zeros(2, 4, 4)))
