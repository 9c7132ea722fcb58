"""Rows that stay on disk: learnt from in one pass, and gone over piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Batch, Feed, OnePass, Processor, Windowed
from ..core.errors import DataError, UsageError
from ..data import Source, Stored, StoredFeed, encoded_bytes, is_frame, joined_rows
from . import choose
from .rows import bare, read_rows, rows_in

if TYPE_CHECKING:
    from .base import BaseAutoencoder

SAMPLE = 20_000
PIECE_BYTES, FEW_BYTES = 8 << 20, 64 << 20


def on_disk(rows: Any) -> bool:
    """Whether rows are left on disk."""
    return isinstance(bare(rows), Stored)


def learn(estimator: BaseAutoencoder, source: Source) -> Feed:
    """The rows as a feed that reads them ahead; the processor sees them once.

    Raises `UsageError` for models that learn from labels: labels must lie in memory with their rows.
    """
    if estimator._label_role is not None and not estimator._optional_labels:
        name = estimator.part_name  # type: ignore[attr-defined]
        raise UsageError(
            f"model {name!r} learns from labels, which needs the rows in memory; give more with --memory, or fewer "
            "rows."
        )
    stored: Stored = source.rows
    rows = rows_a_piece(stored)
    some = stored.sample(min(SAMPLE, max(rows, 16)))
    read_rows(estimator, some, fitting=True)  # names and number of the columns, as scikit-learn keeps them
    start = vars(estimator).get("_start")
    if start is not None:
        estimator.processor_ = start[0].processor_
    else:
        reader = estimator._reader(some if source.processor is None else source)
        whole = isinstance(reader, OnePass)
        parts = (part.rows for part in stored.parts(rows) if len(part))
        estimator.processor_ = reader.fit_parts(parts) if whole else reader.fit(some.rows)  # type: ignore[attr-defined]
    processor: Processor = estimator.processor_
    sizes = None
    if isinstance(processor, Windowed):  # how many windows a file gives, its bytes alone tell
        parts = (stored.read([block]).rows for block in range(len(stored.edges) - 1))
        sizes = np.array([rows_in(processor.encode(part)) if len(part) else 1 for part in parts])
    return StoredFeed(stored, processor, encoded_bytes(processor, some), sizes)


def rows_a_piece(stored: Stored, size: int = PIECE_BYTES) -> int:
    """How many rows take about so many bytes, as they are read. Raises `DataError` if none of some can be read."""
    some = stored.sample(16)
    if not len(some):
        raise DataError(f"none of {min(16, len(stored))} rows could be read: {stored.damage}.")
    taken = some.rows.memory_usage(index=False).sum() if is_frame(some.rows) else _size(some.rows)
    return max(1, int(size * len(some) // max(1, int(taken))))


def few(stored: Stored) -> int:
    """How many rows take about 64 MB: what may lie in memory beside training, to compare with or to look at."""
    return rows_a_piece(stored, FEW_BYTES)


def sample(feed: Feed, seed: int | None = None) -> Batch:
    """Some rows to decide by: 2,000, or fewer where they are large and stay on disk."""
    rows = choose.SAMPLE
    if isinstance(feed, StoredFeed):
        rows = max(1, min(rows, FEW_BYTES // (4 * feed.row_bytes)))  # bytes become floats
    return next(feed.batches(rows, seed=seed))


def _size(rows: Any) -> int:
    if rows.dtype == object:
        return sum(len(row) if isinstance(row, str) else getattr(row, "nbytes", 64) for row in rows)
    return int(rows.nbytes)


def pieces(source: Source) -> Iterator[Source]:
    """A source piece by piece; one that lies in memory is one piece."""
    if not on_disk(source):
        yield source
        return
    stored: Stored = source.rows
    yield from (piece for piece in stored.parts(rows_a_piece(stored)) if len(piece))


def over(source: Source, function: Callable[[Source], Any]) -> Any:
    """``function`` of every piece, put together again."""
    return joined_rows([function(piece) for piece in pieces(source)])
