"""Rows an imputer learns from: what is hidden is asked for, and not shown."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.data.process_filled import FilledTable


def rows(n: int = 200) -> pd.DataFrame:
    random = np.random.default_rng(0)
    a = random.normal(size=n)
    made = pd.DataFrame({"a": a, "b": a + 0.1 * random.normal(size=n), "k": np.where(a > 0, "x", "y"), "t": a > 0.5})
    return made.mask(random.random(made.shape) < 0.2)


def batch_of(table: FilledTable, frame: Any) -> Batch:
    return table.collate(table.encode(frame))


def redrawn(table: FilledTable, batch: Batch, seed: int = 0) -> Batch:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return table.redraw(batch)


def test_known_cells_alone_are_hidden_and_asked_for() -> None:
    frame = rows()
    table = FilledTable(hide=0.4).fit(frame)
    batch = batch_of(table, frame)
    seen = redrawn(table, batch)
    known = torch.from_numpy(frame.notna().to_numpy())
    hidden = seen.scored
    assert not (hidden & ~known).any()
    assert float(hidden.sum() / known.sum()) == pytest.approx(0.4, abs=0.05)
    flags = seen.x[:, table.target_shape[0] :]
    assert torch.equal(flags == 1, ~known | hidden)
    entries = table.spread_over(known & ~hidden)
    assert torch.equal(seen.x[:, : table.target_shape[0]][entries], batch.x[:, : table.target_shape[0]][entries])
    torch.testing.assert_close(seen.target, batch.target)


def test_what_is_hidden_does_not_show() -> None:
    """Other values in the hidden cells change what is asked for, and nothing of what is seen."""
    frame = rows().dropna().reset_index(drop=True)
    table = FilledTable().fit(frame)
    batch = batch_of(table, frame)
    hidden = table.spread_over(redrawn(table, batch).scored)
    width = table.target_shape[0]
    x = torch.cat([torch.where(hidden, 7.0, batch.x[:, :width]), batch.x[:, width:]], 1)
    one, other = redrawn(table, batch), redrawn(table, dataclasses.replace(batch, x=x))
    torch.testing.assert_close(one.x, other.x)
    assert not torch.equal(one.target, other.target)


def test_the_linear_guess_of_a_linear_column() -> None:
    frame = rows()[["a", "b"]]
    table = FilledTable().fit(frame)
    lacking = pd.DataFrame({"a": [1.0, -1.0], "b": [np.nan, np.nan]})
    said = table.invert(batch_of(table, lacking).x[:, :2])["b"]
    np.testing.assert_allclose(said, [1.0, -1.0], atol=0.1)


def test_a_new_epoch_hides_other_cells() -> None:
    table = FilledTable().fit(rows())
    batch = batch_of(table, rows())
    assert not torch.equal(redrawn(table, batch, 0).scored, redrawn(table, batch, 1).scored)


@pytest.mark.parametrize("given", [{"hide": 0.0}, {"hide": 1.0}, {"prior": -1.0}, {"prior": float("nan")}])
def test_parameters_out_of_range(given: Any) -> None:
    with pytest.raises(UsageError, match=next(iter(given))):
        FilledTable(**given)
