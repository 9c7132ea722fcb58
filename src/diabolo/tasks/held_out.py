"""Which rows a detector learns from, and which rows it never saw tell it what is usual."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import Spec
from ..core.errors import DataError
from ..data import Series, SeriesProcessor, Source, is_frame, kind_of, objects, processor_for
from ..data.clip import Clip
from ..data.sound_windows import SoundProcessor

LARGE = 1000
"""From so many rows on one split is enough; fewer are each held out once, in turn."""
SMALL_FOLDS = 3
HELD = 0.25
MOST_HELD = 5000


def count_of(rows: Any) -> int:
    """How many rows there are."""
    return int(rows.shape[0]) if not isinstance(rows, list | tuple) else len(rows)


def taken(X: Any, index: ndarray) -> Any:
    """Some rows of an array, a frame, a list or a source."""
    if isinstance(X, Source):
        return X.take(index)
    if is_frame(X):
        return X.iloc[index]
    return [X[place] for place in index] if isinstance(X, list | tuple) else X[index]


def places(rows: int, folds: int, seed: int) -> list[tuple[ndarray, ndarray]]:
    """Numbers of the rows to learn from and of those held out, once for every fold.

        folds = 1   one split, a quarter (at most 5,000) held out: p-values are exact for exchangeable rows
        folds = K   every row is held out once: for few rows, each of which must teach and be counted

    >>> [held.tolist() for _, held in places(5, 2, seed=0)]
    [[2, 3, 4], [0, 1]]
    """
    order = np.random.default_rng(seed).permutation(rows)
    one = order[: min(MOST_HELD, max(1, int(HELD * rows)))]
    held = [one] if folds == 1 else np.array_split(order, folds)
    return [(np.setdiff1d(order, part), np.sort(part)) for part in held]


def stretches(rows: Any, folds: int) -> list[tuple[Any, Any]]:
    """The same for few series or clips: each is cut into ``folds`` stretches, held out in turn.

    Windows of one stretch overlap, so their p-values are only about as sure as there are stretches.
    """
    held = [objects(part for row in rows for part in _cut(row, folds, number)[1]) for number in range(folds)]
    rest = [objects(part for row in rows for part in _cut(row, folds, number)[0]) for number in range(folds)]
    return list(zip(rest, held, strict=True))


def _cut(row: Series | Clip, folds: int, number: int) -> tuple[list[Any], list[Any]]:
    edges = np.linspace(0, row.steps, folds + 1).astype(int)
    begin, end = int(edges[number]), int(edges[number + 1])
    parts = [(0, begin), (end, row.steps)]
    return [row.take(a, b) for a, b in parts if b > a], [row.take(begin, end)]


def pairs(X: Any, folds: int | str, seed: int) -> list[tuple[Any, Any]]:
    """(rows to learn from, rows held out) of every fold.

    Raises `DataError` for fewer rows than can be both learnt from and held out.
    """
    rows = X.rows if isinstance(X, Source) else X
    total = count_of(rows)
    wanted = (1 if total >= LARGE else min(SMALL_FOLDS, total // 2)) if folds == "auto" else int(folds)
    if kind_of(rows) in ("series", "video") and total < max(4, 2 * wanted):
        found = stretches(rows, max(3, wanted))
        return [(_like(X, a), _like(X, b)) for a, b in found]
    if total < 4 or wanted < 1 or total < 2 * wanted:
        raise DataError(
            f"a detector learns from some rows and holds others out: it needs at least {max(4, 2 * wanted)}; "
            f"got {total} (n_samples={total})."
        )
    return [(taken(X, learn), taken(X, held)) for learn, held in places(total, wanted, seed)]


def same_windows(X: Any) -> Any:
    """Rows whose windows are as long in every fold: a length that is chosen by the data is chosen once, by all rows."""
    rows = X.rows if isinstance(X, Source) else X
    kind = kind_of(rows)
    if kind not in ("series", "audio"):
        return X
    reader = processor_for(X if isinstance(X, Source) else rows).fit(rows)
    told: dict[str, Any] = {}
    if isinstance(reader, SeriesProcessor):
        told = {"window": reader.steps, "hop": reader.step, "scale": reader.scale, "every": reader.every}
    if isinstance(reader, SoundProcessor):
        told = {**reader.state()["parameters"], "rate": reader.hz, "window": reader.window_seconds}
    source = X if isinstance(X, Source) else Source(objects(rows), kind)
    return replace(source, processor=Spec(reader.part_name, **told))  # type: ignore[attr-defined]


def _like(X: Any, rows: Any) -> Any:
    """Other rows of the same kind."""
    return replace(X, rows=rows, keys=None, target=None, numbers=None) if isinstance(X, Source) else rows
