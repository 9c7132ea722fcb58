"""`diabolo search`: the rows of an index that are most like a query."""

from __future__ import annotations

import glob
from pathlib import Path
from typing import Annotated, Any

import typer

from .options import ForceOpt, Reading, console, read, reads_data, tell

SHOWN = 10
"""Queries whose hits are printed where there is no --out."""

IndexArg = Annotated[Path, typer.Argument(metavar="INDEX", help="An index that 'diabolo index' wrote.")]
QueryArg = Annotated[
    str | None,
    typer.Argument(metavar="[QUERY]", help="A file or folder of the kind indexed, one picture, or a text itself."),
]
HitsOpt = Annotated[Path | None, typer.Option("--out", "-o", help="Where to write the hits; without it they print.")]


@reads_data
def search(
    index: IndexArg,
    reading: Reading,
    query: QueryArg = None,
    k: Annotated[int, typer.Option("--k", help="Hits a query.", min=1)] = 10,
    row: Annotated[
        int | None, typer.Option("--row", help="Query by the index's own row of this number.", min=0)
    ] = None,
    like: Annotated[str | None, typer.Option("--like", help="Query by the index's own row of this key (file).")] = None,
    out: HitsOpt = None,
    force: ForceOpt = False,
) -> None:
    """Print or write the K rows of INDEX nearest to each row of QUERY: query, rank, distance and the row's keys.

    .csv and .parquet get a line a hit; .npy the numbers of the rows, (Q, K). With --row and --like the row itself is
    left out.
    """
    from ..core.errors import UsageError
    from ..data import check_out, write
    from ..data.write import SUFFIXES
    from ..tasks.row_keys import as_text

    if sum(given is not None for given in (query, row, like)) != 1:
        raise UsageError("say what to search for, once: a QUERY, --row NUMBER or --like KEY.")
    if out is not None:
        check_out(out, force=force, suffixes=SUFFIXES)
    made = opened(index)
    if query is not None:
        source = _asked(query, made, reading)
        names = _names(made, source)
        distances, numbers = made.nearest(made.queries(source), k)
    else:
        rows = made.where(like) if like is not None else _integers([row])
        distances, numbers = made.like(rows, k)
        names = as_text(made.columns_of(rows))
    hits = made.columns_of(numbers)
    if out is None:
        _print(names, distances, hits)
        return
    write(out, numbers if out.suffix == ".npy" else _lines(out, names, distances, hits), force=force)
    tell(f"{numbers.size:,} hits of {len(numbers):,} quer{'y' if len(numbers) == 1 else 'ies'} -> {out}")


def opened(path: Path) -> Any:
    """The index in a folder. Raises `ModelError` saying how to make one."""
    from ..core.errors import ModelError
    from ..estimators.saving import load
    from ..tasks.search import SearchIndex

    found = load(path)
    if not isinstance(found, SearchIndex):
        raise ModelError(
            f"{path.name!r} is a model ({vars(type(found)).get('part_name')}), no index; make one of it: "
            "diabolo index MODEL DATA --out INDEX."
        )
    return found


def _asked(query: str, made: Any, reading: Reading) -> Any:
    """QUERY as rows: a text as it stands, one picture, or a file or folder."""
    from ..data import open as open_source
    from ..data.recognise import IMAGE_SUFFIXES

    path, kind = Path(query), made.metrics_.get("data", {}).get("as_")
    if kind == "text" and not path.exists():
        return open_source([query])
    if path.is_file() and path.suffix.lower() in IMAGE_SUFFIXES:
        return read(str(path.parent), model=made, **{**reading, "include": glob.escape(path.name)})
    return read(query, model=made, **reading)


def _integers(rows: Any) -> Any:
    import numpy as np

    return np.asarray(rows, dtype=np.int64)


def _names(made: Any, source: Any) -> list[str]:
    """What each query is called: its key, where it begins and ends, or its number."""
    from ..estimators.from_disk import pieces
    from ..tasks.row_keys import as_text

    names: list[str] = []
    for piece in pieces(source):
        named = made._named(piece, None)
        names += as_text(named) if named else [str(len(names) + place) for place in range(len(piece))]
    return names


def _print(names: list[str], distances: Any, hits: dict[str, Any]) -> None:
    from ..tasks.row_keys import as_text
    from .tables import table

    out = console()
    for place, name in enumerate(names[:SHOWN]):
        found = as_text({column: values[place] for column, values in hits.items()})
        lines = [(str(n + 1), f"{d:.4g}", hit) for n, (d, hit) in enumerate(zip(distances[place], found, strict=True))]
        table(out, f"nearest to {name}", ("", "distance", " ".join(hits)), lines, right=(0, 1))
    if len(names) > SHOWN:
        tell(f"  and {len(names) - SHOWN:,} queries more; --out FILE writes the hits of all")


def _lines(out: Path, names: list[str], distances: Any, hits: dict[str, Any]) -> Any:
    """One line a hit."""
    import numpy as np

    from ..core.errors import require

    pandas = require("pandas", "table", f"writing {out.suffix}")
    count, k = distances.shape
    own = {"query": np.repeat(np.array(names, dtype=object), k), "rank": np.tile(np.arange(1, k + 1), count)}
    columns = {name if name not in own else f"{name}_found": values.ravel() for name, values in hits.items()}
    return pandas.DataFrame({**own, "distance": distances.ravel(), **columns})
