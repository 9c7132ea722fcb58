"""Texts: lines of a file, a column of a table, or the files of a folder or archive."""

from __future__ import annotations

import gzip
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, UsageError, did_you_mean, require, unknown
from . import kinds
from .files import Files, choose, file_keys, folder_labels, open_files
from .limits import check_memory
from .read_table import csv_layout
from .recognise import looks_like_label, recognise
from .record import Options, Source, listed, objects
from .stored import Stored
from .stored_files import StoredFiles
from .stored_lines import StoredLines
from .stored_table import StoredCsv, StoredParquet

_MOST_DAMAGED = 0.1
FOOTPRINT = 4
"""Bytes texts take while they are read and encoded, for one byte of a file."""
_FIELDS = ("first", "last")
_SURE_LINES, _MOST_CLASSES, _LONGEST_CLASS = 8, 200, 40
"""A field is like a label in 8 lines or more, if it is short and its values repeat."""
_FIX = "Take a part of the rows, or more memory."


def read(path: Path, options: Options) -> Source:
    """Texts as an object array (N,) of str; what was found, taken and left out is noted.

    A .txt is one text a line; after or before a TAB it may hold a label (``target`` 'last' or 'first'). Of a table
    ``column`` is taken, or several, 'title,description', joined by a blank. In a folder or archive every file is a
    text, and its folder the label. Empty texts are rows. What is not UTF-8 is read as Latin-1.

    Raises `UsageError` where a label could slip in and no option says what it is, `DataError` for what is no text.
    """
    options.refuse("texts", "array", "size", "time")
    kind = "txt" if path.is_file() and path.suffix.lower() in kinds.FILES["text"] else recognise(path)
    if kind in ("folder", "archive"):
        if options.column is not None:
            raise UsageError(f"--column takes a column of a table; {path.name} holds files. Leave it out.")
        source = _files(path, options)
    elif kind in ("csv", "parquet"):
        source = _table(path, kind, options)
    elif kind == "txt":
        source = _lines(path, options)
    else:
        raise UsageError(f"{path.name} holds no texts; give a .txt, a table with --column, or a folder of texts.")
    empty = 0 if isinstance(source.rows, Stored) else sum(not row for row in source.rows)
    if empty:
        source.notes.append(f"{empty} of {len(source)} texts are empty; they are kept as rows")
    source.processor = options.processor
    return source


def decoded(data: bytes) -> tuple[str, bool]:
    """One text from bytes, and whether it is UTF-8 (else it was read as Latin-1). Raises `DataError` for no text.

    >>> decoded(b"caf\\xe9"), decoded("\\ufeffé".encode())
    (('café', False), ('é', True))
    """
    if b"\0" in data:
        raise DataError("holds zero bytes, so it is no text")
    try:
        return data.decode("utf-8-sig"), True
    except UnicodeDecodeError:
        return data.decode("latin-1"), False


def _whole(path: Path, notes: list[str]) -> str:
    check_memory(path.stat().st_size * 4, path.name, _FIX)
    try:
        data = gzip.decompress(path.read_bytes()) if path.suffix.lower() == ".gz" else path.read_bytes()
        text, utf8 = decoded(data)
    except (DataError, OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}.") from error
    if not utf8:
        notes.append(f"{path.name} is not UTF-8 and was read as Latin-1")
    return text


# lines ------------------------------------------------------------------------------------------------------


def _lines(path: Path, options: Options) -> Source:
    options.refuse("lines of text", "column", "key", "exclude", "include", "header")
    notes: list[str] = []
    if path.suffix.lower() != ".gz" and not options.fits(path.stat().st_size * FOOTPRINT):
        return _lines_on_disk(path, options)
    text = _whole(path, notes)
    rows, target = _parted(_cut(text, path.name), options, path.name, notes)
    return Source(objects(rows), "text", None, target, notes, origin=path.name)


