"""Verbs that apply a model to data: encode, decode, reconstruct, score."""

from __future__ import annotations

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
    bar,
    of_a_frame,
    read,
    reads_data,
    tell,
    tell_damage,
)

USERS = 512
"""Users whose scores of all items are held at a time."""

CodesArg = Annotated[
    str, typer.Argument(metavar="CODES", help="Codes that 'diabolo encode' wrote: .npy, .parquet or .csv.")
]


@reads_data
def encode(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the codes of DATA: .npy keeps (N, *P, D); .parquet and .csv get key columns and z0, z1, …"""
    fitted = opened(model, out, force, pictures=False)
    source = read(data, model=fitted, **reading)

    def codes(piece: Any) -> Any:
        found = fitted.transform(piece)
        return found if out.suffix == ".npy" else found.reshape(len(found), -1)

    over(out, codes, source, force, "code", fitted)


@reads_data
def reconstruct(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write DATA as it comes back through the code: arrays to .npy, tables to .parquet/.csv, pictures to a folder.

    Of interactions: the 20 items of the highest scores of every user, without those the user has.
    """
    fitted = opened(model, out, force, pictures=True)
    source = read(data, model=fitted, **reading)
    if source.modality == "interactions" and out.suffix != ".npy":
        written(out, _recommended(fitted, source), None, force, "recommendation")
        return
    over(out, lambda piece: named(fitted, fitted.reconstruct(piece), out), source, force, "row", fitted)


@reads_data
def score(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write the reconstruction error of every row of DATA (higher is worse), as column 'error' or as an array."""
    fitted = opened(model, out, force, pictures=False)
    source = read(data, model=fitted, **reading)

    def errors(piece: Any) -> Any:
        found = -fitted.score_samples(piece)
        return found if out.suffix == ".npy" else _frame(out, {"error": found})

    over(out, errors, source, force, "error", fitted)


@reads_data
def predict(model: ModelArg, data: DataArg, out: OutOpt, reading: Reading, force: ForceOpt = False) -> None:
    """Write what a model that learnt labels says of DATA: column 'prediction', and the probability of each class."""
    fitted = opened(model, out, force, pictures=False)
    _must_predict(fitted)
    source = read(data, model=fitted, **reading)

    def said(piece: Any) -> Any:
        found = fitted.predict(piece)
        if out.suffix == ".npy":
            return found
        odds = {} if fitted._numeric_labels else fitted.predict_proba(piece).T
        named = {f"p_{name}": odds[place] for place, name in enumerate(fitted.labels_.classes)} if len(odds) else {}
        return _frame(out, {"prediction": found, **named})

    over(out, said, source, force, "prediction", fitted)


def _frame(out: Path, columns: dict[str, Any]) -> Any:
    from ..core.errors import require

    return require("pandas", "table", f"writing {out.suffix}").DataFrame(columns)


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
    where: Annotated[
        list[str] | None,
        typer.Option("--where", help="Of a table: column=value, 'column>value', column=low..high (repeatable)."),
    ] = None,
    quality: Annotated[
        str | None, typer.Option("--quality", metavar="DATA", help="Hold the rows against these real ones.")
    ] = None,
    seed: Annotated[int, typer.Option("--seed", help="All randomness comes from it.", min=0)] = 0,
    force: ForceOpt = False,
) -> None:
    """Write N new rows drawn from the model, of the kind it was trained on."""
    from . import sample as new

    fitted, maker = opened(model, out, force, pictures=True), new.maker(model)
    if quality is not None:
        new.must_generate(maker)
    rows = named(fitted, new.rows(maker, n, class_, where, seed), out)
    written(out, rows, None, force, "row", fitted)
    if quality is not None:
        new.judge(maker, fitted, rows, quality, seed)


def decode(model: ModelArg, codes: CodesArg, out: OutOpt, force: ForceOpt = False) -> None:
    """Turn codes back into rows of the kind the model was trained on."""
    fitted = opened(model, out, force, pictures=True)
    values, keys = _codes(Path(codes), fitted)
    written(out, named(fitted, fitted.inverse_transform(values), out), keys, force, "row")


def opened(path: Path, out: Path, force: bool, *, pictures: bool, more: tuple[str, ...] = ()) -> Any:
    """The model, once it is clear that the result can be written where it is to go; ``more``: suffixes of its verb."""
    from ..data import OWN, TableProcessor, check_out
    from ..data.kinds import writer
    from ..data.write import SUFFIXES, suffix_of

    check_out(out, force=force)
    fitted = autoencoder(path)
    if suffix_of(out) in more:
        return fitted
    kind = fitted.metrics_.get("data", {}).get("as_")
    if kind in OWN and pictures:
        check_out(out, force=force, suffixes=writer(kind).SUFFIXES)
        return fitted
    check_out(out, force=force, suffixes=(*SUFFIXES, "") if pictures else SUFFIXES)
    if isinstance(fitted.processor_, TableProcessor) and pictures:
        check_out(out, force=force, suffixes=tuple(name for name in SUFFIXES if name != ".npy"))
    return fitted


def prepared(fitted: Any, task: str) -> Any:
    """The model, if it was trained for a task. Raises `ModelError` saying how to train one."""
    from ..core.errors import ModelError
    from ..tasks.base import TaskModel

    if isinstance(fitted, TaskModel) and fitted.part_name == task:
        return fitted
    name = vars(type(fitted)).get("part_name")
    raise ModelError(f"this model ({name}) was not trained to {task}: diabolo fit DATA --task {task} --out MODEL.")


def _recommended(model: Any, source: Any) -> Any:
    """The items of the highest scores of each user, without those the user has: user, item and score."""
    from ..core.errors import require
    from ..data.write_interactions import top_items

    users = range(len(source)) if source.keys is None else source.keys["user"]
    names = list(users)
    parts = []
    for begin in range(0, len(source), USERS):
        part = source.take(slice(begin, begin + USERS))
        scores = model.reconstruct(part)
        parts.append(top_items(scores, part.rows, names[begin : begin + USERS], source.columns))
    return require("pandas", "table", "a table of items").concat(parts, ignore_index=True)


def named(model: Any, rows: Any, out: Path) -> Any:
    """Rows with the names of their columns, for a table that the model took as an array."""
    data = model.metrics_.get("data", {})
    columns = data.get("columns", of_a_frame(model))
    if not columns or out.suffix == ".npy" or data.get("as_") == "series":
        return rows
    from ..core.errors import require

    return require("pandas", "table", f"writing {out.suffix}").DataFrame(rows, columns=columns)


def over(out: Path, function: Any, source: Any, force: bool, what: str, model: Any) -> None:
    """Write ``function`` of DATA: at once, or piece by piece where DATA stays on disk."""
    from ..data import Stored, write_parts
    from ..estimators.from_disk import pieces

    if not isinstance(source.rows, Stored):
        written(out, function(source), source, force, what, model)
        return
    with bar(f"{what}s", len(source)) as advance:

        def results() -> Any:
            for piece in pieces(source):
                yield function(piece), _keys(out, piece, what, model)
                advance(len(piece))

        count = write_parts(out, results(), force=force)
    tell_damage(source)
    tell(f"{count:,} {what}s -> {out}")


def written(out: Path, rows: Any, source: Any, force: bool, what: str, model: Any = None) -> None:
    from ..data import write

    for note in vars(model.processor_).get("notices", ()) if model is not None else ():
        tell(f"  {note}")
    write(out, rows, keys=_keys(out, source, what, model), force=force)
    tell(f"{len(rows):,} {what}{'' if len(rows) == 1 else 's'} -> {out}")


def _keys(out: Path, source: Any, what: str, model: Any) -> Any:
    """The key columns beside the results: of rows, or of the windows they are cut into; lines of steps have theirs."""
    from ..core import Windowed
    from .windows import window_keys

    if what == "step":
        return None
    if model is not None and isinstance(model.processor_, Windowed) and what != "row" and out.suffix != ".npy":
        return window_keys(model.processor_, source)
    return None if source is None else source.keys


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
