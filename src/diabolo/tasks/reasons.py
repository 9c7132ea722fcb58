"""Why a row is strange: what every column contributes, and the nearest row that would have been normal."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import Processor
from ..data import SeriesProcessor, TableProcessor, is_frame

ROUNDS = 4
"""How often replaced cells are decoded anew, from those that stay and from each other."""
PERCENT = np.array([f" {share} %" for share in range(101)])


@dataclass(frozen=True)
class Reasons:
    """Why rows are strange.

    columns        names of the columns; of windows and pictures names of the entries ("value at step 3")
    contributions  (N, columns), what each is of the strangeness; a row sums to 1
    rows           the rows
    normal         the nearest normal version of every row, in the rows' own kind: as few columns replaced as make the
                   row normal; of windows and pictures the reconstruction
    replaced       (N, columns) bool, which columns differ in it
    """

    columns: tuple[str, ...]
    contributions: ndarray
    rows: Any
    normal: Any
    replaced: ndarray

    def top(self, count: int = 3) -> tuple[ndarray, ndarray]:
        """The columns that contribute most, as names (N, count) and shares (N, count), largest first."""
        count = min(count, len(self.columns))
        order = np.argsort(-self.contributions, 1, kind="stable")[:, :count]
        return np.asarray(self.columns, dtype=object)[order], np.take_along_axis(self.contributions, order, 1)

    def texts(self, count: int = 3) -> ndarray:
        """The same as texts (N, count): 'income 71 %'."""
        return as_texts(*self.top(count))


def as_texts(names: ndarray, shares: ndarray) -> ndarray:
    """Names and shares as texts.

    >>> as_texts(np.array([["income", "age"]], object), np.array([[0.714, 0.2]])).tolist()
    [['income 71 %', 'age 20 %']]
    """
    return names.astype(str).astype(object) + PERCENT[np.rint(100 * shares).astype(int)].astype(object)


def column_names(processor: Processor, given: Any) -> tuple[str, ...]:
    """A name for every column, or for every entry of rows that are windows or pictures."""
    if isinstance(processor, TableProcessor):
        return tuple(map(str, processor.columns))
    shape = tuple(processor.target_shape)
    if isinstance(processor, SeriesProcessor):
        return tuple(f"{name} at step {step}" for step in range(shape[0]) for name in processor.columns)
    if len(shape) == 1:
        return tuple(map(str, given)) if given is not None and len(given) == shape[0] else _numbered(shape[0])
    return tuple(",".join(map(str, place)) for place in np.ndindex(*shape))


def _numbered(count: int) -> tuple[str, ...]:
    return tuple(f"x{place}" for place in range(count))


def by_column(processor: Processor, shares: ndarray) -> ndarray:
    """Entries (…, F) summed up to columns (…, columns)."""
    if not isinstance(processor, TableProcessor):
        return shares
    return np.add.reduceat(shares, [span.start for span in processor.slices.values()], axis=-1)


def weighed(measures: dict[str, ndarray], parts: ndarray) -> ndarray:
    """What entries contribute (N, F), from how strange every measure finds a row, in nats (N,), and from how its
    distance from the reconstruction and from its neighbours, (N, 2, F), splits over the entries."""
    total = np.maximum(parts.sum(2, keepdims=True), 1e-30)
    near = sum(measures[name] for name in ("neighbours", "crowding", "similarity") if name in measures)
    first = next(value for name, value in measures.items() if name in ("reconstruction", "objective"))
    return np.einsum("nm,nmf->nf", np.stack([first, near], 1), parts / total)


def shared(parts: ndarray) -> ndarray:
    """Rows scaled to sum to 1."""
    return parts / np.maximum(parts.sum(1, keepdims=True), 1e-30)


def by_replacing(
    rows: Any, usual: Any, width: int, reconstruct: Callable[[Any], Any], score: Callable[[Any], ndarray]
) -> ndarray:
    """How much less strange each row would be with one column replaced by what the others say of it, (N, columns).

        gain_j = max(0, log share(row with column j decoded from the rest) - log share(row))

    A reconstruction smears one wrong cell over the columns that depend on it; a replaced cell tells which one it was.
    """
    before = score(rows)
    gains = np.empty((len(before), width))
    for column in range(width):
        mask = np.zeros(gains.shape, bool)
        mask[:, column] = True
        gains[:, column] = np.maximum(score(filled(rows, usual, mask, reconstruct)) - before, 0)
    return gains


def filled(rows: Any, start: Any, mask: ndarray, reconstruct: Callable[[Any], Any]) -> Any:
    """The rows with the cells of the mask decoded from the others, by rounds that begin at ``start``."""
    trial = mixed(rows, start, mask)
    for _ in range(ROUNDS):
        trial = mixed(trial, reconstruct(trial), mask)
    return trial


def nearest_normal(
    rows: Any,
    usual: Any,
    neighbour: Any,
    contributions: ndarray,
    reconstruct: Callable[[Any], Any],
    is_normal: Callable[[Any], ndarray],
) -> tuple[Any, ndarray]:
    """The rows with as few columns replaced as make them normal, and which were (N, columns).

        m = 1, 2, 4, … columns that contribute most, decoded from those that stay, until the row is normal;
        if it never is: the nearest training row

    rows, usual, neighbour  frames or arrays (N, columns): the rows, the average row, the training row nearest to each
    """
    width, replaced = contributions.shape[1], np.zeros(contributions.shape, bool)
    rank = np.empty_like(contributions, dtype=int)
    np.put_along_axis(rank, np.argsort(-contributions, 1, kind="stable"), np.arange(width)[None], 1)
    normal, strange, count = rows, ~is_normal(rows), 1
    while strange.any() and count < width:
        mask = (rank < count) & strange[:, None]
        normal, replaced = mixed(normal, filled(rows, usual, mask, reconstruct), mask), replaced | mask
        strange &= ~is_normal(normal)
        count *= 2
    last = np.broadcast_to(strange[:, None], replaced.shape)
    return mixed(normal, neighbour, last), replaced | last


def mixed(rows: Any, others: Any, mask: ndarray) -> Any:
    """Rows with the cells of others where the mask says so; a frame's dtypes, index and missing cells stay.

    >>> mixed(np.zeros((1, 2)), np.ones((1, 2)), np.array([[True, False]])).tolist()
    [[1.0, 0.0]]
    """
    if not is_frame(rows):
        return np.where(mask, np.asarray(others), np.asarray(rows)).astype(np.asarray(rows).dtype)
    made = rows.copy()
    for place, name in enumerate(rows.columns):
        if mask[:, place].any():
            other = others[name].set_axis(rows.index)
            made[name] = rows[name].where(~mask[:, place], other).astype(_common(rows[name], other))
    return made


def _common(cells: Any, other: Any) -> Any:
    """The dtype of a column, or of what replaces its cells where that does not fit in."""
    return cells.dtype if cells.dtype == other.dtype or cells.dtype.kind in "fiub" else other.dtype
