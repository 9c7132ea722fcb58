"""Arrays from .npy, IDX and text files of numbers."""

from __future__ import annotations

import gzip
import math
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import DataError, UsageError
from .limits import check_finite, check_memory
from .record import Options, Source
from .stored import Mapped

_IDX_TYPES = {8: ">u1", 9: ">i1", 11: ">i2", 12: ">i4", 13: ">f4", 14: ">f8"}
FOOTPRINT = 3
"""Bytes an array takes while it is read and encoded, for one byte of it."""
_TAKE_LESS = "Take a part of the rows, or a machine with more memory."


def array_source(array: np.ndarray, options: Options, origin: str) -> Source:
    """An array (N, *S) of numbers as a Source; uint8 pictures (N, H, W[, C]) become 'image'.

    Raises `DataError` for no rows, one dimension, a type that holds no numbers, NaN or infinity.
    """
    check_array(array, origin or "Input X", allow_missing=options.allow_missing)
    return Source(array, options.as_ or array_modality(array), origin=origin)


def array_modality(array: np.ndarray) -> str:
    """'image' for uint8 (N, H, W) and (N, H, W, 1 to 4), else 'array'.

    >>> array_modality(np.zeros((2, 8, 8, 3), np.uint8)), array_modality(np.zeros((2, 8)))
    ('image', 'array')
    """
    picture = array.ndim == 3 or (array.ndim == 4 and array.shape[3] <= 4)
    return "image" if picture and array.dtype == np.uint8 else "array"


def check_array(array: np.ndarray, name: str, *, allow_missing: bool = False) -> None:
    """Raise `DataError` unless ``array`` is (N, *S) with N of at least 1, of finite real numbers."""
    if array.dtype.kind not in "buif":
        kind = "Complex data not supported" if array.dtype.kind == "c" else f"it holds {array.dtype}, not numbers"
        raise DataError(f"{name}: {kind}; give an array of real numbers.")
    if array.ndim < 2:
        raise DataError(
            f"{name} has shape {array.shape}; rows of values (N, …) are needed. "
            "Reshape your data: array.reshape(-1, 1) for one value a row."
        )
    if 0 in array.shape:
        what = "0 sample(s)" if array.shape[0] == 0 else "0 feature(s)"
        raise DataError(f"{name}: found array with {what} (shape={array.shape}) while a minimum of 1 is required.")
    check_finite(array, name, allow_missing=allow_missing)


def read_npy(path: Path, options: Options) -> Source:
    """Read a .npy file. Raises `DataError` if it is cut short, holds objects or no rows."""
    options.refuse("a .npy file", "target", "key", "exclude", "array", "include")
    view = _mapped(path)
    if not options.fits(view.nbytes * FOOTPRINT) and view.ndim > 1 and view.dtype.kind in "buif" and len(view):
        note = f"{len(view):,} rows stay on disk and are read piece by piece (--memory changes what may be in memory)"
        stored = Mapped(view, options.as_ or array_modality(view), path.name)
        return Source(stored, stored.modality, notes=[note], origin=path.name, processor=options.processor)
    return array_source(load_npy(path), options, path.name)


def load_npy(path: Path) -> np.ndarray:
    """The array of a .npy file, after a look at its size; pickled objects are refused."""
    view = _mapped(path)
    check_memory(view.nbytes, path.name, _TAKE_LESS)
    return np.array(view)


def _mapped(path: Path) -> np.ndarray:
    try:
        return np.load(path, mmap_mode="r", allow_pickle=False)  # type: ignore[no-any-return]
    except (ValueError, EOFError, OSError) as error:
        if "Object arrays" in str(error) or "Python objects" in str(error):
            raise DataError(f"{path.name} holds Python objects; save an array of numbers.") from error
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch or save it again.") from error


def read_idx(path: Path, options: Options) -> Source:
    """Read an IDX file (the format of MNIST), gzipped or not.

    Raises `DataError` if it is cut short, or holds labels rather than rows.
    """
    options.refuse("an IDX file", "target", "key", "exclude", "array", "include")
    array = load_idx(path)
    if array.ndim == 1:
        raise DataError(
            f"{path.name} is a labels file ({len(array)} values, {array.min()} to {array.max()}), not rows; "
            "give the file with the images."
        )
    return array_source(array, options, path.name)


def load_idx(path: Path) -> np.ndarray:
    """The array of an IDX file, labels files too; (N, …) in native byte order."""
    with path.open("rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    try:
        with gzip.open(path, "rb") if packed else path.open("rb") as file:
            return _parse_idx(file, path.name)
    except (EOFError, gzip.BadGzipFile, OSError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again.") from error


def _parse_idx(file: IO[bytes] | Any, name: str) -> np.ndarray:
    head = file.read(4)
    dtype, dims = np.dtype(_IDX_TYPES[head[2]]), head[3]
    sizes = file.read(4 * dims)
    if len(sizes) < 4 * dims:
        raise DataError(f"{name} is cut short: its header ends after {4 + len(sizes)} bytes; fetch it again.")
    shape = tuple(int(n) for n in np.frombuffer(sizes, ">u4"))
    wanted = math.prod(shape) * dtype.itemsize
    check_memory(wanted, name, _TAKE_LESS)
    body = file.read(wanted)
    if len(body) < wanted:
        raise DataError(f"{name} is cut short: {wanted} bytes of data announced, {len(body)} found; fetch it again.")
    if file.read(1):
        raise DataError(f"{name} holds more data than its header announces {shape}; it is damaged.")
    if math.prod(shape) == 0:
        raise DataError(f"{name} is empty: its shape is {shape}.")
    return np.frombuffer(body, dtype).reshape(shape).astype(dtype.newbyteorder("="))


def read_numbers(path: Path) -> np.ndarray:
    """A .txt file in which every line is numbers, parted by blanks or commas: (N, D) float64.

    Raises `UsageError` if a line holds words, `DataError` if lines differ in length.
    """
    opener = gzip.open if path.name.lower().endswith(".gz") else open
    rows: list[np.ndarray] = []
    try:
        with opener(path, "rt", encoding="utf-8-sig") as file:
            for number, line in enumerate(file, 1):
                cells = line.replace(",", " ").split()
                if cells:
                    rows.append(_numbers(cells, path.name, number, len(rows[0]) if rows else None))
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    if not rows:
        raise DataError(f"{path.name} is empty: it has no line with a value.")
    return np.stack(rows)


def _numbers(cells: list[str], name: str, line: int, width: int | None) -> np.ndarray:
    try:
        row = np.array([float(cell) for cell in cells])
    except ValueError as error:
        raise UsageError(
            f"{name}, line {line}, is text where the lines before are numbers; correct it, or "
            "read the file with --as text, or as CSV with --as table."
        ) from error
    if width is not None and len(row) != width:
        raise DataError(
            f"{name}, line {line}, has {len(row)} values where the lines before have {width}; "
            "give every line the same number (--as interactions reads a user and the items of the user on each line)."
        )
    return row
