"""What the readers give and what they are asked: `Source` and `Options`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np

from ..core.errors import DataError, UsageError, did_you_mean
from .limits import available_memory


class Row:
    """One row that is no plain array: a sound, a clip, a series. ``kind`` says which reader and processor it has."""

    kind: ClassVar[str]


def objects(rows: Iterable[Any]) -> np.ndarray:
    """Rows of any type as an object array (N,), which can be indexed by an array.

    >>> objects([np.zeros(2), np.zeros(3)])[[1, 0]].shape
    (2,)
    """
    rows = list(rows)
    array = np.empty(len(rows), object)
    array[:] = rows
    return array


def is_frame(rows: Any) -> bool:
    """Whether rows are a DataFrame, told without importing pandas."""
    return any(
        kind.__module__.partition(".")[0] == "pandas" and kind.__name__ == "DataFrame" for kind in type(rows).__mro__
    )


@dataclass
class Source:
    """Rows with all that is known about where they came from.

    rows      (N, *S) array, DataFrame, object array of N texts, sounds, clips or series, or sparse (N, M) matrix:
              the input, and only the input
    modality  'array', 'image', 'table', 'text', 'audio', 'video', 'series', 'interactions', or 'binary': numbers in
              [0, 1] that are chances of a 1, drawn anew every epoch
    keys      DataFrame of N rows kept beside the results (identifiers, file names), or None
    target    (N,) labels, never an input, or None; target_name: what they are called, where they have a name
    notes     what was found, what was taken and which option changes it, what was skipped
    skipped   number of damaged items left out
    origin    file name, for display only
    columns   names of the columns, where a table was turned into an array
    processor the processor asked for, by name or Spec, where it is not the usual one of the kind
    numbers   (N,) which rows of a larger whole these are, where they are a piece of it

    >>> source = Source(np.arange(6.0).reshape(3, 2), target=np.array(["a", "b", "a"]))
    >>> len(source), source.take([0, 2]).target.tolist()
    (3, ['a', 'a'])
    """

    rows: Any
    modality: str = "array"
    keys: Any = None
    target: np.ndarray | None = None
    notes: list[str] = field(default_factory=list)
    skipped: int = 0
    origin: str = ""
    columns: tuple[Any, ...] = ()
    processor: Any = None
    numbers: np.ndarray | None = None
    target_name: Any = None

    def __len__(self) -> int:
        return int(self.rows.shape[0])

    def take(self, index: Any) -> Source:
        """The rows at ``index`` (integers, a boolean mask or a slice), with their keys and labels."""
        if not isinstance(index, slice):
            index = np.asarray(index)
        rows = self.rows.iloc[index] if is_frame(self.rows) else self.rows[index]
        keys = None if self.keys is None else self.keys.iloc[index]
        target = None if self.target is None else self.target[index]
        numbers = None if self.numbers is None else self.numbers[index]
        return replace(self, rows=rows, keys=keys, target=target, notes=list(self.notes), numbers=numbers)


@dataclass(frozen=True)
class Options:
    """How a path is to be read; the fields are `open`'s parameters."""

    as_: str | None = None
    target: str | None = None
    key: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    array: str | None = None
    include: str | None = None
    header: bool = True
    strict: bool = False
    size: tuple[int, int] | None = None
    columns: tuple[Any, ...] | None = None
    keep: tuple[str, ...] = ()
    labels: str | None = None
    allow_missing: bool = False
    column: str | None = None
    time: str | None = None
    processor: Any = None
    memory: int | None = None

    def fits(self, size: float) -> bool:
        """Whether so many bytes may lie in memory: ``memory``, or half of what is free."""
        free = self.memory if self.memory is not None else (available_memory() or 1 << 40) // 2
        return size <= free

    @property
    def keeps_labels_in(self) -> bool:
        """Whether the user said that a label-like column is an ordinary input (``target='none'``)."""
        return self.target is not None and self.target.lower() == "none"

    def refuse(self, what: str, *names: str) -> None:
        """Raise `UsageError` where an option was given that means nothing for this kind of data."""
        for name in names:
            given = getattr(self, name)
            if given in (None, (), True) or (name == "target" and self.keeps_labels_in):
                continue
            raise UsageError(f"--{name} does not apply to {what}; leave it out (it was given {given!r}).")


def align(source: Source, columns: Iterable[Any]) -> Source:
    """The table of ``source`` with exactly ``columns``, in that order; matched by name.

    Extra columns are left out with a note. Sources that are no tables come back as they are.
    Raises `DataError` that names the columns which are missing.

    >>> import pandas as pd
    >>> aligned = align(Source(pd.DataFrame({"b": [1], "a": [2], "c": [3]}), "table"), ["a", "b"])
    >>> list(aligned.rows), aligned.notes
    (['a', 'b'], ["column 'c' is not one the model knows and was left out"])
    """
    if source.modality != "table":
        return source
    rows, extra = match_columns(source.rows, list(columns), source.origin)
    notes = [*source.notes, *([left_out(extra)] if extra else [])]
    return replace(source, rows=rows, notes=notes)


def left_out(extra: list[Any]) -> str:
    """The note for columns that a model does not know."""
    if len(extra) == 1:
        return f"column {extra[0]!r} is not one the model knows and was left out"
    return f"columns {listed(extra)} are not ones the model knows and were left out"


def match_columns(frame: Any, columns: list[Any], origin: str = "") -> tuple[Any, list[Any]]:
    """``frame[columns]`` and the names left out. Raises `DataError` that names missing columns."""
    present = list(frame.columns)
    missing = [name for name in columns if name not in set(present)]
    if missing:
        where = f"{origin}: " if origin else ""
        hint = did_you_mean(str(missing[0]), [str(name) for name in present])
        raise DataError(
            f"{where}column{'s' if len(missing) > 1 else ''} {listed(missing)} missing{hint} "
            f"The data has: {listed(present)}. Every column the model was trained on must be there; "
            "its cells may be empty."
        )
    known = set(columns)
    extra = [name for name in present if name not in known]
    return (frame if present == columns else frame[columns]), extra


def damage(bad: Mapping[str, str]) -> str:
    """The first three files that cannot be read, and why.

    >>> damage({"a": "it is empty", "b": "no picture"})
    'a (it is empty), b (no picture)'
    """
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return ", ".join(f"{name} ({why})" for name, why in list(bad.items())[:3]) + more


def listed(names: Iterable[Any], limit: int = 8) -> str:
    """Names for a message: the first few, and how many more.

    >>> listed("abc", limit=2)
    "'a', 'b' and 1 more"
    """
    names = list(names)
    more = f" and {len(names) - limit} more" if len(names) > limit else ""
    return ", ".join(repr(name) for name in names[:limit]) + more
