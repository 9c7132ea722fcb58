"""`diabolo segment` of recordings: where they change."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .options import Reading, read, tell


def hears(fitted: Any) -> bool:
    """Whether a model was trained on recordings of sound."""
    from ..data.sound_windows import SoundProcessor

    return isinstance(fitted.processor_, SoundProcessor)


def recordings(fitted: Any, data: str, out: Path, reading: Reading, force: bool) -> None:
    """A table of segments: file, begin and end in seconds. By a model of --task segment-sounds, or by any autoencoder
    of sounds and the novelty of its codes. Raises `ModelError` for a model of other data."""
    from ..core.errors import require
    from ..data import check_out, write
    from ..data.write import SUFFIXES
    from ..estimators.from_disk import pieces

    pandas = require("pandas", "table", "writing segments")
    check_out(out, force=force, suffixes=tuple(name for name in SUFFIXES if name != ".npy"))
    parts, total = [], 0
    source = read(data, model=fitted, **reading)
    for piece in pieces(source):
        found = segmented(fitted, piece)
        names = list(range(total, total + len(piece)) if piece.keys is None else piece.keys.iloc[:, 0])
        total += len(piece)
        for name, one in zip(names, found, strict=True):
            ends = one.segments.round(3)
            parts.append(pandas.DataFrame({"file": name, "begin": ends[:, 0], "end": ends[:, 1]}))
    table = pandas.concat(parts, ignore_index=True)
    write(out, table, keys=None, force=force)
    tell(f"{len(table):,} segments of {total:,} recording{'' if total == 1 else 's'} -> {out}")


def segmented(fitted: Any, source: Any) -> Any:
    """Segments of recordings, by the model's own way or by the novelty of its codes."""
    from ..tasks.segment_sounds import SoundSegmenter
    from ..tasks.sound_segments import must_hear, sound_segments

    must_hear(fitted)
    return fitted.segment(source) if isinstance(fitted, SoundSegmenter) else sound_segments(fitted, source)
