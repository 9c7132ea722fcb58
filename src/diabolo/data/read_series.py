"""Series from tables with a column of times, folders of such tables, arrays of signals, and lines of numbers."""

from __future__ import annotations

import csv
import datetime
import itertools
import re
from pathlib import Path
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, UsageError, require, unknown
from .files import Files, choose, file_keys, folder_labels, open_files
from .read_array import load_npy, read_numbers
from .read_npz import load_arrays
from .read_table import csv_frame, first_lines, must_have, parquet_frame, stop_at_labels
from .recognise import TABLE_SUFFIXES, looks_like_label, recognise
from .record import Options, Source, listed, match_columns, objects
from .series import Series, sampling_note

TIMES = ("timestamp", "time", "datetime", "date")
"""First columns of these names are times, where nothing else is said."""
FILES = (".csv", ".tsv", ".csv.gz", ".tsv.gz", ".parquet")
_MOST_DAMAGED = 0.1


def read(path: Path, options: Options) -> Source:
    """Read series from a table (rows are steps), a folder or archive of tables (a file is a series), an array or text.

    .csv, .tsv, .parquet   ``time`` names the times (else a first column named timestamp, time, datetime or date);
                           several series in one file are told apart by ``key``; channels are the numeric columns
    .npy                   (T,) or (T, C): one series; (N, T, C): N of them
    .npz                   every array is one series, and its name its key and label; ``array`` takes one,
                           ``include`` those of a pattern
    .txt                   lines of numbers, each line a series of one channel (one number a line: one series)

    Raises `DataError` for what cannot be read, naming file and column, `UsageError` for options that do not fit.
    """
    options.refuse("series", "column", "size")
    kind = recognise(path)
    if kind in ("folder", "archive"):
        source = _read_files(path, options)
    elif kind == "npz":
        source = _read_arrays(path, options)
    elif kind == "npy":
        source = _read_array(path, options)
    elif kind == "txt":
        source = _read_lines(path, options)
    elif kind in ("csv", "parquet"):
        source = _read_table(path, options)
    else:
        raise UsageError(f"{path.name} ({kind}) holds no series: give CSV, Parquet, .npy, .npz, .txt or a folder.")
    return _noted(source, options)


def from_frame(frame: Any, options: Options) -> Source:
    """The series in a DataFrame of which every row is a step."""
    return _noted(table_series(frame, options, "the table", []), options)


def looks_like(path: Path) -> bool:
    """Whether a CSV is a series by its first lines: times that increase in a first column named so, else numbers."""
    if not path.name.lower().removesuffix(".gz").endswith(TABLE_SUFFIXES):
        return False
    lines = first_lines(path, path.name)
    sep = max(",;\t|", key=lines[0].count) if lines else ","
    head, *rows = list(csv.reader((line.rstrip("\r\n") for line in lines), delimiter=sep)) or [[]]
    names = [name.strip().lower() for name in head]
    if len(names) < 2 or names[0] not in TIMES or len(rows) < 3 or any(len(row) != len(head) for row in rows):
        return False
    if any(looks_like_label(name) for name in names):
        return False
    times = [_moment(row[0]) for row in rows]
    if any(time is None for time in times) or not all(_is_number(cell) for row in rows for cell in row[1:]):
        return False
    return all(early < late for early, late in itertools.pairwise(times))  # type: ignore[operator]


def _moment(cell: str) -> float | None:
    try:
        return float(cell)
    except ValueError:
        pass
    try:
        return datetime.datetime.fromisoformat(cell.strip()).replace(tzinfo=datetime.UTC).timestamp()
    except ValueError:
        return None


def _is_number(cell: str) -> bool:
    return re.fullmatch(r"\s*([-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|nan|NA|)\s*", cell, re.IGNORECASE) is not None


# tables


def _read_table(path: Path, options: Options) -> Source:
    options.refuse("a table of series", "array", "include")
    if path.suffix.lower() == ".parquet":
        return table_series(parquet_frame(path, path.name), options, path.name, [])
    frame, notes = csv_frame(path, path.name, options)
    return table_series(frame, options, path.name, notes)


