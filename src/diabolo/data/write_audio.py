"""Sounds to a folder of WAV files, or to one file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np

from ..core.errors import UsageError, require
from ..core.files import write_atomic
from .sound import FULL, Sound
from .write_folder import file_names, write_folder

SUFFIXES = (".wav", "")


def write(path: Path, rows: Sequence[Sound], keys: Any = None) -> None:
    """Write sounds as WAV of 16 bits: one to a path that ends in .wav, any number to a folder.

    Files of a folder are named by the key column 'file', with 'start' and 'end' (seconds) where rows are windows of
    files; else they are numbered. Samples outside [-1, 1] are clipped. Raises `UsageError` for several sounds in one
    file.
    """
    soundfile = require("soundfile", "audio", "writing sounds")

    def save(file: Any, place: int) -> None:
        soundfile.write(file, in_16_bits(rows[place].samples), rows[place].rate, "PCM_16", format="WAV")

    if path.suffix == "":
        write_folder(path, sound_names(len(rows), keys), save)
        return
    if len(rows) != 1:
        raise UsageError(
            f"{path.name!r} holds one sound and there are {len(rows)}; give a folder: a path without .wav."
        )
    write_atomic(path, lambda file: save(file, 0))


def in_16_bits(samples: np.ndarray) -> np.ndarray:
    """Samples in [-1, 1] as int16, rounded; 16-bit files come back to the bit.

    >>> in_16_bits(np.array([-1.0, 0.5, 1.0])).tolist()
    [-32768, 16384, 32767]
    """
    return np.rint(np.asarray(samples, np.float32) * FULL).clip(-FULL, FULL - 1).astype(np.int16)


def sound_names(count: int, keys: Any) -> list[str]:
    """Names of the files to write: ``a/talk.wav``, or ``a/talk_0.500-1.500.wav`` for a window."""
    names = file_names(count, keys, ".wav")
    if keys is not None and {"file", "start", "end"} <= set(keys.columns) and len(keys) == count:
        parts = zip(keys["file"], keys["start"], keys["end"], strict=True)
        names = [f"{PurePosixPath(str(name)).with_suffix('')}_{start:.3f}-{end:.3f}.wav" for name, start, end in parts]
    return names if len(set(names)) == count else file_names(count, None, ".wav")
