"""How good topics are, without labels: whether their words go together, and whether the topics differ."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix, issparse

from ..core.errors import out_of_range


def npmi(topics: Sequence[Sequence[int]], counts: csr_matrix) -> ndarray:
    """Coherence of each topic (K,): the mean normalised pointwise mutual information of pairs of its words.

        NPMI(v, w) = log(p(v, w) / (p(v) p(w))) / −log p(v, w),    in [−1, 1]

    p(w) is the share of the documents that hold the word. −1: never together; 0: as independent words would be; 1: only
    ever together. A pair of which a word is in no document counts −1, one that is in every document 0.

    topics  for each topic the columns of ``counts`` that are its words; one word alone has nothing to cohere with: nan
    counts  (N, V), sparse or dense: what a document (or a window of one, see `windowed`) holds of each word

    Reference: Bouma (2009), "Normalized (pointwise) mutual information in collocation extraction"; Lau, Newman &
    Baldwin (2014), "Machine reading tea leaves", for topics.

    >>> counts = np.array([[1, 1, 0, 0], [2, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 3]])
    >>> npmi([[0, 1], [2, 3]], counts).tolist()
    [1.0, -1.0]
    """
    held = csr_matrix(counts) if not issparse(counts) else counts.tocsr()
    words = np.unique(np.concatenate([np.asarray(topic, np.int64) for topic in topics] or [np.zeros(0, np.int64)]))
    together, documents = occurrences(held, words), max(1, held.shape[0])
    return np.array([_mean_npmi(together, np.searchsorted(words, topic), documents) for topic in topics])


def occurrences(counts: csr_matrix, words: ndarray) -> ndarray:
    """In how many documents every two of these words stand together (W, W); on the diagonal each by itself."""
    there = counts[:, words].astype(bool).astype(np.float64)
    found: ndarray = (there.T @ there).toarray()
    return found


def _mean_npmi(together: ndarray, places: ndarray, documents: int) -> float:
    first, second = np.triu_indices(len(places), 1)
    if not len(first):
        return float("nan")
    first, second = places[first], places[second]
    alone = np.diag(together) / documents
    both = together[first, second] / documents
    with np.errstate(divide="ignore", invalid="ignore"):
        value = np.log(both / (alone[first] * alone[second])) / -np.log(both)
    value = np.where(both == 0, -1.0, np.where(both == 1, 0.0, value))
    return float(value.mean())


def diversity(topics: Sequence[Sequence[object]]) -> float:
    """Share of different words among the words of all topics, in (0, 1]: 1: no word is in two topics.

    Reference: Dieng, Ruiz & Blei (2020), "Topic modeling in embedding spaces", section 6.

    >>> diversity([["moon", "sun"], ["sun", "rain"]])
    0.75
    """
    words = [word for topic in topics for word in topic]
    return len(set(words)) / len(words) if words else float("nan")


def windowed(documents: Iterable[Sequence[int]], words: int, width: int = 10) -> csr_matrix:
    """Which words stand in each window of ``width`` words that slides over the documents, for `npmi`: (W, words).

    documents  each a row of word numbers in their order, −1 for words that are not known; they take up their place
    words      how many words there are
    width      int >= 2; a shorter document is one window

    Raises `UsageError` for a width out of range.

    Reference: Röder, Both & Hinneburg (2015), "Exploring the space of topic coherence measures", section 3.2.

    >>> windowed([[0, 1, 2], [2]], 3, width=2).toarray().astype(int).tolist()
    [[1, 1, 0], [0, 1, 1], [0, 0, 1]]
    """
    if not isinstance(width, int | np.integer) or width < 2:
        raise out_of_range("width", "an int of at least 2", width)
    parts, offsets = [np.zeros(0, np.int64)], [np.zeros(1, np.int64)]
    for document in documents:
        row = np.asarray(document, np.int64)
        if not len(row):
            continue
        cut = np.lib.stride_tricks.sliding_window_view(row, min(int(width), len(row)))
        parts.append(cut.ravel())
        offsets.append(np.full(len(cut), cut.shape[1]))
    places, bounds = np.concatenate(parts), np.concatenate(offsets).cumsum()
    known = places >= 0
    bounds = np.concatenate([[0], known.cumsum()])[bounds]
    made = csr_matrix((np.ones(int(known.sum()), np.float32), places[known], bounds), shape=(len(bounds) - 1, words))
    made.sum_duplicates()
    made.data[:] = 1
    return made
