"""Where and how numbers are computed: device, precision, threads, compilation."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch

from ..core.errors import UsageError, unknown

PRECISIONS = ("fp32", "bf16")
SMALL = 2e7


@contextlib.contextmanager
def threads_for(work: float, threads: int | None = None) -> Iterator[None]:
    """``threads``, or one for products of less than 2e7 FLOP: there a second one costs more than it brings."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads if threads is not None else 1 if work < SMALL else before)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@dataclass(frozen=True)
class Device:
    """``kind`` auto, cpu, cuda or mps; ``precision`` fp32 or bf16 (autocast); ``threads`` None: torch's own
    choice; ``compile``: fuse the step with torch.compile (3 to 25 seconds at first, for long runs);
    ``shortcuts``: closed-form gradients where there are any (`diabolo.train.closed_form`).

    >>> Device("cpu").torch
    device(type='cpu')
    """

    kind: str = "auto"
    precision: str = "fp32"
    threads: int | None = None
    compile: bool = False
    shortcuts: bool = True

    @classmethod
    def of(cls, what: str | Device | None) -> Device:
        """A Device from a Device, a name or None (automatic)."""
        return what if isinstance(what, Device) else cls(what or "auto")

    @property
    def torch(self) -> torch.device:
        """The torch device. Raises `UsageError` if it is not there."""
        kind = self.kind
        if kind == "auto":
            kind = "cuda" if torch.cuda.is_available() else "cpu"
        if kind not in ("cpu", "cuda", "mps"):
            raise unknown("device", kind, ["auto", "cpu", "cuda", "mps"])
        if kind == "cuda" and not torch.cuda.is_available():
            raise UsageError(
                "device 'cuda' was asked for, but this machine has no usable CUDA device; use 'cpu' or 'auto'."
            )
        if kind == "mps" and not torch.backends.mps.is_available():
            raise UsageError("device 'mps' was asked for, but this machine has none; use 'cpu' or 'auto'.")
        return torch.device(kind)

    @contextlib.contextmanager
    def context(self, work: float = math.inf) -> Iterator[None]:
        """Threads and precision for the time of a block.

        ``work``: arithmetic of the largest product, in FLOP. Autocast keeps no weights: the block outlives many
        steps, and a cast weight would stay what it was at the first.
        """
        if self.precision not in PRECISIONS:
            raise unknown("precision", self.precision, PRECISIONS)
        with (
            threads_for(work, self.threads),
            torch.autocast(self.torch.type, torch.bfloat16, enabled=self.precision == "bf16", cache_enabled=False),
        ):
            yield

    @property
    def exact(self) -> bool:
        """Whether closed-form gradients may stand in for the graph: full precision, on the CPU, not compiled."""
        return self.shortcuts and self.precision == "fp32" and not self.compile and self.torch.type == "cpu"

    def compiled(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """The function, compiled if that was asked for."""
        return torch.compile(function) if self.compile else function
