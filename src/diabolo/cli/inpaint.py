"""`diabolo inpaint`: pictures with their missing pixels filled."""

from __future__ import annotations

import ast
from typing import Annotated, Any

import typer

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, one_size, read_whole, reads_data, tell

ALPHA = "alpha"


@reads_data
def inpaint(
    model: ModelArg,
    data: DataArg,
    out: OutOpt,
    reading: Reading,
    mask: Annotated[
        str | None,
        typer.Option(
            "--mask",
            help="What is missing (not black): a folder of masks named as the pictures, one mask for all, "
            "an array .npy; 'alpha': what is transparent.",
        ),
    ] = None,
    missing_value: Annotated[
        str | None, typer.Option("--missing-value", help="A level or colour that means missing: 0, or 255,0,255.")
    ] = None,
    force: ForceOpt = False,
) -> None:
    """Write the pictures of DATA with their missing pixels filled; known pixels stay as they are.

    Missing are those of --mask, of --missing-value, and NaN in arrays. In a mask what is *not* black is missing, as in
    scikit-image.
    """
    from ..core.errors import UsageError
    from ..data import Stored, check_out
    from ..estimators.saving import load

    check_out(out, force=force, suffixes=(".npy", ".png", ""))
    fitted = prepared(load(model), "inpaint")
    if missing_value is not None:
        fitted.missing_value = _colour(missing_value)
    told = {**reading, "as_": reading["as_"] or fitted.metrics_.get("data", {}).get("as_"), "allow_missing": True}
    source = read_whole(data, **told)
    if isinstance(source.rows, Stored):
        raise UsageError("pictures that stay on disk are not filled; give more with --memory, or a part (--include).")
    one_size(source, out)
    missing = _missing(mask, source, data)
    counts = _counts(fitted, source, missing)
    if not sum(counts):
        raise UsageError(
            f"no pixel of {source.origin} is missing; say which are with --mask FILE or FOLDER (not black: missing), "
            "--mask alpha or --missing-value."
        )
    over(out, lambda piece: fitted.transform(piece, missing), source, force, "picture", fitted)
    damaged = sum(count > 0 for count in counts)
    tell(f"{sum(counts):,} pixels filled in {damaged:,} picture{'' if damaged == 1 else 's'}")


def _missing(mask: str | None, source: Any, data: str) -> Any:
    from ..data.read_beside import pictures_beside, transparent

    if mask is None:
        return None
    return transparent(data, source) if mask == ALPHA else pictures_beside(source, mask)


def _counts(fitted: Any, source: Any, missing: Any) -> list[int]:
    """Missing pixels of every picture."""
    from ..tasks.inpaint import beside
    from ..tasks.pictures import taken

    held = taken(source, beside(source, missing), fitted.missing_value, fitted.facts_["channels"])
    return [int((~known).sum()) for known in held.known]


def _colour(text: str) -> Any:
    """A number, or one a channel. Raises `UsageError` for anything else."""
    from ..core.errors import out_of_range

    try:
        found = ast.literal_eval(text)
    except (ValueError, SyntaxError):
        found = None
    parts = found if isinstance(found, tuple | list) else (found,)
    if not parts or not all(isinstance(part, int | float) and not isinstance(part, bool) for part in parts):
        raise out_of_range("--missing-value", "a number such as 0, or one a channel such as 255,0,255", text)
    return found