def table_series(frame: Any, options: Options, origin: str, notes: list[str]) -> Source:
    """The series in a DataFrame of which every row is a step."""
    named = None if options.keeps_labels_in else options.target
    if options.columns is not None and named is None and options.labels in frame.columns:
        named = options.labels
    for name in (*options.key, *options.exclude, named):
        if name is not None:
            must_have(frame, name, origin)
    frame = frame.drop(columns=list(options.exclude))
    time = _time_column(frame, options, origin, notes)
    beside = [*options.key, *([time] if time else []), *([named] if named else [])]
    channels = _channels(frame.drop(columns=beside), options, origin, notes)
    groups, keys = _groups(frame, options.key)
    labels = None if named is None else _labels(frame[named], groups, notes)
    times = None if time is None else _times(frame[time], origin, notes)
    values, columns = channels.to_numpy(np.float64, na_value=np.nan), tuple(str(name) for name in channels)
    back = 0
    rows = []
    for number, index in enumerate(groups):
        order = index if times is None else index[np.argsort(times[index], kind="stable")]
        back += int((order != index).any())
        name = origin if keys is None else " ".join(str(cell) for cell in keys.iloc[number])
        moments = None if times is None else times[order]
        rows.append(Series(values[order], moments, columns, name, time or "time"))
    if back:
        what = "the steps were" if len(rows) == 1 else f"the steps of {back} series were"
        notes.append(f"{origin}: {what} not in the order of time, and were sorted")
    return Source(objects(rows), "series", keys, labels, notes, origin=origin, columns=columns)


def _time_column(frame: Any, options: Options, origin: str, notes: list[str]) -> Any:
    if options.time is not None:
        must_have(frame, options.time, origin)
        return options.time
    first = frame.columns[0]
    if str(first).strip().lower() in TIMES and first not in options.key:
        notes.append(f"{origin}: series over column {first!r} (--time changes it, --as table reads a table)")
        return first
    notes.append(f"{origin}: no column of times is named; a row is a step (--time COL names one)")
    return None


def _channels(frame: Any, options: Options, origin: str, notes: list[str]) -> Any:
    """The columns that are inputs: numbers, and those a trained model knows."""
    types = require("pandas", "table", "a table").api.types
    if options.columns is not None:
        return match_columns(frame, list(options.columns), origin)[0]
    stop_at_labels(frame, [], options, origin, notes)
    texts = [name for name in frame.columns if not types.is_numeric_dtype(frame[name].dtype)]
    if len(texts) == len(frame.columns):
        raise DataError(f"{origin}: no column of numbers is left as a channel; it has {listed(frame.columns)}.")
    if texts:
        notes.append(f"{origin}: columns {listed(texts)} hold no numbers and were left out")
    return frame.drop(columns=texts)


def _groups(frame: Any, key: tuple[str, ...]) -> tuple[list[ndarray], Any]:
    """The rows of every series, in the order in which the series come, and the key columns."""
    if not key:
        return [np.arange(len(frame))], None
    codes = frame.groupby(list(key), sort=False, dropna=False).ngroup().to_numpy()
    order = np.argsort(codes, kind="stable")
    groups = np.split(order, np.flatnonzero(np.diff(codes[order])) + 1)
    return groups, frame[list(key)].iloc[[group[0] for group in groups]].reset_index(drop=True)


def _labels(cells: Any, groups: list[ndarray], notes: list[str]) -> ndarray | None:
    held = cells.to_numpy()
    if all(len(set(held[group].tolist())) == 1 for group in groups):
        return np.array([held[group[0]] for group in groups])
    notes.append(f"column {cells.name!r} changes within a series: kept out of the input, and no label of a series")
    return None


