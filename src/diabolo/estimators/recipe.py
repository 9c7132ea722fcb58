"""Recipe: what an estimator composes. Choice: one automatic decision and its reason."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from ..core import AutoencoderModule, Batch, Corruption, Objective
from ..train import Stage


@dataclass
class Recipe:
    """The parts of one autoencoder; ``stages`` None: one stage that trains everything.

    ``redraw``: what draws the data anew in every epoch, where they are random themselves; the estimator sets it.
    ``training``: what this kind of model asks of the trainer's knobs that the user left on "auto".
    """

    module: AutoencoderModule
    objective: Objective
    corruption: Corruption | None = None
    stages: Sequence[Stage] | None = None
    redraw: Callable[[Batch], Batch] | None = None
    training: Sequence[Choice] = ()

    def plan(self) -> list[Stage]:
        """The stages to run."""
        stages = [Stage(self.module, self.objective, self.corruption)] if self.stages is None else list(self.stages)
        return stages if self.redraw is None else [replace(stage, redraw=self.redraw) for stage in stages]


@dataclass(frozen=True)
class Choice:
    """One automatic decision: the parameter, its value and why."""

    name: str
    value: Any
    why: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON and reports."""
        return {**asdict(self), "value": str(self.value)}
