"""`diabolo recommend`: the best items for users given by their history, new items too; items near to one."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .apply import prepared
from .options import ForceOpt, ModelArg, OutOpt, Reading, read, reads_data, tell

HistoriesArg = Annotated[
    str | None,
    typer.Argument(metavar="[DATA]", help="Histories: a line 'user item item …', or a table of user and item."),
]


@reads_data
def recommend(
    model: ModelArg,
    out: OutOpt,
    reading: Reading,
    data: HistoriesArg = None,
    k: Annotated[int, typer.Option("--k", help="Items a user.", min=1)] = 20,
    similar: Annotated[str | None, typer.Option("--similar", help="Items near to this one, in place of DATA.")] = None,
    items: Annotated[
        Path | None,
        typer.Option("--items", help="Table of items (name first, then text): new ones are recommended too."),
    ] = None,
    seen: Annotated[bool, typer.Option("--seen", help="Items that the user has already are not left out.")] = False,
    force: ForceOpt = False,
) -> None:
    """Write the best items of every user in DATA (user, item, score), without those the user has.

    Users need not have been there in training; a user without a known item gets what is most popular, and it is said.
    The model is one of: diabolo fit RATINGS --task recommend --out MODEL.
    """
    from ..core.errors import UsageError, require
    from ..data import check_out
    from ..data.write import write
    from ..estimators.saving import load

    check_out(out, force=force, suffixes=(".csv", ".csv.gz", ".parquet"))
    if (data is None) == (similar is None):
        raise UsageError("give either DATA, histories to recommend for, or --similar ITEM.")
    fitted = prepared(load(model), "recommend")
    if similar is not None:
        near, scores = fitted.similar_items(similar, k)
        pandas = require("pandas", "table", "a table of items")
        frame = pandas.DataFrame({"item": fitted.items_[near], "score": scores})
        write(out, frame, force=force)
        tell(f"{len(frame)} items near to {similar!r} -> {out}")
        return
    source = read(str(data), model=fitted, **reading)
    _tell_empty(fitted, source)
    frame = _with_new(fitted, source, items, k, seen) if items is not None else _known(fitted, source, k, seen)
    write(out, frame, force=force)
    tell(f"{len(frame):,} recommendations for {len(source):,} users -> {out}")


def _tell_empty(fitted: Any, source: Any) -> None:
    empty = int(fitted.without_history(source.rows).sum())
    if empty:
        tell(f"  {empty:,} of {len(source):,} users have no item that the model knows: they get what is most popular")


def _users(source: Any) -> Any:
    import numpy as np

    return np.arange(len(source)) if source.keys is None else source.keys["user"].to_numpy()


def _known(fitted: Any, source: Any, k: int, seen: bool) -> Any:
    found, scores = fitted.recommend(source.rows, k, exclude_seen=not seen)
    return _frame(_users(source), found, scores, fitted.items_)


def _frame(users: Any, found: Any, scores: Any, names: Any) -> Any:
    import numpy as np

    from ..core.errors import require

    real = found >= 0
    return require("pandas", "table", "a table of items").DataFrame(
        {"user": np.repeat(users, real.sum(1)), "item": names[found[real]], "score": scores[real]}
    )


def _with_new(fitted: Any, source: Any, path: Path, k: int, seen: bool) -> Any:
    """Items of the table that the model does not know stand beside those it knows."""
    import numpy as np
    from scipy.sparse import csr_matrix, hstack

    from ..data.write_interactions import best
    from ..tasks.recommend import USERS, standard

    known, new, names = _side(fitted, path)
    parts = []
    for begin in range(0, len(source), USERS):
        rows = source.rows[begin : begin + USERS]
        scores = np.hstack([standard(fitted.scores(rows)), fitted.cold_scores(rows, known, new)])
        had = None if seen else hstack([csr_matrix(rows), csr_matrix((rows.shape[0], len(names)))])
        parts.append(best(scores, had, k))
    found, values = (np.concatenate([part[place] for part in parts]) for place in (0, 1))
    frame = _frame(_users(source), found, values, np.concatenate([fitted.items_.astype(str), names]))
    frame["new"] = np.isin(frame["item"].to_numpy().astype(str), names)
    return frame


def _side(fitted: Any, path: Path) -> tuple[Any, Any, Any]:
    """Words of the known items, in the model's order, of the new ones, and the names of these. Raises `DataError`."""
    import numpy as np

    from ..core.errors import DataError, require
    from ..tasks.side_items import features

    pandas = require("pandas", "table", "side information of items")
    try:
        table = (
            pandas.read_parquet(path)
            if path.suffix == ".parquet"
            else pandas.read_csv(path, sep=None, engine="python", dtype=str)
        )
    except (OSError, ValueError) as error:
        raise DataError(f"{path.name} cannot be read as a table of items: {error}") from error
    if table.shape[1] < 2 or not len(table):
        raise DataError(f"{path.name} needs a column of items and one of text at least; it has {list(table)}.")
    named = table.iloc[:, 0].astype(str).to_numpy()
    texts = table.iloc[:, 1:].fillna("").astype(str).agg(" ".join, axis=1).tolist()
    mine = fitted.items_.astype(str)
    text_of = dict(zip(named, texts, strict=True))
    new = np.array(sorted(set(named) - set(mine)))
    lacking = sum(name not in text_of for name in mine)
    if lacking == len(mine):
        raise DataError(
            f"{path.name}: no item of its first column {table.columns[0]!r} is one the model knows ({mine[0]!r}, …)."
        )
    tell(f"  {path.name}: {len(new):,} new items; {lacking:,} of the {len(mine):,} known ones are not in it")
    words = features([*(text_of.get(name, "") for name in mine), *(text_of[name] for name in new)])
    return words[: len(mine)], words[len(mine) :], new