def _cut(text: str, origin: str) -> list[str]:
    lines = [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []
    if not lines:
        raise DataError(f"{origin} is empty: it has no line.")
    return lines


def _lines_on_disk(path: Path, options: Options) -> Source:
    """A text file that stays on disk; the first stretch tells what its fields are."""

    def part(data: bytes) -> Source:
        notes: list[str] = []
        rows, target = _parted(_cut(decoded(data)[0], path.name), options, path.name, notes)
        return Source(objects(rows), "text", None, target, notes, origin=path.name, processor=options.processor)

    stored = StoredLines(path, part)
    return _on_disk(stored, stored.read([0]), options)


def _on_disk(stored: Stored, first: Source, options: Options) -> Source:
    note = f"{len(stored):,} texts stay on disk and are read piece by piece (--memory changes what may be in memory)"
    return replace(first, rows=stored, keys=None, target=None, numbers=None, notes=[*first.notes, note])


def _parted(
    lines: list[str], options: Options, origin: str, notes: list[str]
) -> tuple[Sequence[str], np.ndarray | None]:
    """Texts, and the field that is the label, where one is asked for."""
    if options.keeps_labels_in:
        return lines, None
    tabs = [line.count("\t") for line in lines]
    if options.target is None and options.labels is None:
        _stop_at_labels(lines, tabs, origin)
        return lines, None
    side = options.target or str(options.labels)
    if side not in _FIELDS:
        raise unknown("field of lines (--target)", side, (*_FIELDS, "none"))
    if min(tabs) == 0:
        if options.target is None:
            return lines, None
        row = tabs.index(0)
        raise DataError(f"{origin}: line {row + 1} holds no TAB, so it has no {side} field to be its label.")
    parts = [line.rpartition("\t")[::2] if side == "last" else line.partition("\t")[::-2] for line in lines]
    texts, labels = zip(*parts, strict=True)
    classes = sorted(set(labels))
    notes.append(f"the {side} field of every line is its label, never an input ({len(classes)}: {listed(classes, 4)})")
    return texts, np.array(labels)


def _stop_at_labels(lines: list[str], tabs: list[int], origin: str) -> None:
    if len(lines) < _SURE_LINES or min(tabs) == 0 or min(tabs) != max(tabs):
        return
    for side in reversed(_FIELDS):
        fields = [line.rpartition("\t")[2] if side == "last" else line.partition("\t")[0] for line in lines]
        counts = Counter(fields)
        if len(counts) <= min(_MOST_CLASSES, len(lines) // 3) and max(map(len, counts)) <= _LONGEST_CLASS:
            raise UsageError(
                f"{origin}: the {side} field of every line, after a TAB, holds only {len(counts)} values "
                f"({listed(sorted(counts), 4)}) and looks like a label, which a model must not see by accident. "
                f"Pass --target {side} (kept out of the text), or --target none to leave the lines as they are."
            )


# tables -----------------------------------------------------------------------------------------------------


def _table(path: Path, kind: str, options: Options) -> Source:
    options.refuse("a column of texts", "include")
    notes: list[str] = []
    packed = path.suffix.lower() == ".gz"
    if not packed and not options.fits(path.stat().st_size * FOOTPRINT * (3 if kind == "parquet" else 1)):
        stored = _stored_csv(path, options) if kind == "csv" else StoredParquet(path, lambda table: table.to_pandas())
        head = stored.head()
        options = replace(options, column=",".join(_columns(head, options, path.name)))
        stored.part = lambda frame: _from_frame(frame, options, path.name, [])
        return _on_disk(stored, _from_frame(head, options, path.name, notes), options)
    frame = _csv(path, options, notes) if kind == "csv" else _parquet(path)
    return _from_frame(frame, options, path.name, notes)


def _stored_csv(path: Path, options: Options) -> StoredCsv:
    layout = _layout(path, options, [])
    return StoredCsv(path, lambda text: _named(_pandas().read_csv(text, **layout, encoding="utf-8-sig"), options),
                     options.header)  # fmt: skip


def _pandas() -> Any:
    return require("pandas", "table", "reading a table of texts")


def _from_frame(frame: Any, options: Options, origin: str, notes: list[str]) -> Source:
    names = _columns(frame, options, origin)
    for name in [*options.key, *([] if options.keeps_labels_in or options.target is None else [options.target])]:
        _known(frame, name, origin, options)
    target = options.labels if options.target is None else None if options.keeps_labels_in else options.target
    keys = [name for name in (*options.key, *options.keep) if name in frame.columns and name not in names]
    others = [str(name) for name in frame.columns if name not in (*names, *keys, target)]
    if others:
        notes.append(f"read column {listed(names)} as text; left out: {listed(others)}{_kept(others)}")
    cells = [frame[name].to_numpy(object) for name in names]
    missing = sum(int(np.sum([cell is None or cell != cell for cell in column])) for column in cells)
    if missing:
        notes.append(f"{missing} missing cells are read as empty texts")
    texts = [["" if cell is None or cell != cell else str(cell) for cell in column] for column in cells]
    rows = texts[0] if len(texts) == 1 else [" ".join(parts).strip() for parts in zip(*texts, strict=True)]
    known = target is not None and target in frame.columns
    labels = frame[target].to_numpy() if known else None
    return Source(
        objects(rows), "text", frame[keys] if keys else None, labels, notes, origin=origin,
        processor=options.processor,
    )  # fmt: skip


def _kept(others: list[str]) -> str:
    name = next((name for name in others if looks_like_label(name)), None)
    return "" if name is None else f" (--target {name} keeps its values beside the codes as labels)"


def _csv(path: Path, options: Options, notes: list[str]) -> Any:
    pandas = require("pandas", "table", f"reading {path.name}")
    check_memory(path.stat().st_size * (10 if path.suffix.lower() == ".gz" else 4), path.name, _FIX)
    layout = _layout(path, options, notes)
    try:
        try:
            frame = pandas.read_csv(path, **layout, encoding="utf-8-sig")
        except UnicodeDecodeError:
            frame = pandas.read_csv(path, **layout, encoding="latin-1")
            notes.append(f"{path.name} is not UTF-8 and was read as Latin-1")
    except (pandas.errors.ParserError, pandas.errors.EmptyDataError, EOFError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as a table: {error}.") from error
    frame = _named(frame, options)
    if not len(frame):
        raise DataError(f"{path.name} has a header ({listed(frame.columns)}) but no rows.")
    return frame


def _layout(path: Path, options: Options, notes: list[str]) -> dict[str, Any]:
    """How pandas reads a CSV of texts: every cell as it stands."""
    layout, found = csv_layout(path, path.name, options)
    notes.extend(found)
    layout.pop("decimal", None)
    return {**layout, "dtype": str, "keep_default_na": False}


def _named(frame: Any, options: Options) -> Any:
    if not options.header:
        frame.columns = [f"x{place}" for place in range(frame.shape[1])]
    return frame


def _parquet(path: Path) -> Any:
    pandas = require("pandas", "table", f"reading {path.name}")
    require("pyarrow", "table", f"reading {path.name}")
    check_memory(path.stat().st_size * 10, path.name, _FIX)
    try:
        frame = pandas.read_parquet(path, engine="pyarrow")
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch or save it again.") from error
    frame.columns = [str(name) for name in frame.columns]
    return frame


def _columns(frame: Any, options: Options, origin: str) -> list[str]:
    """The columns that make up a text."""
    if options.column is None:
        taken = {*options.key, *options.exclude, options.target, options.labels}
        names = [name for name in frame.columns if name not in taken and not looks_like_label(name)]
        words = {name: frame[name].astype(str).str.contains(r"[^\W\d]", regex=True).mean() for name in names}
        names = [name for name in names if words[name] > 0.5]
        if len(names) != 1:
            raise UsageError(
                f"{origin} has {len(names) or 'no'} columns that could be the text; name it with --column "
                f"({listed(frame.columns)}); several are joined by a blank: --column title,description."
            )
        return names
    if options.column in frame.columns:
        return [options.column]
    names = [name for name in re.split(r"\s*,\s*", options.column.strip()) if name]
    for name in names:
        _known(frame, name, origin, options)
    return names


def _known(frame: Any, name: str, origin: str, options: Options) -> None:
    if name in frame.columns:
        return
    known = [str(column) for column in frame.columns]
    hint = " A file without a header line is read with --no-header." if options.header else ""
    raise UsageError(f"{origin} has no column {name!r}{did_you_mean(name, known)} It has: {listed(known, 20)}.{hint}")


# files ------------------------------------------------------------------------------------------------------


def _files(path: Path, options: Options) -> Source:
    options.refuse("files of text", "key", "exclude", "header")
    files = open_files(path)
    return files.kept_open_for(lambda: _from_files(files, options))


def _from_files(files: Files, options: Options) -> Source:
    suffixes = kinds.FILES["text"]
    if not any(name.lower().endswith(suffixes) for name in files.names):
        suffixes = ("",)
    names = choose(files, options, suffixes, "texts")
    notes: list[str] = []
    if files.folder is not None:
        size = sum((files.folder / name).stat().st_size for name in names)
        if not options.fits(size * FOOTPRINT):
            stored = StoredFiles(files, names, lambda name, content: decoded(content)[0], "text")
            return stored.source(options, notes, {})
    texts, taken = _texts(files, names, notes)
    ignored = files.others(suffixes)
    if ignored:
        notes.append(f"{len(ignored)} other files ignored: {listed(ignored, 3)}")
    target = folder_labels(taken, options, notes)
    keys = file_keys(taken, notes)
    return Source(objects(texts), "text", keys, target, notes, len(names) - len(taken), files.origin)


def _texts(files: Files, names: list[str], notes: list[str]) -> tuple[list[str], list[str]]:
    """The texts that can be read and their names; the others are noted, too many stop."""
    texts, taken, bad, latin = [], [], [], []
    for name in names:
        try:
            text, utf8 = decoded(files.read(name))
        except (DataError, OSError) as error:
            bad.append(f"{name} ({error})")
            continue
        texts.append(text)
        taken.append(name)
        latin += [] if utf8 else [name]
    if len(bad) > _MOST_DAMAGED * len(names):
        raise DataError(
            f"{files.origin}: {len(bad)} of {len(names)} files are no texts, more than a tenth: {listed(bad, 3)}."
        )
    if bad:
        notes.append(f"{len(bad)} files are no texts and were skipped: {listed(bad, 3)}")
    if latin:
        notes.append(f"{len(latin)} of {len(taken)} texts are not UTF-8 and were read as Latin-1: {listed(latin, 2)}")
    return texts, taken
