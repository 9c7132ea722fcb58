"""Options that several commands share, and how an error reaches the user."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, get_type_hints

import typer

if TYPE_CHECKING:
    from rich.console import Console

    from ..data import Source

DATA = "Which part of DATA"
PIPE_WIDTH = 160

DataArg = Annotated[
    str,
    typer.Argument(
        metavar="DATA", help="CSV, Parquet, NPY/NPZ, IDX, texts, sounds, videos, a folder or archive, or 'digits'."
    ),
]
ModelArg = Annotated[Path, typer.Argument(metavar="MODEL", help="A model that 'diabolo fit' wrote.")]
OutOpt = Annotated[Path, typer.Option("--out", "-o", help="Where to write.")]
ForceOpt = Annotated[bool, typer.Option("--force", help="Overwrite what is there.")]
AsOpt = Annotated[
    str | None,
    typer.Option(
        "--as",
        help="Read DATA as table, image, array, text, audio, video, series or interactions.",
        rich_help_panel=DATA,
    ),
]
TargetOpt = Annotated[
    str | None,
    typer.Option(
        "--target",
        help="Column or array of labels, folder of label pictures: never an input; 'none': there are none.",
        rich_help_panel=DATA,
    ),
]
KeyOpt = Annotated[
    list[str] | None,
    typer.Option("--key", help="Column kept beside the results, not an input (repeatable).", rich_help_panel=DATA),
]
ExcludeOpt = Annotated[
    list[str] | None, typer.Option("--exclude", help="Column left out (repeatable).", rich_help_panel=DATA)
]
ArrayOpt = Annotated[str | None, typer.Option("--array", help="Which array of an NPZ file.", rich_help_panel=DATA)]
IncludeOpt = Annotated[
    str | None,
    typer.Option("--include", help="Which files of a folder or archive: 'train/*'.", rich_help_panel=DATA),
]
NoHeaderOpt = Annotated[bool, typer.Option("--no-header", help="The CSV has no header line.", rich_help_panel=DATA)]
StrictOpt = Annotated[
    bool,
    typer.Option("--strict", help="Refuse images of unequal size instead of resizing them.", rich_help_panel=DATA),
]
SizeOpt = Annotated[
    str | None, typer.Option("--size", help="Height and width for images: 64 or 64x48.", rich_help_panel=DATA)
]
ColumnOpt = Annotated[
    str | None, typer.Option("--column", help="Column of texts: reads DATA as text.", rich_help_panel=DATA)
]
TimeOpt = Annotated[
    str | None, typer.Option("--time", help="Column of times: reads DATA as series.", rich_help_panel=DATA)
]
ProcessorOpt = Annotated[
    str | None,
    typer.Option(
        "--processor",
        help="How rows become tensors: 'text(tokens=\"unigram\")'; 'diabolo parts processor' lists them.",
        rich_help_panel=DATA,
    ),
]
MemoryOpt = Annotated[
    str | None,
    typer.Option(
        "--memory",
        help="What rows may take: 1GB; more stays on disk (default: half of what is free).",
        rich_help_panel=DATA,
    ),
]


Reading = dict[str, Any]
DATA_OPTIONS: dict[str, tuple[Any, Any]] = {
    "as_": (AsOpt, None),
    "target": (TargetOpt, None),
    "key": (KeyOpt, None),
    "exclude": (ExcludeOpt, None),
    "array": (ArrayOpt, None),
    "include": (IncludeOpt, None),
    "no_header": (NoHeaderOpt, False),
    "strict": (StrictOpt, False),
    "size": (SizeOpt, None),
    "column": (ColumnOpt, None),
    "time": (TimeOpt, None),
    "processor": (ProcessorOpt, None),
    "memory": (MemoryOpt, None),
}
"""How DATA is read: name -> (what the command line makes of it, default)."""


def reads_data(command: Callable[..., None]) -> Callable[..., None]:
    """Give a command the options that say how DATA is read; it takes them together, as the mapping ``reading``."""
    hints = get_type_hints(command, include_extras=True)
    own = [p for p in inspect.signature(command).parameters.values() if p.name != "reading"]
    kind = inspect.Parameter.KEYWORD_ONLY
    taken = [p.replace(annotation=hints[p.name], kind=kind) for p in own]
    shared = [inspect.Parameter(n, kind, default=d, annotation=h) for n, (h, d) in DATA_OPTIONS.items()]

    def run(**given: Any) -> None:
        reading = {name: given.pop(name) for name in DATA_OPTIONS}
        command(**given, reading=reading)

    run.__name__, run.__doc__, run.__module__ = command.__name__, command.__doc__, command.__module__
    run.__annotations__ = {p.name: p.annotation for p in (*taken, *shared)}
    run.__signature__ = inspect.Signature([*taken, *shared])  # type: ignore[attr-defined]
    return run


def guarded(command: Callable[..., None]) -> Callable[..., None]:
    """Print an error as one message and leave with its exit code: 1 failed, 2 wrong use, 130 interrupted.

    What nobody foresaw is one message too; DIABOLO_TRACEBACK=1 shows where it happened.
    """

    @functools.wraps(command)
    def run(*args: Any, **options: Any) -> None:
        try:
            command(*args, **options)
        except (typer.Exit, typer.Abort, typer.BadParameter):
            raise
        except KeyboardInterrupt:
            _leave("interrupted.", 130)
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            raise typer.Exit(1) from None
        except Exception as error:
            if os.environ.get("DIABOLO_TRACEBACK"):
                raise
            _leave(*_message(error))

    return run


def _leave(text: str, code: int) -> None:
    typer.echo(f"diabolo: {text}", err=True)
    raise typer.Exit(code) from None


def _message(error: Exception) -> tuple[str, int]:
    """What to say about an error, and the exit code."""
    from ..core.errors import DiaboloError

    if isinstance(error, DiaboloError):
        return str(error), error.exit_code
    text = str(error).strip() or type(error).__name__
    if isinstance(error, MemoryError) or "allocate memory" in text or "out of memory" in text:
        return "not enough memory for this data; take fewer rows, smaller images (--size) or a smaller --batch-size.", 1
    if "No space left on device" in text:
        return "No space left on device; nothing was changed. Free some space, or choose another place.", 1
    if isinstance(error, OSError):
        where = f" {error.filename!r}" if error.filename else ""
        return f"cannot read or write{where}: {error.strerror or text}.", 1
    return (
        f"{text} ({type(error).__name__}; this was not foreseen. DIABOLO_TRACEBACK=1 shows where it happened: "
        "please report it.)",
        1,
    )


def console() -> Console:
    """Standard output as a console; plain and wide when piped."""
    from rich.console import Console

    return Console(
        width=None if sys.stdout.isatty() else PIPE_WIDTH, highlight=False, soft_wrap=not sys.stdout.isatty()
    )


def tell(text: str) -> None:
    """A remark for the person at the terminal: on standard error, so that pipes stay clean."""
    typer.echo(text, err=True)


@contextmanager
def bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """A progress bar on a terminal, nothing elsewhere; gives the function that advances it."""
    if not sys.stderr.isatty():
        yield lambda count: None
        return
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=total)
        yield lambda count: progress.advance(task, count)


def tell_damage(source: Source) -> None:
    """Name and count the files that turned out unreadable while rows on disk were gone over."""
    from ..data import Stored

    if isinstance(source.rows, Stored) and source.rows.damaged:
        tell(f"  {len(source.rows.damaged)} files could not be read and were left out: {source.rows.damage}")


def autoencoder(path: Path) -> Any:
    """The autoencoder in a folder: the model, or the first of a task's model, which knows how its data was read."""
    from ..estimators.saving import load
    from ..tasks.base import TaskModel

    fitted = load(path)
    if not isinstance(fitted, TaskModel):
        return fitted
    inner = fitted.autoencoder_
    inner.metrics_ = {name: fitted.metrics_[name] for name in ("rows", "data") if name in fitted.metrics_}
    return inner


