"""Recordings of sound judged as a whole, for `diabolo detect --clips`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .options import tell


def write(fitted: Any, source: Any, out: Path, alpha: float | None, contamination: float | None, force: bool) -> None:
    """One line a recording: score (higher is worse), p_value, anomaly, the second at which its strangest window begins,
    and the band that is furthest from usual."""
    from ..core.errors import require
    from ..data import write as write_table
    from ..estimators.from_disk import pieces
    from ..tasks.sound_clips import Clips, bands, judged_clips

    pandas, parts = require("pandas", "table", "writing anomalies"), []
    for piece in pieces(source):
        found = judged_clips(fitted, piece)
        own = {} if piece.keys is None else {name: piece.keys[name].to_numpy() for name in piece.keys}
        columns = {"score": found.score, "p_value": found.p, "worst": found.worst, "band": bands(fitted, piece)}
        parts.append(pandas.DataFrame({**(own or {"row": range(len(piece))}), **columns}))
    table = pandas.concat(parts, ignore_index=True)
    least = 1 / (_held(fitted) + 1)
    score, p, worst = (table[name].to_numpy() for name in ("score", "p_value", "worst"))
    every = Clips(score, p, worst, least)
    anomaly = every.anomalies(fitted.alpha if alpha is None else alpha, contamination)
    table.insert(table.columns.get_loc("worst"), "anomaly", anomaly)
    write_table(out, table, keys=None, force=force)
    tell(f"{int(anomaly.sum()):,} anomalies among {len(table):,} recordings -> {out}")
    if not anomaly.any():
        tell(
            f"  none can be named at this rate: {_held(fitted)} recordings were held out, so no p-value is below "
            f"{least:.2g}; --contamination 0.1 names the strangest tenth"
        )


def _held(fitted: Any) -> int:
    """Recordings that were held out at fit, in all folds."""
    return sum(int(clip[-1]) + 1 for name, clip in fitted.arrays_.items() if name.endswith(".clip"))
