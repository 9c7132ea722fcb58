"""Numbers that change while training runs: learning rates and penalty weights.

A schedule is a pure function of the step and the planned number of steps, so it needs no state and
resumes exactly.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any

from .errors import out_of_range
from .registry import Spec, make, register


class Schedule(ABC):
    """``schedule(step, total)`` is the value at a step, 0 <= step < total."""

    @abstractmethod
    def __call__(self, step: int, total: int) -> float: ...


@register("schedule", "constant")
class Constant(Schedule):
    """The same value at every step.

    >>> Constant(0.5)(3, 10)
    0.5
    """

    def __init__(self, value: float = 1.0) -> None:
        self.value = value

    def __call__(self, step: int, total: int) -> float:
        return self.value


@register("schedule", "linear")
class Linear(Schedule):
    """From ``start`` to ``end`` over the first ``share`` of training, then constant: warm-up, KL annealing.

    Reference: Sonderby et al. (2016), "Ladder variational autoencoders", section 3, for a KL term.

    >>> [Linear(0.0, 1.0, share=0.5)(step, 8) for step in (0, 2, 4, 7)]
    [0.0, 0.5, 1.0, 1.0]
    """

    def __init__(self, start: float = 0.0, end: float = 1.0, share: float = 1.0) -> None:
        if not 0 < share <= 1:
            raise out_of_range("share", "in (0, 1]", share)
        self.start, self.end, self.share = start, end, share

    def __call__(self, step: int, total: int) -> float:
        done = min(1.0, step / max(1.0, self.share * total))
        return self.start + (self.end - self.start) * done


@register("schedule", "cosine")
class Cosine(Schedule):
    """Half a cosine from 1 to ``final``.

    Reference: Loshchilov & Hutter (2017), "SGDR: stochastic gradient descent with warm restarts", equation 5.

    >>> round(Cosine()(5, 10), 3)
    0.5
    """

    def __init__(self, final: float = 0.0) -> None:
        self.final = final

    def __call__(self, step: int, total: int) -> float:
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * step / max(1, total))) / 2


@register("schedule", "one-cycle")
class OneCycle(Schedule):
    """Linear warm-up to 1 over the first ``warm`` of the steps, then half a cosine to ``final``.

    Reference: Smith & Topin (2018), "Super-convergence: very fast training of neural networks".

    >>> cycle = OneCycle(warm=0.2)
    >>> [round(cycle(step, 10), 2) for step in (0, 1, 2, 6, 9)]
    [0.33, 0.67, 1.0, 0.5, 0.04]
    """

    def __init__(self, warm: float = 0.15, final: float = 0.0) -> None:
        if not 0 <= warm < 1:
            raise out_of_range("warm", "in [0, 1)", warm)
        self.warm, self.final = warm, final

    def __call__(self, step: int, total: int) -> float:
        rise = self.warm * total
        if step < rise:
            return (step + 1) / (rise + 1)
        fall = (step - rise) / max(1.0, total - rise)
        return self.final + (1 - self.final) * (1 + math.cos(math.pi * fall)) / 2


@register("schedule", "steps")
class Steps(Schedule):
    """One value after the other: ``values[0]`` up to the first of ``shares`` of training, then the next.

    >>> decay = Steps(values=(1.0, 0.3, 0.1), shares=(0.5, 0.8))
    >>> [decay(step, 10) for step in (0, 4, 5, 7, 8, 9)]
    [1.0, 1.0, 0.3, 0.3, 0.1, 0.1]
    """

    def __init__(self, values: Sequence[float] = (1.0, 0.3, 0.1), shares: Sequence[float] = (0.5, 0.8)) -> None:
        if len(values) != len(shares) + 1:
            raise out_of_range("values", f"one more than shares ({len(shares)})", values)
        if list(shares) != sorted(shares) or not all(0 < share < 1 for share in shares):
            raise out_of_range("shares", "rising, in (0, 1)", shares)
        self.values, self.shares = tuple(float(v) for v in values), tuple(float(s) for s in shares)

    def __call__(self, step: int, total: int) -> float:
        return self.values[sum(step >= share * total for share in self.shares)]


@register("schedule", "exponential")
class Exponential(Schedule):
    """From 1 down to ``final`` by the same factor at every step.

        final^(step / total)

    >>> [round(Exponential(0.01)(step, 4), 3) for step in (0, 2, 4)]
    [1.0, 0.1, 0.01]
    """

    def __init__(self, final: float = 0.01) -> None:
        if not 0 < final <= 1:
            raise out_of_range("final", "in (0, 1]", final)
        self.final = final

    def __call__(self, step: int, total: int) -> float:
        return float(self.final ** (step / max(1, total)))


@register("schedule", "sigmoid")
class Sigmoid(Schedule):
    """A smooth rise from 0 to 1 around the share ``middle`` of training: a KL term that comes late.

        σ(steepness · (step / total - middle)),    scaled to start at 0 and end at 1

    Reference: Bowman et al. (2016), "Generating sentences from a continuous space", section 3.1.

    >>> [round(Sigmoid(middle=0.5)(step, 10), 3) for step in (0, 5, 10)]
    [0.0, 0.5, 1.0]
    """

    def __init__(self, middle: float = 0.5, steepness: float = 20.0) -> None:
        if not 0 < middle < 1:
            raise out_of_range("middle", "in (0, 1)", middle)
        if not 0 < steepness <= 500:
            raise out_of_range("steepness", "in (0, 500]", steepness)
        self.middle, self.steepness = middle, steepness

    def __call__(self, step: int, total: int) -> float:
        low, high = self._raw(0.0), self._raw(1.0)
        value = (self._raw(min(1.0, step / max(1, total))) - low) / (high - low)
        return min(1.0, max(0.0, value))

    def _raw(self, share: float) -> float:
        return (1 + math.tanh(self.steepness * (share - self.middle) / 2)) / 2


@register("schedule", "cyclical")
class Cyclical(Schedule):
    """``cycles`` times from ``start`` to ``end``: linear over the first ``rise`` of a cycle, then ``end`` to its close.

    Reference: Fu et al. (2019), "Cyclical annealing schedule: a simple approach to mitigating KL vanishing",
    equation 6.

    >>> [Cyclical(cycles=2)(step, 16) for step in (0, 2, 4, 7, 8, 10, 12)]
    [0.0, 0.5, 1.0, 1.0, 0.0, 0.5, 1.0]
    """

    def __init__(self, cycles: int = 4, rise: float = 0.5, start: float = 0.0, end: float = 1.0) -> None:
        if not isinstance(cycles, int) or cycles < 1:
            raise out_of_range("cycles", "an int of at least 1", cycles)
        if not 0 < rise <= 1:
            raise out_of_range("rise", "in (0, 1]", rise)
        self.cycles, self.rise, self.start, self.end = cycles, rise, start, end

    def __call__(self, step: int, total: int) -> float:
        if step >= total:
            return self.end
        within = self.cycles * step / total % 1
        return self.start + (self.end - self.start) * min(1.0, within / self.rise)


def scheduled(value: Any, name: str = "weight") -> float | Schedule:
    """A number or a schedule, from either, or from a schedule's name, text or Spec.

    Raises `UsageError` for anything else.

    >>> scheduled("linear(share=0.5)")(1, 4)
    0.5
    """
    if isinstance(value, Schedule):
        return value
    if isinstance(value, str | Spec | Mapping):
        made: Schedule = make("schedule", value)
        return made
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise out_of_range(name, "a number or a schedule, such as 'linear(share=0.5)'", value)
    return value


def value_at(weight: float | Schedule, step: int, total: int) -> float:
    """A weight that may be a number or a schedule, at a step."""
    return weight(step, total) if isinstance(weight, Schedule) else weight
