"""Conditions on new rows, and rejection: draw until enough rows satisfy them, or say in words that none will.

'city=Rome'   'age>=40'   'age=30..40'   'kind!=a'   'income='   (missing)
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import ModelError, UsageError, require, unknown
from ..data.columns import BooleanColumn, CategoricalColumn
from ..data.ranks import GapColumn, RankColumn
from .table_rows import as_numbers, ordered, settled

OPERATORS = ("!=", ">=", "<=", "=", ">", "<")
BATCH, LEAST = 4096, 256
"""Rows drawn at a time, at most and at least."""
TRIES = 200
"""Draws a row asked for, before it is said that the conditions are not met; at least `PATIENCE` in all."""
PATIENCE = 100_000
Draw = Callable[[int, bool], Any]


@dataclass(frozen=True)
class Condition:
    """``column op value``; with op "between" the value is (low, high), either end None; with "in" a list."""

    column: Any
    op: str
    value: Any

    def __str__(self) -> str:
        if self.op == "between":
            low, high = ("" if end is None else end for end in self.value)
            return f"{self.column}={low}..{high}"
        return f"{self.column}{'=' if self.op == 'in' else self.op}{'' if self.value is None else self.value}"

    def holds(self, frame: Any) -> np.ndarray:
        """Which rows of a DataFrame satisfy it (N,) bool; a missing cell satisfies only "is missing" and "!="."""
        cells = frame[self.column]
        if self.op == "in":
            return np.logical_or.reduce([Condition(self.column, "=", one).holds(frame) for one in self.value])
        if self.op == "between":
            low, high = self.value
            above = np.ones(len(cells), bool) if low is None else Condition(self.column, ">=", low).holds(frame)
            return above if high is None else above & Condition(self.column, "<=", high).holds(frame)
        if self.value is None or (isinstance(self.value, float) and np.isnan(self.value)):
            gone = cells.isna().to_numpy(bool)
            return ~gone if self.op == "!=" else gone
        known = cells.notna().to_numpy(bool)
        found = np.zeros(len(cells), bool)
        found[known] = self._compared(cells[known])
        return ~found if self.op == "!=" else found

    def away(self, frame: Any) -> np.ndarray:
        """How far rows are from satisfying it (N,): in standard deviations for numbers and dates, else 0 or 1."""
        cells, far = frame[self.column], (~self.holds(frame)).astype(float)
        if self.op in ("!=", "in") or self.value is None or not ordered(cells):
            return far
        ends = self.value if self.op == "between" else (self.value, self.value)
        marks = [as_numbers(_marks(end, cells))[0] for end in ends if end is not None]
        numbers = as_numbers(cells)
        steps = np.abs(numbers[:, None] - marks) / (np.nanstd(numbers) or 1.0)
        return np.asarray(far * np.nan_to_num(steps, nan=np.inf).min(1))

    def _compared(self, cells: Any) -> np.ndarray:
        pandas = require("pandas", "table", "a table")
        types = pandas.api.types
        value: Any = self.value
        try:
            if types.is_bool_dtype(cells.dtype):
                cells, value = cells.astype(bool), _truth(value)
            elif types.is_datetime64_any_dtype(cells.dtype):
                value = _like(value, cells)
            elif types.is_numeric_dtype(cells.dtype):
                cells, value = cells.astype(float), _like(value, cells)
            elif self.op in (">", ">=", "<", "<="):
                cells, value = pandas.to_numeric(cells.astype(object)), float(value)
            else:
                cells, value = cells.astype(object).map(str), str(value)
        except (TypeError, ValueError) as error:
            raise UsageError(f"the condition {self} does not suit column {self.column!r}: {error}.") from error
        compare = {">": "gt", ">=": "ge", "<": "lt", "<=": "le"}.get(self.op, "eq")
        return np.asarray(getattr(cells, compare)(value), bool)


def conditions(where: Mapping[Any, Any] | Iterable[str | Condition] | None) -> list[Condition]:
    """Conditions from ``{column: value | (low, high) | [values]}``, or from texts as the command takes them.

    Raises `UsageError` for a text that is no condition.

    >>> [str(c) for c in conditions({"age": (30, None), "city": "Rome"})], str(conditions(["age>=40"])[0])
    (['age=30..', 'city=Rome'], 'age>=40')
    """
    if where is None:
        return []
    if isinstance(where, Mapping):
        return [_of_value(column, value) for column, value in where.items()]
    given = [where] if isinstance(where, str) else list(where)
    return [text if isinstance(text, Condition) else _parsed(text) for text in given]


def _of_value(column: Any, value: Any) -> Condition:
    if isinstance(value, tuple):
        if len(value) != 2:
            raise UsageError(f"a range of column {column!r} is (low, high), either of them None; got {value!r}.")
        return Condition(column, "between", value)
    return Condition(column, "in" if isinstance(value, list) else "=", value)


def _parsed(text: str) -> Condition:
    found = re.fullmatch(rf"\s*(.+?)\s*({'|'.join(OPERATORS)})\s*(.*?)\s*", text, re.DOTALL)
    if found is None:
        raise UsageError(f"condition {text!r} is none; write column=value, column>value or column=low..high.")
    column, op, value = found.groups()
    ends = value.split("..")
    if op == "=" and len(ends) == 2 and any(ends):
        return Condition(column, "between", tuple(end or None for end in ends))
    return Condition(column, op, value or None)


def _like(value: Any, cells: Any) -> Any:
    """A value as the numbers or dates of a column are."""
    pandas = require("pandas", "table", "a table")
    if not pandas.api.types.is_datetime64_any_dtype(cells.dtype):
        return float(value)
    date, zone = pandas.Timestamp(value), getattr(cells.dtype, "tz", None)
    return date.tz_localize(zone) if zone is not None and date.tzinfo is None else date


def _marks(value: Any, cells: Any) -> Any:
    """A value as a column of one cell, of the kind of another."""
    pandas = require("pandas", "table", "a table")
    dates = pandas.api.types.is_datetime64_any_dtype(cells.dtype)
    return pandas.Series([_like(value, cells)], dtype=cells.dtype if dates else np.float64)


def _truth(value: Any) -> bool:
    known = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
    if str(value).lower() not in known:
        raise ValueError(f"{value!r} is neither true nor false")
    return known[str(value).lower()]


def named(found: list[Condition], columns: Iterable[Any]) -> list[Condition]:
    """The conditions, with columns as the table names them. Raises `UsageError` for one that it has not."""
    known = {str(column): column for column in columns}
    for condition in found:
        if str(condition.column) not in known:
            raise unknown("column", condition.column, known)
    return [Condition(known[str(c.column)], c.op, c.value) for c in found]


def possible(found: Iterable[Condition], processor: Any, facts: dict[str, Any]) -> None:
    """Raise `UsageError` for a condition that no row can satisfy: a value that was not there, a range apart."""
    codecs = {codec.name: codec for codec in processor.codecs}
    for condition in found:
        codec = codecs[condition.column]
        if condition.value is None and condition.op == "=":
            if not codec.missing:
                raise UsageError(f"no row can satisfy {condition}: no cell of {codec.name!r} was missing.")
            continue
        inner = codec.inner if isinstance(codec, GapColumn) else codec
        if isinstance(inner, RankColumn):
            _in_range(condition, inner)
        elif isinstance(inner, BooleanColumn | CategoricalColumn):
            each = np.eye(inner.width) if isinstance(inner, CategoricalColumn) else np.array([[0.0], [1.0]])
            frame = settled(inner.invert(each).to_frame(codec.name), facts)
            if not condition.holds(frame).any():
                there = ", ".join(map(str, frame[codec.name].tolist()[:20]))
                raise UsageError(f"no row can satisfy {condition}: {codec.name!r} holds {there}.")


def _in_range(condition: Condition, codec: RankColumn) -> None:
    ends = codec.plain.invert(np.array([[codec.values[0]], [codec.values[-1]]])).to_frame(codec.name)
    first, last = ends.iloc[[0]], ends.iloc[[1]]
    value = condition.value
    each = value if condition.op == "in" else [value]
    apart = {
        "between": lambda: (
            (value[0] is not None and not _one(condition, ">=", value[0], last))
            or (value[1] is not None and not _one(condition, "<=", value[1], first))
        ),
        "!=": lambda: False,
    }.get(condition.op)
    if apart is None and condition.op in ("=", "in"):
        out = all(not (_one(condition, "<=", v, first) and _one(condition, ">=", v, last)) for v in each)
    elif apart is None:
        out = not condition.holds(last if condition.op in (">", ">=") else first).any()
    else:
        out = apart()
    if out:
        low, high = ends[codec.name].tolist()
        raise UsageError(
            f"no row can satisfy {condition}: {codec.name!r} goes from {low} to {high} in the rows that were learnt."
        )


def _one(condition: Condition, op: str, value: Any, frame: Any) -> bool:
    return bool(Condition(condition.column, op, value).holds(frame).all())


def satisfied(frame: Any, found: Iterable[Condition]) -> np.ndarray:
    """Which rows satisfy all conditions (N,) bool."""
    return np.logical_and.reduce([np.ones(len(frame), bool), *(condition.holds(frame) for condition in found)])


def rejected(draw: Draw, n: int, found: list[Condition]) -> tuple[Any, int]:
    """``n`` rows that satisfy all conditions, and how many were drawn for them.

    ``draw(size, few)`` gives a DataFrame of so many new rows; ``few`` says that hardly any row so far satisfied the
    conditions, and draws near those that do are welcome. Raises `ModelError` when too few ever do.
    """
    pandas = require("pandas", "table", "rows under conditions")
    kept: list[Any] = []
    have = drawn = 0
    met = np.zeros(len(found))
    while have < n:
        if drawn >= max(PATIENCE, TRIES * n):
            raise ModelError(_unmet(found, met / drawn, have, n, drawn))
        share = have / drawn if drawn else 1.0
        size = int(np.clip(1.2 * (n - have) / max(share, 1e-4), LEAST, BATCH))
        rows = draw(size, drawn > 0 and share < 0.1)
        met += [condition.holds(rows).sum() for condition in found]
        rows = rows[satisfied(rows, found)]
        drawn, have = drawn + size, have + len(rows)
        kept.append(rows)
    return pandas.concat(kept, ignore_index=True).iloc[:n], drawn


def _unmet(found: list[Condition], shares: np.ndarray, have: int, n: int, drawn: int) -> str:
    rarest = int(np.argmin(shares))
    each = f"{found[rarest]} alone holds for {100 * shares[rarest]:.2g} % of the rows drawn last"
    asked = " and ".join(map(str, found))
    return f"{have:,} of {n:,} rows satisfied {asked} in {drawn:,} draws; {each}. Ask for less, or for a wider range."
