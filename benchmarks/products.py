"""What the machine's matrix products allow: the fp32 products of a network's own shapes, and nothing else.

A layer of a x b values costs 2ab FLOP a row forward, as much again for the gradient of its weights, and, but for the
first layer, for that of its input. The products run one after another with ``out=``, without autograd, once through
PyTorch's default library and once through oneDNN (where its results have float32's error); the faster one is the limit.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import torch

EXACT = 1e-5


@dataclass(frozen=True)
class Limit:
    """Rows a second, FLOP a second, and the library that reached them."""

    rate: float
    flops: float
    backend: str


def limit(sizes: Sequence[int], batch: int, training: bool, rounds: int = 7, duration: float = 0.3) -> Limit:
    """The limit of forward products alone, or of a training step."""
    pairs = list(pairwise(sizes))
    products = [product for i, pair in enumerate(pairs) for product in _products(*pair, batch, training, i == 0)]
    work = sum(2.0 * a * b for a, b in pairs) * (3 if training else 1) - (2.0 * sizes[0] * sizes[1] if training else 0)
    best = Limit(0.0, 0.0, "none")
    for library in ("default", "onednn"):
        with torch.inference_mode(), _through(library) as exact:
            if exact:
                steps = statistics.median(_steps(products, duration) for _ in range(rounds))
                best = max(best, Limit(steps * batch, steps * batch * work, library), key=lambda found: found.rate)
    return best


def _products(wide: int, out: int, batch: int, training: bool, first: bool) -> Iterator[Callable[[], object]]:
    x, w, b, y = torch.randn(batch, wide), torch.randn(out, wide), torch.zeros(out), torch.empty(batch, out)
    yield lambda: torch.addmm(b, x, w.T, out=y)
    if training:
        gradient, gw, gx = torch.randn(batch, out), torch.empty(out, wide), torch.empty(batch, wide)
        yield lambda: torch.mm(gradient.T, x, out=gw)
        if not first:
            yield lambda: torch.mm(gradient, w, out=gx)


def _steps(products: Sequence[Callable[[], object]], duration: float) -> float:
    """Steps a second, over at least ``duration`` seconds."""
    done, began = 0, time.perf_counter()
    while True:
        for product in products:
            product()
        done += 1
        spent = time.perf_counter() - began
        if spent >= duration and done >= 3:
            return done / spent


@contextmanager
def _through(library: str) -> Iterator[bool]:
    """Send fp32 products to a library; gives False if what comes back is not float32's."""
    settings = torch.backends.mkldnn.matmul
    before = settings.fp32_precision
    settings.fp32_precision = "bf16" if library == "onednn" else before
    try:
        a, b = torch.randn(256, 784), torch.randn(784, 128)
        exact = a.double() @ b.double()
        yield bool(((a @ b) - exact).norm() <= EXACT * exact.norm())
    finally:
        settings.fp32_precision = before
