"""`diabolo segment`: what every pixel of a picture is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, one_size, read_whole, reads_data, tell

MOST_LINES = 20


@reads_data
def segment(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write for every picture of DATA a label picture: the class of every pixel, as its grey level (.npy: as numbers).

    The model is one of: diabolo fit PICTURES --task segment --target LABELS --out MODEL.
    """
    from ..estimators.saving import load

    fitted = load(model)  # what kind of data a model was trained on decides which of the two ways is taken
    _pictures(prepared(fitted, "segment"), data, out, reading, force)


def _pictures(fitted: Any, data: str, out: Path, reading: Reading, force: bool) -> None:
    """Label pictures of pictures."""
    import numpy as np

    from ..core.errors import UsageError
    from ..data import Stored, check_out

    check_out(out, force=force, suffixes=(".npy", ""))
    source = read_whole(data, **{**reading, "as_": reading["as_"] or fitted.metrics_.get("data", {}).get("as_")})
    if isinstance(source.rows, Stored) and out.suffix != ".npy":
        raise UsageError("pictures that stay on disk are written to .npy; or give more with --memory.")
    one_size(source, out)
    classes = fitted.classes_
    if out.suffix != ".npy" and (classes.min() < 0 or classes.max() > 255):
        raise UsageError(f"labels from {classes.min()} to {classes.max()} are no grey levels; write them to .npy.")
    count = dict.fromkeys(classes.tolist(), 0)

    def labels(piece: Any) -> Any:
        found = fitted.predict(piece)
        for name, pixels in zip(
            *np.unique(np.concatenate([np.ravel(one) for one in found]), return_counts=True), strict=True
        ):
            count[int(name)] += int(pixels)
        return found if out.suffix == ".npy" else _as_bytes(found)

    over(out, labels, source, force, "label picture", fitted)
    total = max(1, sum(count.values()))
    for name, pixels in list(count.items())[:MOST_LINES]:
        tell(f"  class {name}: {100 * pixels / total:.1f} % of the pixels")


def _as_bytes(found: Any) -> Any:
    import numpy as np

    return found.astype(np.uint8) if isinstance(found, np.ndarray) else [one.astype(np.uint8) for one in found]
