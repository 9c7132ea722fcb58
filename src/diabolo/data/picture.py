"""One picture: what its header says, and its pixels."""

from __future__ import annotations

import io
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..core.errors import DataError, require

MAX_PIXELS = 89_478_485
"""Most pixels a picture may have (Pillow's own limit); larger ones may be made to exhaust the memory."""

_GREY = {"1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "F"}
_DEEP = {"I", "I;16", "I;16B", "I;16L", "F"}
_ALPHA = {"LA", "La", "PA", "RGBA", "RGBa"}
_TURNED = {5, 6, 7, 8}


@dataclass
class Header:
    """What is known of a picture before it is decoded; ``error`` says why it cannot be used."""

    name: str
    size: tuple[int, int] = (0, 0)
    channels: int = 3
    deep: bool = False
    alpha: bool = False
    frames: int = 1
    error: str | None = None


def inspect(name: str, read: Callable[[str], bytes]) -> Header:
    """The header of a picture; damage is told in ``error``. Raises `DataError` above `MAX_PIXELS`."""
    pillow = require("PIL.Image", "image", "reading pictures")
    try:
        with pillow.open(io.BytesIO(read(name))) as picture:
            width, height = picture.size
            _check_pixels(name, width * height)
            if _orientation(picture) in _TURNED:
                width, height = height, width
            return Header(
                name,
                (height, width),
                1 if picture.mode in _GREY else 3,
                picture.mode in _DEEP,
                picture.mode in _ALPHA or "transparency" in picture.info,
                int(getattr(picture, "n_frames", 1)),
            )
    except (pillow.DecompressionBombError, pillow.DecompressionBombWarning) as error:
        raise DataError(_too_many(name)) from error
    except DataError:
        raise
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        return Header(name, error=_why(error))


def decode(header: Header, read: Callable[[str], bytes], out: np.ndarray) -> None:
    """Decode a picture into ``out`` (1, H, W) or (1, H, W, 3), resizing if needed; sets ``error`` on damage."""
    pillow = require("PIL.Image", "image", "reading pictures")
    ops = require("PIL.ImageOps", "image", "reading pictures")
    try:
        with pillow.open(io.BytesIO(read(header.name))) as opened:
            picture = ops.exif_transpose(opened) if _orientation(opened) != 1 else opened
            out[0] = _pixels(picture, out, pillow)
    except DataError:
        raise
    except Exception as error:
        header.error = _why(error)
        out[0] = 0


def _pixels(picture: Any, out: np.ndarray, pillow: Any) -> np.ndarray:
    size = (out.shape[2], out.shape[1])
    if out.dtype == np.uint8:
        picture = picture.convert("L" if out.ndim == 3 else "RGB")
        return np.asarray(picture if picture.size == size else picture.resize(size, pillow.Resampling.BICUBIC))
    if picture.mode in _DEEP:
        grey = np.asarray(picture, np.float32)
        if picture.mode != "F":
            grey = grey / np.float32(65535)
        if picture.size != size:
            grey = np.asarray(pillow.fromarray(grey).resize(size, pillow.Resampling.BILINEAR))
        return grey if out.ndim == 3 else np.repeat(grey[..., None], 3, axis=2)
    eight = np.empty(out.shape, np.uint8)
    return np.asarray(_pixels(picture, eight, pillow)).astype(np.float32) / 255


def _orientation(picture: Any) -> int:
    """The EXIF orientation, of the formats whose header tells it without decoding."""
    if picture.format == "JPEG" and "exif" not in picture.info:
        return 1
    return int(picture.getexif().get(0x0112, 1)) if picture.format in ("JPEG", "MPO", "TIFF", "WEBP") else 1


def _check_pixels(name: str, pixels: int) -> None:
    if pixels > MAX_PIXELS:
        raise DataError(_too_many(name))


def _too_many(name: str) -> str:
    return f"{name} has more than {MAX_PIXELS:,} pixels, the limit for one picture; reduce it or leave it out."


def _why(error: Exception) -> str:
    text = str(error) or type(error).__name__
    return "not a picture" if "cannot identify" in text else text.splitlines()[0][:80]
