"""`diabolo denoise`: DATA without its noise."""

from __future__ import annotations

from typing import Any

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, one_size, read, read_whole, reads_data, tell

MOST_LINES = 12
"""Rows whose noise is told one by one."""


@reads_data
def denoise(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write DATA with its noise taken out, as what it was: pictures, sounds, tables, arrays; say how much noise it had.

    Pictures may have any size. One picture goes to a .png, one sound to a .wav, several to a folder.
    """
    from ..data import check_out
    from ..estimators.saving import load

    fitted = prepared(load(model), "denoise")
    domain = fitted.facts_["domain"]
    check_out(out, force=force, suffixes=SUFFIXES[domain])
    told = {**reading, "as_": reading["as_"] or fitted.metrics_.get("data", {}).get("as_")}
    if domain == "pictures":
        source = read_whole(data, **told)
        one_size(source, out)
    else:
        source = read(data, model=fitted, **reading)
    over(out, lambda piece: _restored(fitted, piece), source, force, WHAT[domain], fitted)


SUFFIXES = {
    "pictures": (".npy", ".png", ""), "sounds": (".wav", ""), "rows": (".npy", ".csv", ".csv.gz", ".parquet"),
}  # fmt: skip
WHAT = {"pictures": "picture", "sounds": "row", "rows": "row"}


def _restored(fitted: Any, piece: Any) -> Any:
    """The rows without their noise; how much they had, and pictures and sounds still have, is told."""
    made = fitted.transform(piece)
    before = fitted.noise_levels(piece)
    names = range(len(before)) if piece.keys is None else piece.keys.iloc[:, 0]
    for name, held in list(zip(names, before, strict=True))[:MOST_LINES]:
        tell(f"  {name}: {held}")
    if len(before) > MOST_LINES:
        tell(f"  … and {len(before) - MOST_LINES:,} more")
    return made
