"""Lines of text that stay in their file."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy import ndarray

from .record import Source
from .stored import Stored
from .stored_table import stretches


class StoredLines(Stored):
    """A text file of which every line is a row; a block is a stretch of about 4 MB of lines, found in one pass.

    ``part`` makes a Source of some lines (bytes, parted by line ends).
    """

    def __init__(self, path: Path, part: Callable[[bytes], Source]) -> None:
        self.path, self.part = path, part
        self.offsets, self.edges = stretches(path, header=False, lines=True)

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        blocks = np.asarray(blocks)
        with self.path.open("rb") as file:
            pieces = []
            for block in blocks.tolist():
                file.seek(self.offsets[block])
                text = file.read(self.offsets[block + 1] - self.offsets[block])
                pieces.append(text if text.endswith(b"\n") else text + b"\n")
        numbers = np.concatenate([np.arange(self.edges[b], self.edges[b + 1]) for b in blocks])
        return replace(self.part(b"".join(pieces)), numbers=numbers)
