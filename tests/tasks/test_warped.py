"""Warped pictures: nothing asked is nothing done, a shift is a shift, the spread of a bend is what was asked."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.tasks.warped import warped

NONE = {"turn": 0.0, "shift": 0.0, "scale": 0.0, "shear": 0.0, "bend": 0.0}


def blob(n: int, side: int = 41, wide: int = 41) -> np.ndarray:
    """A Gaussian spot in the middle."""
    y, x = np.mgrid[:side, :wide]
    one = np.exp(-((y - side // 2) ** 2 + (x - wide // 2) ** 2) / 18)
    return np.tile(one, (n, 1, 1))


def middles(pictures: np.ndarray) -> np.ndarray:
    y, x = np.mgrid[: pictures.shape[1], : pictures.shape[2]]
    total = pictures.sum((1, 2))
    return np.stack([(pictures * y).sum((1, 2)) / total, (pictures * x).sum((1, 2)) / total], 1)


@pytest.mark.parametrize("shape", [(3, 8, 8), (3, 5, 7), (3, 6, 9, 3)])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_nothing_asked_is_nothing_done(shape: tuple[int, ...], dtype: type) -> None:
    X = np.random.default_rng(0).integers(0, 255, shape).astype(dtype)
    made = warped(X, np.random.default_rng(0), **NONE)
    assert made.dtype == dtype
    np.testing.assert_allclose(made, X, atol=1e-3)


def test_a_shift_is_even_within_its_ends() -> None:
    away = middles(warped(blob(800), np.random.default_rng(0), **{**NONE, "shift": 0.1})) - 20
    assert np.abs(away).max() < 4.2 and np.abs(away.mean(0)).max() < 0.3
    np.testing.assert_allclose(away.std(0), 4.1 / np.sqrt(3), rtol=0.08)


def test_a_turn_keeps_the_middle_and_the_length() -> None:
    X = np.zeros((200, 41, 31))
    X[:, 19:22, 5:26] = 1.0  # a bar of 3 x 21, in pictures that are not square
    made = warped(X, np.random.default_rng(0), **{**NONE, "turn": 30.0})
    np.testing.assert_allclose(middles(made), np.tile([20, 15], (200, 1)), atol=0.1)
    np.testing.assert_allclose(made.sum((1, 2)), 63, rtol=0.03)


def test_a_bend_moves_as_far_as_asked() -> None:
    """A spot averages the field over its own width s: of the spread there stays r / √(r² + s²), r the reach."""
    away = middles(warped(blob(1500), np.random.default_rng(0), **{**NONE, "bend": 0.03})) - 20
    reach = 0.12 * 41
    np.testing.assert_allclose(away.std(0), 0.03 * 41 * reach / np.hypot(reach, 3), rtol=0.2)


def test_the_seed_decides_and_rows_differ() -> None:
    X = blob(4)
    one, two, other = (warped(X, np.random.default_rng(seed)) for seed in (0, 0, 1))
    np.testing.assert_array_equal(one, two)
    assert not np.array_equal(one, other) and not np.array_equal(one[0], one[1])


def test_what_cannot_be() -> None:
    with pytest.raises(DataError, match="only pictures"):
        warped(np.zeros((3, 4)), np.random.default_rng(0))
    with pytest.raises(UsageError, match="shift must be"):
        warped(blob(1), np.random.default_rng(0), shift=-1.0)
