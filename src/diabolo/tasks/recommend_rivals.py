"""What a recommender is held against, and what a report shows of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy import ndarray
from scipy.sparse import csr_matrix

from ..core.metrics import bootstrap_mean
from .base import Assessment
from .exhibit import Exhibit
from .item_weights import MOST_ITEMS, gram
from .ranking import GAIN, RECALLS, halves, measured

if TYPE_CHECKING:
    from .recommend import Recommender

MOST_USERS, NEIGHBOURS = 5000, 100
SHOWN_USERS, SHOWN_ITEMS, EACH = 10, 6, 5


def popularity(train: csr_matrix, told: csr_matrix) -> ndarray:
    """How many users have an item."""
    return np.tile(np.asarray(train.sum(0), np.float32).ravel(), (told.shape[0], 1))


def item_neighbours(train: csr_matrix, told: csr_matrix, counts: ndarray, neighbours: int = NEIGHBOURS) -> ndarray:
    """Sum of the cosines between an item and those told, of each item's nearest ones alone.

    Reference: Sarwar, Karypis, Konstan & Riedl (2001), "Item-based collaborative filtering recommendation algorithms".
    """
    lengths = np.sqrt(np.diag(counts)).clip(min=1)
    cosines = counts / lengths / lengths[:, None]
    np.fill_diagonal(cosines, 0)
    k = min(neighbours, len(cosines))
    least = np.partition(cosines, -k, axis=1)[:, -k]
    return np.asarray(told @ np.where(cosines >= least[:, None], cosines, 0).astype(np.float32))


def assessment(
    model: Recommender, ease: Recommender | None, train: csr_matrix, held: csr_matrix, seed: int
) -> Assessment | None:
    """Strong generalisation: users who were not there at fit give four fifths of their history and are asked for the
    rest; beside EASE, whose penalty was chosen as the model's is. None where too few have two items."""
    held = held[: min(MOST_USERS, held.shape[0])]
    told, hidden = halves(held[np.diff(held.indptr) >= 2], seed=seed)
    if told.shape[0] < 5:
        return None
    found = {"this model": measured(model.scores(told), told, hidden)}
    if ease is not None:
        name = f"EASE, penalty {ease.facts_['penalty']:g}"
        found[name] = measured(ease.scores(told), told, hidden)
    found |= {name: measured(scores, told, hidden) for name, scores in rivals(train, told).items()}
    columns = (f"nDCG@{GAIN}", *(f"recall@{k}" for k in RECALLS))
    lines = [(name, *(_cell(values[what], seed) for what in columns)) for name, values in found.items()]
    return Assessment(
        f"{told.shape[0]:,} users not seen in training: a fifth of their history hidden (95 % interval over users)",
        ("", *columns), tuple(lines), _verdict(found, columns[0], seed),
    )  # fmt: skip


def rivals(train: csr_matrix, told: csr_matrix) -> dict[str, ndarray]:
    """Scores by the simple methods; those that need a weight for every pair of items only where these fit."""
    made = {}
    if train.shape[1] <= MOST_ITEMS:
        made[f"{NEIGHBOURS} nearest items"] = item_neighbours(train, told, gram(train))
    return {**made, "popularity": popularity(train, told)}


def _cell(values: ndarray, seed: int) -> str:
    found = bootstrap_mean(values, seed=seed)
    return f"{found.value:.3f} ({found.low:.3f} to {found.high:.3f})"


def _verdict(found: dict[str, dict[str, ndarray]], what: str, seed: int) -> str:
    """One sentence, by the paired difference to the best of the simple methods."""
    ours = found["this model"][what]
    rival = max((name for name in found if name != "this model"), key=lambda name: found[name][what].mean())
    gap = ours - found[rival][what]
    # a mean of differences can be 0, and the interval is a ratio's: shifted by 1, and back
    interval = bootstrap_mean(gap + 1, seed=seed)
    low, high = interval.low - 1, interval.high - 1
    said = f"{what} {gap.mean():+.4f} against {rival} ({low:+.4f} to {high:+.4f}, the same users)"
    if low > 0:
        return f"Better than the simple methods: {said}."
    if high < 0:
        return f"Not as good as the best simple method: {said}. Train longer, or take another kind."
    return f"A tie with the best simple method: {said}."


def shown(model: Recommender, matrix: csr_matrix, keys: Any, seed: int) -> list[Exhibit]:
    """What some users had and what they are recommended; what lies near to some well-known items."""
    users = np.flatnonzero(np.diff(matrix.indptr))
    drawn = np.sort(np.random.default_rng(seed).choice(users, min(SHOWN_USERS, len(users)), replace=False))
    names = model.items_.astype(str)
    called = drawn if keys is None else keys["user"].to_numpy()[drawn]
    lines = []
    if len(drawn):
        items, _ = model.recommend(matrix[drawn], EACH)
        rarest = np.argsort(model.arrays_["popularity"], kind="stable").argsort(kind="stable")
        for user, place, got in zip(called, drawn, items, strict=True):
            had = matrix[place].indices
            had = had[np.argsort(-rarest[had])]
            more = f" and {len(had) - EACH} more" if len(had) > EACH else ""
            lines.append((str(user), ", ".join(names[had[:EACH]]) + more, ", ".join(names[got[got >= 0]])))
    common = np.argsort(-model.arrays_["popularity"], kind="stable")[:SHOWN_ITEMS]
    near = tuple((names[item], ", ".join(names[model.similar_items(int(item), EACH)[0]])) for item in common)
    return [
        Exhibit("What some users had, and what is recommended", "The best-known of their items first.",
                columns=("user", "had", "recommended"), rows=tuple(lines)),
        Exhibit("What lies near to the best-known items", columns=("item", "nearest"), rows=near),
    ]  # fmt: skip
