"""Interactions of users with items: lines of items, triples, tables and sparse matrices."""

from __future__ import annotations

import gzip
import re
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix, issparse, load_npz

from ..core.errors import DataError, MissingExtra, require
from .limits import check_memory
from .record import Options, Source, listed

USER = ("user", "userid", "uid", "customer", "customerid", "visitor", "visitorid")
ITEM = ("item", "itemid", "iid", "movie", "movieid", "product", "productid", "book", "song", "artist", "track")
VALUE = ("rating", "value", "score", "stars", "count", "weight", "plays")
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?")
_ROOM = 12
"""Memory taken while reading, in sizes of the file."""


def read(path: Path, options: Options) -> Source:
    """Users x items from a file, as a sparse matrix of float32; ``columns`` of the source are the items' names.

        user item item item …            a line for each user (lines of unequal length)
        user item [value [time]]         a line for each interaction: blanks, TAB, comma, semicolon or '::'
        .csv .tsv .parquet               a table; columns by their names (user, item, rating …), else the first three
        .npz                             a matrix saved by scipy.sparse.save_npz

    ``options.columns``: the items a trained model knows, which are matched by name; others are left out and counted.

    Raises `DataError` for files that are empty, damaged, or of another form.
    """
    options.refuse("interactions", "target", "key", "exclude", "array", "include", "column", "time")
    if not path.exists():
        raise DataError(f"no file {str(path)!r}.")
    if path.is_dir():
        raise DataError(f"{path.name} is a folder; interactions are read from one file.")
    check_memory(_ROOM * path.stat().st_size, path.name, "Take a part of the users.")
    notes: list[str] = []
    suffix = path.suffix.lower()
    if suffix == ".npz":
        users, items, matrix = _sparse_file(path)
    else:
        parts = _parquet(path, notes) if suffix == ".parquet" else _text(path, options.header, notes)
        users, items, matrix = _matrix(*parts, path.name, notes)
    if options.columns is not None:
        items, matrix = _known(items, matrix, options.columns, notes)
    notes.insert(0, f"{path.name}: {matrix.shape[0]:,} users, {len(items):,} items, {matrix.nnz:,} interactions")
    return Source(
        matrix, "interactions", _keys(users, notes), notes=notes, origin=path.name,
        columns=tuple(items.tolist()), processor=options.processor,
    )  # fmt: skip


def _keys(users: np.ndarray, notes: list[str]) -> Any:
    try:
        return require("pandas", "table", "keeping the users' names").DataFrame({"user": users})
    except MissingExtra:
        notes.append("the users' names are not kept beside the results: that needs pip install 'diabolo[table]'")
        return None


def _sparse_file(path: Path) -> tuple[np.ndarray, np.ndarray, csr_matrix]:
    try:
        held = load_npz(path)
    except (ValueError, OSError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise DataError(f"{path.name} holds no matrix that scipy.sparse.save_npz wrote ({error}).") from error
    if not issparse(held) or held.ndim != 2 or held.dtype.kind not in "buif":
        raise DataError(f"{path.name} holds no sparse matrix of numbers.")
    matrix = csr_matrix(held, dtype=np.float32)
    return np.arange(matrix.shape[0]), np.arange(matrix.shape[1]).astype(str), matrix


Parts = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]
"""All users, in order; and of each interaction the user's name, the item's name and the value."""


def _parquet(path: Path, notes: list[str]) -> Parts:
    pandas = require("pandas", "table", "reading .parquet")
    require("pyarrow", "table", "reading .parquet")
    try:
        frame = pandas.read_parquet(path)
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} is damaged or cut short ({error}); fetch it again.") from error
    names = [str(name) for name in frame.columns]
    cells = [frame[name].to_numpy() for name in frame.columns]
    return _chosen(names, cells, True, path.name, notes)


