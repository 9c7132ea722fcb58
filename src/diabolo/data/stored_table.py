"""Tables that stay on disk: Parquet by row group, CSV by stretches of lines."""

from __future__ import annotations

import io
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, require
from .record import Source
from .stored import Stored

STRETCH = 4 << 20
"""Bytes of a CSV that are read in one go."""
LONGEST = 256 << 20
"""Bytes without the end of a row after which a CSV is given up."""
HEAD = 50_000


class StoredTable(Stored):
    """A table on disk. ``part`` makes a Source of some rows: which columns are input, labels and keys was told from
    the first ones (`head`)."""

    part: Callable[[Any], Source]

    @abstractmethod
    def frame(self, blocks: ndarray) -> Any:
        """The rows of some blocks as a DataFrame."""

    @abstractmethod
    def head(self) -> Any:
        """The first rows, at most 50,000 or a block, to tell the columns by."""

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        blocks = np.asarray(blocks)
        source = self.part(self.frame(blocks))
        numbers = np.concatenate([np.arange(self.edges[b], self.edges[b + 1]) for b in blocks])
        return replace(source, numbers=numbers[: len(source)])


class StoredParquet(StoredTable):
    """A .parquet file; a block is a row group. ``settle`` makes a DataFrame of an Arrow table.

    Raises `DataError` for a damaged file.
    """

    def __init__(self, path: Path, settle: Callable[[Any], Any]) -> None:
        self.path, self.settle = path, settle
        self.columns: list[str] | None = None
        self._parquet = require("pyarrow.parquet", "table", f"reading {path.name}")
        about = self._parquet.read_metadata(path)
        self.edges = np.cumsum([0, *(about.row_group(g).num_rows for g in range(about.num_row_groups))])

    def frame(self, blocks: ndarray) -> Any:
        try:
            with self._parquet.ParquetFile(self.path) as file:
                table = file.read_row_groups(blocks.tolist(), columns=self.columns, use_threads=False)
        except (OSError, ValueError) as error:
            raise DataError(f"{self.path.name} is damaged or cut short ({error}); fetch or save it again.") from error
        return self.settle(table)

    def head(self) -> Any:
        pyarrow = require("pyarrow", "table", f"reading {self.path.name}")
        with self._parquet.ParquetFile(self.path) as file:
            return self.settle(pyarrow.Table.from_batches([next(file.iter_batches(HEAD, use_threads=False))]))


class StoredCsv(StoredTable):
    """A CSV file; a block is a stretch of about 4 MB of whole rows. ``parse`` makes a DataFrame of an open file."""

    def __init__(self, path: Path, parse: Callable[[IO[bytes]], Any], header: bool) -> None:
        self.path, self.parse = path, parse
        self.offsets, self.edges = stretches(path, header)
        with path.open("rb") as file:
            self._names = file.read(int(self.offsets[0]))

    def frame(self, blocks: ndarray) -> Any:
        pandas = require("pandas", "table", f"reading {self.path.name}")
        pieces = []
        with self.path.open("rb") as file:
            for block in blocks.tolist():
                file.seek(self.offsets[block])
                text = file.read(self.offsets[block + 1] - self.offsets[block])
                pieces.append(self.parse(io.BytesIO(self._names + text)))
        return pieces[0] if len(pieces) == 1 else pandas.concat(pieces, ignore_index=True)

    def head(self) -> Any:
        return self.frame(np.array([0]))


def stretches(path: Path, header: bool, size: int = STRETCH, *, lines: bool = False) -> tuple[ndarray, ndarray]:
    """Where stretches of whole rows begin (K + 1,), and how many rows come before each (K + 1,).

    One pass over the bytes. Line ends inside quotes end no row, and blank lines are none; with ``lines`` every line
    is a row. Raises `DataError` where rows do not end.
    """
    counts, rest = list[int](), b""
    with path.open("rb") as file:
        offsets = [_after_header(file, path.name) if header else 0]
        file.seek(offsets[0])
        while chunk := file.read(size):
            text = rest + chunk
            ends = line_ends(text) if lines else row_ends(text)
            if not len(ends):
                rest = text
                _check_length(rest, path.name)
                continue
            stop = int(ends[-1]) + 1
            counts.append(len(ends) - (0 if lines else _blank(text, ends)))
            offsets.append(offsets[-1] + stop)
            rest = text[stop:]
    if rest if lines else rest.strip():
        counts.append(1)
        offsets.append(offsets[-1] + len(rest))
    return np.array(offsets), np.cumsum([0, *counts])


def row_ends(text: bytes) -> ndarray:
    """Places of the line ends that end a row; ``text`` begins with a row.

    >>> row_ends(b'a,b\\n"two\\nlines",c\\n').tolist()
    [3, 17]
    """
    ends = line_ends(text)
    if b'"' not in text:
        return ends
    cells = np.frombuffer(text, np.uint8)
    return ends[np.cumsum(cells == ord('"'))[ends] % 2 == 0]


def line_ends(text: bytes) -> ndarray:
    """Places of all line ends."""
    return np.flatnonzero(np.frombuffer(text, np.uint8) == ord("\n"))


def _after_header(file: IO[bytes], name: str) -> int:
    text = b""
    while chunk := file.read(1 << 16):
        text += chunk
        ends = row_ends(text)
        if len(ends):
            return int(ends[0]) + 1
        _check_length(text, name)
    return len(text)


def _check_length(text: bytes, name: str) -> None:
    if len(text) > LONGEST:
        raise DataError(f"{name}: no row ends in {LONGEST >> 20} MB; is a quotation mark open?")


def _blank(text: bytes, ends: ndarray) -> int:
    """How many of the rows are lines that hold nothing but their end."""
    cells = np.frombuffer(text, np.uint8)
    lengths = np.diff(np.concatenate([[-1], ends]))
    carriage = (lengths == 2) & (cells[np.maximum(ends - 1, 0)] == ord("\r"))
    return int(((lengths == 1) | carriage).sum())
