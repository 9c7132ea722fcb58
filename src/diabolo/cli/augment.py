"""`diabolo augment`: DATA, and the rows that fill up its rare classes."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Annotated, Any

import typer

from .apply import prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

MARK = "synthetic"
SUFFIXES = (".csv", ".csv.gz", ".parquet")


@reads_data
def augment(
    model: ModelArg,
    data: DataArg,
    out: OutOpt,
    reading: Reading,
    strategy: Annotated[
        str | None,
        typer.Option(
            "--strategy",
            help="auto (all classes as large as the largest), minority, all, a share (0.5) or {'class': rows in all}.",
        ),
    ] = None,
    how: Annotated[str | None, typer.Option("--how", help="Another way than at fit: density, interpolation, …")] = None,
    seed: Annotated[int, typer.Option("--seed", help="All randomness comes from it.", min=0)] = 0,
    force: ForceOpt = False,
) -> None:
    """Write DATA and rows made of its rare classes; column 'synthetic' says which are made.

    Pictures go to a folder, a subfolder for each class; names of made ones begin with 'synthetic'.
    """
    from ..core.errors import UsageError
    from ..data import check_out, write
    from ..estimators.saving import load
    from ..tasks.warped import are_pictures

    check_out(out, force=force, suffixes=(*SUFFIXES, ""))
    fitted = prepared(load(model), "augment")
    target = reading["target"] or fitted.metrics_.get("data", {}).get("target")
    source = read(data, model=fitted, **{**reading, "target": target})
    if source.target is None:
        raise UsageError(f"{source.origin or 'DATA'} has no classes; name their column or array with --target.")
    asked = {"sampling_strategy": None if strategy is None else _value(strategy), "how": how, "random_state": seed}
    made, labels = fitted.made_for(source.target, **asked)
    for line in _counts(source.target, labels):
        tell(line)
    if are_pictures(source.rows) or out.suffix == "":
        rows, keys = _pictures(source, made, labels, out.suffix)
        write(out, rows, keys=keys, force=force)
    else:
        rows = _marked(source, made, labels, str(target))
        write(out, rows, force=force)
    tell(f"{len(rows):,} rows, {len(labels):,} of them made -> {out}")


def _value(text: str) -> Any:
    """A share, a mapping or a name."""
    try:
        return ast.literal_eval(text)
    except (ValueError, SyntaxError):
        return text


def _counts(given: Any, made: Any) -> list[str]:
    """One line a class: how many rows were there, how many were made."""
    import numpy as np

    before, after = (
        dict(zip(*(part.tolist() for part in np.unique(np.asarray(y).astype(str), return_counts=True)), strict=True))
        for y in (given, made)
    )
    return [f"  class {name}: {count:,} rows, {after.get(name, 0):,} made" for name, count in before.items()]


def _pictures(source: Any, made: Any, labels: Any, suffix: str) -> tuple[Any, Any]:
    """Given and made pictures, and the file each goes to: CLASS/name, CLASS/synthetic-number. Raises `UsageError`."""
    from ..core.errors import UsageError, require
    from ..tasks.cells import joined
    from ..tasks.warped import are_pictures

    if not are_pictures(source.rows):
        raise UsageError(
            f"a folder takes pictures; {source.origin or 'DATA'} holds none. Known: {', '.join(SUFFIXES)}."
        )
    if suffix:
        raise UsageError(f"pictures have no place in a table ({suffix}); give a path without a suffix, for a folder.")
    names = None if source.keys is None or "file" not in source.keys else [str(name) for name in source.keys["file"]]
    classes = [str(value).replace("/", "_") for value in source.target]
    width = len(str(len(classes)))
    given = [
        f"{value}/{place:0{width}d}.png" if names is None or Path(names[place]).parent.name != value else names[place]
        for place, value in enumerate(classes)
    ]
    new = [f"{str(value).replace('/', '_')}/{MARK}-{place:0{width}d}.png" for place, value in enumerate(labels)]
    rows = joined(source.rows, source.rows[:0] if made is None else made)
    return rows, require("pandas", "table", "names of files").DataFrame({"file": [*given, *new]})


def _marked(source: Any, made: Any, labels: Any, target: str) -> Any:
    """One table: keys, rows, classes, and which rows are made. Raises `UsageError` for what is no table."""
    import numpy as np

    from ..core.errors import UsageError, require
    from ..tasks.cells import joined

    pandas = require("pandas", "table", "a table")
    rows, columns = source.rows, list(source.columns)
    if not isinstance(rows, pandas.DataFrame):
        if rows.ndim != 2:
            raise UsageError(
                "rows of several axes have no place in a table; use AutoencoderSampler.resample in Python."
            )
        columns = columns or [f"x{place}" for place in range(rows.shape[1])]
        rows = pandas.DataFrame(rows, columns=columns)
        made = None if made is None else pandas.DataFrame(made, columns=columns)
    keys = source.keys if source.keys is not None else pandas.DataFrame(index=range(len(rows)))
    taken = {*keys.columns, *rows.columns}
    for name in (target, MARK):
        if name in taken:
            raise UsageError(f"column {name!r} is in DATA already; rename it, or leave it out with --exclude {name}.")
    whole = joined(rows, rows.iloc[:0] if made is None else made)
    whole[target] = np.concatenate([np.asarray(source.target).astype(labels.dtype), labels])
    whole[MARK] = np.arange(len(whole)) >= len(rows)
    return pandas.concat([keys.reset_index(drop=True), whole], axis=1)
