"""Errors that say what was given, what is allowed and what to do next."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable
from types import ModuleType
from typing import Any


class DiaboloError(Exception):
    """Base of every error a user can cause; the command line prints it without a traceback."""

    exit_code = 1


class UsageError(DiaboloError, ValueError):
    """A parameter or option is wrong; nothing was read or written (exit code 2)."""

    exit_code = 2


class DataError(DiaboloError, ValueError):
    """The data cannot be used as it is; the message names the file, row or column."""


class ModelError(DiaboloError, ValueError):
    """A saved model is damaged, too new, or lacks what was asked of it."""


class TrainingError(DiaboloError, RuntimeError):
    """Training could not go on, for example because the loss stayed NaN."""


class Interrupted(DiaboloError):
    """The user stopped training; the message says how to resume (exit code 130)."""

    exit_code = 130


class MissingExtra(DiaboloError, ImportError):
    """An optional package is not installed; the message names the extra that brings it."""


def did_you_mean(given: str, known: Iterable[str]) -> str:
    """A hint for a misspelt name, or nothing.

    >>> did_you_mean("bernouli", ["bernoulli", "squared"])
    "; did you mean 'bernoulli'?"
    """
    close = difflib.get_close_matches(str(given), list(known), n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else "."


def unknown(kind: str, given: object, known: Iterable[str]) -> UsageError:
    """The error for a name that no list holds.

    >>> str(unknown("loss", "bernouli", ["bernoulli", "squared"]))
    "loss 'bernouli' is unknown; did you mean 'bernoulli'? Known: bernoulli, squared."
    """
    names = sorted(known)
    return UsageError(f"{kind} {given!r} is unknown{did_you_mean(str(given), names)} Known: {', '.join(names)}.")


def out_of_range(name: str, allowed: str, given: object) -> UsageError:
    """The error for a value outside its range: name, allowed, given.

    >>> str(out_of_range("epochs", "an int of at least 1", 0))
    'epochs must be an int of at least 1; got 0.'
    """
    return UsageError(f"{name} must be {allowed}; got {given!r}.")


def require(module: str, extra: str, purpose: str) -> Any:
    """Import an optional package inside the function that needs it.

    Raises `MissingExtra` that names the package, what it is for and the extra that installs it.
    """
    try:
        loaded: ModuleType = importlib.import_module(module)
    except ImportError as error:
        package = module.partition(".")[0]
        raise MissingExtra(
            f"{purpose} needs the package {package!r}, which is not installed; run: pip install 'diabolo[{extra}]'"
        ) from error
    return loaded
