"""Videos as windows of frames, kept as bytes until a batch is made."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from torch import Tensor

from ..blocks.overlap import cross_faded, window_starts
from ..blocks.scratch import scaled
from ..core import Batch, Processor, Spec, Windowed, register
from ..core.errors import DataError, out_of_range
from .clip import USUAL_RATE, Clip
from .limits import check_memory
from .record import objects


@register("processor", "video")
class VideoProcessor(Processor, Windowed):
    """Clips are cut into windows of ``frames`` frames; a window is a row (T, H, W) or (T, H, W, 3) in [0, 1].

        Clips ──every n-th frame, cut──▶ uint8 (M, T, …) ──collate──▶ float32, mask … recon ──join──▶ Clips

    A clip shorter than a window is padded with its last frame; padding is masked and not scored. Overlapping windows
    fade into each other on the way back. Grey and colour clips may be mixed: frames are taken as the first clip's are.

    Parameters
    ----------
    frames : frames of a window, at least 1.
    hop : share of a window from one to the next, in (0, 1]; 1: no overlap.
    every : only every so-many-th frame is looked at, and comes back.

    Raises `DataError` for rows that are no clips, and for frames of another size than at fit.

    >>> clips = [Clip(np.full((n, 4, 4), 9 * n, np.uint8)) for n in (10, 3)]
    >>> video = VideoProcessor(frames=4).fit(clips)
    >>> batch = video.collate(video.encode(clips))
    >>> tuple(batch.x.shape), [len(clip) for clip in video.join(video.invert(batch.target), clips)]
    ((5, 4, 4, 4), [10, 3])
    """

    def __init__(self, frames: int = 8, hop: float = 0.5, every: int = 1) -> None:
        for name, value in (("frames", frames), ("every", every)):
            if not isinstance(value, int) or value < 1:
                raise out_of_range(name, "an int of at least 1", value)
        if not 0 < hop <= 1:
            raise out_of_range("hop", "a share of the window in (0, 1]", hop)
        self.frames, self.hop, self.every = frames, float(hop), every
        self.picture: tuple[int, ...] = ()
        self.rate = USUAL_RATE

    def fit(self, rows: Any) -> Self:
        """Learn the size and the rate of the frames."""
        clips = checked(rows)
        self.picture, self.rate = clips[0].picture, clips[0].rate / self.every
        return self

    def seen(self, rows: Any) -> list[ndarray]:
        """The frames (T, H, W[, 3]) of every row that are looked at. Raises `DataError` for frames of another size."""
        clips = checked(rows)
        for number, clip in enumerate(clips):
            if clip.picture[:2] != self.picture[:2]:
                raise DataError(
                    f"clip {number} has frames of {clip.picture[:2]} pixels (height, width), but the model is "
                    f"expecting {self.picture[:2]}; resize it (--size {self.picture[0]}x{self.picture[1]})."
                )
        return [clip.fitted(self.picture).frames[:: self.every] for clip in clips]

    @property
    def _stride(self) -> int:
        return max(1, round(self.hop * self.frames))

    def _starts(self, lengths: list[int]) -> list[ndarray]:
        return [window_starts(length, self.frames, self._stride) for length in lengths]

    def encode(self, rows: Any) -> dict[str, Tensor]:
        """Windows ``x`` (M, T, H, W[, 3]) uint8, and how many of their frames are real, ``lengths`` (M,)."""
        seen = self.seen(rows)
        starts = self._starts([len(frames) for frames in seen])
        count = sum(len(found) for found in starts)
        size = int(np.prod(self.shape))
        check_memory(
            count * size,
            f"{count:,} windows of {self.frames} frames",
            "Take smaller frames (--size 64), fewer clips (--include), or less overlap: --processor 'video(hop=1.0)'.",
        )
        x, lengths = np.empty((count, *self.shape), np.uint8), np.empty(count, np.int64)
        place = 0
        for frames, found in zip(seen, starts, strict=True):
            index = np.minimum(found[:, None] + np.arange(self.frames), len(frames) - 1)
            x[place : place + len(found)] = frames[index]
            lengths[place : place + len(found)] = min(self.frames, len(frames))
            place += len(found)
        return {"x": torch.from_numpy(x), "lengths": torch.from_numpy(lengths)}

    def collate(self, tensors: dict[str, Tensor]) -> Batch:
        x = scaled(tensors["x"], 1 / 255)
        mask = torch.arange(self.frames) < tensors["lengths"][:, None]
        return Batch(x, x) if bool(mask.all()) else Batch(x, x, mask=mask, scored=mask)

    def invert(self, data: Tensor) -> ndarray:
        """Values (M, T, H, W[, 3]) in [0, 1], frames of NaN after the end, as an object array of `Clip`."""
        values = data.detach().cpu().float().reshape(-1, *self.shape)
        ends = (~values.flatten(2).isnan().all(-1)).sum(1).clamp_min(1).tolist()
        frames = values.nan_to_num().mul(255).round_().clamp_(0, 255).to(torch.uint8).numpy()
        return objects(Clip(row[:end], self.rate) for row, end in zip(frames, ends, strict=True))

    def places(self, rows: Any) -> tuple[ndarray, ndarray, ndarray]:
        """Row, and begin and end in frames of the row, of every window."""
        clips = checked(rows)
        starts = self._starts([len(range(0, len(clip), self.every)) for clip in clips])
        row = np.repeat(np.arange(len(clips)), [len(found) for found in starts])
        begin = np.concatenate(starts) * self.every
        total = np.array([len(clip) for clip in clips])[row]
        return row, begin, np.minimum(begin + self.frames * self.every, total)

    def join(self, windows: Any, rows: Any) -> ndarray:
        """Windows faded into clips of the frames of ``rows`` that are looked at, at their own rates."""
        made, place = [], 0
        for clip in checked(rows):
            length = len(range(0, len(clip), self.every))
            starts = self._starts([length])[0]
            parts = [window.frames for window in windows[place : place + len(starts)]]
            frames = np.rint(cross_faded(parts, starts, length)).astype(np.uint8)
            made.append(Clip(frames, clip.rate / self.every))
            place += len(starts)
        return objects(made)

    def defaults(self) -> dict[str, Spec]:
        # not bounded to [0, 1]: a linear output starts at the mean picture, which is most of what a fixed camera sees
        return {"loss": Spec("squared"), "network": Spec("conv", dims=3, channels=(16, 32, 64))}

    @property
    def shape(self) -> tuple[int, ...]:
        return (self.frames, *self.picture)

    @property
    def target_shape(self) -> tuple[int, ...]:
        return self.shape

    def state(self) -> dict[str, Any]:
        return {
            "parameters": {"frames": self.frames, "hop": self.hop, "every": self.every},
            "picture": list(self.picture), "rate": self.rate,
        }  # fmt: skip

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Self:
        made = cls(**state["parameters"])
        made.picture, made.rate = tuple(state["picture"]), state["rate"]
        return made


def checked(rows: Any) -> list[Clip]:
    """Rows that are all clips. Raises `DataError` naming the first that is not."""
    clips = list(rows)
    if not clips:
        raise DataError("there are no clips: X is empty.")
    for number, clip in enumerate(clips):
        if not isinstance(clip, Clip):
            raise DataError(f"row {number} is no clip but {type(clip).__name__}; give diabolo.data.Clip(frames, rate).")
    return clips
