"""Results to disk: whole, or not at all."""

from __future__ import annotations

import gzip
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any

import numpy as np

from ..core.errors import UsageError, did_you_mean, require
from ..core.files import write_atomic
from . import kinds
from .source import kind_of
from .write_folder import FOLDER_SUFFIXES, file_names, write_folder

SUFFIXES = (".npy", ".csv", ".csv.gz", ".parquet")


def write(path: str | os.PathLike[str], rows: Any, *, keys: Any = None, force: bool = False) -> None:
    """Write rows to .npy (shape kept), .csv(.gz) or .parquet (a table), to a folder of PNGs, or one picture to .png.

    path    the suffix says the form; a path without one is a folder, for pictures
    rows    DataFrame; array (N, D) of codes (columns z0, z1, … in a table); for .npy any array; texts, sounds,
            clips, series or a sparse matrix, each as its own kind is written; for a folder uint8
            (N, H, W[, 1 or 3]), or a list of such pictures of any sizes, or floats, which are spread over 0 to 255
            from [0, 1], or from their own range if they leave that
    keys    DataFrame of N rows: columns that go first in a table; a column 'file' names pictures
    force   replace what is there; without it an existing path is refused

    A temporary file beside ``path`` is written, flushed to disk and renamed, so ``path`` is never half
    written. Raises `UsageError` for unknown suffixes, what cannot go into them and existing paths,
    `DataError` if the disk is full or the folder cannot be written, saying that nothing was changed.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Path(folder) / "codes.npy", np.zeros((3, 2, 5)))
    ...     np.load(Path(folder) / "codes.npy").shape
    (3, 2, 5)
    """
    path = Path(path).expanduser()
    kind = kind_of(rows)
    if kind is not None:
        check_out(path, force=force, suffixes=kinds.writer(kind).SUFFIXES)
        kinds.writer(kind).write(path, rows, keys)
        return
    check_out(path, force=force, suffixes=(*SUFFIXES, ".png", ""))
    if suffix_of(path) in ("", ".png"):
        _pictures(path, rows, keys)
    else:
        write_array(path, rows, keys)


def write_array(path: Path, rows: Any, keys: Any = None) -> None:
    """An array or a DataFrame to a file by its suffix, in place of what is there."""
    suffix = suffix_of(path)
    write_atomic(path, _npy(rows) if suffix == ".npy" else _table(rows, keys, suffix))


def suffix_of(path: Path) -> str:
    """What the name says about the form; '.csv.gz' counts as one.

    >>> suffix_of(Path("codes.CSV.gz")), suffix_of(Path("pictures"))
    ('.csv.gz', '')
    """
    return ".csv.gz" if path.name.lower().endswith(".csv.gz") else path.suffix.lower()


def check_out(path: str | os.PathLike[str], *, force: bool = False, suffixes: tuple[str, ...] | None = None) -> None:
    """Raise `UsageError` if something stands at ``path`` that may not be replaced, or its folder is missing.

    ``suffixes``: the ones allowed, '' for a folder of pictures; None: any.
    """
    path = Path(path).expanduser()
    suffix = suffix_of(path)
    if suffixes is not None and suffix not in suffixes:
        named = [name for name in suffixes if name]
        what = f"suffix {suffix!r} is unknown{did_you_mean(suffix, named)}" if suffix else "it has no suffix."
        folder = ", or none for a folder of pictures" if "" in suffixes else ""
        raise UsageError(f"cannot write {path.name!r}: {what} Known: {', '.join(named)}{folder}.")
    if not path.parent.is_dir():
        raise UsageError(f"cannot write {path.name!r}: the folder {str(path.parent)!r} does not exist; make it first.")
    if not path.exists():
        return
    if not force:
        raise UsageError(f"{str(path)!r} exists already; choose another name, or replace it with --force.")
    if path.is_dir() != (path.suffix == ""):
        raise UsageError(
            f"{str(path)!r} exists and is {'a folder' if path.is_dir() else 'a file'}; choose another name."
        )
    if path.is_dir():
        foreign = [
            entry.name for entry in path.rglob("*") if entry.is_file() and entry.suffix.lower() not in FOLDER_SUFFIXES
        ]
        if foreign:
            raise UsageError(
                f"{str(path)!r} also holds {foreign[0]!r}; --force replaces only folders of what is written here."
            )


