"""`diabolo impute`: a table with its missing cells filled."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

MOST_LINES = 30


@reads_data
def impute(
    model: ModelArg,
    data: DataArg,
    out: OutOpt,
    reading: Reading,
    draws: Annotated[
        int, typer.Option("--draws", help="So many completed tables, drawn; 0: one, of the likeliest values.", min=0)
    ] = 0,
    seed: Annotated[int, typer.Option("--seed", help="All randomness of the draws comes from it.", min=0)] = 0,
    force: ForceOpt = False,
) -> None:
    """Write DATA with its missing cells filled, and say how many were in each column.

    With --draws N the tables follow each other in one file, told apart by column 'draw' (.npy: by the first axis).
    """
    from ..data import Stored, check_out, write
    from ..data.write import SUFFIXES
    from ..estimators.saving import load
    from .apply import prepared

    check_out(out, force=force, suffixes=SUFFIXES)
    fitted = prepared(load(model), "impute")
    told = {**reading, "allow_missing": True}
    source = read(data, **told) if fitted.facts_["array"] else read(data, model=_of_tables(fitted), **told)
    if isinstance(source.rows, Stored):
        if draws:
            from ..core.errors import UsageError

            raise UsageError("--draws needs the rows in memory; give more with --memory, or fill them once.")
        _piece_by_piece(fitted, source, out, force)
        return
    tables = fitted.sample(source, draws, random_state=seed) if draws else [fitted.transform(source)]
    counts = _counts(source.rows, tables[0])
    rows, keys = _stacked(tables, source, out, drawn=bool(draws))
    write(out, rows, keys=keys, force=force)
    _tell_counts(counts)
    tell(f"{len(source):,} row{'' if len(source) == 1 else 's'}{f', {draws} times' if draws else ''} -> {out}")


def _of_tables(fitted: Any) -> Any:
    """The first member, told how the data of the whole were read."""
    inner = fitted.autoencoder_
    inner.metrics_ = {name: fitted.metrics_[name] for name in ("rows", "data") if name in fitted.metrics_}
    return inner


def _stacked(tables: list[Any], source: Any, out: Path, *, drawn: bool) -> tuple[Any, Any]:
    """The completed tables as one, and the key columns beside it."""
    import numpy as np

    from ..core.errors import require
    from ..data.write import suffix_of

    if suffix_of(out) == ".npy":
        arrays = [np.asarray(table) for table in tables]
        return (np.stack(arrays) if drawn else arrays[0]), None
    pandas = require("pandas", "table", f"writing {out.suffix}")
    frames = [_frame(table, source) for table in tables]
    if not drawn:
        return frames[0], source.keys
    for number, frame in enumerate(frames):
        frame.insert(0, "draw", number)
    keys = None if source.keys is None else pandas.concat([source.keys] * len(frames), ignore_index=True)
    return pandas.concat(frames, ignore_index=True), keys


def _frame(rows: Any, source: Any) -> Any:
    from ..core.errors import require
    from ..data import is_frame

    if is_frame(rows):
        return rows
    names = source.columns or [f"x{place}" for place in range(rows.shape[1])]
    return require("pandas", "table", "a table").DataFrame(rows, columns=names)


def _counts(given: Any, filled: Any) -> dict[Any, tuple[int, int]]:
    """Column -> cells that were filled, and cells that are still missing."""
    import numpy as np

    from ..data import is_frame

    if is_frame(given):
        lacking = {name: (int(given[name].isna().sum()), int(filled[name].isna().sum())) for name in filled.columns}
    else:
        missing, left = np.isnan(given).sum(0), np.isnan(filled).sum(0)
        lacking = {f"x{place}": (int(missing[place]), int(left[place])) for place in range(len(missing))}
    return {name: (before - after, after) for name, (before, after) in lacking.items() if before}


def _tell_counts(counts: dict[Any, tuple[int, int]]) -> None:
    for name, (filled, left) in list(counts.items())[:MOST_LINES]:
        still = f"; {left:,} stay missing: no cell was known at fit" if left else ""
        tell(f"  {name}: {filled:,} cell{'' if filled == 1 else 's'} filled{still}")
    if len(counts) > MOST_LINES:
        tell(f"  and {len(counts) - MOST_LINES} columns more")
    tell(f"{sum(filled for filled, _ in counts.values()):,} cells filled in {len(counts)} columns")


def _piece_by_piece(fitted: Any, source: Any, out: Path, force: bool) -> None:
    """Rows on disk: filled and written piece by piece."""
    from ..data import write_parts
    from ..estimators.from_disk import pieces
    from .options import bar, tell_damage

    total: dict[Any, tuple[int, int]] = {}
    with bar("rows", len(source)) as advance:

        def results() -> Any:
            for piece in pieces(source):
                filled = fitted.transform(piece)
                for name, (done, left) in _counts(piece.rows, filled).items():
                    before = total.get(name, (0, 0))
                    total[name] = (before[0] + done, before[1] + left)
                yield (filled if out.suffix == ".npy" else _frame(filled, piece)), piece.keys
                advance(len(piece))

        count = write_parts(out, results(), force=force)
    tell_damage(source)
    _tell_counts(total)
    tell(f"{count:,} rows -> {out}")
