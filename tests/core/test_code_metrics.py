"""How many codes are in use: closed forms."""

from __future__ import annotations

import numpy as np
import pytest

from diabolo.core.metrics import code_shares, perplexity, used


@pytest.mark.parametrize("codes", [1, 2, 7])
def test_evenly_used_codes_have_the_largest_perplexity(codes: int) -> None:
    indices = np.tile(np.arange(codes), 5)
    assert used(indices, codes) == 1
    assert perplexity(indices, codes) == pytest.approx(codes)


def test_perplexity_is_two_to_the_entropy_in_bits() -> None:
    indices = np.array([0] * 4 + [1] * 2 + [2] + [3])
    assert perplexity(indices.reshape(2, 4), 100) == pytest.approx(2**1.75)
    assert used(indices, 100) == pytest.approx(0.04)
    np.testing.assert_allclose(code_shares(indices, 5), [0.5, 0.25, 0.125, 0.125, 0])


def test_one_code_has_perplexity_one() -> None:
    assert perplexity(np.zeros((3, 2), int), 16) == pytest.approx(1)
    assert used(np.zeros(0, int), 16) == 0