def _npy(rows: Any) -> Callable[[IO[bytes]], None]:
    array = np.asarray(rows)
    if array.dtype.kind not in "buif":
        raise UsageError(f"a .npy file takes numbers only; got {array.dtype}. Write a table to .csv or .parquet.")
    return lambda file: np.save(file, array, allow_pickle=False)


def _table(rows: Any, keys: Any, suffix: str) -> Callable[[IO[bytes]], None]:
    frame = as_table(rows, keys)
    if suffix == ".parquet":
        require("pyarrow", "table", "writing .parquet")
        return lambda file: frame.to_parquet(file, engine="pyarrow", index=False)

    def save(file: IO[bytes]) -> None:
        if suffix == ".csv":
            frame.to_csv(file, index=False, encoding="utf-8")
            return
        with gzip.GzipFile(fileobj=file, mode="wb", filename="", mtime=0) as packed:
            frame.to_csv(packed, index=False, encoding="utf-8")

    return save


def as_table(rows: Any, keys: Any) -> Any:
    """Rows and the keys that go before them, as one DataFrame. Raises `UsageError` where they do not go together."""
    return _with_keys(_frame(rows), keys)


def _frame(rows: Any) -> Any:
    pandas = require("pandas", "table", "writing a table")
    if isinstance(rows, pandas.DataFrame):
        return rows
    array = np.asarray(rows)
    array = array[:, None] if array.ndim == 1 else array
    if array.ndim != 2:
        raise UsageError(f"a table takes rows (N, D); these have shape {array.shape}. Write them to .npy.")
    return pandas.DataFrame(array, columns=[f"z{place}" for place in range(array.shape[1])])


def _with_keys(frame: Any, keys: Any) -> Any:
    if keys is None:
        return frame
    pandas = require("pandas", "table", "writing a table")
    if len(keys) != len(frame):
        raise UsageError(f"there are {len(keys)} rows of keys for {len(frame)} rows of results.")
    both = [name for name in keys.columns if name in set(frame.columns)]
    if both:
        raise UsageError(f"column {both[0]!r} is both a key and a result; rename the key.")
    return pandas.concat([keys.reset_index(drop=True), frame.reset_index(drop=True)], axis=1)


def _pictures(path: Path, rows: Any, keys: Any) -> None:
    pillow = require("PIL.Image", "image", "writing pictures")
    ragged = isinstance(rows, list) or (isinstance(rows, np.ndarray) and rows.dtype == object)
    pictures = [_as_bytes(np.asarray(row)[None])[0] for row in rows] if ragged else _as_bytes(np.asarray(rows))
    if path.suffix:
        if len(pictures) != 1:
            raise UsageError(f"{path.name} is one picture, and there are {len(pictures)}; name a folder (no suffix).")
        write_atomic(path, lambda file: pillow.fromarray(pictures[0]).save(file, format="PNG"))
        return
    names = file_names(len(pictures), keys, ".png")
    write_folder(path, names, lambda file, place: pillow.fromarray(pictures[place]).save(file, format="PNG"))


def _as_bytes(pictures: np.ndarray) -> np.ndarray:
    if pictures.ndim == 4 and pictures.shape[3] == 1:
        pictures = pictures[..., 0]
    if pictures.ndim not in (3, 4) or (pictures.ndim == 4 and pictures.shape[3] not in (3, 4)) or not len(pictures):
        raise UsageError(
            f"a folder takes pictures (N, H, W) or (N, H, W, 3); these rows have shape {pictures.shape}. "
            f"Give a path that ends in {', '.join(SUFFIXES)}."
        )
    if pictures.dtype == np.uint8:
        return pictures
    low, high = min(0.0, float(pictures.min())), max(1.0, float(pictures.max()))
    spread = (pictures.astype(np.float32) - low) * (255 / (high - low))
    return np.rint(spread).clip(0, 255).astype(np.uint8)
