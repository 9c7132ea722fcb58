"""Verbs that show: info, parts, report."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Annotated, Any

import typer

from .options import (
    ArrayOpt,
    AsOpt,
    DataArg,
    ExcludeOpt,
    ForceOpt,
    IncludeOpt,
    KeyOpt,
    ModelArg,
    NoHeaderOpt,
    OutOpt,
    SizeOpt,
    StrictOpt,
    TargetOpt,
    console,
    read,
    tell,
)

JsonOpt = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
AXES = ("model", "network", "bottleneck", "prior", "loss", "penalty", "corruption", "optimizer", "schedule", "activation", "processor")  # fmt: skip


def info(model: ModelArg, json_: JsonOpt = False) -> None:
    """What a model is: parameters, what was chosen and why, the plan of shapes, how good it was."""
    from ..estimators.saving import load

    described = load(model).describe()
    if json_:
        typer.echo(json.dumps(described, indent=1, ensure_ascii=False))
        return
    out = console()
    shape = "x".join(map(str, described["shape"]))
    out.print(
        f"[bold]{described['name']}[/bold] for {described['modality']} rows of {shape}: a code of "
        f"{described['n_components']}, {described['parameter_count']:,} parameters, {described['epochs_run']} epochs"
    )
    _table(
        out, "Chosen", ("parameter", "value", "why"), [(c["name"], c["value"], c["why"]) for c in described["choices"]]
    )
    layers = [
        (r["name"], r["layer"], "x".join(map(str, r["output"])), f"{r['parameters']:,}") for r in described["layers"]
    ]
    _table(out, "Shapes", ("layer", "what", "gives", "parameters"), layers)
    if "comparison" in described["metrics"]:
        compared(out, described["metrics"]["comparison"])


def compared(out: Any, values: dict[str, Any]) -> None:
    """The table at the end of fit: model, PCA and mean on held-out rows."""
    rows = [
        (label, f"{values[name]['value']:.4g}", f"{values[name]['low']:.4g} to {values[name]['high']:.4g}")
        for name, label in (
            ("model", "this model"), ("pca", f"PCA, {values['pca_components']} components"), ("mean", "predicting the mean"),
        )
    ]  # fmt: skip
    _table(out, f"Squared error on {values['rows']} held-out rows", ("", "error a row", "95 % interval"), rows)
    out.print(f"[bold]{values['verdict']}[/bold]")
    out.print(f"training rows: {values['train_error']:.4g}; the gap to held-out rows is {100 * values['gap']:+.0f} %")
    for line in values["advice"]:
        out.print(f"  - {line}")


def _table(out: Any, title: str, heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> None:
    from rich.markup import escape
    from rich.table import Table

    if not rows:
        return
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="dim")
    for place, head in enumerate(heads):
        table.add_column(head, justify="right" if place and rows[0][place][:1].isdigit() else "left")
    for row in rows:
        table.add_row(*(escape(str(cell)) for cell in row))
    out.print(table)
    out.print()


def parts(
    axis: Annotated[str | None, typer.Argument(help="One axis only: model, network, loss, …")] = None,
    json_: JsonOpt = False,
) -> None:
    """What is registered on each axis, every named model included, with parameters and defaults."""
    from ..core.errors import unknown

    if axis is not None and axis not in AXES:
        raise unknown("axis", axis, AXES)
    listed = {name: _parts_of(name) for name in ([axis] if axis else AXES)}
    if json_:
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    out = console()
    for name, found in listed.items():
        _table(out, name, ("name", "what", "parameters"), [(p["name"], p["summary"], p["signature"]) for p in found])


def _parts_of(axis: str) -> list[dict[str, Any]]:
    import inspect

    from ..core import lookup, names

    found = []
    for name in names(axis):
        part = lookup(axis, name)
        given = {
            k: p.default for k, p in inspect.signature(part).parameters.items() if k not in ("self", "args", "kwargs")
        }
        plain = {
            k: None if v is inspect.Parameter.empty else v if isinstance(v, int | float | str | bool) else str(v)
            for k, v in given.items()
        }
        text = ", ".join(k if v is inspect.Parameter.empty else f"{k}={v!r}" for k, v in given.items())
        summary = (inspect.getdoc(part) or "").partition("\n")[0]
        found.append({"name": name, "summary": summary, "parameters": plain, "signature": text})
    return found


def report(
    model: ModelArg, data: DataArg, out: OutOpt, as_: AsOpt = None, target: TargetOpt = None, key: KeyOpt = None,
    exclude: ExcludeOpt = None, array: ArrayOpt = None, include: IncludeOpt = None, no_header: NoHeaderOpt = False,
    strict: StrictOpt = False, size: SizeOpt = None, force: ForceOpt = False,
) -> None:  # fmt: skip
    """One HTML file: originals, reconstructions, curves, latent map, errors, the comparison with PCA."""
    from ..data import check_out
    from ..estimators.saving import load
    from ..report.page import write_report

    check_out(out, force=force)
    fitted = load(model)
    source = read(
        data, model=fitted, as_=as_, target=target, key=key, exclude=exclude, array=array, include=include,
        no_header=no_header, strict=strict, size=size,
    )  # fmt: skip
    from ..tasks.reduce import Comparison

    held = fitted.metrics_.get("comparison")
    comparison = Comparison.from_dict(held) if held is not None else None
    write_report(fitted, source.rows, out, comparison=comparison, labels=source.target, title=model.name)
    tell(f"report -> {out}")
