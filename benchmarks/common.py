"""What every script shares: options, data, timing, and the table it prints.

A script is a module: ``python -m benchmarks.train_speed --data DIR``, from the root of the checkout. Its table is
plain Markdown, one row a measurement, printed as soon as it is known:

    what | ours | rival | ratio (ours / rival) | bar | met?
"""

from __future__ import annotations

import argparse
import gzip
import operator
import os
import platform
import statistics
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from diabolo import data
from diabolo.train import Callback

COLUMNS = ("what", "ours", "rival", "ratio", "bar", "met?")
SIGNS = {"<=": operator.le, ">=": operator.ge, "<": operator.lt, ">": operator.gt}
MNIST = {"train": "train-images-idx3-ubyte.gz", "test": "t10k-images-idx3-ubyte.gz"}


def parser(doc: str | None) -> argparse.ArgumentParser:
    """Options every script has; its docstring is the help."""
    made = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument(
        "--data", default=os.environ.get("DIABOLO_DATA"), help="folder of the data sets (else DIABOLO_DATA names it)"
    )
    made.add_argument("--seed", type=int, default=0)
    made.add_argument("--rows", type=int, help="only so many rows of each part, to see that the script runs")
    return made


def mnist(args: argparse.Namespace, part: str, name: str = "mnist") -> np.ndarray:
    """Pictures of MNIST's "train" or "test" part as float32 (N, 784) in [0, 1]; of "fashion_mnist" by that name."""
    if not args.data:
        raise SystemExit(f"--data DIR or DIABOLO_DATA must name the folder that holds {name}/.")
    pictures = data.open(Path(args.data) / name / MNIST[part]).rows[: args.rows]
    return np.asarray(pictures.reshape(len(pictures), -1), dtype=np.float32) / np.float32(255)


def labels(args: argparse.Namespace, part: str, name: str = "mnist") -> np.ndarray:
    """Classes 0 to 9 of MNIST's "train" or "test" part (N,)."""
    packed = (Path(args.data) / name / MNIST[part].replace("images-idx3", "labels-idx1")).read_bytes()
    return np.frombuffer(gzip.decompress(packed), dtype=np.uint8, offset=8)[: args.rows].astype(np.int64)


def squared(x: np.ndarray, recon: np.ndarray) -> float:
    """Squared error of a row, summed over its values, mean over the rows."""
    return float(np.square(x - recon, dtype=np.float64).sum(1).mean())


def mse(x: np.ndarray, recon: np.ndarray) -> float:
    """Squared error of a value, mean over all of them."""
    return squared(x, recon) / x.shape[1]


class Marks(Callback):
    """The time at the end of every epoch."""

    def __init__(self) -> None:
        self.times: list[float] = []

    def on_epoch(self, loop: Any) -> None:
        self.times.append(time.perf_counter())


def seconds(function: Callable[[], Any]) -> tuple[float, Any]:
    """How long a call took, and what it gave."""
    began = time.perf_counter()
    result = function()
    return time.perf_counter() - began, result


def interleave(contenders: Mapping[str, Callable[[int], Any]], rounds: int) -> dict[str, list[Any]]:
    """A B C A B C …, so that a change in the machine's mood touches all; each is given the round's number."""
    found: dict[str, list[Any]] = {name: [] for name in contenders}
    for number in range(rounds):
        for name, run in contenders.items():
            found[name].append(run(number))
    return found


def median_ratio(ours: list[float], others: list[float]) -> tuple[float, str]:
    """Median of the ratios of each round, and all of them as text."""
    ratios = [a / b for a, b in zip(ours, others, strict=True)]
    return statistics.median(ratios), " ".join(f"{ratio:.2f}" for ratio in ratios)


def head(title: str) -> None:
    """The title, the machine, and the table's first lines."""
    load = os.getloadavg()[0]
    print(f"\n## {title}\n")
    print(f"{time.strftime('%Y-%m-%d %H:%M')}, {platform.machine()}, torch {torch.__version__},")
    print(f"{torch.get_num_threads()} threads of {os.cpu_count()}, load {load:.2f} (above 0.3: timings are noise)\n")
    print("| " + " | ".join(COLUMNS) + " |")
    print("|" + " --- |" * len(COLUMNS), flush=True)


def row(
    what: str, ours: float | str, rival: float | str | None = None, bar: str = "", ratio: float | None = None
) -> bool:
    """Print one row. ``bar``: conditions on ours or ratio, such as "ours <= 7 and ratio >= 2". Says if it is met."""
    if ratio is None and isinstance(ours, float | int) and isinstance(rival, float | int) and rival:
        ratio = ours / rival
    known = {"ours": ours, "ratio": ratio}
    met = all(_holds(condition, known) for condition in bar.split(" and ")) if bar else True
    cells = [what, number(ours), number(rival), number(ratio), bar, ("yes" if met else "NO") if bar else ""]
    print("| " + " | ".join(cells) + " |", flush=True)
    return met


def _holds(condition: str, known: Mapping[str, Any]) -> bool:
    who, sign, limit = condition.split()
    return isinstance(known[who], float | int) and bool(SIGNS[sign](known[who], float(limit)))


def number(value: Any) -> str:
    """A number for the table: thousands without decimals, six digits below.

    >>> number(123456.7), number(0.016512345), number(None)
    ('123,457', '0.0165123', '')
    """
    if not isinstance(value, float | int):
        return value or ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.6g}"
