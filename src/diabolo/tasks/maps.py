"""What a detector shows of pictures and clips: maps of strangeness, the same laid over the picture, frames."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from scipy.ndimage import uniform_filter1d

from ..data import Source
from ..data.clip import Clip
from ..data.record import objects
from ..data.series import Series
from ..estimators.rows import bare
from . import conformal
from .exhibit import Exhibit, Strip
from .panel import Panel, calibrated, log_shares, together

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

MOST, SHOWN = 512, 6
"""Pictures mapped at a time, and pictures of a report."""
SMOOTH = 5
"""Frames that a frame's measures are averaged over."""
OPAQUE = 0.75
FAINT, STRONG = np.array([255.0, 225.0, 0.0]), np.array([225.0, 0.0, 30.0])


def see_usual(detector: AutoencoderDetector, place: int, panel: Panel, held: Any) -> None:
    """Keep what maps, and frames, of rows held out look like: where colours begin, and how often a frame is strange."""
    places, view = panel.view(bare(held))
    peaks = np.quantile(places.peaks(view), [0.5, 0.95])
    known = np.array(detector.facts_.get("peaks", [0.0, 0.0]))
    detector.facts_["peaks"] = [float(x) for x in (place * known + peaks) / (place + 1)]
    if panel.model.processor_.part_name == "video":  # type: ignore[attr-defined]
        found = _smooth(places.each(view), view.lengths)
        kept = calibrated(found, places.names)
        detector.arrays_[f"{place}.frames"], detector.arrays_[f"{place}.frames_held"] = kept


def _smooth(found: Float[ndarray, "t m"], lengths: list[int]) -> Float[ndarray, "t m"]:
    """Means over a few frames of the same clip."""
    parts = np.split(found, np.cumsum(lengths)[:-1])
    return np.concatenate([uniform_filter1d(part, min(SMOOTH, len(part)), axis=0, mode="nearest") for part in parts])


def maps(detector: AutoencoderDetector, X: Any) -> Any:
    """Maps of all rows, mean over the folds: (N, H, W), or an object array of (T, H, W)."""
    total: Any = 0.0
    panels = detector._panels()
    for panel in panels:
        places, view = panel.view(bare(X))
        total = total + np.concatenate(list(places.maps(view)))
    found = (total / len(panels)).astype(np.float32)
    processor = panels[0].model.processor_
    if processor.part_name != "video":  # type: ignore[attr-defined]
        return found
    made, begin = np.empty(len(view.lengths), dtype=object), 0
    for place, (clip, length) in enumerate(zip(bare(X), view.lengths, strict=True)):
        whole = np.repeat(found[begin : begin + length], processor.every, axis=0)  # type: ignore[attr-defined]
        made[place], begin = whole[: len(clip)], begin + length
    return made


def judged_frames(
    detector: AutoencoderDetector, X: Any, below: float | None = None, *, per_clip: bool = False
) -> ndarray:
    """How strange every frame of clips is to a detector: an object array of `Series`, ``score`` and ``anomaly``.

        frames ──strangest place──▶ mean over 5 frames ──▶ -log of the share of frames held out that are so strange

    below : the score below which a frame is an anomaly; None: the detector's own bound. per_clip : bring the scores of
    each clip to [0, 1], as in much of the literature: then the strangest frame of a normal clip is as strange as that
    of any other.

    Raises `UsageError` for a detector of other rows.

    Reference: Hasan, Choi, Neumann, Roy-Chowdhury & Davis (2016), "Learning temporal regularity in video sequences",
    eq. 5 (per clip).

    >>> from diabolo import AutoencoderDetector, Trainer
    >>> random = np.random.default_rng(0)
    >>> clips = objects([Clip(random.integers(0, 40, (24, 12, 12)).astype(np.uint8)) for _ in range(4)])
    >>> detector = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(clips)
    >>> odd = clips[0].frames.copy()
    >>> odd[10:14, 3:8, 3:8] += 150
    >>> found = judged_frames(detector, objects([Clip(odd)]))[0]
    >>> found.columns, 7 <= int(found.values[:, 0].argmax()) <= 16
    (('score', 'anomaly'), True)
    """
    logs, lengths, every = [], [0], 1
    for place, panel in enumerate(detector._panels()):
        places, view = panel.view(bare(X))
        found, lengths, every = _smooth(places.each(view), view.lengths), view.lengths, panel.model.processor_.every  # type: ignore[attr-defined]
        strange = -together(log_shares(detector.arrays_[f"{place}.frames"], found), places.names)
        logs.append(conformal.log_tail(np.sort(detector.arrays_[f"{place}.frames_held"]), strange))
    scores = np.logaddexp.reduce(logs, 0) - math.log(len(logs))
    strange = scores < (detector.offset_ if below is None else below)
    rows = np.split(np.stack([-scores, strange], 1), np.cumsum(lengths)[:-1])
    return objects(
        _of_clip(np.repeat(row, every, 0)[: len(clip)], per_clip) for row, clip in zip(rows, bare(X), strict=True)
    )


def _of_clip(values: ndarray, per_clip: bool) -> Series:
    if per_clip:
        low, high = values[:, 0].min(), values[:, 0].max()
        values[:, 0] = (values[:, 0] - low) / max(high - low, 1e-12)
    return Series(values, np.arange(len(values)), ("score", "anomaly"), time_column="frame")


def strangest_places(detector: AutoencoderDetector, X: Any, index: ndarray) -> ndarray:
    """Where the pictures, or windows of clips, at ``index`` are strangest, in words: (len(index), 1)."""
    rows, processor = bare(X), detector.processor_
    if processor.part_name != "video":  # type: ignore[attr-defined]
        told = [where(heat) for part in _portions(rows[index]) for heat in maps(detector, part)]
    else:
        whole, (number, start, stop) = maps(detector, rows), processor.places(rows)  # type: ignore[attr-defined]
        told = [where(whole[number[at]][start[at] : stop[at]], int(start[at])) for at in index]
    return np.array(told, dtype=object)[:, None]


