"""Pictures from a folder or a zip archive, decoded by a pool of threads.

Headers are read first, so that the common size, the colours and the memory needed are known before
anything is decoded. Nothing is ever extracted to disk.
"""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ..core.errors import DataError, require
from .files import Files, choose, file_keys, folder_labels, open_files, refuse_damage
from .limits import check_memory
from .picture import Header, inspect
from .recognise import IMAGE_SUFFIXES
from .record import Options, Source, damage, listed
from .stored_images import StoredImages, decode_all, in_threads

FOOTPRINT = 2
"""Bytes pictures take while they are read and cut into parts, for one byte of theirs."""


def read(path: Path, options: Options) -> Source:
    """Read a folder or archive of pictures: uint8 (N, H, W) or (N, H, W, 3); float32 in [0, 1] if any has 16 bits.

    Pictures of another size are resized to the most common one (``strict`` refuses), damaged ones are
    skipped, up to a tenth; both are noted. Names of subfolders become ``target``. Raises `UsageError`
    for a train/test pair of folders, `DataError` for no pictures or a damaged archive.
    """
    require("PIL.Image", "image", "reading pictures")
    options.refuse("pictures", "key", "exclude", "array")
    files = open_files(path)
    return files.kept_open_for(lambda: _load(files, choose(files, options, IMAGE_SUFFIXES, "pictures"), options))


def _load(files: Files, names: list[str], options: Options) -> Source:
    headers = list(in_threads(lambda name: inspect(name, files.read), names))
    good = [header for header in headers if header.error is None]
    bad = _bad(headers, files.origin)
    size, notes = _size(good, options, files.origin)
    channels, dtype = colours(good, notes)
    shape = (len(good), *size, *((3,) if channels == 3 else ()))
    if not options.fits(int(np.prod(shape, dtype=np.int64)) * dtype.itemsize * FOOTPRINT):
        return _on_disk(files, good, shape[1:], dtype, options, bad, notes)
    check_memory(
        int(np.prod(shape, dtype=np.int64)) * dtype.itemsize,
        f"{len(good)} pictures of {size[1]}x{size[0]}",
        "Take fewer (--include) or smaller ones (--size 64).",
    )
    out = decode_all(good, files.read, shape[1:], dtype)
    kept = np.array([header.error is None for header in good])
    bad = _bad(headers, files.origin)
    if bad:
        note_damaged(bad, notes)
        out = out[kept]
    taken = [header.name for header in good if header.error is None]
    target = folder_labels(taken, options, notes)
    note_ignored(files, notes)
    modality = options.as_ or ("image" if dtype == np.uint8 else "array")
    return Source(out, modality, file_keys(taken, notes), target, notes, len(bad), files.origin)


def note_damaged(bad: dict[str, str], notes: list[str]) -> None:
    """Say which pictures were left out."""
    if bad:
        notes.append(f"{len(bad)} damaged picture{'s' if len(bad) > 1 else ''} skipped: {damage(bad)}")


def note_ignored(files: Files, notes: list[str]) -> None:
    """Say which files are no pictures."""
    ignored = files.others(IMAGE_SUFFIXES)
    if ignored:
        notes.append(f"{len(ignored)} other file{'s' if len(ignored) > 1 else ''} ignored: {listed(ignored, 3)}")


def _on_disk(
    files: Files,
    good: list[Header],
    shape: tuple[int, ...],
    dtype: np.dtype,
    options: Options,
    bad: dict[str, str],
    notes: list[str],
) -> Source:
    """Pictures that stay in their files; those whose header is sound."""
    stored = StoredImages(files, good, shape, dtype)
    note_damaged(bad, notes)
    note_ignored(files, notes)
    notes.append(f"{len(good):,} pictures stay on disk and are decoded as they are needed (--memory changes that)")
    return Source(stored, stored.modality, None, None, notes, len(bad), files.origin, processor=options.processor)


def _bad(headers: list[Header], origin: str) -> dict[str, str]:
    """The pictures that cannot be read, and why; too many stop."""
    bad = {header.name: header.error for header in headers if header.error is not None}
    refuse_damage(bad, len(headers), origin, "pictures")
    return bad


def _size(good: list[Header], options: Options, origin: str) -> tuple[tuple[int, int], list[str]]:
    """The height and width all pictures get, and a note on those that are resized to it."""
    sizes = Counter(header.size for header in good)
    if options.size is not None:
        size = options.size
        resized = sum(count for given, count in sizes.items() if given != size)
        return size, [f"{resized} of {len(good)} pictures resized to {size[1]}x{size[0]}"] if resized else []
    size, count = max(sizes.items(), key=lambda item: (item[1], item[0]))
    if len(sizes) == 1:
        return size, []
    odd = next(header for header in good if header.size != size)
    what = (
        f"{len(good) - count} of {len(good)} pictures are not {size[1]}x{size[0]} (width x height) as most are, "
        f"for example {odd.name} ({odd.size[1]}x{odd.size[0]})"
    )
    if options.strict:
        raise DataError(f"{origin}: {what}; make them equal, or leave out --strict to have them resized.")
    return size, [f"{what}: resized to it (--size HxW changes it, --strict refuses)"]


def colours(good: list[Header], notes: list[str]) -> tuple[int, np.dtype]:
    """Channels and dtype all pictures get, with notes on those that are converted."""
    grey = sum(header.channels == 1 for header in good)
    if 0 < grey < len(good):
        notes.append(f"{grey} grey pictures converted to colour, as {len(good) - grey} others are")
    for count, what in (
        (sum(header.alpha for header in good), "had transparency, which is dropped"),
        (sum(header.frames > 1 for header in good), "hold several frames; the first is taken"),
    ):
        if count:
            notes.append(f"{count} pictures {what}")
    deep = sum(header.deep for header in good)
    if deep:
        notes.append(f"{deep} pictures have more than 8 bits; all are read as float32 in [0, 1]")
    return (1 if grey == len(good) else 3), np.dtype(np.float32 if deep else np.uint8)
