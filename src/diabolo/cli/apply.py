"""Verbs that apply a model to data: encode, decode, reconstruct, score."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

CodesArg = Annotated[
    str, typer.Argument(metavar="CODES", help="Codes that 'diabolo encode' wrote: .npy, .parquet or .csv.")
]


@reads_data
def encode(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the codes of DATA: .npy keeps (N, *P, D); .parquet and .csv get key columns and z0, z1, …"""
    fitted = _open(model, out, force, pictures=False)
    source = read(data, model=fitted, **reading)
    codes = fitted.transform(source)
    _write(out, codes if out.suffix == ".npy" else codes.reshape(len(codes), -1), source, force, "code", fitted)


@reads_data
def reconstruct(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write DATA as it comes back through the code: arrays to .npy, tables to .parquet/.csv, pictures to a folder."""
    fitted = _open(model, out, force, pictures=True)
    source = read(data, model=fitted, **reading)
    _write(out, _named(fitted, fitted.reconstruct(source), out), source, force, "row", fitted)


@reads_data
def score(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the reconstruction error of every row of DATA (higher is worse), as column 'error' or as an array."""
    fitted = _open(model, out, force, pictures=False)
    source = read(data, model=fitted, **reading)
    errors = -fitted.score_samples(source)
    if out.suffix != ".npy":
        from ..core.errors import require

        errors = require("pandas", "table", f"writing {out.suffix}").DataFrame({"error": errors})
    _write(out, errors, source, force, "error", fitted)


@reads_data
def predict(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write what a model that learnt labels says of DATA: column 'prediction', and the probability of each class."""
    fitted = _open(model, out, force, pictures=False)
    _must_predict(fitted)
    source = read(data, model=fitted, **reading)
    said = fitted.predict(source)
    if out.suffix != ".npy":
        from ..core.errors import require

        said = require("pandas", "table", f"writing {out.suffix}").DataFrame({"prediction": said})
        if not fitted._numeric_labels:
            odds = fitted.predict_proba(source)
            said = said.assign(**{f"p_{name}": odds[:, place] for place, name in enumerate(fitted.labels_.classes)})
    _write(out, said, source, force, "prediction", fitted)


def _must_predict(fitted: Any) -> None:
    """Raise `ModelError` if a model has learnt no labels."""
    from ..core.errors import ModelError

    if not callable(getattr(fitted, "predict", None)) or "labels_" not in vars(fitted):
        raise ModelError(
            f"this model ({fitted.part_name}) has learnt no labels, so it predicts none; "
            "train one that does: diabolo fit DATA --task classify --target COLUMN --out MODEL (or --task regress)."
        )


def sample(
    model: ModelArg,
    n: Annotated[int, typer.Argument(metavar="N", help="How many rows.", min=1)],
    out: OutOpt,
    class_: Annotated[str | None, typer.Option("--class", help="Of this class, for models that are told one.")] = None,
    seed: Annotated[int, typer.Option("--seed", help="All randomness comes from it.", min=0)] = 0,
    force: ForceOpt = False,
) -> None:
    """Write N new rows drawn from the model, of the kind it was trained on."""
    fitted = _open(model, out, force, pictures=True)
    told = {} if class_ is None else {"y": _class(fitted, class_)}
    _write(out, _named(fitted, fitted.sample(n, random_state=seed, **told), out), None, force, "row", fitted)


def _class(fitted: Any, text: str) -> Any:
    """A class as the model knows it. Raises `UsageError` for one that it does not."""
    import inspect

    from ..core.errors import UsageError, unknown

    if "y" not in inspect.signature(fitted.sample).parameters:
        raise UsageError(f"--class does not apply to model {fitted.part_name!r}: it is told no class; leave it out.")
    known = {str(value): value for value in fitted.labels_.classes.tolist()}
    if text not in known:
        raise unknown("class", text, known)
    return known[text]


def decode(model: ModelArg, codes: CodesArg, out: OutOpt, force: ForceOpt = False) -> None:
    """Turn codes back into rows of the kind the model was trained on."""
    fitted = _open(model, out, force, pictures=True)
    values, keys = _codes(Path(codes), fitted)
    _write(out, _named(fitted, fitted.inverse_transform(values), out), keys, force, "row")


def _open(path: Path, out: Path, force: bool, *, pictures: bool) -> Any:
    """The model, once it is clear that the result can be written where it is to go."""
    from ..data import OWN, TableProcessor, check_out
    from ..data.kinds import writer
    from ..data.write import SUFFIXES
    from ..estimators.saving import load

    check_out(out, force=force)
    fitted = load(path)
    kind = fitted.metrics_.get("data", {}).get("as_")
    if kind in OWN and pictures:
        check_out(out, force=force, suffixes=writer(kind).SUFFIXES)
        return fitted
    check_out(out, force=force, suffixes=(*SUFFIXES, "") if pictures else SUFFIXES)
    if isinstance(fitted.processor_, TableProcessor) and pictures:
        check_out(out, force=force, suffixes=tuple(name for name in SUFFIXES if name != ".npy"))
    return fitted


def _named(model: Any, rows: Any, out: Path) -> Any:
    """Rows with the names of their columns, for a table that the model took as an array."""
    columns = model.metrics_.get("data", {}).get("columns")
    if not columns or out.suffix == ".npy" or model.metrics_["data"].get("as_") == "series":
        return rows
    from ..core.errors import require

    return require("pandas", "table", f"writing {out.suffix}").DataFrame(rows, columns=columns)


def _write(out: Path, rows: Any, source: Any, force: bool, what: str, model: Any = None) -> None:
    from ..core import Windowed
    from ..data import write
    from .windows import window_keys

    for note in vars(model.processor_).get("notices", ()) if model is not None else ():
        tell(f"  {note}")
    keys = None if source is None else source.keys
    if model is not None and isinstance(model.processor_, Windowed) and what != "row" and out.suffix != ".npy":
        keys = window_keys(model.processor_, source)
    write(out, rows, keys=keys, force=force)
    tell(f"{len(rows):,} {what}{'' if len(rows) == 1 else 's'} -> {out}")


def _codes(path: Path, model: Any) -> tuple[Any, Any]:
    """Codes from a file, in the model's shape, and the key columns beside them."""
    import numpy as np

    from ..core.errors import DataError
    from ..data import open as open_source

    names = [f"z{i}" for i in range(model.n_components_)]
    asked = f"codes of this model are {names[0]} to {names[-1]}" if len(names) > 1 else "the code of this model is z0"
    if path.suffix == ".npy":
        return open_source(path, as_="array").rows, None
    source = open_source(path, columns=names, keep="*")
    if source.modality != "table":
        raise DataError(f"{path.name} holds no codes: give the .npy, .parquet or .csv that 'diabolo encode' wrote.")
    frame = source.rows
    missing = [name for name in names if name not in frame]
    if missing:
        raise DataError(f"{path.name} has no column {missing[0]!r}; {asked}.")
    try:
        values = frame[names].to_numpy("float32")
    except (TypeError, ValueError) as error:
        raise DataError(f"{path.name}: columns {names[0]} to {names[-1]} must be numbers: {error}.") from error
    if not np.isfinite(values).all():
        row, column = (int(place[0]) for place in np.nonzero(~np.isfinite(values)))
        raise DataError(f"{path.name}: column {names[column]!r} has no number at row {row}; a code must be whole.")
    return values.reshape(len(frame), *model.code_shape_), source
