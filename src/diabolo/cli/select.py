"""`diabolo select`: the columns a selector keeps, and what the others can be rebuilt from."""

from __future__ import annotations

from typing import Any

from .apply import over, prepared
from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, console, read, reads_data

SHOWN = 30
"""Columns left out that are listed: the worst rebuilt ones where there are more."""


@reads_data
def select(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the columns of DATA that are kept, as they are, beside its key columns; print what is left out."""
    from ..data import TableProcessor, check_out
    from ..data.write import SUFFIXES
    from ..estimators.saving import load

    fitted = prepared(load(model), "select")
    table = isinstance(fitted.processor_, TableProcessor)
    check_out(out, force=force, suffixes=tuple(name for name in SUFFIXES if not table or name != ".npy"))
    source = read(data, model=fitted, **reading)
    told(console(), fitted)
    over(out, lambda piece: _named(fitted.transform(piece), fitted, out), source, force, "row", fitted)


def _named(rows: Any, fitted: Any, out: Any) -> Any:
    """Rows of an array under the names of their columns, for a table."""
    from ..core.errors import require
    from ..data import is_frame

    if out.suffix == ".npy" or is_frame(rows):
        return rows
    return require("pandas", "table", f"writing {out.suffix}").DataFrame(rows, columns=fitted.kept_names)


def told(out: Any, fitted: Any) -> None:
    """Print which columns are kept, and of each one left out how well it is rebuilt and from which."""
    from .tables import table

    names, facts, left = fitted.kept_names, fitted.facts_, fitted.rebuilt_
    out.print(f"kept: {facts['n_features']} of {facts['columns']} columns ({facts['why']})")
    out.print(f"  {', '.join(map(str, names))}\n")
    on = f"{facts['held']:,} held-out rows" if facts["held"] else "the rows it learnt from: too few to hold some out"
    shown = left[-SHOWN:]
    more = "" if len(left) <= SHOWN else f"; the {SHOWN} worst of {len(left)}"
    rows = [(str(one.column), f"{one.r2:.3f}", ", ".join(map(str, one.carried_by))) for one in shown]
    table(out, f"Left out, and rebuilt from (R² on {on}{more})", ("column", "R²", "carried by"), rows, right=(1,))
