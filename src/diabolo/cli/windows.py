"""Rows that are cut into windows: how many there are, and which window a line of output speaks of."""

from __future__ import annotations

from typing import Any


def count(processor: Any, rows: Any) -> int:
    """How many rows the model sees: windows, where rows are cut into them."""
    from ..core import Windowed

    return len(processor.places(rows)[0]) if isinstance(processor, Windowed) else len(rows)


def as_windows(processor: Any, source: Any, most: int = 2000) -> Any:
    """The source with a row a window, evenly chosen, where rows are cut into windows: what a report shows."""
    from dataclasses import replace

    import numpy as np

    from ..core import Windowed

    if not isinstance(processor, Windowed):
        return source
    part: Any = processor
    encoded = part.encode(source.rows)
    total = len(next(iter(encoded.values())))
    index = np.unique(np.linspace(0, total - 1, min(total, most)).astype(int))
    target = part.collate({name: tensor[index] for name, tensor in encoded.items()}).target
    labels = None if source.target is None else source.target[processor.places(source.rows)[0][index]]
    return replace(source, rows=part.invert(target), keys=None, target=labels)


def window_keys(processor: Any, source: Any) -> Any:
    """One line a window: the key columns of its row, ``start`` and ``end``, its first and last time (step, where there
    are no times)."""
    from ..core.errors import require
    from ..data.series import Series

    pandas = require("pandas", "table", "naming windows")
    number, first, after = processor.places(source.rows)
    if source.keys is not None:
        keys = source.keys.iloc[number].reset_index(drop=True)
    else:
        keys = pandas.DataFrame({"row": number} if len(source) > 1 else {}, index=range(len(number)))
    timed = all(isinstance(row, Series) and row.time is not None for row in source.rows)
    if not timed:
        return keys.assign(start=first, end=after - 1)
    bounds = [row.time for row in source.rows]
    return keys.assign(start=_at(bounds, number, first), end=_at(bounds, number, after - 1))


def _at(times: list[Any], number: Any, step: Any) -> Any:
    """The times of steps of rows, from all times end to end."""
    import numpy as np

    lengths = [len(time) for time in times]
    return np.concatenate(times)[(np.cumsum(lengths) - lengths)[number] + step]
