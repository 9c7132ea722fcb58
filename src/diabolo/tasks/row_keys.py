"""What rows are called: columns of numbers and texts that can be looked up, lengthened and saved as arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError
from ..data import is_frame

NUMBER, TEXT = "number", "text"


def columns_of(keys: Any) -> dict[str, ndarray]:
    """Key columns of a DataFrame, a mapping of columns or one column, which is called "key".

    Whole and real numbers stay numbers; all else becomes text. Raises `DataError` for columns of unequal length.

    >>> {name: column.tolist() for name, column in columns_of(["a", "b"]).items()}
    {'key': ['a', 'b']}
    """
    if is_frame(keys) or isinstance(keys, Mapping):
        found = {str(name): _column(keys[name]) for name in keys}
    else:
        found = {str(getattr(keys, "name", None) or "key"): _column(keys)}
    if len({len(column) for column in found.values()}) > 1:
        raise DataError(
            f"key columns must be equally long; got {', '.join(f'{n}: {len(c)}' for n, c in found.items())}."
        )
    return found


def _column(values: Any) -> ndarray:
    column = np.asarray(values)
    if column.ndim != 1:
        raise DataError(f"keys must be one value a row (N,); got shape {column.shape}.")
    if column.dtype.kind in "iu":
        return column.astype(np.int64)
    if column.dtype.kind == "f":
        return column.astype(np.float64)
    return np.array([str(value) for value in column], dtype=object)


class RowKeys:
    """Key columns of an index, as the arrays that are saved.

    >>> keys = RowKeys({}, [])
    >>> keys.extend({"file": np.array(["a.png", "é.png"], object)})
    >>> keys.extend({"file": np.array(["c.png"], object)})
    >>> keys.at(np.array([2, 1]))["file"].tolist(), keys.where("é.png").tolist()
    (['c.png', 'é.png'], [1])
    """

    def __init__(self, arrays: dict[str, ndarray], columns: list[list[str]]) -> None:
        self.arrays, self.columns = arrays, columns
        """Arrays by "key.PLACE" (and ".ends" for texts); name and kind of every column."""

    @property
    def names(self) -> list[str]:
        """The columns' names."""
        return [name for name, _ in self.columns]

    def extend(self, more: Mapping[str, ndarray]) -> None:
        """More rows. Raises `DataError` if their columns are others."""
        kinds = [[name, TEXT if column.dtype == object else NUMBER] for name, column in more.items()]
        if not self.columns:
            self.columns.extend(kinds)
        elif kinds != self.columns:
            raise DataError(f"the index knows its rows by {_said(self.columns)}; these come with {_said(kinds)}.")
        for place, column in enumerate(more.values()):
            name = f"key.{place}"
            if column.dtype != object:
                self._add(name, column)
                continue
            coded = [text.encode() for text in column]
            before = len(self.arrays.get(name, ()))
            self._add(name, np.frombuffer(b"".join(coded), np.uint8))
            self._add(f"{name}.ends", before + np.cumsum([len(text) for text in coded], dtype=np.int64))

    def _add(self, name: str, values: ndarray) -> None:
        held = self.arrays.get(name)
        self.arrays[name] = values.copy() if held is None else np.concatenate([held, values])

    def at(self, numbers: ndarray) -> dict[str, ndarray]:
        """The keys of some rows: column -> values in the shape of ``numbers``."""
        found = {}
        for place, (name, kind) in enumerate(self.columns):
            held = self.arrays[f"key.{place}"]
            found[name] = held[numbers] if kind == NUMBER else self._texts(place, numbers)
        return found

    def _texts(self, place: int, numbers: ndarray) -> ndarray:
        whole, ends = self.arrays[f"key.{place}"], self.arrays[f"key.{place}.ends"]
        found = np.empty(numbers.shape, object)
        for at, number in np.ndenumerate(numbers):
            begin = ends[number - 1] if number > 0 else 0
            found[at] = whole[begin : ends[number]].tobytes().decode()
        return found

    def where(self, key: Any) -> ndarray:
        """Numbers of the rows whose first key column is ``key``; a text may stand for a number."""
        if not self.columns:
            return np.zeros(0, np.int64)
        if self.columns[0][1] == TEXT:
            rows = np.arange(len(self.arrays["key.0.ends"]))
            return np.flatnonzero(self._texts(0, rows) == str(key))
        try:
            return np.flatnonzero(self.arrays["key.0"] == float(key))
        except (TypeError, ValueError):
            return np.zeros(0, np.int64)


def _said(columns: list[list[str]]) -> str:
    return ", ".join(f"{name!r} ({kind})" for name, kind in columns) or "no keys"


def as_text(columns: Mapping[str, ndarray]) -> list[str]:
    """Keys as one text a row; what begins and ends is "from to".

    >>> as_text({"file": np.array(["a.wav"]), "start": np.array([0.5]), "end": np.array([1.0])})
    ['a.wav 0.5 to 1']
    """
    parts = [[_said_of(value) for value in column] for column in columns.values()]
    if list(columns)[-2:] == ["start", "end"]:
        *before, start, end = parts
        parts = [*before, [f"{a} to {b}" for a, b in zip(start, end, strict=True)]]
    return [" ".join(words) for words in zip(*parts, strict=True)]


def _said_of(value: Any) -> str:
    return f"{value:.4g}" if isinstance(value, float | np.floating) else str(value)
