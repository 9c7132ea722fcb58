"""Series to a table, times first and then the channels under their names, or one of them to .npy."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError, require
from .series import Series, series_in
from .write import suffix_of, write_array

SUFFIXES = (".csv", ".csv.gz", ".parquet", ".npy")


def write(path: Path, rows: Any, keys: Any) -> None:
    """Write series: .csv(.gz) or .parquet, columns time, key (of several series), channels; .npy (T, C) for one.

    keys : DataFrame of one row a series; without it several series are told apart by a column 'series'.

    Raises `UsageError` for several series in a .npy file and for series of different channels in one table.
    """
    series = series_in(rows)
    if suffix_of(path) != ".npy":
        write_array(path, _table(series, keys))
        return
    if len(series) != 1:
        raise UsageError(f"a .npy file takes one series; there are {len(series)}. Write them to .csv or .parquet.")
    write_array(path, series[0].values)


def _table(series: list[Series], keys: Any) -> Any:
    pandas = require("pandas", "table", "writing series to a table")
    columns = series[0].columns
    other = next((row for row in series if row.columns != columns), None)
    if other is not None:
        raise UsageError(f"{other} has other channels than the first one; write series of the same channels.")
    steps = [row.steps for row in series]
    parts: dict[str, Any] = {}
    if all(row.time is not None for row in series):
        parts[series[0].time_column] = np.concatenate([row.time for row in series])
    elif len(series) > 1:
        parts["step"] = np.concatenate([np.arange(count) for count in steps])
    parts.update(_keys(series, keys, np.repeat(np.arange(len(series)), steps)))
    both = [name for name in columns if name in parts]
    if both:
        raise UsageError(f"column {both[0]!r} is a channel, and a key or the time too; rename one.")
    values = np.concatenate([row.values for row in series])
    return pandas.DataFrame({**parts, **dict(zip(columns, values.T, strict=True))})


def _keys(series: list[Series], keys: Any, number: Any) -> dict[str, Any]:
    """The key columns, a value a step; the file's name alone says nothing of a single series."""
    if keys is not None and len(keys) == len(series):
        if len(series) == 1 and list(keys.columns) == ["file"]:
            return {}
        return {str(name): keys[name].to_numpy()[number] for name in keys.columns}
    if len(series) == 1:
        return {}
    names = np.array([row.name for row in series])
    return {"series": names[number] if len(set(names.tolist())) == len(series) else number}
