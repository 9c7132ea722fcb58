"""`diabolo denoise` of recordings: WAV files without their noise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

MOST_LINES = 20
TASK = "denoise-sounds"


@reads_data
def denoise(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the recordings of DATA without their noise, and say how much noise was found: one to .wav, or a folder.

    The model is one of: diabolo fit RECORDINGS --task denoise-sounds --out MODEL.
    """
    from ..estimators.saving import load

    recordings(prepared(load(model), TASK), data, out, reading, force)


def recordings(fitted: Any, data: str, out: Path, reading: Reading, force: bool) -> None:
    """Denoised WAV files of recordings, and what was found of noise in each."""
    from ..data import check_out
    from ..data.write_audio import SUFFIXES
    from ..tasks.denoise_sounds import levels

    check_out(out, force=force, suffixes=SUFFIXES)
    source = read(data, model=fitted, **reading)
    told = [0]

    def clean(piece: Any) -> Any:
        names = range(told[0], told[0] + len(piece)) if piece.keys is None else piece.keys.iloc[:, 0]
        some = max(0, MOST_LINES - told[0])
        for name, line in zip(list(names)[:some], levels(piece.rows[:some]), strict=True):
            tell(f"  {name}: {line}")
        told[0] += len(piece)
        return fitted.denoise(piece)

    over(out, clean, source, force, "row", fitted)
    if told[0] > MOST_LINES:
        tell(f"  and {told[0] - MOST_LINES} recordings more")
