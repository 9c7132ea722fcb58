"""Drift on the command line: `diabolo detect MODEL DATA --against REFERENCE`."""

from __future__ import annotations

import json
from typing import Any

import typer

from .options import console, tell

USUAL = 0.05
"""The level, where none is given."""
SHOWN = 10
"""Columns that are listed: the worst ones, and all that differ up to three times as many."""


def against(model: Any, source: Any, reference: Any, alpha: float, json_: bool) -> None:
    """Print whether DATA has drifted from REFERENCE, both opened, as a fitted model sees them."""
    from ..tasks.drift import drift_between

    found = drift_between(model, reference, source, alpha=alpha)
    if json_:
        typer.echo(json.dumps(found.as_dict(), indent=1, ensure_ascii=False))
        return
    for note in found.notes:
        tell(f"  {note}")
    _print(console(), found, f"{source.origin or 'the data'} against {reference.origin or 'the reference'}")


def _print(out: Any, found: Any, title: str) -> None:
    from rich.markup import escape

    from .tables import table

    rows = [("codes, as a whole", "", f"{found.codes.effect:.3f}", _p(found.codes.p_value), "", "")]
    shown = found.columns[: min(3 * SHOWN, max(SHOWN, len(found.changed)))]
    rows += [
        (column.name, column.kind, f"{column.effect:.3f}", _p(column.p_value), _p(column.adjusted), column.change)
        for column in shown
    ]
    heads = ("", "kind", "effect", "p", "p, corrected", "change")
    table(out, f"{title}: {found.rows:,} rows, {found.reference:,} of the reference", heads, rows, right=(2, 3, 4))
    if len(shown) < len(found.columns):
        out.print(f"{len(found.columns) - len(shown)} more with a larger p-value\n")
    out.print(f"[bold]{escape(found.verdict)}[/bold]")


def _p(value: float) -> str:
    return f"{value:.2g}"
