"""The folder that `diabolo fit` writes: what may stand there, what an unfinished run leaves, what is cleared."""

from __future__ import annotations

import os
import re
from pathlib import Path

from ..core.errors import DataError, UsageError
from ..estimators.saving import CONFIG, WEIGHTS

CHECKPOINT = "training.safetensors"
_STATE = re.compile(r"training(-[\w-]+)?\.safetensors")
"""Checkpoints: one, or one for every autoencoder of a task's model."""
_LEFTOVER = re.compile(rf"\.({re.escape(CONFIG)}|{re.escape(WEIGHTS)}|{_STATE.pattern})\..*\.tmp")


def finished(out: Path, *, resume: bool, force: bool) -> bool:
    """Whether ``out`` is a finished model that --resume has nothing to add to.

    Raises `UsageError` where something else stands in the way.
    """
    if not out.exists():
        return False
    if not out.is_dir():
        raise UsageError(f"{out} is a file, and a model is a folder; choose another name.")
    held = {item.name for item in out.iterdir() if not _LEFTOVER.fullmatch(item.name)}
    begun = any(map(_STATE.fullmatch, held))
    others = sorted(name for name in held - {CONFIG, WEIGHTS} if not _STATE.fullmatch(name))
    if others:
        raise UsageError(f"{out} holds {others[0]!r}, which is not part of a model; choose another name.")
    if resume:
        return CONFIG in held and not begun
    if held and not force:
        hint = (
            "it holds an unfinished training: go on with --resume, or start anew with --force"
            if begun
            else "choose another name, or overwrite it with --force"
        )
        raise UsageError(f"{out} exists already; {hint}.")
    return False


def prepare(out: Path, *, resume: bool) -> None:
    """Make the folder and see that it can be written, before hours are spent; drop what killed runs left.

    A finished model that --force replaces stays until the new one is whole. Raises `DataError`.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(13, "permission denied")
        for item in out.iterdir():
            if _LEFTOVER.fullmatch(item.name) or (_STATE.fullmatch(item.name) and not resume):
                item.unlink()
    except OSError as error:
        raise DataError(f"cannot write into {str(out)!r}: {error.strerror or error}; choose another place.") from error


def unfinished(out: Path) -> bool:
    """Whether a training that was interrupted left its state there."""
    return any(_STATE.fullmatch(item.name) for item in out.iterdir())


def drop_states(out: Path) -> None:
    """Training is over: its states go."""
    for item in out.iterdir():
        if _STATE.fullmatch(item.name):
            item.unlink()


def drop_empty(out: Path) -> None:
    """Remove the folder if nothing was written into it."""
    try:
        out.rmdir()
    except OSError:
        return
