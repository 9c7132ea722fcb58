"""Tables from CSV and Parquet: which columns are input, which are labels, which only name the row."""

from __future__ import annotations

import csv
import gzip
import io
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import DataError, UsageError, did_you_mean, require
from .columns import MAX_LEVELS
from .limits import check_memory
from .process_table import is_iso_dates
from .recognise import looks_like_id, looks_like_label
from .record import Options, Source, left_out, listed, match_columns
from .stored_table import StoredCsv, StoredParquet, StoredTable

_FEWER = "Take fewer columns (--exclude), a part of the rows, or Parquet."
FOOTPRINT = 4
"""Bytes a table takes while it is read and encoded, for one byte of its cells."""
_SURE_ROWS = 5
"""Rows from which 'all cells differ' says something about a column."""


def read_csv(path: Path, options: Options) -> Source:
    """Read a .csv, .tsv or either gzipped; commas, semicolons, tabs or bars, found on the first line.

    Raises `DataError` naming file, line and column for what cannot be read, and `UsageError` where
    a column looks like labels and no option says what it is.
    """
    options.refuse("a table", "array", "include")
    packed = path.name.lower().endswith(".gz")
    if not packed and not options.fits(path.stat().st_size * FOOTPRINT):
        layout, notes = csv_layout(path, path.name, options)
        stored = StoredCsv(path, lambda text: _settle(_parse(text, path.name, layout, options.header)), options.header)
        return _on_disk(stored, options, path.name, notes)
    frame, notes = csv_frame(path, path.name, options)
    return table_source(frame, options, path.name, notes, first_line=2 if options.header else 1)


def csv_frame(file: Path | bytes, name: str, options: Options) -> tuple[Any, list[str]]:
    """The DataFrame of a CSV file, or of the bytes of one (unpacked), and notes. Raises `DataError`."""
    packed = 10 if name.lower().endswith(".gz") else 2
    check_memory(packed * (len(file) if isinstance(file, bytes) else file.stat().st_size), name, _FEWER)
    layout, notes = csv_layout(file, name, options)
    frame = _parse(io.BytesIO(file) if isinstance(file, bytes) else file, name, layout, options.header)
    if not len(frame):
        raise DataError(f"{name} has a header ({listed(frame.columns)}) but no rows.")
    return _settle(frame), notes


def _parse(text: Any, name: str, layout: dict[str, Any], header: bool) -> Any:
    """A path or open file of CSV as a DataFrame of nullable columns."""
    pandas = require("pandas", "table", f"reading {name}")
    try:
        frame = pandas.read_csv(
            text, **layout, dtype_backend="numpy_nullable", encoding="utf-8-sig", skipinitialspace=True
        )
    except UnicodeDecodeError as error:
        raise DataError(
            f"{name} is not UTF-8 (byte {error.start}); save it as UTF-8, for example with iconv."
        ) from error
    except pandas.errors.EmptyDataError as error:
        raise DataError(f"{name} is empty: it has no columns.") from error
    except (pandas.errors.ParserError, EOFError, OSError) as error:
        raise DataError(f"{name} cannot be read as a table: {_plain(error)}") from error
    if not header:
        frame.columns = pandas.Index([f"x{place}" for place in range(frame.shape[1])])
    return frame


