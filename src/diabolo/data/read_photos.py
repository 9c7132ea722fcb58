"""Photographs at their own sizes: a file, a folder or an archive of pictures, none resized."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..core.errors import UsageError
from .files import Files, choose, file_keys, folder_labels, open_files, refuse_damage
from .limits import check_memory
from .picture import Header, decode, inspect
from .recognise import IMAGE_SUFFIXES
from .record import Options, Source, damage, objects
from .stored_images import in_threads

OTHERS = ("key", "exclude", "array", "size", "column", "time", "strict")


def read(path: Path, options: Options) -> Source:
    """Rows are pictures uint8 (H, W), or (H, W, 3) where any has colours, each of its own size; keys are file names.

    Pictures of 16 bits become float32 in [0, 1]. Damaged ones are left out, up to a tenth, and noted. Raises
    `DataError` for none that can be read, and above the memory there is.
    """
    options.refuse("photographs", *OTHERS)
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return _one(path)
    files = open_files(path)
    return files.kept_open_for(lambda: _several(files, choose(files, options, IMAGE_SUFFIXES, "pictures"), options))


def shows(path: Path) -> bool:
    """Whether a path is one picture, told by its name."""
    return path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES


def _one(path: Path) -> Source:
    headers, rows = _decoded([path.name], lambda _: path.read_bytes(), path.name)
    return Source(objects(rows), "photos", file_keys([headers[0].name], []), origin=path.name)


def _several(files: Files, names: list[str], options: Options) -> Source:
    headers, rows = _decoded(names, files.read, files.origin)
    notes: list[str] = []
    bad = {header.name: header.error for header in headers if header.error is not None}
    if bad:
        notes.append(f"{len(bad)} damaged picture{'s' if len(bad) > 1 else ''} skipped: {damage(bad)}")
    taken = [header.name for header in headers if header.error is None]
    target = folder_labels(taken, options, notes)
    return Source(objects(rows), "photos", file_keys(taken, notes), target, notes, len(bad), files.origin)


def _decoded(names: list[str], load, origin: str) -> tuple[list[Header], list[np.ndarray]]:  # type: ignore[no-untyped-def]
    """Headers, and the pictures of those that are sound."""
    headers = list(in_threads(lambda name: inspect(name, load), names))
    good = [header for header in headers if header.error is None]
    _refuse(headers, origin)
    colour, deep = any(header.channels == 3 for header in good), any(header.deep for header in good)
    dtype = np.dtype(np.float32 if deep else np.uint8)
    pixels = sum(header.size[0] * header.size[1] for header in good)
    check_memory(
        pixels * dtype.itemsize * (3 if colour else 1), f"{len(good)} pictures of {pixels:,} pixels",
        "Take fewer of them (--include).",
    )  # fmt: skip

    def pixels_of(header: Header) -> np.ndarray:
        out = np.empty((1, *header.size, *((3,) if colour else ())), dtype)
        decode(header, load, out)
        return out[0]

    made = list(in_threads(pixels_of, good))
    _refuse(headers, origin)
    return headers, [row for header, row in zip(good, made, strict=True) if header.error is None]


def _refuse(headers: list[Header], origin: str) -> None:
    bad = {header.name: header.error for header in headers if header.error is not None}
    if len(headers) == 1 and bad:
        raise UsageError(f"{headers[0].name} cannot be read as a picture: {headers[0].error}.")
    refuse_damage(bad, len(headers), origin, "pictures")
