"""The array that is meant, out of an NPZ archive that may hold several."""

from __future__ import annotations

import fnmatch
import zipfile
import zlib
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError

import numpy as np

from ..core.errors import DataError, UsageError, unknown
from .limits import check_memory
from .read_array import array_source
from .recognise import looks_like_label, split_of
from .record import Options, Source


@dataclass(frozen=True)
class _Header:
    """Name, shape and dtype of one array, known without reading it."""

    name: str
    shape: tuple[int, ...]
    dtype: np.dtype

    @property
    def is_input(self) -> bool:
        """Rows of numbers; labels and single columns are not."""
        return len(self.shape) >= 2 and self.dtype.kind in "buif" and not looks_like_label(self.name)

    def __str__(self) -> str:
        return f"{self.name} {self.shape} {self.dtype}"


def read_npz(path: Path, options: Options) -> Source:
    """Read one array of an NPZ archive as rows, and its labels as target.

    One array of rows and one label-like array of equal length are taken as input and target, and noted.
    Raises `UsageError` naming the arrays and ``--array`` where more than one could be the input, and
    `DataError` for a damaged archive or one without rows.
    """
    options.refuse("an NPZ archive", "key", "exclude", "include")
    headers = array_headers(path)
    chosen = _choose(headers, options, path.name)
    label = _label(headers, chosen, options, path.name)
    check_memory(int(np.prod(chosen.shape)) * chosen.dtype.itemsize, path.name, "Take a part of the rows.")
    source = array_source(load_array(path, chosen.name), options, path.name)
    target = None if label is None else load_array(path, label.name)
    note = _note(headers, chosen, label, path.name)
    name = None if label is None else label.name
    return replace(source, target=target, target_name=name, notes=[note] if note else [])


def load_arrays(path: Path, include: str | None = None) -> dict[str, np.ndarray]:
    """All arrays by name, or those of a pattern, after a look at their size. Raises `DataError`, `UsageError`."""
    headers = [header for header in array_headers(path) if include is None or fnmatch.fnmatchcase(header.name, include)]
    if not headers:
        raise UsageError(f"--include {include!r} matches no array of {path.name}.")
    size = sum(int(np.prod(header.shape)) * header.dtype.itemsize for header in headers)
    check_memory(size, path.name, "Take fewer arrays (--include).")
    return {header.name: load_array(path, header.name) for header in headers}


def array_headers(path: Path) -> list[_Header]:
    """Name, shape and type of every array, none of them loaded. Raises `DataError` for a damaged archive."""
    try:
        with zipfile.ZipFile(path) as archive:
            found = [_header(archive, member) for member in archive.namelist() if member.endswith(".npy")]
    except (zipfile.BadZipFile, ValueError, EOFError, zlib.error, NotImplementedError, TokenError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again.") from error
    if not found:
        raise DataError(f"{path.name} holds no arrays.")
    return found


def _header(archive: zipfile.ZipFile, member: str) -> _Header:
    with archive.open(member) as file:
        version = np.lib.format.read_magic(file)
        read = np.lib.format.read_array_header_1_0 if version == (1, 0) else np.lib.format.read_array_header_2_0
        shape, _, dtype = read(file)
    return _Header(member.removesuffix(".npy"), shape, dtype)


def _choose(headers: list[_Header], options: Options, origin: str) -> _Header:
    if options.array is not None:
        named = {header.name: header for header in headers}
        if options.array not in named:
            raise unknown(f"array of {origin}", options.array, named)
        return named[options.array]
    inputs = [header for header in headers if header.is_input and header.name != options.target]
    if not inputs and len(headers) == 1:
        return headers[0]
    if not inputs:
        raise DataError(
            f"{origin} holds no array of rows (N, …): {_listing(headers)}. Save the rows as one array, "
            "or name one with --array."
        )
    if len(inputs) > 1:
        splits = {split_of(header.name) for header in inputs}
        why = "training and test data" if {"train", "test"} <= splits else "several arrays that could be the input"
        first = next((h for h in inputs if split_of(h.name) == "train"), inputs[0])
        raise UsageError(f"{origin} holds {why}: {_listing(inputs)}. Choose one: --array {first.name}")
    return inputs[0]


def _listing(headers: list[_Header], limit: int = 12) -> str:
    more = f" and {len(headers) - limit} more" if len(headers) > limit else ""
    return ", ".join(str(header) for header in headers[:limit]) + more


def _label(headers: list[_Header], chosen: _Header, options: Options, origin: str) -> _Header | None:
    """The labels of the chosen rows: the named array, or the only one that looks like labels and fits."""
    if options.keeps_labels_in:
        return None
    others = {header.name: header for header in headers if header.name != chosen.name}
    if options.target is not None:
        if options.target not in others:
            raise unknown(f"array of {origin}", options.target, others)
        label = others[options.target]
        if label.shape[:1] != chosen.shape[:1]:
            raise DataError(f"{origin}: {label} does not fit the rows of {chosen}; --target needs one label a row.")
        return label
    fit = [h for h in others.values() if looks_like_label(h.name) and h.shape == chosen.shape[:1]]
    split = split_of(chosen.name)
    same = [h for h in fit if split_of(h.name) == split]
    return same[0] if len(same) == 1 else None


def _note(headers: list[_Header], chosen: _Header, label: _Header | None, origin: str) -> str | None:
    if len(headers) == 1:
        return None
    taken = f"{origin} holds {_listing(headers, 6)}; took {chosen.name!r} as the input (--array changes it)"
    if label is None:
        return f"{taken} and no labels (--target NAME names them)"
    return f"{taken} and {label.name!r} as labels, never an input (--target changes it, --target none drops it)"


def load_array(path: Path, name: str) -> np.ndarray:
    """One array by its name. Raises `DataError` if it is damaged or holds Python objects."""
    try:
        with np.load(path, allow_pickle=False) as archive:
            return archive[name]
    except (ValueError, EOFError, OSError, zipfile.BadZipFile, zlib.error, TokenError) as error:
        if "Object arrays" in str(error):
            raise DataError(f"{path.name}: array {name!r} holds Python objects; save numbers.") from error
        raise DataError(f"{path.name}: array {name!r} is damaged ({error}); fetch it again.") from error