def read(data: str, *, model: Any = None, **options: Any) -> Source:
    """Open DATA with the options given; for a fitted model as it was trained, columns matched by name."""
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
        "allow_missing": options.get("allow_missing", False),
        "size": options.get("size"),
        **{name: options.get(name) for name in ("column", "time", "processor", "memory")},
    }
    if model is not None:
        _as_trained(model, given)
    source = open_source(data, **given)
    if model is not None:
        _same_kind(model, source)
        _in_colour(model, source)
    for note in source.notes:
        tell(f"  {note}")
    return source


def read_whole(data: str, **options: Any) -> Source:
    """DATA for a task that takes pictures of any size: one picture, or those of unequal size, stay as they are."""
    from ..data.read_whole import whole_pictures

    path = Path(data).expanduser()
    asked = any(options.get(name) for name in ("size", "strict", "array", "column", "time", "processor"))
    if asked or options.get("as_") not in (None, "image") or not path.exists() or data == "digits":
        return read(data, **options)
    source = whole_pictures(path, options.get("include"), options.get("target"))
    if source is None:
        return read(data, **options)
    for note in source.notes:
        tell(f"  {note}")
    return source


def one_size(source: Source, out: Path) -> None:
    """Raise `UsageError` if pictures of several sizes are to go into one array."""
    import numpy as np

    from ..core.errors import UsageError

    if out.suffix == ".npy" and isinstance(source.rows, np.ndarray) and source.rows.dtype == object:
        raise UsageError(f"pictures of several sizes are no array; write them to a folder: --out {out.stem}.")