def _times(cells: Any, origin: str, notes: list[str]) -> ndarray:
    """Times as datetime64 or float64. Raises `DataError` for what is no time, naming the row."""
    pandas = require("pandas", "table", "a table")
    if cells.hasnans:
        row = int(cells.isna().to_numpy().argmax())
        raise DataError(f"{origin}: column {cells.name!r} has no time at row {row}; leave such rows out.")
    if pandas.api.types.is_numeric_dtype(cells.dtype):
        held: ndarray = cells.to_numpy(np.int64 if pandas.api.types.is_integer_dtype(cells.dtype) else np.float64)
        return held
    try:
        moments = pandas.to_datetime(cells, format="ISO8601", utc=bool(_zoned(cells)))
    except (ValueError, TypeError):
        moments = _other_times(cells, origin, notes)
    if getattr(moments.dt, "tz", None) is not None:
        notes.append(f"{origin}: times of column {cells.name!r} are given in UTC")
        moments = moments.dt.tz_convert("UTC").dt.tz_localize(None)
    return moments.to_numpy()


def _zoned(cells: Any) -> bool:
    return re.search(r"(Z|[+-]\d\d:?\d\d)$", str(cells.iloc[0]).strip()) is not None and ":" in str(cells.iloc[0])


def _other_times(cells: Any, origin: str, notes: list[str]) -> Any:
    pandas = require("pandas", "table", "a table")
    first = str(cells.iloc[0])
    try:
        moments = pandas.to_datetime(cells, dayfirst=False, format="mixed")
    except (ValueError, TypeError) as error:
        raise DataError(
            f"{origin}: column {cells.name!r} holds no times, for example {first!r}; write them as "
            "2024-01-31 12:00:00, or as numbers."
        ) from error
    notes.append(f"{origin}: times such as {first!r} are read as {moments.iloc[0]} (the month first)")
    return moments


# many files


def _read_files(path: Path, options: Options) -> Source:
    options.refuse("a folder of series", "array")
    with open_files(path) as files:
        names = choose(files, options, FILES, "tables of series")
        found = {name: _one_or_why(files, name, options) for name in names}
    bad = {name: str(held) for name, held in found.items() if not isinstance(held, Source)}
    if len(bad) > _MOST_DAMAGED * len(found):
        raise DataError(
            f"{files.origin}: {len(bad)} of {len(found)} files cannot be read, more than a tenth: {listed(bad, 3)}: "
            f"{next(iter(bad.values()))}"
        )
    notes = [f"{len(bad)} files skipped: {'; '.join(list(bad.values())[:3])}"] if bad else []
    good = {name: held for name, held in found.items() if isinstance(held, Source)}
    keys, target = _keys_of(good, options, notes)
    notes += _same_notes([note for held in good.values() for note in held.notes])
    if ignored := files.others(FILES):
        notes.append(f"{len(ignored)} other file{'s' if len(ignored) > 1 else ''} ignored: {listed(ignored, 3)}")
    columns = next(iter(good.values())).columns
    rows = objects(row for held in good.values() for row in held.rows)
    return Source(rows, "series", keys, target, notes, len(bad), files.origin, columns)


def _one_or_why(files: Files, name: str, options: Options) -> Source | DataError:
    try:
        return read_one(files.read(name), name, options)
    except DataError as error:
        return error


def read_one(content: bytes, name: str, options: Options) -> Source:
    """The series in the bytes of one file."""
    if name.lower().endswith(".parquet"):
        return table_series(parquet_frame(content, name), options, name, [])
    if name.lower().endswith(".gz"):
        import gzip

        try:
            content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise DataError(f"{name} is damaged or cut short ({error}).") from error
    frame, notes = csv_frame(content, name.removesuffix(".gz"), options)
    return table_series(frame, options, name, notes)


def _keys_of(good: dict[str, Source], options: Options, notes: list[str]) -> tuple[Any, ndarray | None]:
    """File names beside the results (and the key columns in the files), folder names as labels."""
    names = [name for name, held in good.items() for _ in held.rows]
    keys = file_keys(names, notes)
    if options.key and keys is not None:
        pandas = require("pandas", "table", "keys of series")
        within = pandas.concat([held.keys for held in good.values()], ignore_index=True)
        keys = pandas.concat([keys, within], axis=1)
    return keys, folder_labels(names, options, notes)


def _same_notes(notes: list[str]) -> list[str]:
    """Notes of many files, those that differ in the file's name alone said once."""
    said: dict[str, list[str]] = {}
    for note in notes:
        name, _, what = note.partition(": ")
        said.setdefault(what or name, []).append(name)
    return [f"{names[0]}: {what}" if len(names) == 1 else f"{len(names)} files: {what}" for what, names in said.items()]


