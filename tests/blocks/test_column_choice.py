"""Columns chosen by their correlations alone: against least squares and brute force."""

from __future__ import annotations

from itertools import combinations

import numpy as np

from diabolo.blocks.column_choice import Residual, correlations, greedy, layout


def table(rows: int = 300, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Numbers and a category of three, which follow from each other in part; the owner of each value."""
    random = np.random.default_rng(seed)
    x = random.normal(size=(rows, 4)) @ random.normal(size=(4, 6)) + 0.3 * random.normal(size=(rows, 6))
    kind = np.eye(3)[np.digitize(x[:, 0], [-1, 1])]
    return np.hstack([x, kind]), np.array([0, 1, 2, 3, 4, 5, 6, 6, 6])


def residual(x: np.ndarray, inside: list[int]) -> np.ndarray:
    """Variance of every value that least squares on some of them leaves, in units of its column's."""
    z = np.c_[np.ones(len(x)), x[:, inside]]
    return (x - z @ np.linalg.lstsq(z, x, rcond=None)[0]).var(0)


def test_what_is_unknown_is_the_residual_of_least_squares() -> None:
    x, owner = table()
    left = Residual(correlations(x, owner), owner)
    whole = np.bincount(owner, weights=x.var(0))
    for column, inside in ((2, [2]), (6, [2, 6, 7, 8]), (0, [0, 2, 6, 7, 8])):
        by_hand = np.bincount(owner, weights=residual(x, inside)) / whole
        np.testing.assert_allclose(left.take(column).unknown(), by_hand, atol=1e-6)


def test_the_gain_of_a_column_is_what_it_takes_away_and_the_first_is_the_best_of_all() -> None:
    x, owner = table()
    products = correlations(x, owner)
    start = Residual(products, owner)
    gains = [start.unknown().sum() - Residual(products, owner).take(c).unknown().sum() for c in range(7)]
    np.testing.assert_allclose(start.gains(), gains, atol=1e-6)
    assert greedy(products, owner, 1) == [int(np.argmax(gains))]


def test_greedy_columns_are_near_the_best_pair() -> None:
    x, owner = table()
    products = correlations(x, owner)

    def unknown(columns: tuple[int, ...]) -> float:
        left = Residual(products, owner)
        for column in columns:
            left.take(column)
        return float(left.unknown().sum())

    best = min(map(unknown, combinations(range(7), 2)))
    assert unknown(tuple(greedy(products, owner, 2))) <= 1.1 * best


def test_values_of_a_row_and_the_marks_of_missing_cells_find_their_column() -> None:
    owner, place = layout([["categorical", 2], ["numeric", 1], ["numeric", 1]], [1, 2], 6)
    assert owner == [0, 0, 1, 2, 1, 2] and place == [0, 1, 0, 0, 1, 1]
    assert layout((), (), 3) == ([0, 1, 2], [0, 0, 0])
