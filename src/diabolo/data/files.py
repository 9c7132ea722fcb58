"""Many small files: a folder, a zip or a tar, by relative name; nothing is ever extracted to disk."""

from __future__ import annotations

import fnmatch
import io
import lzma
import tarfile
import threading
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Self

import numpy as np

from ..core.errors import DataError, MissingExtra, UsageError, require
from .limits import check_memory, human
from .recognise import split_of
from .record import Options, Source, damage, listed

MAX_FILE = 1 << 30
STRIDE = 1 << 26
"""Bytes unpacked between two looks at the memory that is left."""
MOST_DAMAGED = 0.1
"""Share of the files that may be unreadable."""
READABLE = (".csv", ".npy", ".npz", ".parquet", "-ubyte.gz")


@dataclass
class Files:
    """Names of the files, relative, sorted, and how to read one; hidden files are left out.

    ``path`` of one is there for readers that must have a file of their own, where it is in a folder.
    """

    origin: str
    names: list[str]
    read: Callable[[str], bytes]
    close: Callable[[], None]
    folder: Path | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def kept_open_for(self, load: Callable[[], Source]) -> Source:
        """What ``load`` gives; the archive is closed after it, unless the rows stay in it."""
        try:
            source = load()
        except BaseException:
            self.close()
            raise
        if isinstance(source.rows, np.ndarray):
            self.close()
        return source

    def others(self, suffixes: tuple[str, ...]) -> list[str]:
        """The files that are not of these kinds."""
        return [name for name in self.names if not name.lower().endswith(suffixes)]


def open_files(path: Path, *, names_only: bool = False) -> Files:
    """A folder, .zip or .tar(.gz, .bz2, .xz). Raises `DataError` for a damaged archive.

    ``names_only``: nothing will be read, so that a compressed tar need not be kept in memory.
    """
    if path.is_dir():
        found = [p.relative_to(path).as_posix() for p in path.rglob("*") if p.is_file()]
        return Files(path.name, _seen(found), lambda name: (path / name).read_bytes(), lambda: None, path)
    if path.suffix.lower() not in (".zip", ".tar") and not zipfile.is_zipfile(path) and not _is_tar(path):
        raise UsageError(f"{path.name} is neither a folder nor an archive (.zip, .tar); give one, or leave out --as.")
    return _zip(path) if zipfile.is_zipfile(path) or path.suffix.lower() == ".zip" else _tar(path, names_only)


def _is_tar(path: Path) -> bool:
    """Whether a file is a tar, or is named as one and may be damaged."""
    return ".tar" in (suffix.lower() for suffix in path.suffixes) or tarfile.is_tarfile(path)


def _seen(names: list[str]) -> list[str]:
    """Without hidden files and the Macintosh's copies."""
    hidden = (".", "__MACOSX")
    return sorted(n for n in names if not any(part.startswith(hidden) for part in PurePosixPath(n).parts))


def _zip(path: Path) -> Files:
    try:
        archive = zipfile.ZipFile(path)
        members = [info.filename for info in archive.infolist() if not info.is_dir()]
    except zipfile.BadZipFile as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again.") from error

    def read(name: str) -> bytes:
        info = archive.getinfo(name)
        if info.flag_bits & 1:
            raise DataError(f"{path.name} is encrypted; unpack it and give the folder.")
        _check_size(path, name, info.file_size)
        return archive.read(name)

    return Files(path.name, _seen(members), read, archive.close)


def _tar(path: Path, names_only: bool) -> Files:
    """An uncompressed tar is read where its files lie; a compressed one, once from end to end, into memory."""
    held: dict[str, bytes] = {}
    lock, room = threading.Lock(), _Room(path)
    with _sound(path), ExitStack() as on_failure:
        archive = on_failure.enter_context(tarfile.open(path))
        kept = not names_only and not isinstance(archive.fileobj, io.BufferedReader)
        members: dict[str, tarfile.TarInfo] = {}
        for info in filter(tarfile.TarInfo.isfile, archive):
            name = info.name.removeprefix("./")
            members[name] = info
            if kept:
                room.take(info.size)
                held[name] = _unpacked(path, archive, info)
        on_failure.pop_all()

    def read(name: str) -> bytes:
        if name in held:
            return held[name]
        with lock, _sound(path):
            return _unpacked(path, archive, members[name])

    return Files(path.name, _seen(list(members)), read, archive.close)


class _Room:
    """Whether there is memory for what is still to be unpacked, asked as it grows: such a tar tells no size."""

    def __init__(self, path: Path) -> None:
        self.name, self.taken, self.asked = path.name, 0, 0

    def take(self, size: int) -> None:
        """Before ``size`` more bytes. Raises `DataError` where they do not fit."""
        self.taken += size
        if self.taken - self.asked > STRIDE:
            held = f"{self.name} is unpacked up to {human(self.asked)}; more of its files"
            check_memory(self.taken - self.asked, held, "Unpack it and give the folder.")
            self.asked = self.taken