def read_parquet(path: Path, options: Options) -> Source:
    """Read a .parquet file. Raises `DataError` if it is damaged or has no rows."""
    options.refuse("a table", "array", "include")
    parquet = require("pyarrow.parquet", "table", f"reading {path.name}")
    try:
        about = parquet.read_metadata(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({_plain(error)}); fetch or save it again.") from error
    if not options.fits(about.num_rows * about.num_columns * 8 * FOOTPRINT):
        return _on_disk(StoredParquet(path, _from_arrow), options, path.name, [])
    return table_source(parquet_frame(path, path.name), options, path.name, [], first_line=None)


def parquet_frame(file: Path | bytes, name: str) -> Any:
    """The DataFrame of a Parquet file, or of the bytes of one. Raises `DataError`."""
    pandas = require("pandas", "table", f"reading {name}")
    parquet = require("pyarrow.parquet", "table", f"reading {name}")
    given = io.BytesIO(file) if isinstance(file, bytes) else file
    try:
        about = parquet.read_metadata(given)
        check_memory(about.num_rows * about.num_columns * 8, name, _FEWER)
        frame = pandas.read_parquet(given, engine="pyarrow", dtype_backend="numpy_nullable")
    except (OSError, ValueError) as error:
        if isinstance(error, DataError):
            raise
        raise DataError(f"{name} is damaged or cut short ({_plain(error)}); fetch or save it again.") from error
    if not isinstance(frame.index, pandas.RangeIndex):
        frame = frame.reset_index()
    frame.columns = [column if isinstance(column, int) else str(column) for column in frame.columns]
    if not len(frame):
        raise DataError(f"{name} has columns ({listed(frame.columns)}) but no rows.")
    return _settle(frame)


def _on_disk(stored: StoredTable, options: Options, origin: str, notes: list[str]) -> Source:
    """A table that stays on disk; its first rows tell which columns are what."""
    if not len(stored):
        raise DataError(f"{origin} has no rows.")
    if options.as_ == "array":
        raise UsageError(f"{origin} stays on disk as a table; leave out --as array, or give more --memory.")
    plan = table_source(stored.head(), options, origin, notes, first_line=None)
    names = None if plan.keys is None else list(plan.keys.columns)
    target = options.target if options.target is not None else options.labels
    target = target if plan.target is not None else None

    def part(frame: Any) -> Source:
        rows = frame[list(plan.rows.columns)]
        _check_cells(rows, origin, None)
        keys = None if names is None else frame[names]
        labels = None if target is None else frame[target].to_numpy()
        return Source(rows, "table", keys, labels, [], origin=origin, processor=options.processor)

    stored.part = part
    if isinstance(stored, StoredParquet):
        stored.columns = [*plan.rows.columns, *(names or []), *([target] if target is not None else [])]
    note = f"{len(stored):,} rows stay on disk and are read piece by piece (--memory changes what may be in memory)"
    return replace(plan, rows=stored, keys=None, target=None, notes=[*plan.notes, note], processor=options.processor)


def _from_arrow(table: Any) -> Any:
    """An Arrow table as a DataFrame, with missing whole numbers and truth values kept as such."""
    pandas = require("pandas", "table", "a table")
    frame = table.to_pandas(use_threads=False)
    for name in table.column_names:
        column = table[name]
        if column.null_count and str(column.type).startswith(("int", "uint", "bool")):
            nullable = pandas.api.types.pandas_dtype(str(column.type).replace("int", "Int").replace("uI", "UI"))
            nullable = "boolean" if str(column.type) == "bool" else nullable
            frame[name] = column.to_pandas(types_mapper={column.type: pandas.api.types.pandas_dtype(nullable)}.get)
    return frame


def table_source(
    frame: Any, options: Options, origin: str, notes: list[str], *, first_line: int | None, ask: bool = True
) -> Source:
    """A DataFrame as a Source: columns parted into input, target and keys.

    ``ask=False`` takes every column not named in an option as input, as Python callers expect; else
    label-like columns stop with a `UsageError` and identifiers become keys.
    """
    notes = list(notes)
    for name in [*options.exclude, *options.key, *([] if options.keeps_labels_in else [options.target])]:
        if name is not None:
            must_have(frame, name, origin)
    frame = frame.drop(columns=list(options.exclude))
    target, named = None, options.target if options.target is not None else _there(frame, options.labels)
    if named is not None and not (options.keeps_labels_in and named not in frame.columns):
        target = frame.pop(named).to_numpy()
    keys = [name for name in options.key if name in frame.columns]
    if options.columns is not None:
        match_columns(frame, list(options.columns), origin)
        frame, keys = _known_columns(frame, keys, options, notes)
    elif ask:
        stop_at_labels(frame, keys, options, origin, notes)
        keys += _identifiers(frame, keys, notes)
        frame = _without_prose(frame, keys, notes)
    rows = frame.drop(columns=keys)
    if not len(rows.columns):
        raise UsageError(f"{origin or 'the table'}: no column is left as input. {'; '.join(notes)}".rstrip())
    if ask:
        _check_cells(rows, origin, first_line)
    kept = frame[keys] if keys else None
    name = None if target is None else named
    return _as_asked(Source(rows, "table", kept, target, notes, origin=origin, target_name=name), options)


def _there(frame: Any, name: str | None) -> str | None:
    return name if name is not None and name in frame.columns else None


def must_have(frame: Any, name: str, origin: str) -> None:
    if name not in frame.columns:
        known = [str(column) for column in frame.columns]
        raise UsageError(
            f"{origin or 'the table'} has no column {name!r}{did_you_mean(name, known)} It has: {listed(known, 20)}."
        )


def _known_columns(frame: Any, keys: list[Any], options: Options, notes: list[str]) -> tuple[Any, list[Any]]:
    """What a trained model knows as input; identifiers among the rest are kept as keys, others left out."""
    wanted = set(options.columns or ())
    rest = [name for name in frame.columns if name not in wanted and name not in keys]
    names = [name for name in rest if name in options.keep or "*" in options.keep or _is_identifier(frame[name])]
    extra = [name for name in rest if name not in names]
    if extra:
        notes.append(left_out(extra))
    return frame.drop(columns=extra), keys + names


def stop_at_labels(frame: Any, keys: list[Any], options: Options, origin: str, notes: list[str]) -> None:
    found = [name for name in frame.columns if looks_like_label(name) and name not in keys]
    if not found or options.keeps_labels_in:
        return
    name = found[0]
    if options.target is not None:
        notes.append(f"column {name!r} also looks like labels and is used as input; --exclude {name} keeps it out")
        return
    raise UsageError(
        f"{origin}: column {name!r} looks like labels, which a model must not see by accident. "
        f"Pass --target {name} (kept out of the input), --exclude {name}, "
        "or --target none to use it as an ordinary column."
    )


def _identifiers(frame: Any, keys: list[Any], notes: list[str]) -> list[Any]:
    found = [name for name in frame.columns if name not in keys and _is_identifier(frame[name])]
    if len(found) + len(keys) == len(frame.columns):
        return []
    notes.extend(
        f"column {name!r} names the rows: kept as a key, not an input (--exclude {name} drops it)" for name in found
    )
    return found


def _without_prose(frame: Any, keys: list[Any], notes: list[str]) -> Any:
    """The table without columns of free text: too many different texts, hardly any of them twice."""
    types = require("pandas", "table", "a table").api.types
    prose = []
    for name in frame.columns:
        cells = frame[name]
        if name in keys or types.infer_dtype(cells, skipna=True) != "string" or is_iso_dates(cells):
            continue
        counts = cells.value_counts()
        if len(counts) > MAX_LEVELS and counts.iloc[:MAX_LEVELS].sum() < 0.5 * counts.sum():
            prose.append(name)
            notes.append(
                f"column {name!r} holds {len(counts)} different texts in {len(cells)} rows, too many for categories, "
                f"and was left out (--column {name} reads it as text, --key {name} keeps it beside the results)"
            )
    return frame.drop(columns=prose)


def _is_identifier(cells: Any) -> bool:
    types = require("pandas", "table", "a table").api.types
    if len(cells) < 2 or not cells.is_unique or cells.hasnans:
        return False
    if types.is_integer_dtype(cells.dtype):
        return looks_like_id(cells.name)
    if not (types.is_object_dtype(cells.dtype) or types.is_string_dtype(cells.dtype)):
        return False
    if types.infer_dtype(cells) != "string" or is_iso_dates(cells):
        return False
    if looks_like_id(cells.name):
        return True
    return len(cells) >= _SURE_ROWS and not _as_numbers(cells).notna().any()


def _check_cells(rows: Any, origin: str, first_line: int | None) -> None:
    """Raise `DataError` for infinity, and for stray text in a column that is numbers otherwise."""
    types = require("pandas", "table", "a table").api.types
    for name in rows.columns:
        cells = rows[name]
        if types.is_float_dtype(cells.dtype):
            bad = np.isinf(cells.to_numpy(np.float64, na_value=np.nan))
            what = "infinity"
        elif types.is_string_dtype(cells.dtype) or types.is_object_dtype(cells.dtype):
            bad = _stray_text(cells)
            what = f"text where the other cells are numbers: {cells.iloc[int(bad.argmax())]!r}"
        else:
            continue
        if bad.any():
            row = int(bad.argmax())
            line = f" (line {row + first_line})" if first_line is not None else ""
            raise DataError(
                f"{origin}: column {name!r} contains {what} at row {row}{line}, "
                f"{int(bad.sum())} such cell{'s' if bad.sum() > 1 else ''}; correct it, leave it empty for "
                f"missing, or --exclude {name}"
            )


def _as_numbers(cells: Any) -> Any:
    return require("pandas", "table", "a table").to_numeric(cells, errors="coerce")


def _stray_text(cells: Any) -> np.ndarray:
    """Cells that are no numbers, in a column of which nearly all others are, and are not a few repeated codes."""
    none = np.zeros(len(cells), bool)
    known = cells.notna().to_numpy(bool)
    if not all(isinstance(cell, str) for cell in cells[known].head(3)):
        return none
    read = _as_numbers(cells)
    numeric = read.notna().to_numpy(bool)
    stray = known & ~numeric
    if not stray.any() or stray.sum() > max(1, 0.1 * known.sum()) or numeric.sum() < 3:
        return none
    if cells[known].str.strip().str.len().nunique() == 1:  # codes of one length, such as postcodes
        return none
    distinct = int(read.nunique())
    return stray if distinct > 50 or distinct > 0.5 * numeric.sum() else none


def _as_asked(source: Source, options: Options) -> Source:
    """The source as a float array where ``--as array`` asks for it."""
    if options.as_ in (None, "table"):
        return source
    if options.as_ != "array":
        raise UsageError(f"--as {options.as_} does not apply to a table; use table or array.")
    types = require("pandas", "table", "a table").api.types
    if options.columns is not None:
        source.rows = source.rows[list(options.columns)]
    source.columns = tuple(source.rows.columns)
    texts = [name for name in source.rows.columns if not types.is_numeric_dtype(source.rows[name].dtype)]
    if texts:
        raise DataError(
            f"{source.origin}: --as array needs numbers, but columns {listed(texts)} hold none; --exclude them."
        )
    source.rows, source.modality = source.rows.to_numpy(np.float64, na_value=np.nan), "array"
    return source


def _settle(frame: Any) -> Any:
    """Nullable dtypes back to plain ones, except where cells of whole numbers or truth values are missing."""
    pandas = require("pandas", "table", "a table")
    return pandas.DataFrame({name: _settled(frame[name]) for name in frame.columns}, copy=False)


def _settled(cells: Any) -> Any:
    pandas = require("pandas", "table", "a table")
    types = pandas.api.types
    if isinstance(cells.dtype, pandas.StringDtype):
        return pandas.Series(cells.to_numpy(object, na_value=None), name=cells.name)
    if not types.is_extension_array_dtype(cells.dtype) or not types.is_numeric_dtype(cells.dtype):
        return cells
    if types.is_float_dtype(cells.dtype):
        return pandas.Series(cells.to_numpy(cells.dtype.numpy_dtype, na_value=np.nan), name=cells.name)
    return cells if cells.hasnans else cells.astype(cells.dtype.numpy_dtype)


def csv_layout(file: Path | bytes, name: str, options: Options) -> tuple[dict[str, Any], list[str]]:
    """The separator, decimal mark and header line of a CSV, with notes on what is unusual."""
    lines = first_lines(file, name)
    if not lines:
        raise DataError(f"{name} is empty: it has no line with a value.")
    bare = re.sub(r'"[^"]*"', "", lines[0])
    sep = max(",;\t|", key=bare.count)
    sep = sep if bare.count(sep) else ","
    notes = [] if sep == "," else [f"{name}: columns are parted by {sep!r}"]
    layout: dict[str, Any] = {"sep": sep, "header": 0 if options.header else None}
    body = "".join(lines[1:])
    if sep == ";" and re.search(r"\d,\d", body) and not re.search(r"\d\.\d", body):
        layout["decimal"] = ","
        notes.append(f"{name}: the comma is read as the decimal mark")
    if options.header and _is_data(next(csv.reader([lines[0].rstrip("\r\n")], delimiter=sep))):
        notes.append(f"{name}: the first line looks like data, not column names; --no-header takes it as a row")
    return layout, notes


def first_lines(file: Path | bytes, name: str, count: int = 20) -> list[str]:
    """The first lines of a CSV that are not empty; lines may end in CR, LF or both. Raises `DataError`."""
    raw: Any = io.BytesIO(file) if isinstance(file, bytes) else file
    if not isinstance(file, bytes) and name.lower().endswith(".gz"):
        raw = gzip.open(file, "rb")  # noqa: SIM115
    elif not isinstance(file, bytes):
        raw = file.open("rb")
    try:
        with io.TextIOWrapper(raw, encoding="utf-8-sig", errors="replace") as text:
            return [line for line in (text.readline() for _ in range(count)) if line.strip()]
    except (EOFError, OSError) as error:
        raise DataError(f"{name} is damaged or cut short ({error}); fetch it again.") from error


def _is_data(cells: list[str]) -> bool:
    return any(re.fullmatch(r"\s*[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?\s*", cell) for cell in cells)


def _plain(error: Exception) -> str:
    return str(error).replace("Error tokenizing data. C error: ", "").strip().rstrip(".")
