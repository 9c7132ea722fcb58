"""The kinds of data people have on disk, beside arrays, pictures and tables: one line each.

A kind is a reader (`read_KIND.read(path, options) -> Source`), a processor of the same name, and a writer
(`write_KIND.write(path, rows, keys)`, with ``SUFFIXES``, '' for a folder).
"""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Iterable
from pathlib import PurePosixPath
from typing import Any

from .recognise import IMAGE_SUFFIXES

FILES: dict[str, tuple[str, ...]] = {
    "image": IMAGE_SUFFIXES,
    "audio": (".wav", ".flac", ".ogg", ".mp3"),
    "video": (".mp4", ".avi", ".mkv", ".mov", ".webm", ".mpg", ".mpeg"),
    "text": (".txt", ".md"),
    "series": (),
    "interactions": (),
}
"""Kind -> suffixes by which a file shows it."""
OWN = ("text", "audio", "video", "series", "interactions")
"""Kinds whose rows are no plain arrays or tables."""


def reader(kind: str) -> Any:
    """The module that reads a kind."""
    return importlib.import_module(f".read_{'images' if kind == 'image' else kind}", __package__)


def writer(kind: str) -> Any:
    """The module that writes rows of a kind."""
    return importlib.import_module(f".write_{kind}", __package__)


def commonest(names: Iterable[str]) -> str:
    """The kind most files of a folder or archive are of; files without a suffix may be text.

    >>> commonest(["a/1.wav", "a/2.WAV", "readme.txt"]), commonest(["a.png", "b.txt"])
    ('audio', 'image')
    """
    counts: Counter[str] = Counter()
    bare = 0
    for name in names:
        suffix = PurePosixPath(name).suffix.lower()
        bare += not suffix or suffix[1:].isdigit()
        counts.update(kind for kind, suffixes in FILES.items() if suffix in suffixes)
    media = {kind: count for kind, count in counts.items() if kind != "text"}
    if media:
        return max(media, key=lambda kind: media[kind])
    return "text" if counts["text"] or bare else "image"