@contextmanager
def _sound(path: Path) -> Iterator[None]:
    """Raise `DataError` where a tar turns out to be damaged."""
    try:
        yield
    except (tarfile.TarError, EOFError, OSError, zlib.error, lzma.LZMAError) as error:
        why = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(f"{path.name} is damaged or cut short ({why}); fetch it again.") from error


def _unpacked(path: Path, archive: tarfile.TarFile, info: tarfile.TarInfo) -> bytes:
    _check_size(path, info.name, info.size)
    file = archive.extractfile(info)
    return file.read() if file is not None else b""


def _check_size(path: Path, name: str, size: int) -> None:
    if size > MAX_FILE:
        raise DataError(f"{name} in {path.name} unpacks to {human(size)}; the limit is {human(MAX_FILE)}.")


def choose(files: Files, options: Options, suffixes: tuple[str, ...], what: str) -> list[str]:
    """The names of the files that are meant: those with one of the suffixes, or those of ``--include``.

    ``what``: 'pictures', 'sounds' …, for messages. Raises `DataError` where there are none, `UsageError` for an
    ``--include`` that matches none and for folders of training and test files side by side.
    """
    if options.target is not None and not options.keeps_labels_in:
        raise UsageError(
            f"--target takes no name for {what}: their folders are the labels (--target none drops them). Of pictures "
            f"it may name a folder of label pictures; there is none at {options.target!r}."
        )
    names = [name for name in files.names if name.lower().endswith(suffixes)]
    if not names:
        kinds = Counter(PurePosixPath(name).suffix or "no suffix" for name in files.names)
        holds = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common(4)) or "nothing"
        raise DataError(
            f"{files.origin} holds no {what} ({', '.join(suffixes)}); it holds {holds}.{_hint(files, suffixes)}"
        )
    if options.include is not None:
        taken = [name for name in names if fnmatch.fnmatchcase(name, options.include)]
        if not taken:
            raise UsageError(
                f"--include {options.include!r} matches none of {len(names)} {what} in {files.origin}; "
                f"they are named like {names[0]!r}."
            )
        return taken
    _stop_at_splits(files.origin, names, what)
    return names


def _hint(files: Files, suffixes: tuple[str, ...]) -> str:
    readable = [name for name in files.others(suffixes) if name.lower().endswith(READABLE)]
    how = "Unpack it and give" if files.folder is None else "Give"
    return f" {how} one file, for example {readable[0]!r}." if readable else ""


def _stop_at_splits(origin: str, names: list[str], what: str) -> None:
    parts = [PurePosixPath(name).parts for name in names]
    depth = 0
    while all(len(p) > depth + 1 for p in parts) and len({p[depth] for p in parts}) == 1:
        depth += 1
    tops = Counter(p[: depth + 1] for p in parts if len(p) > depth + 1)
    splits = {split_of(top[-1]): top for top in sorted(tops, reverse=True)}
    if "train" in splits and "test" in splits:
        counted = ", ".join(f"{'/'.join(top)} ({count})" for top, count in sorted(tops.items()))
        train, test = ("/".join(splits[name]) for name in ("train", "test"))
        raise UsageError(
            f"{origin} holds training and test {what} apart: {counted}. Choose: --include '{train}/*' or "
            f"--include '{test}/*' (--include '*' takes all)."
        )


def refuse_damage(bad: Mapping[str, str], count: int, origin: str, what: str) -> None:
    """Raise `DataError` where more than a tenth of ``count`` files cannot be read; ``bad``: name -> why."""
    if len(bad) > MOST_DAMAGED * count:
        raise DataError(
            f"{origin}: {len(bad)} of {count} {what} cannot be read, more than a tenth: {damage(bad)}. "
            "Fetch them again or remove them."
        )


def folder_labels(names: list[str], options: Options, notes: list[str]) -> np.ndarray | None:
    """The folder of each file as its label, where every file lies in one of several folders; noted."""
    parents = [PurePosixPath(name).parent for name in names]
    classes = sorted({parent.name for parent in parents})
    one_depth = len({len(parent.parts) for parent in parents}) == 1
    if options.keeps_labels_in or len(classes) < 2 or "" in classes or not one_depth:
        return None
    notes.append(
        f"folder names ({len(classes)}: {listed(classes, 4)}) kept as labels, never an input (--target none drops them)"
    )
    return np.array([parent.name for parent in parents])


def file_keys(names: list[str], notes: list[str]) -> Any:
    """The file names as a DataFrame of keys, or None with a note where pandas is not installed."""
    try:
        return require("pandas", "table", "keeping file names").DataFrame({"file": names})
    except MissingExtra:
        notes.append("file names are not kept beside the results: that needs pip install 'diabolo[table]'")
        return None
