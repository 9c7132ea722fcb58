"""Are these topics more coherent than those of the classical models, on the same bags of words?"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix
from sklearn.decomposition import NMF, LatentDirichletAllocation
from sklearn.exceptions import ConvergenceWarning
from sklearn.feature_extraction.text import TfidfTransformer

from ..data import Source, Stored
from .base import Assessment
from .coherence import diversity, npmi

MOST, DRAWS = 10_000, 2000
"""Texts that the rivals learn from and that all are judged on, at most; draws of topics for the interval."""


def judged(model: Any, learn: Source, held: Source, seed: int) -> Assessment | None:
    """Coherence (NPMI) over texts learnt from and held-out ones, and diversity; None where nothing was counted."""
    learn = _some(learn, seed)
    counts, others = (model.model.counts(part) for part in (learn, held))
    if counts.nnz == 0:
        return None
    size, top = model.model.n_components_, model.top
    found = {"this model": model.model.topic_word_}
    for name, fit in RIVALS.items():
        found[name] = fit(counts, size, seed)
    lines, scores = [], {}
    for name, weights in found.items():
        words = np.argsort(-weights, 1, kind="stable")[:, :top].tolist()
        scores[name] = npmi(words, counts)
        cells = (np.nanmean(scores[name]), np.nanmean(npmi(words, others)))
        lines.append((name, *(f"{value:.3f}" for value in cells), f"{diversity(words):.2f}"))
    columns = ("", "NPMI", "NPMI, held-out texts", "diversity")
    title = (
        f"{size} topics, {top} words each, over {counts.shape[0]:,} texts learnt from and {others.shape[0]:,} held out"
    )
    return Assessment(title, columns, tuple(lines), _verdict(scores, seed))


def lda(counts: csr_matrix, topics: int, seed: int) -> ndarray:
    """Words of topics (K, V) by latent Dirichlet allocation (Blei, Ng & Jordan 2003), as scikit-learn has it."""
    made = LatentDirichletAllocation(topics, random_state=seed).fit(counts)
    found: ndarray = made.components_
    return found


def nmf(counts: csr_matrix, topics: int, seed: int) -> ndarray:
    """Words of topics (K, V) by non-negative matrix factorisation of tf-idf (Lee & Seung 1999)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made = NMF(topics, init="nndsvda", random_state=seed, max_iter=200)
        found: ndarray = made.fit(TfidfTransformer(sublinear_tf=True).fit_transform(counts)).components_
    return found


RIVALS: dict[str, Callable[[csr_matrix, int, int], ndarray]] = {"LDA": lda, "NMF of tf-idf": nmf}


def _verdict(scores: dict[str, ndarray], seed: int) -> str:
    """Against the more coherent rival, by draws of the topics."""
    ours, *rivals = scores
    rival = max(rivals, key=lambda name: float(np.nanmean(scores[name])))
    random = np.random.default_rng(seed)
    drawn = [np.nanmean(random.choice(scores[name], (DRAWS, len(scores[name]))), 1) for name in (ours, rival)]
    low, high = np.nanquantile(drawn[0] - drawn[1], [0.025, 0.975])
    who = "more coherent than" if low > 0 else "less coherent than" if high < 0 else "as coherent as"
    means = (float(np.nanmean(scores[name])) for name in (ours, rival))
    told = " against ".join(f"{value:.3f}" for value in means)
    return f"the topics are {who} those of {rival}: NPMI {told} [{low:+.3f}, {high:+.3f}]"


def _some(source: Source, seed: int) -> Source:
    if isinstance(source.rows, Stored):
        return source.rows.sample(min(MOST, len(source)))
    if len(source) <= MOST:
        return source
    return source.take(np.sort(np.random.default_rng(seed).permutation(len(source))[:MOST]))