# arrays


def _read_arrays(path: Path, options: Options) -> Source:
    options.refuse("an NPZ archive of series", "key", "exclude", "time", "target")
    arrays = load_arrays(path, options.include)
    if options.array is not None:
        if options.array not in arrays:
            raise unknown(f"array of {path.name}", options.array, arrays)
        arrays = {options.array: arrays[options.array]}
    rows = [Series(_signal(array, f"{path.name}: array {name!r}"), name=name) for name, array in arrays.items()]
    names = list(arrays)
    notes = [f"{path.name}: every array is a series, its name is kept as key and label: {listed(names)}"]
    pandas = require("pandas", "table", "keeping the names of series")
    labels = None if options.keeps_labels_in else np.array(names)
    return Source(objects(rows), "series", pandas.DataFrame({"series": names}), labels, notes, origin=path.name)


def _read_array(path: Path, options: Options) -> Source:
    options.refuse("a .npy file of series", "key", "exclude", "time", "target", "array", "include")
    array = load_npy(path)
    if array.ndim == 3:
        rows = [Series(_signal(part, f"{path.name}, row {number}")) for number, part in enumerate(array)]
    else:
        rows = [Series(_signal(array, path.name), name=path.name)]
    note = f"{path.name}: {len(rows)} series, the first of {rows[0].steps} steps in {rows[0].values.shape[1]} channels"
    return Source(objects(rows), "series", notes=[note], origin=path.name)


def _signal(array: ndarray, name: str) -> ndarray:
    if array.ndim not in (1, 2) or not array.size or array.dtype.kind not in "buif":
        raise DataError(f"{name} is no series: it must be numbers (T,) or (T, C); got {array.dtype} {array.shape}.")
    return array


def _read_lines(path: Path, options: Options) -> Source:
    options.refuse("lines of numbers", "key", "time", "array", "include")
    numbers = read_numbers(path)
    if numbers.shape[1] == 1:
        rows = [Series(numbers, name=path.name)]
        return Source(objects(rows), "series", notes=[f"{path.name}: one number a line, one series"], origin=path.name)
    target = None
    names = [f"x{place}" for place in range(numbers.shape[1])]
    named = None if options.keeps_labels_in else options.target
    trained = named is None and not options.keeps_labels_in and options.labels in names
    if trained:
        named = options.labels
    for name in (*options.exclude, *([named] if named else [])):
        if name not in names:
            raise unknown(f"column of {path.name}", name, names)
    if named:
        held = numbers[:, names.index(named)]
        target = held.astype(np.int64) if (held == np.rint(held)).all() else held
    values = numbers[:, [name not in (named, *options.exclude) for name in names]]
    rows = [Series(line, name=f"line {number}") for number, line in enumerate(values, 1)]
    note = f"{path.name}: each line is a series of {values.shape[1]} steps"
    hint = "" if named else " (--target x0: the first number of a line is its class)"
    if trained:
        hint = f"; {named!r} is its label, as at fit (--target none takes it as a value)"
    return Source(objects(rows), "series", None, target, [note + hint], origin=path.name)


def _noted(source: Source, options: Options) -> Source:
    """The source with what is uneven and missing in its series said."""
    rows = list(source.rows)
    uneven = sampling_note(rows)
    if uneven is not None:
        source.notes.append(f"{uneven}: kept as it is (--processor 'series(every=…)' interpolates to an even grid)")
    gaps: dict[str, int] = {}
    for row in rows:
        for name, count in zip(row.columns, np.isnan(row.values).sum(0).tolist(), strict=True):
            gaps[name] = gaps.get(name, 0) + count
    missing = {name: count for name, count in gaps.items() if count}
    if missing:
        counted = ", ".join(f"{name} {count}" for name, count in list(missing.items())[:8])
        source.notes.append(
            f"{sum(missing.values())} values are missing ({counted}): not scored; the encoder sees the channel's mean"
        )
    source.processor = options.processor
    return source
