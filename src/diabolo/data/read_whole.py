"""Pictures at the size each of them has."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, UsageError
from . import kinds
from .files import choose, file_keys, folder_labels, open_files, refuse_damage
from .limits import check_memory
from .picture import Header, decode, inspect
from .read_beside import pictures_beside
from .read_images import colours, note_damaged, note_ignored
from .recognise import IMAGE_SUFFIXES, recognise
from .record import Options, Source
from .stored_images import in_threads


def whole_pictures(path: Path, include: str | None = None, target: str | None = None) -> Source | None:
    """Pictures of a file, a folder or an archive, none resized: rows an object array of uint8 (H, W) or (H, W, 3).

    None where several are all of one size, or lie in more than memory holds: the usual reader takes them. ``target``:
    as in `diabolo.data.open`, a folder of label pictures or masks, or 'none'.
    """
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return _single(path)
    if not path.is_dir() and not _archive(path):
        return None
    options = Options(include=include, target="none" if target == "none" else None)
    with open_files(path) as files:
        if kinds.commonest(files.names) != "image":
            return None
        names = choose(files, options, IMAGE_SUFFIXES, "pictures")
        headers = list(in_threads(lambda name: inspect(name, files.read), names))
        good = [header for header in headers if header.error is None]
        if len({header.size for header in good}) < 2:
            return None
        notes = [f"{len(good)} pictures of {len({header.size for header in good})} sizes, each taken as it is"]
        channels, dtype = colours(good, notes)
        size = sum(header.size[0] * header.size[1] for header in good) * channels * dtype.itemsize
        check_memory(size, f"{len(good)} pictures", "Take fewer (--include) or smaller ones (--size 256).")
        shapes = [(*header.size, *((3,) if channels == 3 else ())) for header in good]
        made = list(in_threads(lambda pair: _decoded(*pair, files.read, dtype), list(zip(good, shapes, strict=True))))
        bad = {header.name: header.error for header in headers if header.error is not None}
        refuse_damage(bad, len(headers), files.origin, "pictures")
        note_damaged(bad, notes)
        note_ignored(files, notes)
        sound = [place for place, header in enumerate(good) if header.error is None]
        taken = [good[place].name for place in sound]
        rows, labels = _apart([made[place] for place in sound]), folder_labels(taken, options, notes)
        source = Source(rows, "image", file_keys(taken, notes), labels, notes, len(bad), files.origin)
    if target not in (None, "none"):
        beside = pictures_beside(source, str(target), partial=True)
        source.target = beside if isinstance(beside, np.ndarray) else _apart(beside)
    return source


def _archive(path: Path) -> bool:
    try:
        return recognise(path) == "archive"
    except UsageError:  # a sound or a video, or nothing at all: the usual reader says so
        return False


def _single(path: Path) -> Source:
    """One picture. Raises `DataError` if it cannot be read."""
    notes: list[str] = []
    header = inspect(path.name, lambda _: path.read_bytes())
    if header.error is None:
        channels, dtype = colours([header], notes)
        shape = (*header.size, *((3,) if channels == 3 else ()))
        check_memory(int(np.prod(shape)) * dtype.itemsize, "the picture", "Make it smaller.")
        row = _decoded(header, shape, lambda _: path.read_bytes(), dtype)
    if header.error is not None:
        raise DataError(f"{path.name} cannot be read as a picture: {header.error}.")
    return Source(row[None], "image", file_keys([path.name], notes), None, notes, origin=path.name)


def _apart(pictures: Sequence[np.ndarray]) -> np.ndarray:
    """Pictures of any sizes as an object array (N,)."""
    made = np.empty(len(pictures), object)
    for place, picture in enumerate(pictures):
        made[place] = picture
    return made


def _decoded(header: Header, shape: tuple[int, ...], read: Any, dtype: np.dtype) -> np.ndarray:
    out = np.empty((1, *shape), dtype)
    decode(header, read, out)
    return out[0]