def _text(path: Path, header: bool, notes: list[str]) -> Parts:
    data = _bytes(path)
    cut = re.compile(rb"::|[\t,; \r]+")
    first = next((line for line in data.splitlines() if line.strip()), b"")
    if not first:
        raise DataError(f"{path.name} is empty: it has no line with a user.")
    if b'"' in first or (b"," in first and b'"' in data[: 1 << 16]):
        return _quoted(path, header, notes)
    parted = [cell for cell in cut.split(first.strip()) if cell]
    data = data.replace(b"::", b" ").translate(bytes.maketrans(b"\t,;", b"   "))
    counts = _per_line(data)
    named = header and _is_header(parted)
    if named:
        data, counts = data.split(b"\n", 1)[1] if b"\n" in data else b"", counts[1:]
    widths = np.unique(counts)
    if not len(counts) or widths[-1] < 2:
        raise DataError(f"{path.name}: a line holds a user and an item at least; its lines hold one word.")
    words = _words(data)
    if len(widths) == 1 and widths[0] <= 4:
        table = words.reshape(-1, widths[0])
        names = [cell.decode() for cell in parted] if named else [f"column {i + 1}" for i in range(widths[0])]
        return _chosen(names, list(table.T), named, path.name, notes)
    if named:
        raise DataError(f"{path.name}: its lines hold {widths[0]} to {widths[-1]} cells; empty cells cannot be read.")
    starts = np.concatenate([[0], counts.cumsum()[:-1]])
    mine = np.ones(len(words), bool)
    mine[starts] = False
    notes.append("each line read as a user and the items of the user")
    return words[starts], np.repeat(words[starts], counts - 1), words[mine], np.ones(int(mine.sum()), np.float32)


def _quoted(path: Path, header: bool, notes: list[str]) -> Parts:
    pandas = require("pandas", "table", "reading a CSV with quotes")
    try:
        frame = pandas.read_csv(path, sep=None, engine="python", header=0 if header else None)
    except (ValueError, OSError) as error:
        raise DataError(f"{path.name} cannot be read as CSV: {error}") from error
    names = [str(name) for name in frame.columns]
    return _chosen(names, [frame[name].to_numpy() for name in frame.columns], header, path.name, notes)


def _bytes(path: Path) -> bytes:
    try:
        packed = path.read_bytes()
        data = gzip.decompress(packed) if packed[:2] == b"\x1f\x8b" else packed
        data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DataError(f"{path.name} is not UTF-8 text ({error.reason} at byte {error.start}).") from error
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    return data.removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n")


def _per_line(data: bytes) -> np.ndarray:
    """Words on each line that has any.

    >>> _per_line(b"1 2 3\\n\\n 4 5\\n").tolist()
    [3, 2]
    """
    held = np.frombuffer(data, np.uint8)
    blank = held <= 32
    begins = ~blank & np.concatenate([[True], blank[:-1]])
    line = (held == 10).cumsum()[begins]
    return np.unique(line, return_counts=True)[1]


def _words(data: bytes) -> np.ndarray:
    """All words, as whole numbers where all are (but '007' is a name)."""
    if re.fullmatch(rb"[0-9\s]*", data) and not re.search(rb"\b0[0-9]", data):
        return np.fromstring(data.decode("ascii"), np.int64, sep=" ")
    return np.char.decode(np.array(data.split()), "utf-8")


def _ids(cells: np.ndarray) -> np.ndarray:
    """Names as whole numbers where all are, so that they are ordered as numbers."""
    if cells.dtype.kind != "U" or not np.char.isdecimal(cells).all():
        return cells if cells.dtype.kind in "iuU" else cells.astype(str)
    numbers = cells.astype(np.int64)
    return numbers if (numbers.astype(str) == cells).all() else cells


def _is_header(cells: list[bytes]) -> bool:
    """Whether the first line names columns: one of them is a user, or none is a number and one is an item or value."""
    names = [_plain(cell.decode("utf-8", "replace")) for cell in cells]
    if any(name in USER for name in names):
        return True
    return not any(_NUMBER.fullmatch(cell) for cell in cells) and any(name in (*ITEM, *VALUE) for name in names)


