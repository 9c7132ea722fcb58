"""Pictures from a folder or a zip archive, decoded by a pool of threads.

Headers are read first, so that the common size, the colours and the memory needed are known before
anything is decoded. Nothing is ever extracted to disk.
"""

from __future__ import annotations

import fnmatch
import os
import zipfile
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..core.errors import DataError, MissingExtra, UsageError, require
from .limits import check_memory, human
from .picture import Header, decode, inspect
from .recognise import IMAGE_SUFFIXES, split_of
from .record import Options, Source, listed

_MOST_DAMAGED = 0.1
_MAX_FILE = 1 << 30


@dataclass
class _Files:
    """Names of the pictures, relative, and how to read one; the rest of the folder is only counted."""

    origin: str
    names: list[str]
    others: list[str]
    read: Callable[[str], bytes]
    close: Callable[[], None]


def read_folder(path: Path, options: Options) -> Source:
    """Read a folder of pictures, with its subfolders: see `read_archive`."""
    found = sorted(p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file())
    pictures, others = _sort(found)
    return _read(_Files(path.name, pictures, others, lambda name: (path / name).read_bytes(), lambda: None), options)


def read_archive(path: Path, options: Options) -> Source:
    """Read a zip of pictures: uint8 (N, H, W) or (N, H, W, 3); float32 in [0, 1] if any has 16 bits.

    Pictures of another size are resized to the most common one (``strict`` refuses), damaged ones are
    skipped, up to a tenth; both are noted. Names of subfolders become ``target``. Raises `UsageError`
    for a train/test pair of folders, `DataError` for no pictures or a damaged archive.
    """
    try:
        archive = zipfile.ZipFile(path)
        members = sorted(info.filename for info in archive.infolist() if not info.is_dir())
    except zipfile.BadZipFile as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again.") from error
    pictures, others = _sort(members)

    def read(name: str) -> bytes:
        info = archive.getinfo(name)
        if info.flag_bits & 1:
            raise DataError(f"{path.name} is encrypted; unpack it and give the folder.")
        if info.file_size > _MAX_FILE:
            raise DataError(
                f"{name} in {path.name} unpacks to {human(info.file_size)}; the limit is {human(_MAX_FILE)}."
            )
        return archive.read(name)

    return _read(_Files(path.name, pictures, others, read, archive.close), options)


def _sort(names: list[str]) -> tuple[list[str], list[str]]:
    """Pictures and other files; hidden files and the Macintosh's copies count as neither."""
    seen = [n for n in names if not any(part.startswith((".", "__MACOSX")) for part in PurePosixPath(n).parts)]
    pictures = [name for name in seen if name.lower().endswith(IMAGE_SUFFIXES)]
    return pictures, [name for name in seen if not name.lower().endswith(IMAGE_SUFFIXES)]


def _read(files: _Files, options: Options) -> Source:
    require("PIL.Image", "image", "reading pictures")
    options.refuse("pictures", "key", "exclude", "array")
    if options.target is not None and not options.keeps_labels_in:
        raise UsageError(
            "--target takes no name for pictures: their folders are the labels (--target none drops them)."
        )
    try:
        names = _included(files, options)
        with ThreadPoolExecutor(min(8, os.cpu_count() or 1)) as pool:
            return _load(files, names, options, pool)
    finally:
        files.close()


def _included(files: _Files, options: Options) -> list[str]:
    if not files.names:
        kinds = Counter(PurePosixPath(name).suffix or "no suffix" for name in files.others)
        holds = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4)) or "nothing"
        raise DataError(
            f"{files.origin} holds no pictures ({', '.join(IMAGE_SUFFIXES)}); it holds {holds}.{_hint(files)}"
        )
    if options.include is not None:
        names = [name for name in files.names if fnmatch.fnmatchcase(name, options.include)]
        if not names:
            raise UsageError(
                f"--include {options.include!r} matches none of {len(files.names)} pictures in {files.origin}; "
                f"they are named like {files.names[0]!r}."
            )
        return names
    _stop_at_splits(files)
    return files.names


