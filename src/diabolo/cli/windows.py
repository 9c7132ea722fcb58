"""Rows that are cut into windows: how many there are, and which window a line of output speaks of."""

from __future__ import annotations

from typing import Any


def count(processor: Any, rows: Any) -> int:
    """How many rows the model sees: windows, where rows are cut into them."""
    from ..core import Windowed
    from ..data import Stored

    if isinstance(processor, Windowed) and not isinstance(rows, Stored):
        return len(processor.places(rows)[0])
    return int(rows.shape[0])


def window_keys(processor: Any, source: Any) -> Any:
    """One line a window: the key columns of its row, ``start`` and ``end``: of series the first and last time (step,
    where there are no times), of sounds seconds, of clips frames, the end being after the last one."""
    from ..core.errors import require
    from ..tasks.windows import bounds

    pandas = require("pandas", "table", "naming windows")
    number, start, end = bounds(processor, source.rows)
    if source.keys is not None:
        keys = source.keys.iloc[number].reset_index(drop=True)
    else:
        keys = pandas.DataFrame({"row": number} if len(source) > 1 else {}, index=range(len(number)))
    return keys.assign(start=start, end=end)


def by_step(found: Any, source: Any) -> Any:
    """One line a step of `Series` that speak of rows: the key columns of its row, its time, and the values."""
    from ..core.errors import require

    pandas = require("pandas", "table", "naming steps")
    frames = []
    for place, row in enumerate(found):
        time = range(row.steps) if row.time is None else row.time
        own = {} if source.keys is None else {name: source.keys[name].iloc[place] for name in source.keys}
        own = own or ({"row": place} if len(found) > 1 else {})
        columns = {row.time_column: time, **{name: row.values[:, c] for c, name in enumerate(row.columns)}}
        frames.append(pandas.DataFrame({**own, **columns}))
    joined = pandas.concat(frames, ignore_index=True)
    return joined.assign(anomaly=joined["anomaly"] > 0) if "anomaly" in joined else joined
