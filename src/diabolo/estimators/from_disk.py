"""Rows that stay on disk: learnt from in one pass, and gone over piece by piece."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ..core import Feed, OnePass, Processor, Windowed
from ..core.errors import UsageError
from ..data import Source, Stored, StoredFeed, encoded_bytes, is_frame, joined_rows
from .rows import bare, read_rows, rows_in

if TYPE_CHECKING:
    from .base import BaseAutoencoder

SAMPLE, SAMPLE_BYTES = 20_000, 64 << 20
PIECE_BYTES = 8 << 20


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
    sample = stored.sample(min(SAMPLE, rows))
    read_rows(estimator, sample, fitting=True)  # names and number of the columns, as scikit-learn keeps them
    start = vars(estimator).get("_start")
    if start is not None:
        estimator.processor_ = start[0].processor_
    else:
        reader = estimator._reader(sample if source.processor is None else source)
        whole = isinstance(reader, OnePass)
        parts = (part.rows for part in stored.parts(rows))
        estimator.processor_ = reader.fit_parts(parts) if whole else reader.fit(sample.rows)  # type: ignore[attr-defined]
    processor: Processor = estimator.processor_
    sizes = None
    if isinstance(processor, Windowed):  # how many windows a file gives, its bytes alone tell
        parts = (stored.read([block]).rows for block in range(len(stored.edges) - 1))
        sizes = np.array([rows_in(processor.encode(part)) if len(part) else 1 for part in parts])
    return StoredFeed(stored, processor, encoded_bytes(processor, sample), sizes)


def rows_a_piece(stored: Stored) -> int:
    """How many rows take about 8 MB, as they are read."""
    first = stored.read([0])
    taken = first.rows.memory_usage(index=False).sum() if is_frame(first.rows) else _size(first.rows)
    return max(1, int(PIECE_BYTES * len(first) // max(1, int(taken))))


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