# to be looked at ----------------------------------------------------------------------------------------------


def overlay(picture: ndarray, heat: Float[ndarray, "H W"], peaks: tuple[float, float]) -> ndarray:
    """A picture uint8 (H, W[, C]) in grey, its map over it from yellow to red: uint8 (H, W, 3).

    Colour begins at what the strangest pixel of a normal picture usually reaches, and is full at twice what that of
    nineteen in twenty does not reach: ``peaks``. So colours of different pictures say the same.

    >>> overlay(np.zeros((1, 2), np.uint8), np.array([[0.0, 99.0]]), (3.0, 5.0)).tolist()
    [[[0, 0, 0], [169, 0, 22]]]
    """
    grey = (picture if picture.ndim == 2 else picture[..., :3].mean(-1)).astype(np.float64)[..., None]
    part = np.clip((heat - peaks[0]) / max(2 * peaks[1] - peaks[0], 1e-6), 0, 1)[..., None]
    colour = (1 - part) * FAINT + part * STRONG
    cover = OPAQUE * np.sqrt(part)
    return np.rint((1 - cover) * grey + cover * colour).astype(np.uint8)


def overlays(detector: AutoencoderDetector, X: Any) -> ndarray:
    """Pictures (N, H, W, 3), or an object array of clips, with their maps over them."""
    rows, peaks = bare(detector._again(X)), detector.facts_.get("peaks", (0.0, 1.0))
    if detector.processor_.part_name == "video":  # type: ignore[attr-defined]
        return objects(_clip_overlay(clip, heat, peaks) for clip, heat in zip(rows, maps(detector, rows), strict=True))
    parts = [
        [overlay(*pair, peaks) for pair in zip(part, maps(detector, part), strict=True)] for part in _portions(rows)
    ]
    return np.stack([one for part in parts for one in part])


def _portions(rows: ndarray) -> Iterator[ndarray]:
    return (rows[begin : begin + MOST] for begin in range(0, len(rows), MOST))


def _clip_overlay(clip: Clip, heat: ndarray, peaks: Any) -> Clip:
    return Clip(np.stack([overlay(*pair, peaks) for pair in zip(clip.frames, heat, strict=True)]), clip.rate)


def exhibits(detector: AutoencoderDetector, source: Source) -> list[Exhibit]:
    """The strangest pictures, or the strangest frame of the strangest clips, beside their maps; () for other rows."""
    kind = detector.processor_.part_name  # type: ignore[attr-defined]
    if kind == "image":
        return _of_pictures(detector, source)
    return _of_clips(detector, source) if kind == "video" else []


def _of_pictures(detector: AutoencoderDetector, source: Source) -> list[Exhibit]:
    score, p = detector.judge(source)
    order = np.argsort(score, kind="stable")[:SHOWN]
    rows, names = source.rows[order], _names(source)
    strips = [
        Strip(f"{names[at]}: p {p[at]:.2g}{', an anomaly' if score[at] < detector.offset_ else ''}",
              (picture, overlay(picture, heat, detector.facts_["peaks"])), ("as it is", where(heat)))
        for at, picture, heat in zip(order, rows, maps(detector, rows), strict=True)
    ]  # fmt: skip
    return [Exhibit("Strangest pictures, and where they are strange", _LEGEND, tuple(strips))]


def _of_clips(detector: AutoencoderDetector, source: Source) -> list[Exhibit]:
    found: Any = judged_frames(detector, source)
    names = _names(source)
    order = sorted(range(len(found)), key=lambda at: -float(found[at].values[:, 0].max()))
    strips = []
    for at in order[:SHOWN]:
        frame, clip = int(found[at].values[:, 0].argmax()), source.rows[at]
        heat = maps(detector, objects([clip]))[0][frame]
        over = overlay(clip.frames[frame], heat, detector.facts_["peaks"])
        strips.append(Strip(f"{names[at]}, frame {frame}", (clip.frames[frame], over), ("as it is", where(heat))))
    lines = tuple(
        (names[at], f"{len(found[at].values):,}", f"{int(found[at].values[:, 1].sum()):,}",
         f"{found[at].values[:, 0].max():.2f}", f"{int(found[at].values[:, 0].argmax())}")
        for at in order
    )  # fmt: skip
    columns = ("clip", "frames", "strange frames", "highest score", "at frame")
    return [Exhibit("Strangest frames, and where they are strange", _LEGEND, tuple(strips), columns, lines)]


_LEGEND = (
    "Colour begins where the strangest pixel of a normal picture usually ends, and is full red at twice what nineteen "
    "of twenty normal pictures reach."
)


def where(heat: Float[ndarray, "*t H W"], first: int = 0) -> str:
    """The strangest pixel of a map, or of the maps of frames from ``first`` on, in words.

    >>> where(np.array([[0.0, 0.0], [7.04, 0.0]]))
    'row 1, column 0 (7 sd)'
    """
    *frame, row, column = np.unravel_index(int(heat.argmax()), heat.shape)
    of_clip = f"frame {first + int(frame[0])}, " if frame else ""
    return f"{of_clip}row {row}, column {column} ({heat.max():.1f} sd)".replace(".0 sd", " sd")


def _names(source: Source) -> list[str]:
    """What the rows are called: their files, or numbers."""
    if source.keys is not None and "file" in source.keys.columns:
        return [str(name) for name in source.keys["file"]]
    return [f"number {place}" for place in range(len(source))]
