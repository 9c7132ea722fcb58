"""Clips to a folder of MP4 files, to one file, or to an array."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError, require
from ..core.files import write_atomic
from .clip import Clip
from .write_folder import file_names, write_folder

SUFFIXES = (".mp4", ".npy", "")
CODECS = ("libx264", "mpeg4")
"""The first that is there is taken."""


def write(path: Path, rows: Sequence[Clip], keys: Any = None) -> None:
    """Write clips: one to .mp4; those of equal length to .npy (N, T, H, W[, 3]); any number to a folder of .mp4.

    Files of a folder are named by the key column 'file', else numbered. MP4 keeps sides of an even number of pixels: an
    odd one is repeated once. Raises `UsageError` for what does not fit in.
    """
    if path.suffix == ".npy":
        shapes = {clip.frames.shape for clip in rows}
        if len(shapes) > 1:
            raise UsageError(f"{path.name!r} takes clips of one shape, these have {len(shapes)}; give a folder.")
        write_atomic(path, lambda file: np.save(file, np.stack([c.frames for c in rows]), allow_pickle=False))
        return
    require("av", "video", "writing videos")
    if path.suffix == "":
        write_folder(path, file_names(len(rows), keys, ".mp4"), lambda file, place: encode(file, rows[place]))
        return
    if len(rows) != 1:
        raise UsageError(
            f"{path.name!r} holds one video and there are {len(rows)}; give a folder: a path without .mp4."
        )
    write_atomic(path, lambda file: encode(file, rows[0]))


def encode(file: Any, clip: Clip, quality: int = 18) -> None:
    """Write a clip as MP4 (H.264 where it is there) to a path or an open file; ``quality``: 0 is best."""
    av = require("av", "video", "writing videos")
    codec = next(name for name in CODECS if name in av.codecs_available)
    height, width = clip.picture[:2]
    down, right = height % 2, width % 2
    target = str(file) if isinstance(file, Path) else file
    with av.open(target, mode="w", format="mp4") as container:
        stream = container.add_stream(codec, rate=Fraction(clip.rate).limit_denominator(1000))
        stream.width, stream.height, stream.pix_fmt = width + right, height + down, "yuv420p"
        stream.options = {"crf": str(quality)} if codec == "libx264" else {"qscale:v": "2"}
        if codec != "libx264":
            stream.bit_rate = 8 * stream.width * stream.height * max(1, round(clip.rate))
        for frame in clip.frames:
            colour = frame if frame.ndim == 3 else np.repeat(frame[..., None], 3, axis=2)
            whole = np.pad(colour, ((0, down), (0, right), (0, 0)), mode="edge")
            container.mux(stream.encode(av.VideoFrame.from_ndarray(np.ascontiguousarray(whole), format="rgb24")))
        container.mux(stream.encode())
