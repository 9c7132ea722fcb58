"""Coherence and diversity: closed forms, and a count of every pair by hand."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from diabolo.core.errors import UsageError
from diabolo.tasks.coherence import diversity, npmi, windowed

RANDOM = np.random.default_rng(0)


def by_hand(topic: list[int], there: np.ndarray) -> float:
    """NPMI, pair by pair."""
    found = []
    for place, v in enumerate(topic):
        for w in topic[place + 1 :]:
            both = float((there[:, v] & there[:, w]).mean())
            if both in (0.0, 1.0):
                found.append(-1.0 if both == 0 else 0.0)
                continue
            found.append(math.log(both / (there[:, v].mean() * there[:, w].mean())) / -math.log(both))
    return float(np.mean(found))


def test_it_is_the_mean_over_all_pairs() -> None:
    counts = RANDOM.poisson(0.7, (60, 9)) * RANDOM.integers(0, 4, (60, 9))
    topics = [[0, 1, 2], [5, 3, 8, 7], [6, 0], [2, 4]]
    expected = [by_hand(topic, counts > 0) for topic in topics]
    np.testing.assert_allclose(npmi(topics, counts), expected, rtol=1e-12)
    np.testing.assert_allclose(npmi(topics, csr_matrix(counts)), expected, rtol=1e-12)


def test_together_apart_and_independent() -> None:
    one = np.arange(16) % 2
    other = np.arange(16) // 2 % 2
    counts = np.stack([one, one, 1 - one, other, np.ones(16), np.zeros(16)], 1)
    values = npmi([[0, 1], [0, 2], [0, 3], [0, 4], [0, 5], [4, 4]], counts)
    np.testing.assert_allclose(values, [1, -1, 0, 0, -1, 0], atol=1e-12)


def test_a_known_value() -> None:
    """p(v) = p(w) = 1/2, p(v, w) = 3/8: log(3/2) / log(8/3)."""
    v, w = np.array([1, 1, 1, 1, 0, 0, 0, 0]), np.array([1, 1, 1, 0, 1, 0, 0, 0])
    assert npmi([[0, 1]], np.stack([v, w], 1))[0] == pytest.approx(math.log(1.5) / math.log(8 / 3))


def test_how_often_a_word_stands_in_a_document_and_the_order_do_not_matter() -> None:
    counts = RANDOM.poisson(0.7, (40, 6))
    shuffled = (counts * RANDOM.integers(1, 5, counts.shape))[RANDOM.permutation(40)]
    np.testing.assert_allclose(npmi([[0, 3, 5]], counts), npmi([[5, 0, 3]], shuffled))


def test_one_word_has_nothing_to_cohere_with_and_no_topic_no_value() -> None:
    assert math.isnan(npmi([[1]], np.eye(3))[0])
    assert npmi([], np.eye(3)).shape == (0,)


def test_diversity_counts_different_words() -> None:
    assert diversity([["a", "b"], ["c", "d"]]) == 1
    assert diversity([["a", "b"]] * 4) == 0.25
    assert math.isnan(diversity([]))


def test_windows_hold_what_slides_through_them() -> None:
    documents = [RANDOM.integers(-1, 5, length).tolist() for length in (12, 3, 1, 0, 7)]
    cuts = [row[begin : begin + 4] for row in documents for begin in range(max(1, len(row) - 3) if row else 0)]
    expected = [[float(word in cut) for word in range(5)] for cut in cuts]
    np.testing.assert_array_equal(windowed(documents, 5, width=4).toarray(), expected)


def test_words_far_from_each_other_are_together_in_the_document_and_in_no_window() -> None:
    row = [0, -1, -1, -1, -1, 1]
    assert npmi([[0, 1]], windowed([row, [2]], 3, width=3))[0] == -1
    assert npmi([[0, 1]], windowed([row, [2]], 3, width=6))[0] == 1


def test_a_window_of_one_word_is_refused() -> None:
    with pytest.raises(UsageError, match="width must be an int of at least 2"):
        windowed([[0, 1]], 2, width=1)
