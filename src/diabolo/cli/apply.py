"""Verbs that apply a model to data: encode, decode, reconstruct, score."""

from __future__ import annotations

from pathlib import Path
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
    read,
    tell,
)

CodesArg = Annotated[
    str, typer.Argument(metavar="CODES", help="Codes that 'diabolo encode' wrote: .npy, .parquet or .csv.")
]


def encode(
    model: ModelArg, data: DataArg, out: OutOpt, as_: AsOpt = None, target: TargetOpt = None, key: KeyOpt = None,
    exclude: ExcludeOpt = None, array: ArrayOpt = None, include: IncludeOpt = None, no_header: NoHeaderOpt = False,
    strict: StrictOpt = False, size: SizeOpt = None, force: ForceOpt = False,
) -> None:  # fmt: skip
    """Write the codes of DATA: .npy keeps (N, *P, D); .parquet and .csv get key columns and z0, z1, …"""
    _check_out(out, force)
    fitted = _load(model)
    source = read(data, model=fitted, **_given(locals()))
    _write(out, fitted.transform(source), source, force, "codes")


def reconstruct(
    model: ModelArg, data: DataArg, out: OutOpt, as_: AsOpt = None, target: TargetOpt = None, key: KeyOpt = None,
    exclude: ExcludeOpt = None, array: ArrayOpt = None, include: IncludeOpt = None, no_header: NoHeaderOpt = False,
    strict: StrictOpt = False, size: SizeOpt = None, force: ForceOpt = False,
) -> None:  # fmt: skip
    """Write DATA as it comes back through the code: arrays to .npy, tables to .parquet/.csv, pictures to a folder."""
    _check_out(out, force)
    fitted = _load(model)
    source = read(data, model=fitted, **_given(locals()))
    _write(out, fitted.reconstruct(source), source, force, "rows")


def score(
    model: ModelArg, data: DataArg, out: OutOpt, as_: AsOpt = None, target: TargetOpt = None, key: KeyOpt = None,
    exclude: ExcludeOpt = None, array: ArrayOpt = None, include: IncludeOpt = None, no_header: NoHeaderOpt = False,
    strict: StrictOpt = False, size: SizeOpt = None, force: ForceOpt = False,
) -> None:  # fmt: skip
    """Write the reconstruction error of every row of DATA (higher is worse), as column 'error' or as an array."""
    _check_out(out, force)
    fitted = _load(model)
    source = read(data, model=fitted, **_given(locals()))
    errors = -fitted.score_samples(source)
    if out.suffix == ".npy":
        _write(out, errors, source, force, "errors")
        return
    from ..core.errors import require

    pandas = require("pandas", "table", f"writing {out.suffix}")
    _write(out, pandas.DataFrame({"error": errors}), source, force, "errors")


def decode(model: ModelArg, codes: CodesArg, out: OutOpt, force: ForceOpt = False) -> None:
    """Turn codes back into rows of the kind the model was trained on."""
    _check_out(out, force)
    fitted = _load(model)
    values, keys = _codes(Path(codes), fitted)
    _write(out, fitted.inverse_transform(values), keys, force, "rows")


def _given(options: dict[str, Any]) -> dict[str, Any]:
    """The data options out of a command's locals."""
    names = ("as_", "target", "key", "exclude", "array", "include", "no_header", "strict", "size")
    return {name: options[name] for name in names}


def _load(path: Path) -> Any:
    from ..estimators.saving import load

    return load(path)


def _check_out(out: Path, force: bool) -> None:
    from ..data import check_out

    check_out(out, force=force)


def _write(out: Path, rows: Any, source: Any, force: bool, what: str) -> None:
    from ..data import write

    keys = vars(source).get("keys") if source is not None else None
    write(out, rows, keys=keys, force=force)
    tell(f"{len(rows)} {what} -> {out}")


def _codes(path: Path, model: Any) -> tuple[Any, Any]:
    """Codes from a file, in the model's shape, and the key columns beside them."""
    from ..core.errors import DataError
    from ..data import open as open_source

    names = [f"z{i}" for i in range(model.n_components_)]
    if path.suffix == ".npy":
        return open_source(path, as_="array").rows, None
    source = open_source(path, target="none")
    frame = source.rows
    missing = [name for name in names if name not in frame]
    if missing:
        raise DataError(f"{path.name} has no column {missing[0]!r}; codes of this model are {names[0]} to {names[-1]}.")
    rest = [name for name in frame if name not in names]
    keys = frame[rest] if rest else None
    source.keys = keys if source.keys is None else source.keys.join(keys) if keys is not None else source.keys
    return frame[names].to_numpy("float32").reshape(len(frame), *model.code_shape_), source