def _hint(files: _Files) -> str:
    readable = [
        name for name in files.others if name.lower().endswith((".csv", ".npy", ".npz", ".parquet", "-ubyte.gz"))
    ]
    how = "Unpack it and give" if files.origin.lower().endswith(".zip") else "Give"
    return f" {how} one file, for example {readable[0]!r}." if readable else ""


def _stop_at_splits(files: _Files) -> None:
    parts = [PurePosixPath(name).parts for name in files.names]
    depth = 0
    while all(len(p) > depth + 1 for p in parts) and len({p[depth] for p in parts}) == 1:
        depth += 1
    tops = Counter(p[: depth + 1] for p in parts if len(p) > depth + 1)
    splits = {split_of(top[-1]): top for top in sorted(tops, reverse=True)}
    if "train" in splits and "test" in splits:
        counted = ", ".join(f"{'/'.join(top)} ({count})" for top, count in sorted(tops.items()))
        train, test = ("/".join(splits[name]) for name in ("train", "test"))
        raise UsageError(
            f"{files.origin} holds training and test pictures apart: {counted}. Choose: --include '{train}/*' or "
            f"--include '{test}/*' (--include '*' takes all)."
        )


def _load(files: _Files, names: list[str], options: Options, pool: ThreadPoolExecutor) -> Source:
    headers = list(pool.map(lambda name: inspect(name, files.read), names))
    good = [header for header in headers if header.error is None]
    _check_damage(headers, files.origin)
    size, notes = _size(good, options, files.origin)
    channels, dtype = _colours(good, notes)
    shape = (len(good), *size, *((3,) if channels == 3 else ()))
    check_memory(
        int(np.prod(shape, dtype=np.int64)) * dtype.itemsize,
        f"{len(good)} pictures of {size[1]}x{size[0]}",
        "Take fewer (--include) or smaller ones (--size 64).",
    )
    out = np.empty(shape, dtype)

    def place(item: tuple[int, Header]) -> None:
        decode(item[1], files.read, out[item[0] : item[0] + 1])

    list(pool.map(place, enumerate(good)))
    kept = np.array([header.error is None for header in good])
    bad = _check_damage(headers, files.origin)
    if bad:
        notes.append(f"{len(bad)} damaged picture{'s' if len(bad) > 1 else ''} skipped: {_damage(bad)}")
        out = out[kept]
    taken = [header.name for header in good if header.error is None]
    target = None if options.keeps_labels_in else _folders(taken, notes)
    if files.others:
        notes.append(
            f"{len(files.others)} other file{'s' if len(files.others) > 1 else ''} ignored: {listed(files.others, 3)}"
        )
    modality = options.as_ or ("image" if dtype == np.uint8 else "array")
    return Source(out, modality, _keys(taken, notes), target, notes, len(bad), files.origin)


def _check_damage(headers: list[Header], origin: str) -> list[Header]:
    bad = [header for header in headers if header.error is not None]
    if len(bad) > _MOST_DAMAGED * len(headers):
        raise DataError(
            f"{origin}: {len(bad)} of {len(headers)} pictures are damaged, more than a tenth: {_damage(bad)}. "
            "Fetch them again or remove them."
        )
    return bad


def _damage(bad: list[Header]) -> str:
    more = f" and {len(bad) - 3} more" if len(bad) > 3 else ""
    return ", ".join(f"{header.name} ({header.error})" for header in bad[:3]) + more


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


def _colours(good: list[Header], notes: list[str]) -> tuple[int, np.dtype]:
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


def _folders(names: list[str], notes: list[str]) -> np.ndarray | None:
    """The folder of each picture as its label, where every picture lies in one of several folders."""
    parents = [PurePosixPath(name).parent for name in names]
    classes = sorted({parent.name for parent in parents})
    if len(classes) < 2 or "" in classes or len({len(parent.parts) for parent in parents}) > 1:
        return None
    notes.append(
        f"folder names ({len(classes)}: {listed(classes, 4)}) kept as labels, never an input (--target none drops them)"
    )
    return np.array([parent.name for parent in parents])


def _keys(names: list[str], notes: list[str]) -> Any:
    try:
        return require("pandas", "table", "keeping file names").DataFrame({"file": names})
    except MissingExtra:
        notes.append("file names are not kept beside the results: that needs pip install 'diabolo[table]'")
        return None
