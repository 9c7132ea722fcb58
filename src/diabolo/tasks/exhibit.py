"""What a task shows in a report: sections of pictures and tables, as plain data."""

from __future__ import annotations

from dataclasses import dataclass

from numpy import ndarray


@dataclass(frozen=True)
class Strip:
    """Pictures side by side under one line: before and after, a defect and its map, neighbours of a query.

    ``pictures``: each (H, W), (H, W, 1), (H, W, 3) or (H, W, 4), uint8 or floats in [0, 1]; any sizes. ``captions``:
    one a picture, or none.
    """

    title: str
    pictures: tuple[ndarray, ...]
    captions: tuple[str, ...] = ()


@dataclass(frozen=True)
class Exhibit:
    """One section of a report: a title, what is seen, pictures, a table.

    ``columns`` and ``rows``: the table's header and lines, all texts; a method's name first.
    """

    title: str
    text: str = ""
    strips: tuple[Strip, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()
