"""Photographs of their own sizes as files: one PNG, or a folder of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np

from ..core.errors import UsageError, require
from ..core.files import write_atomic
from .write_folder import file_names, write_folder

SUFFIXES = (".png", "")


def write(path: Path, rows: Any, keys: Any = None) -> None:
    """Pictures, uint8 or floats in [0, 1], (H, W) or (H, W, 3): a folder of PNG under the names of ``keys``, or the one
    picture there is as a file."""
    if path.suffix.lower() != ".png":
        write_folder(path, file_names(len(rows), keys, ".png"), lambda file, place: file.write_bytes(_png(rows[place])))
        return
    if len(rows) != 1:
        raise UsageError(f"{path.name} is one picture, and there are {len(rows)}; name a folder (no suffix).")
    data = _png(rows[0])
    write_atomic(path, lambda file: file.write(data))


def _png(picture: Any) -> bytes:
    pillow = require("PIL.Image", "image", "writing pictures")
    values = np.asarray(picture)
    values = values[..., 0] if values.ndim == 3 and values.shape[-1] == 1 else values
    if values.dtype != np.uint8:
        values = np.rint(np.nan_to_num(values).clip(0, 1) * 255).astype(np.uint8)
    buffer = io.BytesIO()
    pillow.fromarray(values).save(buffer, format="PNG")
    return buffer.getvalue()
