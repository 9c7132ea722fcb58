"""Results of the paper scripts, kept in `runs/results.json`: what the table in docs/variants.md is made from."""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).with_name("results.json")


def record(
    model: str, what: str, ours: Sequence[float], *, published: str, rival: str, command: str, path: Path = RESULTS
) -> dict[str, Any]:
    """Keep one result, in place of an older one of the same model and measure.

    ``ours``: one value a seed; ``published``: the paper's number and its protocol where that differs; ``rival``: the
    simplest method and its number, from the same run.
    """
    entry = {
        "model": model, "what": what, "ours": [float(f"{value:.6g}") for value in ours], "published": published,
        "rival": rival, "command": command, "date": time.strftime("%Y-%m-%d"),
    }  # fmt: skip
    held = json.loads(path.read_text("utf-8")) if path.exists() else []
    kept = [old for old in held if (old["model"], old["what"]) != (model, what)]
    listed = sorted([*kept, entry], key=lambda item: (item["model"], item["what"]))
    path.write_text(json.dumps(listed, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return entry


def spread(values: Sequence[float], digits: int = 4) -> str:
    """Mean, range and number of seeds of a measure.

    >>> spread([1.0, 2.0, 3.0])
    '2 (1 to 3, 3 seeds)'
    """
    if len(values) == 1:
        return f"{values[0]:.{digits}g} (one seed)"
    low, high = min(values), max(values)
    return f"{statistics.fmean(values):.{digits}g} ({low:.{digits}g} to {high:.{digits}g}, {len(values)} seeds)"
