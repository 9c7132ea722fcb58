"""`diabolo index`: the codes of DATA, kept to be searched."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .options import DataArg, ForceOpt, ModelArg, OutOpt, Reading, autoencoder, read, reads_data, tell, tell_damage

KindOpt = Annotated[
    str | None, typer.Option("--kind", help="exact (the default), hnsw, ivf-pq or binary; all but exact need FAISS.")
]
MetricOpt = Annotated[str | None, typer.Option("--metric", help="Between codes: cosine (the default) or euclidean.")]
BitsOpt = Annotated[int | None, typer.Option("--bits", help="Of --kind binary: bits a row.", min=1)]
RecallOpt = Annotated[
    float | None,
    typer.Option("--recall", help="Share of the 10 nearest that hnsw and ivf-pq are to find (default 0.98)."),
]
AppendOpt = Annotated[bool, typer.Option("--append", help="Add DATA to the index at --out, which must be of MODEL.")]


@reads_data
def index(
    model: ModelArg,
    data: DataArg,
    out: OutOpt,
    reading: Reading,
    kind: KindOpt = None,
    metric: MetricOpt = None,
    bits: BitsOpt = None,
    recall: RecallOpt = None,
    append: AppendOpt = False,
    seed: Annotated[int, typer.Option("--seed", help="All randomness comes from it.", min=0)] = 0,
    force: ForceOpt = False,
) -> None:
    """Write the codes of DATA, with the model that makes them, as an index for 'diabolo search'.

    Rows go by their key columns or file names, else by their number; windows of sounds and series also by where they
    begin and end. The index is a folder that any verb takes as a model.
    """
    asked = {"kind": kind, "metric": metric, "bits": bits, "recall": recall}
    given = {name: value for name, value in asked.items() if value is not None}
    made = _to_lengthen(out, model, given) if append else _begun(out, model, given, seed, force)
    source = read(data, model=made, **reading)
    before = len(made)
    made.add(source)
    tell_damage(source)
    _write(made, out, append)
    added = f"{len(made) - before:,} added, " if append else ""
    tell(f"{added}{len(made):,} codes of {_size(made)} -> {out}")
    if "recall" in made.facts_:
        tell(
            f"  finds {made.facts_['recall']:.1%} of the 10 nearest that exact search finds, of rows not yet in it "
            f"(effort {made.facts_['effort']})"
        )


def _begun(out: Path, model: Path, given: dict[str, Any], seed: int, force: bool) -> Any:
    """An empty index, once it is clear that it can be written."""
    from ..core.errors import UsageError
    from ..estimators.saving import CONFIG, load
    from ..tasks.search import SearchIndex

    if not out.parent.is_dir():
        raise UsageError(f"cannot write {out.name!r}: the folder {str(out.parent)!r} does not exist; make it first.")
    if out.exists() and not force:
        raise UsageError(f"{str(out)!r} exists already; choose another name, add to it with --append, or use --force.")
    if out.exists() and not (out / CONFIG).is_file():
        raise UsageError(f"{str(out)!r} is no index; --force replaces only what was written here.")
    whole = load(model)
    if not isinstance(whole, SearchIndex):
        whole = SearchIndex(autoencoder(model), random_state=seed)
    return whole.empty(**given)


def _to_lengthen(out: Path, model: Path, given: dict[str, Any]) -> Any:
    """The index at --out, if it holds codes of MODEL. Raises `ModelError`, `UsageError`."""
    from ..core.errors import UsageError
    from ..estimators.saving import load
    from .search import opened

    made = opened(out)
    own = load(model)
    made.must_hold(own if out.resolve() == model.resolve() else autoencoder(model))
    for name, value in given.items():
        if made.get_params()[name] != value:
            raise UsageError(f"--{name} is {made.get_params()[name]!r} in this index; leave it out with --append.")
    return made


def _write(made: Any, out: Path, append: bool) -> None:
    """Save beside what is there, then take its place: killed at any moment, one of the two is whole."""
    import shutil

    if not out.exists():
        made.save(out)
        return
    new, old = out.with_name(f".{out.name}.new"), out.with_name(f".{out.name}.old")
    made.save(new, force=True)
    shutil.rmtree(old, ignore_errors=True)
    out.rename(old)
    new.rename(out)
    shutil.rmtree(old)


def _size(made: Any) -> str:
    if made.kind == "binary":
        return f"{made.facts_['bits']} bits"
    return f"{made.facts_['values']} values ({made.kind}, {made.metric})"
