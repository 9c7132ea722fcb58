"""A folder of files, written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

from ..core.errors import DataError, UsageError

FOLDER_SUFFIXES = (".png", ".wav", ".mp4")
"""What folders written here hold; only such folders may be replaced."""


def write_folder(path: Path, names: Sequence[str], save: Callable[[Path, int], Any]) -> None:
    """Make the folder ``path`` with a file of each name; ``save(file, place)`` writes one.

    A temporary folder is filled and then put in place; an old one comes back if that fails. Raises `DataError` if
    the disk is full or the place cannot be written.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        for place, name in enumerate(names):
            file = temporary / name
            file.parent.mkdir(parents=True, exist_ok=True)
            save(file, place)
        _swap(temporary, path)
    except OSError as error:
        raise DataError(f"cannot write {str(path)!r}: {error.strerror or error}; nothing was changed.") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _swap(temporary: Path, path: Path) -> None:
    """Put the new folder where the old one was; the old one comes back if that fails."""
    if not path.exists():
        temporary.replace(path)
        return
    old = path.with_name(f".{path.name}.{os.getpid()}.old")
    path.replace(old)
    try:
        temporary.replace(path)
    except OSError:
        old.replace(path)
        raise
    shutil.rmtree(old, ignore_errors=True)


def file_names(count: int, keys: Any, suffix: str) -> list[str]:
    """Numbered names, or those of the files the rows came from (key column 'file'), with their subfolders."""
    if keys is None or "file" not in keys.columns or len(keys) != count:
        width = max(5, len(str(count - 1)))
        return [f"{place:0{width}d}{suffix}" for place in range(count)]
    given = [PurePosixPath(str(name)) for name in keys["file"]]
    if any(name.is_absolute() or ".." in name.parts for name in given):
        raise UsageError("the key column 'file' names files outside the folder to write; give plain names.")
    names = [name.with_suffix(suffix).as_posix() for name in given]
    return names if len(set(names)) == count else [f"{name.as_posix()}{suffix}" for name in given]
