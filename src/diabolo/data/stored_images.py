"""Pictures that stay in their files until they are needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import cache
from typing import Any, TypeVar

import numpy as np
from numpy import ndarray

from .files import Files, file_keys
from .picture import Header, decode
from .record import Source
from .stored import Stored

TOGETHER = 8
"""Pictures that are one piece of work for a thread."""
T = TypeVar("T")
R = TypeVar("R")


@cache
def _pool(process: int) -> ThreadPoolExecutor:
    """Decoding threads, as many as there are processors; of this process, not of one it was forked from."""
    return ThreadPoolExecutor(min(8, os.cpu_count() or 1), thread_name_prefix=f"decode-{process}")


def in_threads(function: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """``function`` of every item, in order, by the decoding threads; what raises, raises here."""
    return _pool(os.getpid()).map(function, items)


def decode_all(headers: Sequence[Header], read: Callable[[str], bytes], shape: tuple[int, ...], dtype: Any) -> ndarray:
    """Pictures of one shape (H, W[, 3]), decoded side by side; ``error`` of a header tells which are damaged."""
    out = np.empty((len(headers), *shape), dtype)

    def some(first: int) -> None:
        for place in range(first, min(first + TOGETHER, len(headers))):
            decode(headers[place], read, out[place : place + 1])

    list(in_threads(some, range(0, len(headers), TOGETHER)))
    return out


class StoredImages(Stored):
    """Pictures in a folder or archive: a block is a picture, decoded when it is read.

    Those found damaged then are left out, and named in ``damaged``.
    """

    scattered = True

    def __init__(self, files: Files, headers: Sequence[Header], shape: tuple[int, ...], dtype: Any) -> None:
        self.files, self.headers, self.picture, self.dtype = files, list(headers), shape, np.dtype(dtype)
        self.edges = np.arange(len(self.headers) + 1)
        self.modality = "image" if self.dtype == np.uint8 else "array"
        self.damaged: dict[str, str] = {}

    def read(self, blocks: Sequence[int] | ndarray) -> Source:
        numbers = np.asarray(blocks)
        headers = [replace(self.headers[place]) for place in numbers]
        pictures = decode_all(headers, self.files.read, self.picture, self.dtype)
        sound = np.array([header.error is None for header in headers], bool)
        if not sound.all():
            self.damaged.update({header.name: str(header.error) for header in headers if header.error is not None})
            pictures, numbers = pictures[sound], numbers[sound]
        keys = file_keys([self.headers[place].name for place in numbers], [])
        return Source(pictures, self.modality, keys, None, [], origin=self.files.origin, numbers=numbers)
