"""Is this clustering better than k-means? What can be said on rows it has not seen, with labels and without."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score, silhouette_score
from sklearn.preprocessing import StandardScaler

from ..data import Source, Stored
from .base import Assessment
from .clusters import kmeans

LEARN, HELD, ENTRIES = 20_000, 2_000, 2**25
"""Rows that the rivals learn from, and rows that all are judged on, at most; and values of rows, all together."""
DRAWS = 200


def judged(model: Any, learn: Source, held: Source, seed: int) -> Assessment | None:
    """Hold clusters against k-means on the rows as they are encoded, and on their principal components.

    Silhouettes are of the held-out rows, in units of each column's standard deviation: the same space for all, which
    is k-means' own, so that it is ahead by construction where clusters are round there. Labels, where the rows
    have them, judge and do nothing else. None: nothing can be compared (rows of unequal length, tokens, one row).
    """
    most = max(2, ENTRIES // prod(model.processor_.shape))
    learn, held = (_some(part, min(count, most), seed) for part, count in ((learn, LEARN), (held, HELD)))
    rows, others = (_encoded(model, part) for part in (learn, held))
    if rows is None or others is None or rows.shape[1:] != others.shape[1:] or len(rows) < model.n_clusters_:
        return None
    scale = StandardScaler().fit(rows)
    rows, others = scale.transform(rows), scale.transform(others)
    size = min(int(model.autoencoder_.n_components_), *rows.shape)
    pca = PCA(size, random_state=seed).fit(rows)
    k, said = model.n_clusters_, {"this model": model.predict(held)}
    said["k-means on the rows"] = kmeans(rows, k, seed).predict(others)
    said[f"k-means on {size} principal components"] = kmeans(pca.transform(rows), k, seed).predict(
        pca.transform(others)
    )
    truth = _truth(held, len(others))
    columns = ("", "clusters used", "silhouette in the rows", *(("ARI", "NMI") if truth is not None else ()))
    lines = [_line(name, labels, others, truth) for name, labels in said.items()]
    names = list(said)
    same = adjusted_rand_score(said[names[0]], said[names[1]])
    verdict = _verdict(said, truth, seed) if truth is not None else _unlabelled(same)
    title = f"{k} clusters of {len(others):,} held-out rows" + ("" if truth is None else "; labels judge, nothing else")
    return Assessment(title, columns, tuple(lines), verdict)


def _line(name: str, labels: np.ndarray, rows: np.ndarray, truth: np.ndarray | None) -> tuple[str, ...]:
    used = len(np.unique(labels))
    shape = f"{silhouette_score(rows, labels):.3f}" if 1 < used < len(rows) else "–"
    if truth is None:
        return name, str(used), shape
    known, told = truth[truth >= 0], labels[truth >= 0]
    agreement = (adjusted_rand_score(known, told), normalized_mutual_info_score(known, told))
    return name, str(used), shape, *(f"{value:.3f}" for value in agreement)


def _verdict(said: dict[str, np.ndarray], truth: np.ndarray, seed: int) -> str:
    """Who agrees better with the labels, by the adjusted Rand index over draws of the rows (bootstrap)."""
    known = truth >= 0
    truth, names = truth[known], list(said)
    told = [labels[known] for labels in said.values()]
    index = [adjusted_rand_score(truth, labels) for labels in told]
    rival = 1 + int(np.argmax(index[1:]))
    random = np.random.default_rng(seed)
    gains = []
    for _ in range(DRAWS):
        draw = random.integers(0, len(truth), len(truth))
        gains.append(_gain(truth[draw], told[0][draw], told[rival][draw]))
    low, high = np.quantile(gains, [0.025, 0.975])
    who = "better than" if low > 0 else "no better than" if high < 0 else "a tie with"
    return (
        f"{who} {names[rival]}: adjusted Rand index {index[0]:.3f} against {index[rival]:.3f} [{low:+.3f}, {high:+.3f}]"
    )


def _gain(truth: np.ndarray, ours: np.ndarray, theirs: np.ndarray) -> float:
    return float(adjusted_rand_score(truth, ours) - adjusted_rand_score(truth, theirs))


def _unlabelled(same: float) -> str:
    if same > 0.95:
        return "the clusters are those of k-means on the rows, but for few rows: k-means is enough here"
    return (
        f"these clusters are others than those of k-means on the rows (adjusted Rand index {same:.2f} between the "
        "two); without labels (--target) nothing here says which are right"
    )


def _some(source: Source, count: int, seed: int) -> Source:
    """At most so many rows."""
    if isinstance(source.rows, Stored):
        return source.rows.sample(min(count, len(source)))
    if len(source) <= count:
        return source
    return source.take(np.sort(np.random.default_rng(seed).permutation(len(source))[:count]))


def _encoded(model: Any, source: Source) -> np.ndarray | None:
    """Rows as the encoder is given them, flat; None for tokens and padded rows."""
    processor = model.processor_
    batch = processor.collate(processor.encode(source.rows)).dense()
    if not batch.x.is_floating_point() or (batch.mask is not None and not bool(batch.mask.all())):
        return None
    flat: np.ndarray = batch.x.flatten(1).double().numpy()
    return flat


def _truth(source: Source, rows: int) -> np.ndarray | None:
    """Labels as numbers, -1 where unknown; None where there are none, or not one a row."""
    if source.target is None or len(source.target) != rows:
        return None
    given = np.asarray(source.target, dtype=object)
    known = np.array([value is not None and value == value for value in given])
    codes = np.full(rows, -1)
    codes[known] = np.unique(given[known].astype(str), return_inverse=True)[1]
    return codes if len(np.unique(codes[known])) > 1 else None
