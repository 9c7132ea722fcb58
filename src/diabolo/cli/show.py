"""Verbs that show: info, parts, report."""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import (
    DataArg,
    ForceOpt,
    ModelArg,
    OutOpt,
    Reading,
    autoencoder,
    console,
    read,
    read_whole,
    reads_data,
    tell,
)

JsonOpt = Annotated[bool, typer.Option("--json", help="For programs: JSON on standard output.")]
AXES = (
    *("model", "network", "bottleneck", "prior", "loss", "penalty", "corruption"),
    *("optimizer", "schedule", "activation", "processor", "task"),
)


def info(model: ModelArg, json_: JsonOpt = False) -> None:
    """What a model is: parameters, what was chosen and why, the plan of shapes, how good it was."""
    from ..estimators.saving import load
    from .tables import assessed, by, chosen, compared, compared_labels, describe_rows, shapes, table

    fitted = load(model)
    described = fitted.describe()
    if json_:
        typer.echo(json.dumps(described, indent=1, ensure_ascii=False))
        return
    out = console()
    rows = f" on {described['rows']:,} rows" if described["rows"] else ""
    epochs = described["epochs_run"]
    out.print(
        f"[bold]{described['name']}[/bold]: {describe_rows(fitted.processor_)} -> a code of "
        f"{by(described['code_shape'])}; {described['parameter_count']:,} parameters, "
        f"{epochs} epoch{'' if epochs == 1 else 's'}{rows}\n"
    )
    chosen(out, described["choices"])
    table(out, "Given", ("parameter", "value"), _given(fitted))
    shapes(out, described)
    if "labels" in described["metrics"]:
        compared_labels(out, described["metrics"]["labels"])
    if "assessment" in described["metrics"]:
        assessed(out, described["metrics"]["assessment"])
    if "comparison" in described["metrics"]:
        compared(out, described["metrics"]["comparison"])


def _given(fitted: Any) -> list[tuple[str, str]]:
    """Parameters that the user set, of the model and of its trainer."""
    owners = [fitted, *([fitted.trainer] if fitted.trainer is not None else [])]
    return [
        (name, str(value))
        for owner in owners
        for name, value in owner.get_params(deep=False).items()
        if name not in ("trainer", "callbacks", "device") and value != _default(owner, name)
    ]


def _default(owner: Any, name: str) -> Any:
    import inspect

    return inspect.signature(type(owner)).parameters[name].default


def parts(
    axis: Annotated[
        str | None, typer.Argument(metavar="[AXIS]", help=f"One axis only: {', '.join(AXES)}.", show_default=False)
    ] = None,
    json_: JsonOpt = False,
) -> None:
    """What is registered on each axis, every named model included, with parameters and defaults."""
    from ..core.errors import unknown
    from .tables import table

    if axis is not None and axis not in AXES:
        raise unknown("axis", axis, AXES)
    listed = {name: _parts_of(name) for name in ([axis] if axis else AXES)}
    if json_:
        typer.echo(json.dumps(listed, indent=1, ensure_ascii=False))
        return
    out = console()
    for name, found in listed.items():
        table(out, name, ("name", "what", "parameters"), [(p["name"], p["summary"], p["signature"]) for p in found])


def _parts_of(axis: str) -> list[dict[str, Any]]:
    import inspect

    from ..core import lookup, names

    found = []
    for name in names(axis):
        part = lookup(axis, name)
        given = {
            k: p.default for k, p in inspect.signature(part).parameters.items() if k not in ("self", "args", "kwargs")
        }
        empty = inspect.Parameter.empty
        plain = {
            k: v if v is None or isinstance(v, int | float | str | bool) else str(v)
            for k, v in given.items()
            if v is not empty
        }
        text = ", ".join(k if v is empty else f"{k}={v!r}" for k, v in given.items())
        summary = (inspect.getdoc(part) or "").partition("\n")[0]
        required = [k for k, v in given.items() if v is empty]
        found.append({"name": name, "summary": summary, "parameters": plain, "required": required, "signature": text})
    return found


@reads_data
def report(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """One HTML file: originals, reconstructions, curves, latent map, errors, PCA beside it, what the doctor says."""
    from ..data import check_out
    from ..estimators.saving import load
    from ..report.doctor import examine
    from ..report.exhibits import of_task
    from ..report.page import write_report
    from ..report.plain import plain
    from ..tasks.base import TaskModel
    from ..tasks.reduce import Comparison

    check_out(out, force=force, suffixes=(".html",))
    task, fitted = load(model), autoencoder(model)
    if isinstance(task, TaskModel) and task._any_size:
        whole = read_whole(data, **{**reading, "allow_missing": True})
        exhibits, source = of_task(task, whole), task.inner_rows(whole)
    else:
        source = read(data, model=fitted, **reading)
        exhibits = of_task(task, source) if isinstance(task, TaskModel) else []
    fitted, source = plain(fitted, source)
    held = fitted.metrics_.get("comparison")
    comparison = Comparison.from_dict(held) if held is not None else None
    title = Path(model).resolve().name
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has feature names")  # read by name already, from a file
        findings = examine(fitted, source, comparison=comparison)
        write_report(
            fitted, source.rows, out, comparison=comparison, labels=source.target, findings=findings,
            exhibits=exhibits, title=title,
        )  # fmt: skip
    tell(f"report -> {out}")


@reads_data
def doctor(model: ModelArg, data: DataArg, reading: Reading, json_: JsonOpt = False) -> None:
    """What is wrong with a model, seen on DATA, by what evidence, and what to try. Exit code 0 either way."""
    from ..report.doctor import examine
    from ..report.plain import plain
    from .tables import table

    fitted = autoencoder(model)
    fitted, source = plain(fitted, read(data, model=fitted, **reading))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "X has feature names")  # read by name already, from a file
        findings = examine(fitted, source)
    if json_:
        typer.echo(json.dumps([finding.as_dict() for finding in findings], indent=1, ensure_ascii=False))
        return
    out = console()
    if not findings:
        out.print(f"{fitted.part_name}: nothing found on {len(source):,} rows")
    rows = [(f.severity, f.name, f.evidence, f"try {f.fix}") for f in findings]
    count = f"{len(rows)} finding{'' if len(rows) == 1 else 's'}"
    table(out, f"{count} on {len(source):,} rows", ("", "what", "evidence", "what to do"), rows)
