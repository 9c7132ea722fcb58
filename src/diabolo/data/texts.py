"""What every processor of texts asks of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from ..core.errors import DataError

IDEOGRAPHS = re.compile("[\u3040-\u30ff\u3400-\u9fff\uf900-\ufaff\U00020000-\U0003134f]")
_LETTERS = re.compile(r"[^\W\d_]")
_SAMPLE = 2000


def checked_texts(rows: Any) -> list[str]:
    """Rows as a list of plain str. Raises `DataError` naming the row that is no text.

    >>> checked_texts(["a", 3])
    Traceback (most recent call last):
    diabolo.core.errors.DataError: row 1 is no text but an int: 3; give every row as str ('' for an empty one).
    """
    texts = list(rows)
    if not texts:
        raise DataError("there are no texts: X is empty.")
    for number, text in enumerate(texts):
        if not isinstance(text, str):
            kind = type(text).__name__
            a = "an" if kind[0] in "aeiou" else "a"
            raise DataError(
                f"row {number} is no text but {a} {kind}: {text!r}; give every row as str ('' for an empty one)."
            )
    try:
        "".join(texts).encode()
    except UnicodeEncodeError:
        number = next(n for n, text in enumerate(texts) if text.encode(errors="ignore").decode() != text)
        raise DataError(f"row {number} holds half a character (a lone surrogate); read its file as UTF-8.") from None
    return [str(text) for text in texts]


def without_blanks(texts: Iterable[str]) -> bool:
    """Whether texts are written without blanks between words: a third of the letters are Chinese or Japanese.

    >>> without_blanks(["花呗如何还款"]), without_blanks(["how to pay", "and 还"])
    (True, False)
    """
    sample = "".join(text for text, _ in zip(texts, range(_SAMPLE), strict=False))
    return 3 * len(IDEOGRAPHS.findall(sample)) >= max(1, len(_LETTERS.findall(sample)))
