"""Side information of items: what is known of those that nobody has had yet."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix, issparse
from sklearn.feature_extraction.text import TfidfVectorizer

RIDGE = 1.0


def carried(scores: ndarray, known: Any, new: Any, ridge: float = RIDGE) -> ndarray:
    """Scores (N, J) of new items from those (N, M) of known ones, by ridge regression on what is known of both.

        w = (F'F + ridge I)^-1 F' s,     score of an item with features f: f'w

    For scores that are linear in an item's weights (the last layer of a decoder, a column of B) it is the same as to
    regress the weights themselves on the features: a new item gets the weights that its features foretell.

    scores (N, M) · known (M, F) and new (J, F), arrays or scipy sparse

    >>> carried(np.array([[1.0, -1.0]]), np.eye(2), np.array([[1.0, 0.0]]), ridge=1e-9).round(3).tolist()
    [[1.0]]
    """
    known, new = (np.asarray(part.todense() if issparse(part) else part, np.float64) for part in (known, new))
    inner = known.T @ known + ridge * np.eye(known.shape[1])
    made: ndarray = scores @ np.linalg.solve(inner, known.T).T @ new.T
    return made


def features(texts: list[str], most: int = 2000) -> csr_matrix:
    """Words of every item's text (title, genres) as tf-idf (M, F) of length 1; the ``most`` frequent words.

    >>> features(["Heat crime", "Toy comedy", "Ronin crime"]).shape[0]
    3
    """
    counted = TfidfVectorizer(max_features=most, token_pattern=r"(?u)\b\w[\w'-]*\b", sublinear_tf=True)
    return csr_matrix(counted.fit_transform(texts))
