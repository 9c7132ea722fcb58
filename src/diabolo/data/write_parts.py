"""Results that come piece by piece, to one file, whole or not at all; memory holds one piece."""

from __future__ import annotations

import gzip
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import DataError, UsageError, require
from ..core.files import write_atomic
from .write import SUFFIXES, as_table, check_out, suffix_of

Piece = tuple[Any, Any]


def write_parts(path: str | Path, parts: Iterable[Piece], *, force: bool = False) -> int:
    """Write pieces (rows, keys) one after the other to .npy, .csv(.gz) or .parquet; returns the number of rows.

    Rows and keys as `write` takes them. Raises `UsageError` for other suffixes, `DataError` if the disk is full; the
    file is there only once all pieces are.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write_parts(Path(folder) / "z.npy", [(np.zeros((2, 3)), None), (np.ones((1, 3)), None)])
    ...     np.load(Path(folder) / "z.npy").shape
    3
    (3, 3)
    """
    path = Path(path).expanduser()
    check_out(path, force=force, suffixes=SUFFIXES)
    counted: list[int] = []

    def counting() -> Iterator[Piece]:
        for rows, keys in parts:
            counted.append(len(rows))
            yield rows, keys

    writers = {".npy": _npy, ".parquet": _parquet, ".csv": _csv, ".csv.gz": _packed}
    write_atomic(path, lambda file: writers[suffix_of(path)](file, counting()))
    return sum(counted)


def _npy(file: IO[bytes], parts: Iterator[Piece]) -> None:
    """The header is written anew once the number of rows is known; it has room for any."""
    rows, shape, dtype = 0, tuple[int, ...](), np.dtype(np.float32)
    for piece, _ in parts:
        array = np.ascontiguousarray(piece)
        if array.dtype.kind not in "buif":
            raise UsageError(f"a .npy file takes numbers only; got {array.dtype}. Write a table to .csv or .parquet.")
        if not rows:
            shape, dtype = array.shape[1:], array.dtype
            _header(file, 0, shape, dtype)
        file.write(array.astype(dtype, copy=False).tobytes())
        rows += len(array)
    file.seek(0)
    _header(file, rows, shape, dtype)
    file.seek(0, 2)


def _header(file: IO[bytes], rows: int, shape: tuple[int, ...], dtype: np.dtype) -> None:
    """Version 1.0 with room for a long number of rows: always of one length."""
    text = (
        f"{{'descr': {np.lib.format.dtype_to_descr(dtype)!r}, 'fortran_order': False, 'shape': {(rows, *shape)!r}, }}"
    )
    length = 256 - 10
    file.write(b"\x93NUMPY\x01\x00" + length.to_bytes(2, "little") + text.ljust(length - 1).encode("latin1") + b"\n")


def _first(parts: Iterator[Piece]) -> Piece:
    found = next(parts, None)
    if found is None:
        raise DataError("there are no rows to write: none could be read.")
    return found


def _parquet(file: IO[bytes], parts: Iterator[Piece]) -> None:
    pyarrow, parquet = (require(name, "table", "writing .parquet") for name in ("pyarrow", "pyarrow.parquet"))
    first = _first(parts)
    table = pyarrow.Table.from_pandas(as_table(*first), preserve_index=False)
    with parquet.ParquetWriter(file, table.schema) as writer:
        writer.write_table(table)
        for piece in parts:
            writer.write_table(pyarrow.Table.from_pandas(as_table(*piece), schema=table.schema, preserve_index=False))


def _csv(file: Any, parts: Iterator[Piece]) -> None:
    first = _first(parts)
    for place, piece in enumerate(chain([first], parts)):
        as_table(*piece).to_csv(file, index=False, encoding="utf-8", header=place == 0)


def _packed(file: IO[bytes], parts: Iterator[Piece]) -> None:
    with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
        _csv(packed, parts)