def remembered(options: dict[str, Any], source: Source) -> dict[str, Any]:
    """How the data was read, kept with the model so that other verbs read alike; plain values for JSON."""
    from ..data import OWN

    keys = (
        []
        if source.keys is None or not (source.modality == "table" or source.columns)
        else [str(name) for name in source.keys]
    )
    kept = {"as_": options["as_"], "array": options["array"], "key": keys, "no_header": options["no_header"]}
    if source.modality in OWN:
        told = ("column", "time", "processor", "target")
        kept.update(as_=source.modality, key=list(options["key"] or ()), **{name: options[name] for name in told})
    if source.modality == "table" or source.columns:
        kept.update(target=options["target"], columns=list(source.columns))
    return {name: value for name, value in kept.items() if value}


def _as_trained(model: Any, given: dict[str, Any]) -> None:
    """Fill in how the model's own data was read; what the user says now wins."""
    from ..data import OWN, TableProcessor

    trained, processor = model.metrics_.get("data", {}), model.processor_
    given["as_"] = given["as_"] or trained.get("as_")
    given["header"] = given["header"] and not trained.get("no_header", False)
    columns = processor.columns if isinstance(processor, TableProcessor) else trained.get("columns", of_a_frame(model))
    if trained.get("as_") in OWN:
        given.update({name: given[name] or trained.get(name) for name in ("column", "time", "processor")})
        if trained["as_"] == "video" and given["size"] is None:
            given["size"] = tuple(processor.shape[1:3])
        if trained["as_"] == "series":
            given["key"] = tuple(given["key"] or trained.get("key", ()))
        given.update(columns=trained.get("columns"), keep=trained.get("key", ()), labels=trained.get("target"))
        return
    if columns:
        told = trained.get("target")  # a column like any other, for a model that makes new rows
        given.update(columns=columns, keep=trained.get("key", ()), labels=None if told in columns else told)
    else:
        given["array"] = given["array"] or trained.get("array")
    if len(processor.shape) in (2, 3) and given["size"] is None and not given["strict"]:
        given["size"] = tuple(processor.shape[:2])


def of_a_frame(model: Any) -> list[str]:
    """The columns of a table that the model took as something else, as counts."""
    from ..data import TableProcessor

    names = [] if isinstance(model.processor_, TableProcessor) else vars(model).get("feature_names_in_", [])
    return [str(name) for name in names]


def _same_kind(model: Any, source: Source) -> None:
    """Raise `DataError` if a model of tables is given an array, or the other way round."""
    from ..core.errors import DataError
    from ..data import OWN, Stored, TableProcessor
    from .tables import by, describe_rows

    trained = model.metrics_.get("data", {}).get("as_")
    if trained in OWN or source.modality in OWN:
        if trained != source.modality:
            raise DataError(
                f"{source.origin} was read as {source.modality}; the model was trained on {trained or 'other data'}."
            )
        return
    table, shape = (
        isinstance(model.processor_, TableProcessor) or bool(of_a_frame(model)),
        tuple(model.processor_.shape),
    )
    if isinstance(source.rows, Stored) and table == (source.modality == "table"):
        return
    same = table == (source.modality == "table")
    if same and (table or source.rows.shape[1:] == shape or len(shape) > 1):
        return
    if same:
        wide = f"{source.origin} has {by(source.rows.shape[1:])} values a row"
        raise DataError(f"{wide}; the model was trained on {describe_rows(model.processor_)}.")
    given = f"rows of shape {by(source.rows.shape[1:])}" if table else f"a table of {source.rows.shape[1]} columns"
    hint = "" if table else " A table of numbers is read as an array with --as array."
    raise DataError(f"{source.origin} holds {given}; the model was trained on {describe_rows(model.processor_)}.{hint}")


def _in_colour(model: Any, source: Source) -> None:
    """Grey pictures as colour, for a model of colour pictures."""
    shape = tuple(model.processor_.shape)
    if source.modality in ("array", "image") and source.rows.shape[1:] == shape[:2] and shape[2:] == (3,):
        source.rows = source.rows[..., None].repeat(3, axis=-1)
        source.notes.append("grey pictures converted to colour, as the model was trained on")
