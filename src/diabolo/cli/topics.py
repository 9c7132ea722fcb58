"""The verb that says what texts are about."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from .apply import over, prepared
from .options import ForceOpt, ModelArg, Reading, console, read, reads_data, tell
from .tables import table

DataOpt = Annotated[str | None, typer.Argument(metavar="[DATA]", help="Texts: their topics are written to --out.")]
OutOpt = Annotated[
    Path | None,
    typer.Option("--out", "-o", help="Where to write: the words of the topics, or with DATA the topics of each text."),
]


@reads_data
def topics(
    model: ModelArg,
    reading: Reading,
    data: DataOpt = None,
    out: OutOpt = None,
    top: Annotated[int, typer.Option("--top", help="Words of a topic.", min=1)] = 10,
    force: ForceOpt = False,
) -> None:
    """Print the topics of MODEL with their words, and write them; with DATA the topics of each of its texts.

    Without DATA --out gets a line a word (topic, rank, word, weight); with DATA a line a text: its likeliest topic,
    that topic's share and first words, and the shares t0, t1, … of all (.npy: the shares alone).
    """
    from ..data import check_out, write
    from ..data.write import SUFFIXES
    from ..estimators.saving import load

    if out is not None:
        check_out(out, force=force, suffixes=SUFFIXES if data is not None else SUFFIXES[1:])
    whole = load(model)
    fitted = _topic_model(whole)
    found = fitted.topics(top)
    if data is None:
        _print(found, *_judged(whole))
        if out is not None:
            write(out, _words(found), force=force)
            tell(f"{len(found)} topics -> {out}")
        return
    source = read(data, model=fitted, **reading)
    if out is None:
        _print(found, fitted.topics_of(source).mean(0), None)
        return
    seen = _Mean()
    over(out, lambda piece: _of_texts(seen.add(fitted.topics_of(piece)), found, out), source, force, "text", fitted)
    _print(found, seen.mean(), None)


def _topic_model(whole: Any) -> Any:
    """The topic model in what was loaded, which knows how its data were read. Raises `ModelError` for others."""
    from ..estimators.topics import TopicModel

    if isinstance(whole, TopicModel):
        return whole
    inner = prepared(whole, "topics").autoencoder_
    inner.metrics_ = {name: whole.metrics_[name] for name in ("rows", "data") if name in whole.metrics_}
    return inner


def _judged(whole: Any) -> tuple[Any, Any]:
    """Shares and coherence of the topics over the texts learnt from, where they were measured."""
    kept = vars(whole).get("arrays_", {})
    return kept.get("shares"), kept.get("coherence")


def _print(found: list[list[tuple[str, float]]], shares: Any, coherence: Any) -> None:
    """One line a topic, the most frequent first."""
    import numpy as np

    order = range(len(found)) if shares is None else np.argsort(-shares, kind="stable")
    heads = ["topic", *(["share"] if shares is not None else []), *(["NPMI"] if coherence is not None else []), "words"]
    rows = []
    for k in order:
        cells = [str(k)]
        cells += [f"{shares[k]:.1%}"] if shares is not None else []
        cells += [f"{coherence[k]:+.2f}"] if coherence is not None else []
        rows.append([*cells, ", ".join(word for word, _ in found[k])])
    table(console(), f"{len(found)} topics", heads, rows, right=range(len(heads) - 1))


def _words(found: list[list[tuple[str, float]]]) -> Any:
    from ..core.errors import require

    lines = [(k, rank, *pair) for k, topic in enumerate(found) for rank, pair in enumerate(topic, 1)]
    columns = ["topic", "rank", "word", "weight"]
    return require("pandas", "table", "a table of topics").DataFrame(lines, columns=columns)


def _of_texts(shares: Any, found: list[list[tuple[str, float]]], out: Path) -> Any:
    """What is written of each text."""
    from ..core.errors import require

    if out.suffix == ".npy":
        return shares
    pandas = require("pandas", "table", f"writing {out.suffix}")
    main = shares.argmax(1)
    names = [" ".join(word for word, _ in topic[:3]) for topic in found]
    frame = pandas.DataFrame({"topic": main, "share": shares.max(1), "words": [names[k] for k in main]})
    return pandas.concat([frame, pandas.DataFrame(shares, columns=[f"t{k}" for k in range(len(found))])], axis=1)


class _Mean:
    """The mean of rows that come piece by piece."""

    def __init__(self) -> None:
        self.total: Any = 0.0
        self.count = 0

    def add(self, rows: Any) -> Any:
        self.total = self.total + rows.sum(0, dtype="float64")
        self.count += len(rows)
        return rows

    def mean(self) -> Any:
        return self.total / max(1, self.count)
