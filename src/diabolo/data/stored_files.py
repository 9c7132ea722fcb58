"""Sounds, videos and texts that stay in their files until they are needed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError
from .files import Files, file_keys
from .record import Options, Source, damage, objects
from .stored import Stored
from .stored_images import in_threads


class StoredFiles(Stored):
    """Files of which each is one row: a block is a file, read and decoded when it is needed.

    ``decode`` makes a row of a file's name and bytes, and raises `DataError` for what cannot be read; such files are
    left out, and named in ``damaged``.

    >>> held = {"a": b"one", "b": b"two"}
    >>> files = Files("folder", ["a", "b"], held.__getitem__, lambda: None)
    >>> stored = StoredFiles(files, files.names, lambda name, content: content.decode(), "text")
    >>> stored.read([1, 0]).rows.tolist()
    ['two', 'one']
    """

    scattered = True

    def __init__(self, files: Files, names: Sequence[str], decode: Callable[[str, bytes], Any], modality: str) -> None:
        self.files, self.names, self.decode, self.modality = files, list(names), decode, modality
        self.edges = np.arange(len(self.names) + 1)
        self.damaged: dict[str, str] = {}

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        numbers = np.asarray(blocks)
        found = list(in_threads(self._row, [self.names[place] for place in numbers]))
        sound = np.array([row is not None for row in found], bool)
        numbers = numbers[sound]
        rows = objects(row for row in found if row is not None)
        keys = file_keys([self.names[place] for place in numbers], [])
        return Source(rows, self.modality, keys, None, [], origin=self.files.origin, numbers=numbers)

    def source(self, options: Options, notes: list[str], bad: Mapping[str, str]) -> Source:
        """These rows as a Source, with notes that say where they are, and which files (name -> why) are not among
        them."""
        skipped = [f"{len(bad)} unreadable file{'s' if len(bad) > 1 else ''} skipped: {damage(bad)}"] if bad else []
        note = f"{len(self):,} files stay on disk and are decoded as they are needed (--memory changes that)"
        return Source(
            self, self.modality, notes=[*notes, *skipped, note], skipped=len(bad), origin=self.files.origin,
            processor=options.processor,
        )  # fmt: skip

    def _row(self, name: str) -> Any:
        try:
            return self.decode(name, self.files.read(name))
        except DataError as error:
            self.damaged[name] = str(error).removeprefix(f"{name}: ")
            return None
