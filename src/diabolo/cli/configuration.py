"""Options from a TOML file; what stands on the command line wins."""

from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import typer

from ..core.errors import DataError, unknown

NOT_IN_FILE = ("resume", "dry_run", "force")


def merge(path: Path, options: dict[str, Any], context: typer.Context) -> dict[str, Any]:
    """``options`` with those that were left at their default replaced by the file's.

    Keys are the long options without dashes in front: ``latent = 16``, ``batch-size = 256``, ``as = "image"``.
    Raises `DataError` for a file that cannot be read, `UsageError` for keys that are no options.
    """
    try:
        given = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise DataError(f"cannot read the configuration {path.name}: {error}") from error
    known = {name.strip("_").replace("_", "-"): name for name in options if name not in NOT_IN_FILE}
    merged = dict(options)
    for key, value in given.items():
        if key not in known:
            raise unknown(f"option in {path.name}:", key, known)
        name = known[key]
        source = context.get_parameter_source(name)
        if source is not None and source.name == "DEFAULT":
            merged[name] = _like(options[name], value)
    return merged


def _like(default: Any, value: Any) -> Any:
    """A TOML value in the form the option has on the command line."""
    if isinstance(default, str) and isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(default, str) and not isinstance(value, str):
        return str(value)
    return value
