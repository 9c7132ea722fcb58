"""What watches training: progress, time limits, logs. A callback never changes the numbers."""

from __future__ import annotations

import re
import sys
import time
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError

if TYPE_CHECKING:
    from .loop import Loop


class Callback:
    """Called by the training loop; every method may be left as it is."""

    def on_start(self, loop: Loop) -> None:
        """Before the first step; a checkpoint restores here."""

    def on_step(self, loop: Loop) -> None:
        """After every step."""

    def on_epoch(self, loop: Loop) -> None:
        """After every epoch, its record is ``loop.history[-1]``."""

    def on_message(self, loop: Loop, text: str) -> None:
        """Something the user should know happened."""

    def on_interrupt(self, loop: Loop) -> None:
        """The user pressed Ctrl-C; the loop stands between two steps."""

    def on_end(self, loop: Loop) -> None:
        """Training is over, well or not."""


class Progress(Callback):
    """A bar with loss, rows per second and time left, on a terminal; plain messages when piped."""

    def __init__(self, stream: Any = None, refresh: float = 0.1) -> None:
        self._given, self.refresh = stream, refresh
        self._bar: Any = None
        self._next = 0.0

    @property
    def stream(self) -> Any:
        """Where it writes: standard error, unless a stream was given."""
        return self._given if self._given is not None else sys.stderr

    def on_start(self, loop: Loop) -> None:
        if not self.stream.isatty():
            return
        from rich.console import Console
        from rich.progress import BarColumn, Progress, TextColumn, TimeRemainingColumn

        self._bar = Progress(
            TextColumn("epoch {task.fields[epoch]}"),
            BarColumn(bar_width=None),
            TextColumn("loss {task.fields[loss]}  validation {task.fields[validation]}  {task.fields[rate]} rows/s"),
            TimeRemainingColumn(),
            console=Console(file=self.stream),
            transient=True,
        )
        self._task = self._bar.add_task("", total=1.0, epoch="", loss="–", validation="–", rate="–")
        self._bar.start()
        self._began, self._rows = time.monotonic(), 0

    def on_step(self, loop: Loop) -> None:
        if self._bar is None:
            return
        self._rows += loop.batch_size
        now = time.monotonic()
        if now < self._next:
            return
        self._next = now + self.refresh
        self._bar.update(
            self._task,
            completed=loop.progress,
            epoch=f"{loop.epoch + 1}/{loop.epochs}",
            loss=f"{loop.loss:.4g}",
            validation=f"{loop.validation_loss:.4g}" if loop.validation_loss is not None else "–",
            rate=f"{self._rows / max(now - self._began, 1e-9):,.0f}",
        )

    def on_message(self, loop: Loop, text: str) -> None:
        if self._bar is not None:
            self._bar.console.print(text)
        else:
            self.stream.write(text + "\n")

    def on_end(self, loop: Loop) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None


class TimeLimit(Callback):
    """Stops between two steps once the time is up; the best state so far is kept.

    >>> TimeLimit("1h30m").seconds
    5400.0
    """

    def __init__(self, limit: str | float) -> None:
        self.seconds = parse_duration(limit)
        self._until = float("inf")

    def on_start(self, loop: Loop) -> None:
        self._until = time.monotonic() + self.seconds

    def on_step(self, loop: Loop) -> None:
        if time.monotonic() >= self._until:
            loop.stop(f"the time limit of {self.seconds:g} s was reached")


def parse_duration(text: str | float) -> float:
    """Seconds of ``90``, ``"90s"``, ``"10m"``, ``"1h30m"``. Raises `UsageError` on anything else."""
    if isinstance(text, int | float):
        seconds = float(text)
    else:
        match = re.fullmatch(r"(?:(\d+(?:\.\d+)?)h)?(?:(\d+(?:\.\d+)?)m)?(?:(\d+(?:\.\d+)?)s?)?", text.strip())
        parts = [float(part or 0) for part in match.groups()] if match and text.strip() else []
        seconds = sum(part * unit for part, unit in zip(parts, (3600, 60, 1), strict=False))
    if not seconds > 0:
        raise UsageError(f"a time must be positive, such as 90s, 10m or 1h30m; got {text!r}.")
    return seconds
