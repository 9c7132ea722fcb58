"""Drift: has the data changed since a model was made? Its codes, and every column, against reference data."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import Windowed
from ..core.errors import DataError, out_of_range
from ..data import Stored
from ..estimators.base import BaseAutoencoder
from ..estimators.rows import bare, read_rows
from . import two_sample
from .base import TaskModel
from .column_tests import ColumnDrift, of_codes, of_columns, of_windows
from .two_sample import Finding

MOST = 2000
"""Rows a side whose codes are compared: the kernel matrix is of all pairs."""
STORED = 50_000
"""Rows on disk that a comparison looks at."""
DEAD = 0.01
"""Values of a code that spread less than so much of the largest spread stay as small as they are."""


@dataclass(frozen=True)
class Drift:
    """What `drift_between` found.

    reference, rows   how many rows (windows) were compared
    alpha             the chance of a false alarm that is accepted
    codes             the test of the codes as a whole: MMD^2, its p-value and effect
    columns           the worst first
    p_value           of the whole: twice the smaller of the codes' and the columns' smallest adjusted one
    notes             what the tests looked at, where that is not all
    """

    reference: int
    rows: int
    alpha: float
    codes: Finding
    columns: tuple[ColumnDrift, ...]
    p_value: float
    notes: tuple[str, ...] = ()

    @property
    def drifted(self) -> bool:
        """Whether the data changed, at level ``alpha``."""
        return self.p_value <= self.alpha

    @property
    def changed(self) -> tuple[ColumnDrift, ...]:
        """The columns whose adjusted p-value is at most ``alpha``, the worst first."""
        return tuple(column for column in self.columns if column.adjusted <= self.alpha)

    @property
    def verdict(self) -> str:
        """One sentence: is there drift, how sure, and in which columns."""
        level, codes = f"{100 * self.alpha:g} %", f"codes: p = {self.codes.p_value:.2g}"
        if not self.drifted:
            return f"no drift found at {level} (p = {self.p_value:.2g}; {codes})"
        found = self.changed
        what = "value of the code" if self.columns and self.columns[0].kind == "code" else "column"
        if not found:
            return f"drift at {level} (p = {self.p_value:.2g}; {codes}), in no single {what}: in how they go together"
        worst = ", ".join(f"{c.name} ({c.change})" for c in found[:3])
        many = f"{len(found)} of {len(self.columns)} tests of a {what} differ{'s' if len(found) == 1 else ''}"
        return f"drift at {level} (p = {self.p_value:.2g}; {codes}): {many}, most of all {worst}"

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return {**dataclasses.asdict(self), "drifted": self.drifted, "verdict": self.verdict}


def drift_between(
    model: Any, reference: Any, rows: Any, *, alpha: float = 0.05, permutations: int = 999, seed: int = 0
) -> Drift:
    """Compare new rows with reference rows: as a fitted model codes them, and column by column.

        reference ──transform──▶ codes ─┐                       columns ──KS | chi-squared──▶ p ──Holm──▶ adjusted
                                        ├─MMD, permuted──▶ p                                                 │
        rows      ──transform──▶ codes ─┘        └──────── 2 · min ◀──────────────────────────── min ────────┘

    The codes tell a change of how columns go together, the columns tell where it is. The reference is best made of
    rows that the model was *not* trained on: training rows may be coded a little unlike any others.

    Windows of series and sounds are permuted row by row (recording by recording), or in stretches of successive
    windows where there are few rows; what is tested one by one are then values of the code. So it is for all data
    that are no table. A series that trends is never the same twice: there drift is the truth.

    Parameters
    ----------
    model : any fitted autoencoder, or a model of a task (its first autoencoder).
    reference, rows : what ``fit`` takes. Of rows on disk about 50,000 are looked at; codes are compared of at most
        2,000 a side, drawn by the seed.
    alpha : in (0, 1), the level of the decision.
    permutations : of the codes; the smallest p-value is 1 / (permutations + 1).

    Raises `DataError` for fewer than two rows on a side, `UsageError` for parameters out of range.

    Reference: Rabanser, Guennemann & Lipton (2019), "Failing loudly: an empirical study of methods for detecting
    dataset shift".

    >>> from diabolo import Autoencoder, Trainer
    >>> draw = np.random.default_rng(0)
    >>> model = Autoencoder(2, trainer=Trainer(epochs=2)).fit(draw.normal(size=(100, 4)))
    >>> found = drift_between(model, draw.normal(size=(100, 4)), draw.normal(size=(100, 4)) + [0, 0, 3, 0])
    >>> found.drifted, found.columns[0].name, found.columns[0].change
    (True, 'x2', 'mean -0.121 -> 2.97, spread 1.04 -> 0.871')
    """
    if not 0 < alpha < 1:
        raise out_of_range("alpha", "a number in (0, 1)", alpha)
    inner: BaseAutoencoder = model.autoencoder_ if isinstance(model, TaskModel) else model
    notes: list[str] = []
    sides = [_in_memory(read_rows(inner, X, fitting=False), notes) for X in (reference, rows)]
    codes = [_flat(inner.transform(side)) for side in sides]
    for name, found in zip(("reference", "rows"), codes, strict=True):
        if len(found) < 2:
            raise DataError(f"{name} has {len(found)} row{'' if len(found) == 1 else 's'}; drift needs at least 2.")
    groups = _groups(inner, sides, notes)
    pooled, labels = _some(codes, groups, permutations, seed, notes)
    joint = two_sample.mmd_test(pooled, labels)
    columns = of_windows(pooled, labels) if groups is not None else of_columns(inner, sides) or of_codes(codes)
    smallest = min(column.adjusted for column in columns)
    listed = tuple(sorted(columns, key=lambda column: (column.adjusted, -column.effect)))
    return Drift(
        len(codes[0]), len(codes[1]), alpha, joint, listed, min(1.0, 2 * min(joint.p_value, smallest)), tuple(notes)
    )


def _in_memory(rows: Any, notes: list[str]) -> Any:
    """Rows, or some of those on disk."""
    held = bare(rows)
    if not isinstance(held, Stored):
        return held
    if len(held) > STORED:
        notes.append(f"about {STORED:,} of {len(held):,} rows on disk were looked at")
    return held.sample(STORED).rows


def _flat(codes: ndarray) -> ndarray:
    """Codes (N, K), positions side by side."""
    return codes.reshape(len(codes), -1)


def _groups(model: BaseAutoencoder, sides: list[Any], notes: list[str]) -> ndarray | None:
    """Which windows are permuted together, over both sides; None: rows are no windows, each is by itself."""
    processor = model.processor_
    if not isinstance(processor, Windowed):
        return None
    first, second = (two_sample.stretches(processor.places(side)[0]) for side in sides)
    first, second = (np.unique(found, return_inverse=True)[1] for found in (first, second))
    count = int(first.max()) + 1, int(second.max()) + 1
    notes.append(f"windows were permuted in {count[0]} + {count[1]} stretches, as those that touch are alike")
    return np.concatenate([first, second + count[0]])


def _some(
    codes: list[ndarray], groups: ndarray | None, permutations: int, seed: int, notes: list[str]
) -> tuple[ndarray, ndarray]:
    """Both sides' codes in units of their spread, at most 2,000 of each, and what counts as the first side."""
    draw, sizes = np.random.default_rng(seed), [len(found) for found in codes]
    kept = [np.sort(draw.permutation(size)[:MOST]) for size in sizes]
    if max(sizes) > MOST:
        notes.append(f"codes were compared of {len(kept[0]):,} and {len(kept[1]):,} rows, drawn by the seed")
    chosen = np.concatenate([kept[0], kept[1] + sizes[0]])
    pooled = np.concatenate([found[which] for found, which in zip(codes, kept, strict=True)]).astype(np.float64)
    spread = pooled.std(0)
    pooled = pooled / np.maximum(spread, DEAD * spread.max() or 1.0)
    first = np.arange(len(pooled)) < len(kept[0])
    return pooled, two_sample.relabelled(first, permutations, seed, None if groups is None else groups[chosen])
