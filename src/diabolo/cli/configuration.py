"""Options from a TOML file; what stands on the command line wins."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any, get_args, get_type_hints

import typer

from ..core.errors import DataError, UsageError, out_of_range, unknown

NOT_IN_FILE = ("resume", "dry_run", "force")


def merge(path: Path, options: dict[str, Any], context: typer.Context) -> dict[str, Any]:
    """``options`` with those that were left at their default replaced by the file's.

    Keys are the long options without dashes in front: ``latent = 16``, ``batch-size = 256``, ``as = "image"``.
    Raises `DataError` for a file that cannot be read, `UsageError` for one that is no TOML, for keys that are no
    options and for values of another kind.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise DataError(f"cannot read the configuration {str(path)!r}: {error.strerror or error}.") from error
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise UsageError(f"the configuration {path.name} is no TOML: {error}.") from error
    known = {name.strip("_").replace("_", "-"): name for name in options if name not in NOT_IN_FILE}
    hints = get_type_hints(context.command.callback)
    merged = dict(options)
    for key, value in given.items():
        if key not in known:
            raise unknown(f"option in {path.name}:", key, known)
        name = known[key]
        source = context.get_parameter_source(name)
        if source is not None and source.name == "DEFAULT":
            merged[name] = _like(hints[name], value, f"{key!r} in {path.name}")
    return merged


def _like(hint: Any, value: Any, where: str) -> Any:
    """A TOML value in the form the option has on the command line; ``hint`` is the option's type."""
    kinds = {kind for kind in get_args(hint) or (hint,) if kind is not type(None)}
    if bool in kinds or isinstance(value, bool):
        if not (bool in kinds and isinstance(value, bool)):
            raise out_of_range(where, "true or false" if bool in kinds else "a text or number", value)
        return value
    if isinstance(value, dict):
        raise out_of_range(where, "a text, number or list", value)
    if list[str] in kinds:
        return [str(item) for item in (value if isinstance(value, list) else [value])]
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    converted: Any = next((kind for kind in (int, float, Path) if kind in kinds), str)
    try:
        return converted(text)
    except ValueError as error:
        raise out_of_range(where, "a whole number" if converted is int else "a number", value) from error
