"""Columns in units of their own spread, with missing cells, learnt at once or in pieces."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.core.errors import DataError
from diabolo.data.process_standardised import StandardisedProcessor

RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(500, 4)) * [1, 1e3, 1e-3, 1] + [0, 1e6, 5, 0]
ROWS[::7, 1] = np.nan


def test_known_values_have_mean_0_and_spread_1_and_missing_ones_the_mean() -> None:
    made = StandardisedProcessor().fit(ROWS)
    batch = made.collate(made.encode(ROWS))
    known = ~np.isnan(ROWS)
    assert batch.scored is not None and (batch.scored.numpy() == known).all()
    x = np.where(known, batch.x.numpy(), np.nan)
    np.testing.assert_allclose(np.nanmean(x, 0), 0, atol=1e-5)
    np.testing.assert_allclose(np.nanstd(x, 0), 1, rtol=1e-5)
    assert (batch.x.numpy()[~known] == 0).all()
    np.testing.assert_allclose(made.invert(batch.target)[known], ROWS[known], rtol=1e-6, atol=1e-6)


def test_pieces_teach_what_all_rows_teach() -> None:
    whole, pieces = StandardisedProcessor().fit(ROWS), StandardisedProcessor().fit_parts(np.array_split(ROWS, 7))
    np.testing.assert_allclose(pieces.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(pieces.scale, whole.scale, rtol=1e-9)
    np.testing.assert_allclose(whole.scale, np.nanstd(ROWS, 0), rtol=1e-9)


def test_a_constant_keeps_its_unit_and_another_value_there_is_seen() -> None:
    rows = np.c_[np.arange(10.0), np.full(10, 1e8 / 3)]
    made = StandardisedProcessor().fit(rows)
    assert made.encode(rows)["x"][:, 1].abs().max() < 1e-3
    assert made.encode(np.array([[0.0, 1e8 / 3 + 2]]))["x"][0, 1] == pytest.approx(2, abs=1e-3)


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        (np.c_[np.ones(3), np.full(3, np.nan)], "column 1 has no known cell"),
        (np.array([[1.0, np.inf]]), "infinit"),
        (np.array([["a", 1.0]], dtype=object), "no number"),
    ],
)
def test_what_cannot_be_learnt_is_named(rows: np.ndarray, said: str) -> None:
    with pytest.raises(DataError, match=said):
        StandardisedProcessor().fit(rows)


def test_rows_of_another_shape_are_refused() -> None:
    with pytest.raises(DataError, match="shape"):
        StandardisedProcessor().fit(ROWS).encode(ROWS[:, :2])
