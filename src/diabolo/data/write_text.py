"""Texts to disk: one a line, or a table with a column 'text'."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..core.errors import require
from ..core.files import write_atomic
from .write import write as write_rows

SUFFIXES = (".txt", ".csv", ".csv.gz", ".parquet")


def write(path: Path, rows: Any, keys: Any) -> None:
    """Write texts to .txt, one a line with line breaks inside as \\\\n, or to .csv(.gz) or .parquet, after the keys."""
    texts = [str(row) for row in rows]
    if path.suffix.lower() == ".txt":
        whole = "".join(f"{one_line(text)}\n" for text in texts)
        write_atomic(path, lambda file: file.write(whole.encode()))
        return
    frame = require("pandas", "table", f"writing {path.suffix}").DataFrame({"text": texts})
    write_rows(path, frame, keys=keys, force=True)


def one_line(text: str) -> str:
    """A text without line breaks: they become backslash and n or r; what else has a backslash stays as it is.

    >>> one_line("two" + chr(10) + "lines")
    'two\\\\nlines'
    """
    return text.replace("\n", "\\n").replace("\r", "\\r")
