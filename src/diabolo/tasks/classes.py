"""Classes of rows, of any plain type, as places in their order, and back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy import ndarray
from sklearn.utils import column_or_1d
from sklearn.utils.multiclass import check_classification_targets

from ..core.errors import DataError, require


@dataclass
class Classes:
    """The classes of some rows in order; unlike `Labels` it takes -1 for a class, and no row may lack one.

    >>> known = Classes.learn(["b", "a", "b"])
    >>> known.places(["a", "b"], 2).tolist(), known.values.tolist()
    ([0, 1], ['a', 'b'])
    """

    values: ndarray
    kind: str = ""

    def __post_init__(self) -> None:
        if self.kind:
            self.values = np.asarray(self.values, dtype=np.dtype(self.kind))

    @classmethod
    def learn(cls, y: Any) -> Self:
        """From classes (N,). Raises `DataError` for a row without one, and for numbers that are no classes."""
        return cls(np.unique(_plain(y)))

    def places(self, y: Any, rows: int) -> ndarray:
        """Place of each row's class (N,). Raises `DataError` for a class that was not there, or another number."""
        given = _plain(y)
        if len(given) != rows:
            raise DataError(f"there are {len(given)} classes for {rows} rows; give one for each row.")
        at = {value: place for place, value in enumerate(self.values.tolist())}
        strange = [value for value in np.unique(given).tolist() if value not in at]
        if strange:
            listed = ", ".join(map(str, list(at)[:20]))
            raise DataError(f"y holds {strange[0]!r}, a class that was not there at fit; known: {listed}.")
        values, place = np.unique(given, return_inverse=True)
        return np.array([at[value] for value in values.tolist()], np.int64)[place]

    def joined(self, y: Any, more: ndarray) -> Any:
        """Classes as they were given, and more after them: a Series stays one."""
        if type(y).__module__.partition(".")[0] == "pandas":
            pandas = require("pandas", "table", "a table")

            column = y if isinstance(y, pandas.Series) else y.iloc[:, 0]
            return pandas.concat(
                [column, pandas.Series(more, name=column.name).astype(column.dtype)], ignore_index=True
            )
        given = column_or_1d(y)
        return np.concatenate([given, more.astype(given.dtype) if given.dtype.kind == "O" else more])

    def state(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        kind = "str" if self.values.dtype.kind in "OUT" else str(self.values.dtype)
        return {"values": self.values.tolist(), "kind": kind}


def _plain(y: Any) -> ndarray:
    """Classes (N,) of one plain type."""
    values = column_or_1d(np.asarray(y), warn=True)
    if values.dtype.kind in "OUST":
        lacking = [value is None or value != value or str(value) == "" for value in values]
        if any(lacking):
            raise DataError(f"row {lacking.index(True)} has no class; give every row one, or leave such rows out.")
        kinds = {type(value) for value in values.tolist()}
        return values.astype(str) if str in kinds else np.asarray(values.tolist())
    if values.dtype.kind == "f":
        if not np.isfinite(values).all():
            row = int((~np.isfinite(values)).argmax())
            raise DataError(f"row {row} has no class (NaN or infinity); give every row one, or leave such rows out.")
        check_classification_targets(values)
    return values
