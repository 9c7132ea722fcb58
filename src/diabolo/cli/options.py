"""Options that several commands share, and how an error reaches the user."""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..data import Source

DataArg = Annotated[
    str, typer.Argument(metavar="DATA", help="CSV, Parquet, NPY/NPZ, IDX, folder or zip of images, or 'digits'.")
]
ModelArg = Annotated[Path, typer.Argument(metavar="MODEL", help="A model that 'diabolo fit' wrote.")]
OutOpt = Annotated[Path, typer.Option("--out", "-o", help="Where to write.")]
ForceOpt = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
AsOpt = Annotated[str | None, typer.Option("--as", help="Read DATA as table, image or array.")]
TargetOpt = Annotated[
    str | None, typer.Option("--target", help="Column or array of labels: never an input; 'none': there are none.")
]
KeyOpt = Annotated[
    list[str] | None, typer.Option("--key", help="Column kept beside the results, not an input (repeatable).")
]
ExcludeOpt = Annotated[list[str] | None, typer.Option("--exclude", help="Column left out (repeatable).")]
ArrayOpt = Annotated[str | None, typer.Option("--array", help="Which array of an NPZ file.")]
IncludeOpt = Annotated[str | None, typer.Option("--include", help="Which files of a folder or archive: 'train/*'.")]
NoHeaderOpt = Annotated[bool, typer.Option("--no-header", help="The CSV has no header line.")]
StrictOpt = Annotated[bool, typer.Option("--strict", help="Refuse images of unequal size instead of resizing them.")]
SizeOpt = Annotated[str | None, typer.Option("--size", help="Height and width for images: 64 or 64x48.")]


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Print an error of ours as one message and leave with its exit code: 1 failed, 2 wrong use, 130 interrupted."""

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        from ..core.errors import DiaboloError

        try:
            command(*args, **options)
        except DiaboloError as error:
            typer.echo(f"diabolo: {error}", err=True)
            raise typer.Exit(error.exit_code) from None
        except MemoryError:
            typer.echo(
                "diabolo: not enough memory for this data; take fewer rows or smaller images (--size).", err=True
            )
            raise typer.Exit(1) from None
        except KeyboardInterrupt:
            typer.echo("diabolo: interrupted.", err=True)
            raise typer.Exit(130) from None
        except BrokenPipeError:
            sys.stderr.close()
            raise typer.Exit(1) from None

    return run


def console() -> Console:
    """Standard output as a console; plain and 100 wide when piped."""
    from rich.console import Console

    return Console(width=None if sys.stdout.isatty() else 110, highlight=False)


def tell(text: str) -> None:
    """A remark for the person at the terminal: on standard error, so that pipes stay clean."""
    typer.echo(text, err=True)


def read(data: str, *, model: Any = None, **options: Any) -> Source:
    """Open DATA with the options given; for a fitted model with what it was trained on, matched by name."""
    from ..data import open as open_source

    given = {
        "as_": options.get("as_"),
        "target": options.get("target"),
        "key": tuple(options.get("key") or ()),
        "exclude": tuple(options.get("exclude") or ()),
        "array": options.get("array"),
        "include": options.get("include"),
        "header": not options.get("no_header", False),
        "strict": options.get("strict", False),
        "size": options.get("size"),
    }
    if model is not None:
        _as_trained(model, given)
    source = open_source(data, **given)
    for note in source.notes:
        tell(f"  {note}")
    return source


def _as_trained(model: Any, given: dict[str, Any]) -> None:
    """Fill in how the model's own data was read."""
    trained = dict(model.metrics_.get("data", {}))
    columns = vars(model.processor_).get("columns")
    if columns is not None:
        given["columns"] = list(columns)
    for name, value in trained.items():
        if given.get(name) in (None, (), True, False):
            given[name] = tuple(value) if isinstance(value, list) else value
