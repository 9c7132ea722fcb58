"""`diabolo`: one command, a verb for everything."""

from __future__ import annotations

from typing import Annotated

import typer

from . import (
    apply,
    augment,
    cluster,
    demo,
    denoise,
    detect,
    fit,
    impute,
    index,
    inpaint,
    interpolate,
    recommend,
    search,
    segment,
    select,
    show,
    topics,
)
from .options import guarded

app = typer.Typer(
    name="diabolo",
    help="Every kind of autoencoder on your data: fit, encode, reconstruct, score, report. Start with: diabolo demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(asked: bool) -> None:
    if asked:
        from .. import __version__

        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def main(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Every kind of autoencoder on your data: fit, encode, reconstruct, score, report. Start with: diabolo demo"""


app.command("fit")(guarded(fit.fit))
app.command("encode")(guarded(apply.encode))
app.command("decode")(guarded(apply.decode))
app.command("reconstruct")(guarded(apply.reconstruct))
app.command("score")(guarded(apply.score))
app.command("predict")(guarded(apply.predict))
app.command("detect")(guarded(detect.detect))
app.command("cluster")(guarded(cluster.cluster))
app.command("impute")(guarded(impute.impute))
app.command("denoise")(guarded(denoise.denoise))
app.command("inpaint")(guarded(inpaint.inpaint))
app.command("segment")(guarded(segment.segment))
app.command("sample")(guarded(apply.sample))
app.command("interpolate")(guarded(interpolate.interpolate))
app.command("augment")(guarded(augment.augment))
app.command("select")(guarded(select.select))
app.command("index")(guarded(index.index))
app.command("search")(guarded(search.search))
app.command("topics")(guarded(topics.topics))
app.command("recommend")(guarded(recommend.recommend))
app.command("info")(guarded(show.info))
app.command("report")(guarded(show.report))
app.command("doctor")(guarded(show.doctor))
app.command("parts")(guarded(show.parts))
app.command("demo")(guarded(demo.demo))


def run() -> None:
    """Entry point of the console script and of ``python -m diabolo``."""
    app(prog_name="diabolo")