def _plain(name: str) -> str:
    return re.sub(r"[^a-z]", "", name.lower())


def _chosen(names: list[str], cells: list[np.ndarray], named: bool, origin: str, notes: list[str]) -> Parts:
    """Which columns are user, item and value: by name, else the first ones."""
    if len(cells) < 2 or not len(cells[0]):
        raise DataError(f"{origin} has {len(cells)} columns of {len(cells[0])} lines; a user and an item are needed.")
    plain = [_plain(name) if named else "" for name in names]
    found = [next((i for i, name in enumerate(plain) if name in known), None) for known in (USER, ITEM, VALUE)]
    if found[0] is None or found[1] is None:
        found = [0, 1, 2 if len(cells) > 2 else None]
    user, item, value = found
    of = "" if value is None else f", value {names[value]!r}"
    left = [name for i, name in enumerate(names) if i not in found]
    rest = f"; {listed(left)} left out" if left else ""
    notes.append(f"user is {names[user]!r}, item {names[item]!r}{of}{rest}")  # type: ignore[index]
    users, things = (_ids(cells[place]) for place in (user, item))  # type: ignore[index]
    values = np.ones(len(users), np.float32) if value is None else _numbers(cells[value], names[value], origin)
    return users, users, things, values


def _numbers(cells: np.ndarray, name: str, origin: str) -> np.ndarray:
    try:
        values = cells.astype(np.float32)
    except (TypeError, ValueError) as error:
        raise DataError(f"{origin}: {name} holds something that is no number ({error}).") from error
    if not np.isfinite(values).all():
        raise DataError(f"{origin}: {name} has no number at line {int((~np.isfinite(values)).argmax())}, from 0.")
    return values


def _matrix(
    known: np.ndarray, users: np.ndarray, items: np.ndarray, values: np.ndarray, origin: str, notes: list[str]
) -> tuple[np.ndarray, np.ndarray, csr_matrix]:
    """Users and items by name, in order, and the matrix; of an interaction that comes twice the last counts."""
    names, things = np.unique(known), np.unique(items)
    row, column = np.searchsorted(names, users), np.searchsorted(things, items)
    flat = row.astype(np.int64) * len(things) + column
    order = np.argsort(flat, kind="stable")
    ordered = flat[order]
    last = np.append(ordered[1:] != ordered[:-1], True) if len(ordered) else np.zeros(0, bool)
    if not last.all():
        notes.append(f"{int((~last).sum()):,} interactions come again; the last of each is taken")
    kept = order[last]
    offsets = np.searchsorted(row[kept], np.arange(len(names) + 1))
    parts = (values[kept].astype(np.float32), column[kept].astype(np.int32), offsets)
    if not len(things):
        raise DataError(f"{origin} holds no item.")
    return names, things.astype(str), csr_matrix(parts, shape=(len(names), len(things)))


def _known(
    items: np.ndarray, matrix: csr_matrix, columns: tuple[Any, ...], notes: list[str]
) -> tuple[np.ndarray, csr_matrix]:
    """The matrix over the items a model knows, matched by name."""
    wanted = np.array([str(name) for name in columns])
    order = np.argsort(wanted)
    place = order[np.searchsorted(wanted[order], items).clip(max=len(wanted) - 1)]
    there = wanted[place] == items
    triples = matrix.tocoo()
    kept = there[triples.col]
    if not there.all():
        notes.append(
            f"{int((~there).sum()):,} items the model does not know ({listed(items[~there].tolist(), 3)}), with "
            f"{int((~kept).sum()):,} interactions, are left out"
        )
    if not there.any():
        raise DataError(
            f"none of the {len(items):,} items ({listed(items.tolist(), 3)}) is one of the {len(wanted):,} the model "
            f"knows ({listed(columns, 3)}); give data with the same names of items."
        )
    cells = (triples.data[kept], (triples.row[kept], place[triples.col[kept]]))
    return wanted, csr_matrix(cells, shape=(matrix.shape[0], len(wanted)))
