"""A video clip, and how one is decoded from a file."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, require
from .record import Row

USUAL_RATE = 25.0
NO_FRAME = "it holds no frame"


@dataclass(frozen=True, eq=False)
class Clip(Row):
    """Frames uint8 (T, H, W), or (T, H, W, 3) in colour, and their rate in frames a second.

    Raises `DataError` for frames of another type or shape.

    >>> len(Clip(np.zeros((5, 8, 6), np.uint8), rate=10))
    5
    """

    kind: ClassVar[str] = "video"

    frames: ndarray
    rate: float = USUAL_RATE

    def __post_init__(self) -> None:
        shape, dtype = self.frames.shape, self.frames.dtype
        if dtype != np.uint8 or len(shape) not in (3, 4) or shape[3:] not in ((), (3,)) or 0 in shape:
            raise DataError(
                f"a clip is uint8 frames (T, H, W) or (T, H, W, 3), at least one; got {dtype} of shape {shape}."
            )
        if not 0 < self.rate < float("inf"):
            raise DataError(f"a clip's rate is a number of frames a second above 0; got {self.rate}.")

    def __len__(self) -> int:
        return len(self.frames)

    @property
    def steps(self) -> int:
        """How many frames there are."""
        return len(self.frames)

    def take(self, begin: int, end: int) -> Clip:
        """The frames from ``begin`` to before ``end``."""
        return Clip(self.frames[begin:end], self.rate)

    @property
    def nbytes(self) -> int:
        """Bytes of the frames."""
        return int(self.frames.nbytes)

    @property
    def picture(self) -> tuple[int, ...]:
        """Shape of one frame: (H, W) or (H, W, 3)."""
        return tuple(self.frames.shape[1:])

    def fitted(self, picture: tuple[int, ...]) -> Clip:
        """The clip with frames of another shape: resized, made grey or colour."""
        if picture == self.picture:
            return self
        pillow = require("PIL.Image", "image", "resizing frames")
        mode = "L" if len(picture) == 2 else "RGB"
        frames = np.empty((len(self), *picture), np.uint8)
        for place, frame in enumerate(self.frames):
            made = pillow.fromarray(frame).convert(mode)
            same = (made.height, made.width) == picture[:2]
            frames[place] = made if same else made.resize(picture[1::-1], pillow.Resampling.BILINEAR)
        return Clip(frames, self.rate)


@dataclass
class VideoHeader:
    """What a video file says of itself; ``error`` why it cannot be used."""

    name: str
    frames: int = 0
    size: tuple[int, int] = (0, 0)
    error: str | None = None


def inspect_video(name: str, content: bytes) -> VideoHeader:
    """The header of a video file and the size of its first frame, as it is to be seen; the number of frames is an
    estimate where the file does not say."""
    av = require("av", "video", "reading videos")
    try:
        with av.open(io.BytesIO(content)) as container:
            stream = container.streams.video[0]
            seconds = float((container.duration or 0) / 1_000_000)
            frames = stream.frames or round(seconds * float(stream.average_rate or USUAL_RATE)) or 1
            first = next(container.decode(stream), None)
            if first is None:
                return VideoHeader(name, error=NO_FRAME)
            size = first.height, first.width
            return VideoHeader(name, int(frames), size[::-1] if _turns(first) % 2 else size)
    except (av.error.FFmpegError, IndexError, ValueError, OSError) as error:
        return VideoHeader(name, error=reason(error))


def decode_video(name: str, content: bytes, size: tuple[int, int] | None = None) -> Clip:
    """All frames of a video file, in grey where no frame has colour. Raises `DataError` where there are none.

    Frames are turned as the file asks for: phones film lying and say so. ``size``: height and width of what comes out,
    None: as it is.
    """
    av = require("av", "video", "reading videos")
    turns = 0
    try:
        with av.open(io.BytesIO(content)) as container:
            stream = container.streams.video[0]
            stream.thread_type = "AUTO"
            rate = float(stream.average_rate or USUAL_RATE)
            frames: list[ndarray] = []
            for frame in container.decode(stream):
                turns = turns if frames else _turns(frame)
                frames.append(_pixels(frame, size[::-1] if size is not None and turns % 2 else size))
    except (av.error.FFmpegError, IndexError, ValueError, OSError) as error:
        raise DataError(f"{name}: {reason(error)}") from error
    if not frames:
        raise DataError(f"{name}: {NO_FRAME}")
    found = np.rot90(np.stack(frames), turns, (1, 2))
    grey = bool((found == found[..., :1]).all())
    return Clip(np.ascontiguousarray(found[..., 0] if grey else found), rate)


def _pixels(frame: Any, size: tuple[int, int] | None) -> ndarray:
    shape = {} if size is None else {"height": size[0], "width": size[1]}
    pixels: ndarray = frame.to_ndarray(format="rgb24", **shape)
    return pixels


def _turns(frame: Any) -> int:
    """By how many right angles, counter-clockwise, a frame is to be turned before it is seen; older PyAV: unknown."""
    return round(getattr(frame, "rotation", 0) / 90) % 4


def reason(error: Exception) -> str:
    """Why a video cannot be read, in a few words."""
    text = str(error).splitlines()[0] if str(error) else type(error).__name__
    return "it has no picture" if isinstance(error, IndexError) else text[:80]
