"""`diabolo interpolate`: what lies between two rows, and rows with more or less of what two sets differ in."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .apply import named, opened, written
from .options import ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

STRIP = ".png"


@reads_data
def interpolate(
    model: ModelArg,
    a: Annotated[str, typer.Argument(metavar="A", help="Where it begins: a file (its first row), or a row of --data.")],
    out: OutOpt,
    reading: Reading,
    b: Annotated[
        str | None, typer.Argument(metavar="[B]", help="Where it ends, given as A.", show_default=False)
    ] = None,
    data: Annotated[
        str | None, typer.Option("--data", metavar="DATA", help="A and B are numbers (or file names) of its rows.")
    ] = None,
    steps: Annotated[int, typer.Option("--steps", help="Rows to write, both ends included.", min=2)] = 10,
    shape: Annotated[
        str, typer.Option("--shape", help="linear, sphere (along a great circle), or auto: as the prior asks.")
    ] = "auto",
    plus: Annotated[
        str | None, typer.Option("--plus", metavar="DATA", help="In place of B: A with more of what these rows have …")
    ] = None,
    minus: Annotated[
        str | None, typer.Option("--minus", metavar="DATA", help="… and without what these have (mean codes).")
    ] = None,
    force: ForceOpt = False,
) -> None:
    """Write the rows on a path from A to B through the codes; pictures also as one strip (--out FILE.png)."""
    import numpy as np

    from ..data import write
    from ..tasks import latent_paths

    _check(b, plus, minus, shape)
    fitted = latent_paths.must_decode(opened(model, out, force, pictures=True, more=(STRIP,)))
    if out.suffix.lower() == STRIP:
        _must_be_pictures(fitted)
    note = latent_paths.remark(fitted)
    if note:
        tell(f"  {note}")
    whole = None if data is None else read(data, model=fitted, **reading)
    first = _end(a, whole, fitted, reading)
    if b is not None:
        rows = latent_paths.interpolate(fitted, first, _end(b, whole, fitted, reading), steps, shape=shape)
    else:
        means: list[Any] = [0.0 if given is None else _mean(given, fitted, reading) for given in (plus, minus)]
        rows = latent_paths.moved(fitted, first, means[0] - means[1], np.linspace(0, 1, steps).tolist())
    if out.suffix.lower() == STRIP:
        write(out, np.concatenate(list(rows), axis=1)[None], force=force)
        tell(f"{len(rows):,} rows in one strip -> {out}")
        return
    written(out, named(fitted, rows, out), None, force, "row", fitted)


def _check(b: str | None, plus: str | None, minus: str | None, shape: str) -> None:
    """Raise `UsageError` for options that leave the end open, or give two."""
    from ..core.errors import UsageError, unknown
    from ..tasks.latent_paths import SHAPES

    if shape not in SHAPES:
        raise unknown("shape", shape, SHAPES)
    arithmetic = plus is not None or minus is not None
    if b is None and not arithmetic:
        raise UsageError("a path needs an end: give B, or --plus DATA and --minus DATA for what is to be added to A.")
    if b is not None and arithmetic:
        raise UsageError("B and --plus/--minus each say where the path ends; keep one of them.")
    if shape == "sphere" and arithmetic:
        raise UsageError("--plus and --minus move along a line; leave out --shape sphere.")


def _end(text: str, whole: Any, fitted: Any, reading: Reading) -> Any:
    """One row: of the data given, by number or name, or the first one of a file; a picture may be a file by itself."""
    from ..core.errors import DataError, UsageError
    from ..data import Stored

    if whole is not None:
        if isinstance(whole.rows, Stored):
            raise UsageError("--data needs its rows in memory: give it more with --memory, or name A and B as files.")
        return whole.take([_place(text, whole)])
    found = _file(text, fitted, reading)
    found = found.rows.sample(1) if isinstance(found.rows, Stored) else found
    if not len(found):
        raise DataError(f"{text} holds no rows.")
    return found.take([0])


def _file(text: str, fitted: Any, reading: Reading) -> Any:
    import glob

    from ..data.recognise import IMAGE_SUFFIXES

    path = Path(text).expanduser()
    if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file():
        told = {**reading, "include": glob.escape(path.name), "target": "none"}
        return read(str(path.parent), model=fitted, **told)
    return read(text, model=fitted, **reading)


def _mean(text: str, fitted: Any, reading: Reading) -> Any:
    from ..tasks.latent_paths import middle

    return middle(fitted, _file(text, fitted, reading))


def _place(text: str, whole: Any) -> int:
    """The number of a row: given as such, or by the name of its file. Raises `UsageError` for one that is not there."""
    from ..core.errors import UsageError, did_you_mean, out_of_range

    if text.lstrip("-").isdigit():
        if not 0 <= int(text) < len(whole):
            raise out_of_range("the number of a row", f"0 to {len(whole) - 1}", int(text))
        return int(text)
    if whole.keys is None or "file" not in whole.keys:
        raise UsageError(
            f"{text!r} is no row of {whole.origin or 'DATA'}: with --data, A and B are row numbers from 0."
        )
    names = [str(name) for name in whole.keys["file"]]
    if text not in names:
        raise UsageError(f"no file {text!r} is among the {len(names):,} of {whole.origin}{did_you_mean(text, names)}")
    return names.index(text)


def _must_be_pictures(fitted: Any) -> None:
    from ..core.errors import UsageError

    if len(fitted.processor_.target_shape) not in (2, 3) or fitted.processor_.part_name not in ("image", "array"):
        raise UsageError("a strip (.png) is of pictures, which this model does not make; give another suffix.")
