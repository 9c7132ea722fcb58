"""`diabolo detect`: the anomalies of DATA, how sure one can be, and why."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from . import drift
from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, Reading, autoencoder, read, reads_data, tell
from .show import JsonOpt

TOP = 3
SUSPECT = 0.1
"""Rows that are no anomalies are explained up to this p-value."""

AlphaOpt = Annotated[
    float | None,
    typer.Option("--alpha", help="Share of those named that may be none (false discoveries); else the model's."),
]
ContaminationOpt = Annotated[
    float | None,
    typer.Option("--contamination", help="Call this share of DATA anomalies, the strangest; 0: beyond all known rows."),
]


AgainstOpt = Annotated[
    str | None,
    typer.Option("--against", help="Has DATA drifted from this file? Any model will do; nothing needs to be written."),
]
StepsOpt = Annotated[
    bool,
    typer.Option(
        "--steps", help="Of series, sounds, videos: a line for every step or frame, in place of every window."
    ),
]
MapsOpt = Annotated[
    Path | None,
    typer.Option("--maps", help="Of pictures and videos: a folder for the same with what is strange in colour."),
]
OutOpt = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write the anomalies.")]


@reads_data
def detect(
    model: ModelArg,
    data: DataArg,
    reading: Reading,
    out: OutOpt = None,
    alpha: AlphaOpt = None,
    contamination: ContaminationOpt = None,
    steps: StepsOpt = False,
    maps: MapsOpt = None,
    against: AgainstOpt = None,
    json_: JsonOpt = False,
    force: ForceOpt = False,
) -> None:
    """Write for every row of DATA (every window, of series, sounds and videos): score (higher is worse), p_value,
    anomaly and its reasons, the three columns that contribute most; of pictures and videos where they are strangest.
    With --against: print whether DATA has drifted.

    The anomalies are those of a false-discovery rate of --alpha among all rows of DATA; a model that was given a
    contamination decides by it.
    """
    from ..core.errors import UsageError, out_of_range

    if out is None and against is None:
        raise UsageError("detect writes anomalies to --out FILE, or prints drift from --against REFERENCE; give one.")
    if maps is not None and out is None:
        raise UsageError("--maps draws what --out names: give both.")
    if json_ and against is None:
        raise UsageError("--json prints drift: it goes with --against REFERENCE.")
    if alpha is not None and not 0 < alpha < 1:
        raise out_of_range("--alpha", "a number in (0, 1)", alpha)
    if contamination is not None and not 0 <= contamination < 0.5:
        raise out_of_range("--contamination", "a share in [0, 0.5)", contamination)
    if out is not None:
        _anomalies(model, data, reading, out, alpha, contamination, steps, maps, force)
    if against is not None:
        fitted = autoencoder(model)
        source, reference = (read(part, model=fitted, **reading) for part in (data, against))
        drift.against(fitted, source, reference, drift.USUAL if alpha is None else alpha, json_)


def _anomalies(
    model: Path,
    data: str,
    reading: Reading,
    out: Path,
    alpha: float | None,
    contamination: float | None,
    steps: bool,
    maps: Path | None,
    force: bool,
) -> None:
    """Judge DATA and write what was found, and where."""
    from ..core.errors import UsageError
    from ..data import Stored, check_out
    from ..data.write import SUFFIXES
    from ..estimators.saving import load
    from ..tasks.anomalies import bound

    check_out(out, force=force, suffixes=tuple(name for name in SUFFIXES if name != ".npy"))
    fitted = prepared(load(model), "detect")
    if maps is not None:
        _can_draw(fitted, maps, force)
    source = read(data, model=fitted, **reading)
    if maps is not None and isinstance(source.rows, Stored):
        raise UsageError("--maps draws pictures that lie in memory: give more with --memory, or fewer (--include).")
    if "notice" in fitted.facts_:
        tell(f"  {fitted.facts_['notice']}")
    below = bound(fitted, source, alpha, contamination)
    total, least = [0, 0, 0], 1 / (fitted.n_calibration_ + 1)

    def judged(piece: Any) -> Any:
        found = _by_step(fitted, piece, below) if steps else _judged(fitted, piece, below)
        beyond = found["p_value"] <= least * 1.5 if "p_value" in found else found["anomaly"]
        for place, count in enumerate((found["anomaly"].sum(), len(found), beyond.sum())):
            total[place] += int(count)
        return found

    over(out, judged, source, force, "step" if steps else "verdict", fitted)
    if maps is not None:
        _draw(fitted, source, maps, force)
    tell(f"{total[0]:,} anomalies among {total[1]:,}")
    if not total[0] and total[2]:
        tell(
            f"  {total[2]:,} are stranger than every row held out, too few to be named at this rate with "
            f"{fitted.n_calibration_:,} rows held out; --contamination 0 names them, a larger --alpha may"
        )
    elif not total[0]:
        tell("  none can be named at this rate; --contamination 0.01 names the strangest hundredth")


def _can_draw(fitted: Any, maps: Path, force: bool) -> None:
    """Raise `UsageError` if there is nothing to draw, or nowhere."""
    from ..core.errors import UsageError
    from ..data import check_out
    from ..tasks.places import LOCAL

    if fitted.processor_.part_name not in LOCAL:
        raise UsageError("--maps draws pictures and videos, and this model judges other rows; leave it out.")
    check_out(maps, force=force, suffixes=("",))


def _draw(fitted: Any, source: Any, maps: Path, force: bool) -> None:
    """Write pictures or clips with their maps over them, under their own names."""
    from ..data import write
    from ..tasks.maps import overlays

    write(maps, overlays(fitted, source), keys=source.keys, force=force)
    tell(f"{len(source):,} with what is strange in colour -> {maps}")


def _by_step(fitted: Any, piece: Any, below: float) -> Any:
    """Score, verdict and contribution of every step of a piece."""
    from ..tasks.windows import judged_steps
    from .windows import by_step

    return by_step(judged_steps(fitted, piece, below), piece)


def _judged(fitted: Any, piece: Any, below: float) -> Any:
    """Score, p-value, verdict and reasons of every row of a piece; reasons only where a row is suspect."""
    import numpy as np

    from ..core.errors import require
    from ..tasks.anomalies import reasons

    score, p = fitted.judge(piece)
    anomaly = score < below
    columns: dict[str, Any] = {"score": -score, "p_value": p, "anomaly": anomaly}
    suspect = np.flatnonzero(anomaly | (p <= SUSPECT))
    texts = reasons(fitted, piece, suspect, TOP)
    for place in range(texts.shape[1]):
        cells = np.full(len(p), "", dtype=object)
        cells[suspect] = texts[:, place]
        columns[f"reason_{place + 1}"] = cells
    return require("pandas", "table", "writing anomalies").DataFrame(columns)
