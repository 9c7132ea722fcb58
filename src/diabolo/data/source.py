"""The one door for data: a path, an array or a DataFrame becomes a `Source`."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import issparse

from ..core import Processor, make
from ..core.errors import DataError, UsageError, require, unknown
from . import kinds
from .files import open_files
from .process_array import ArrayProcessor
from .process_binary import BinaryProcessor
from .process_counts import CountProcessor
from .process_image import ImageProcessor
from .process_sequence import SequenceProcessor, is_ragged
from .process_table import TableProcessor
from .read_array import array_modality, array_source, read_idx, read_npy, read_numbers
from .read_beside import pictures_beside
from .read_npz import read_npz
from .read_table import read_csv, read_parquet, table_source
from .recognise import lines_kind, recognise
from .record import Options, Row, Source, align, is_frame, objects

__all__ = ["Source", "align", "open", "processor_for"]

MODALITIES = ("array", "image", "table", *kinds.OWN)


def open(
    path: Any,
    *,
    as_: str | None = None,
    target: str | None = None,
    key: str | Iterable[str] = (),
    exclude: str | Iterable[str] = (),
    array: str | None = None,
    include: str | None = None,
    header: bool = True,
    strict: bool = False,
    size: int | str | tuple[int, int] | None = None,
    columns: Iterable[Any] | None = None,
    keep: str | Iterable[str] = (),
    labels: str | None = None,
    allow_missing: bool = False,
    column: str | None = None,
    time: str | None = None,
    processor: Any = None,
    memory: int | str | None = None,
) -> Source:
    """Rows from a file, a folder, 'digits', an array, a DataFrame or a Source, with notes on what was taken.

    Reads .csv(.gz), .tsv, .parquet, .npy, .npz, IDX (gzipped or not), .txt, and folders, zips and tars of
    pictures, sounds, videos or texts; the kind is told from the first bytes and the names. What could be labels or
    test data is never taken as input by guess: that stops and names the options.

    path           where the data is; arrays, DataFrames and Sources pass through
    as_            'array', 'image', 'table', 'text', 'audio', 'video', 'series' or 'interactions', where the kind
                   found is not the one meant
    target         column (table) or array (NPZ) of labels, kept out of the input; 'none': there are none,
                   take label-like columns as ordinary ones, forget folder names. For pictures: a folder, archive or
                   .npy with a label of every pixel (a label picture, a mask) under the names of the pictures
    key            columns kept beside the results, not an input
    exclude        columns to leave out
    array          name of the NPZ array to take
    include        glob over the names in a folder or zip: 'train/*'
    header         whether the first line of a CSV names its columns (else x0, x1, …)
    strict         refuse pictures of unequal size rather than resize them
    size           height and width for pictures, in pixels: 64, '64x48' or (64, 48)
    columns        the columns a trained model knows: all others are left out, label-like ones without asking
    keep, labels   with columns: key and target columns that need not be there; keep='*': all others
    allow_missing  let NaN pass in arrays (infinity never does)
    column         the column of a table that holds texts: reads it as text
    time           the column of a table that holds times: reads it as series
    processor      how rows become tensors, by name or Spec, where it is not the usual way: 'text(tokens="unigram")'
    memory         how much rows may take, in bytes or as '1GB'; None: half of what is free. What does not fit stays on
                   disk and is read piece by piece: Parquet, CSV, .npy, texts, and folders and archives of files

    Raises `DataError` naming file, column and row for what cannot be used, `UsageError` for options
    that do not fit, `MissingExtra` for a format whose package is not installed.

    >>> source = open("digits")
    >>> source.rows.shape, source.rows.max().item(), source.target[:3].tolist()
    ((1797, 8, 8), 16.0, [0, 1, 2])
    >>> open(np.zeros((5, 3))).modality
    'array'
    """
    labels_at = _label_pictures(path, target)
    options = Options(
        _modality(as_),
        None if labels_at is not None else target,
        _names(key),
        _names(exclude),
        array,
        include,
        header,
        strict,
        _size(size),
        None if columns is None else tuple(columns),
        _names(keep),
        labels,
        allow_missing,
        column,
        time,
        processor,
        as_bytes(memory),
    )
    if processor is not None:
        make("processor", processor)  # what is wrong with it is said before anything is read
    if isinstance(path, Source):
        return path
    if isinstance(path, str | os.PathLike):
        source = _open_path(Path(path).expanduser(), options)
    else:
        source = _open_object(path, options)
    source = _as_asked(source, options)
    return source if labels_at is None else replace(source, target=pictures_beside(source, labels_at, partial=True))


def _label_pictures(path: Any, target: str | None) -> Path | None:
    """Where the label pictures lie, if that is what ``target`` names: something on disk, for rows that are files."""
    where = None if target is None or target == "none" else Path(target).expanduser()
    if where is None or not where.exists() or not isinstance(path, str | os.PathLike):
        return None
    data = Path(path).expanduser()
    return where if data.is_dir() or (data.exists() and recognise(data) in ("archive", "npy")) else None


def processor_for(rows: Any) -> Processor:
    """The processor (not yet fitted) for a Source, a DataFrame (table), uint8 pictures (image), texts, sounds, clips,
    series, a sparse matrix (interactions), sequences of unequal length or an array.

    >>> type(processor_for(np.zeros((2, 8, 8), np.uint8))).__name__
    'ImageProcessor'
    """
    if isinstance(rows, Source):
        if rows.processor is not None:
            made: Processor = make("processor", rows.processor)
            return made
        asked = {"array": ArrayProcessor, "binary": BinaryProcessor, "counts": CountProcessor}
        if rows.modality in asked:
            return asked[rows.modality]()
        rows = rows.rows
    if is_frame(rows):
        return TableProcessor()
    kind = kind_of(rows)
    if kind is not None:
        own: Processor = make("processor", kind)
        return own
    if is_ragged(rows):
        return SequenceProcessor()
    return ImageProcessor() if array_modality(np.asarray(rows)) == "image" else ArrayProcessor()


def kind_of(rows: Any) -> str | None:
    """The kind of rows that are no plain arrays, told from the first one; None: they are.

    >>> kind_of(["a text", "and another"]), kind_of([[1.0]])
    ('text', None)
    """
    if issparse(rows):
        return "interactions"
    if not isinstance(rows, list | tuple | np.ndarray) or not len(rows):
        return None
    first = rows[0]
    return first.kind if isinstance(first, Row) else "text" if isinstance(first, str) else None


def _open_path(path: Path, options: Options) -> Source:
    if path.name == "digits" and not path.exists():
        return _digits(options)
    own = _own_kind(path, options)
    if own is not None:
        if not path.exists():
            recognise(path)
        source: Source = kinds.reader(own).read(path, options)
        return source
    try:
        kind = recognise(path)
    except UsageError:
        if options.as_ != "table":
            raise
        kind = "csv"
    if kind == "txt":
        kind = "csv" if options.as_ == "table" and not _all_numbers(path) else "numbers"
    readers: dict[str, Callable[[Path, Options], Source]] = {
        "npz": read_npz,
        "npy": read_npy,
        "idx": read_idx,
        "parquet": read_parquet,
        "csv": read_csv,
        "numbers": _read_numbers,
    }
    if kind not in readers:
        raise UsageError(
            f"{path.name} is {'a folder' if kind == 'folder' else 'an archive'} of files, no table; give one file of "
            "it, or leave out --as."
        )
    return readers[kind](path, options)


def _own_kind(path: Path, options: Options) -> str | None:
    """The kind that has a reader of its own: asked for, shown by an option, or told from the path; None: an array or
    a table."""
    if options.as_ in kinds.OWN:
        return options.as_
    if options.column is not None and options.time is None:
        return "text"
    if options.time is not None:
        return "series"
    if path.exists() and options.as_ is None and path.suffix.lower() in (*kinds.FILES["audio"], *kinds.FILES["video"]):
        return kinds.commonest([path.name])
    if options.as_ == "table" or not path.exists():
        return None
    kind = recognise(path)
    if kind in ("folder", "archive"):
        with open_files(path, names_only=True) as files:
            return options.as_ if options.as_ == "image" else kinds.commonest(files.names)
    if kind == "txt" and options.as_ is None:
        return lines_kind(path)
    given = (options.as_, options.columns, options.target)
    if kind == "csv" and given == (None, None, None) and not options.key and kinds.reader("series").looks_like(path):
        return "series"
    return None


def _all_numbers(path: Path) -> bool:
    try:
        read_numbers(path)
    except (UsageError, DataError):
        return False
    return True


def _read_numbers(path: Path, options: Options) -> Source:
    """A text file of numbers, as a table of columns x0, x1, …"""
    options.refuse("a text file of numbers", "array", "include")
    frame = _frame(read_numbers(path))
    note = f"{path.name}: every line is numbers; read as a table of columns x0 to x{frame.shape[1] - 1}"
    return table_source(frame, options, path.name, [note], first_line=1)


def _digits(options: Options) -> Source:
    from sklearn.datasets import load_digits

    options.refuse("digits", "key", "exclude", "array", "include")
    digits = load_digits()
    note = "digits: 1797 pictures of 8x8 pixels, 0 to 16; the digit is kept as label, never an input"
    labels = None if options.keeps_labels_in else digits.target
    return Source(digits.images.astype(np.float32), "image", None, labels, [note], origin="digits")


def _open_object(rows: Any, options: Options) -> Source:
    if kind_of(rows) == "series":
        return Source(objects(rows), "series", processor=options.processor)
    if is_frame(rows) and (options.as_ == "series" or options.time is not None):
        return kinds.reader("series").from_frame(rows, options)  # type: ignore[no-any-return]
    if is_frame(rows):
        return table_source(rows, options, "", [], first_line=None, ask=False)
    if kind_of(rows) == "text":
        options.refuse("texts", "target", "key", "exclude", "array", "include", "column", "time")
        return Source(objects(rows), "text", processor=options.processor)
    try:
        array = np.asarray(rows)
    except (TypeError, ValueError) as error:
        raise DataError(f"{type(rows).__name__} cannot be read as an array: {error}") from error
    options.refuse("an array", "target", "key", "exclude", "array", "include")
    return array_source(array, options, "")


def _as_asked(source: Source, options: Options) -> Source:
    """The source as the modality asked for, where its rows allow it."""
    if options.as_ == "table" and not is_frame(source.rows):
        if source.rows.ndim != 2:
            raise UsageError(f"--as table needs rows of values (N, D); {source.origin} has shape {source.rows.shape}.")
        source.rows, source.modality = _frame(source.rows), "table"
    elif options.as_ == "image" and source.rows.ndim not in (3, 4):
        raise UsageError(f"--as image needs (N, H, W) or (N, H, W, C); {source.origin} has shape {source.rows.shape}.")
    elif options.as_ is not None:
        source.modality = options.as_
    return source


def _frame(array: np.ndarray) -> Any:
    pandas = require("pandas", "table", "a table")
    return pandas.DataFrame(array, columns=[f"x{place}" for place in range(array.shape[1])])


def _modality(as_: str | None) -> str | None:
    if as_ is not None and as_ not in MODALITIES:
        raise unknown("modality", as_, MODALITIES)
    return as_


def as_bytes(size: int | str | None) -> int | None:
    """Bytes from a number or a text such as '1GB' or '500 MB', in powers of 1000. Raises `UsageError` for others.

    >>> as_bytes("1.5GB"), as_bytes(None)
    (1500000000, None)
    """
    if size is None or (isinstance(size, int) and size > 0):
        return size
    found = re.fullmatch(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)B?\s*", str(size), re.IGNORECASE)
    if found is None or not float(found[1]):
        raise UsageError(f"memory must be a size such as '1GB' or '500MB'; got {size!r}.")
    return int(float(found[1]) * 1000 ** " kmgt".index(found[2].lower() or " "))


def _names(given: str | Iterable[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def _size(size: int | str | tuple[int, int] | None) -> tuple[int, int] | None:
    if size is None:
        return None
    text = size if isinstance(size, str) else "x".join(str(n) for n in np.atleast_1d(np.asarray(size)))
    found = re.fullmatch(r"([1-9]\d{0,4})(?:[xX]([1-9]\d{0,4}))?", text.strip())
    if found is None:
        raise UsageError(f"size must be a height and width in pixels, such as 64 or '64x48'; got {size!r}.")
    return int(found[1]), int(found[2] or found[1])
