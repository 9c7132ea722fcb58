"""docs/variants.md, made from the registry and runs/results.json: every variant and part, references, numbers.

    python -m runs.variants_table            # writes docs/variants.md
    python -m runs.variants_table --check    # exit code 1 if the page on disk is another one

Names, summaries and references are those of the docstrings; numbers are what the paper scripts recorded
(`runs.record`). A variant without a recorded number shows how it is trained.
"""

from __future__ import annotations

import argparse
import inspect
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from diabolo.core import lookup, names

from .record import RESULTS, spread

PAGE = Path(__file__).parents[1] / "docs" / "variants.md"
AXES = {
    "loss": ("Reconstruction losses", "--loss"),
    "penalty": ("Penalties", "--penalty"),
    "bottleneck": ("Bottlenecks", "--set bottleneck="),
    "prior": ("Priors", "--set prior="),
    "corruption": ("Corruptions", "--corruption"),
    "network": ("Networks", "--network"),
    "schedule": ("Schedules", "--schedule, or the weight of a term"),
    "optimizer": ("Optimisers", "--optimizer"),
}
WORK = re.compile(r"([^();,.:\"][^();\"]*?)\s+\((\d{4})\),\s+\"([^\"]+)\"")
INLINE = re.compile(r"\(([^();\"]+?) (\d{4}), \"([^\"]+)\"")
BARE = re.compile(r"\(([A-Z][^();\"]*?) (\d{4})[,;)]")
HEAD = """# Every variant and every part

Made by `python -m runs.variants_table` from the docstrings and from `runs/results.json`; do not edit it by hand.

"ours" is the mean over the seeds, with the lowest and the highest; the command is the one that measured it. "published"
is the number of the paper, with its protocol where that differs. "rival" is the simplest method that does the job, in
the same run. A variant without a number has not been held against its paper; its command trains it.
"""


def reference(part: Any) -> tuple[str, str]:
    """Year and text of the first work that a part's docstring refers to; ("", "") if it names none."""
    text = " ".join((inspect.getdoc(part) or "").split())
    told = text.partition("Reference: ")[2]
    found = WORK.search(told) or INLINE.search(text)
    if found is not None:
        author, year, title = (group.strip() for group in found.groups())
        return year, f"{author}, “{title.rstrip('.,')}”"
    bare = BARE.search(text)
    return (bare[2], bare[1].strip()) if bare is not None else ("", "")


def summary(part: Any) -> str:
    """The first sentence of a docstring, without the work that it cites in brackets."""
    line = " ".join((inspect.getdoc(part) or "").split("\n\n")[0].split())
    line = re.sub(r"\s*\([^()]*\b\d{4}\b[^()]*\)", "", line)
    return re.split(r"(?<=[.:;])\s", line.replace("``", "`"))[0].rstrip(".:;")


def cell(text: str) -> str:
    """Text that a Markdown table can hold."""
    return text.replace("|", "\\|").replace("\n", " ") or "—"


def table(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [heads, ["---"] * len(heads), *([cell(text) for text in row] for row in rows)]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines) + "\n"


def variants(results: Sequence[dict[str, Any]]) -> str:
    """One row a model; several measures stand below each other in it."""
    rows = []
    for name in names("model"):
        model, held = lookup("model", name), [entry for entry in results if entry["model"] == name]
        year, work = reference(model)
        ours = "<br>".join(f"{entry['what']}: {spread(entry['ours'])}" for entry in held)
        published, rival = ("<br>".join(entry[key] for entry in held) for key in ("published", "rival"))
        commands = dict.fromkeys(entry["command"] for entry in held)
        shown = "<br>".join(f"`{command}`" for command in commands) or f"`diabolo fit DATA --model {name} --out MODEL`"
        variant = f"`{name}`<br>{model.__name__}<br>{summary(model)}"
        rows.append((variant, year, work, ours, published, rival, shown))
    return table(("variant", "year", "reference", "ours", "published", "rival", "command"), rows)


def parts(axis: str) -> str:
    """One row a part of an axis."""
    rows = []
    for name in names(axis):
        part = lookup(axis, name)
        year, work = reference(part)
        known = [p for p in inspect.signature(part).parameters if p not in ("self", "args", "kwargs")]
        rows.append((f"`{name}`", summary(part), ", ".join(known), f"{work} ({year})" if year else work))
    return table(("name", "what it is", "parameters", "reference"), rows)


def page(results: Sequence[dict[str, Any]] | None = None) -> str:
    """The whole page; ``results``: as `runs.record` keeps them, None: those on disk."""
    if results is None:
        results = json.loads(RESULTS.read_text("utf-8")) if RESULTS.exists() else []
    chapters = [HEAD, f"## Variants\n\n{variants(results)}"]
    known = set(names("model"))
    others = sorted({entry["model"] for entry in results} - known)
    if others:
        rows = [
            (
                entry["model"],
                entry["what"],
                spread(entry["ours"]),
                entry["published"],
                entry["rival"],
                f"`{entry['command']}`",
            )
            for entry in results
            if entry["model"] in others
        ]
        heads = ("what", "measure", "ours", "published", "rival", "command")
        chapters.append(f"## Measured beside the variants\n\n{table(heads, rows)}")
    for axis, (title, option) in AXES.items():
        chapters.append(
            f"## {title}\n\nOn the command line: `{option}`. In Python by name, Spec or instance.\n\n{parts(axis)}"
        )
    return "\n".join(chapters)


def main() -> int:
    """Write the page, or say whether it is what it should be."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--check", action="store_true", help="only compare with the page on disk")
    if options.parse_args().check:
        same = PAGE.exists() and PAGE.read_text("utf-8") == page()
        print("docs/variants.md is up to date" if same else "docs/variants.md is stale: python -m runs.variants_table")
        return 0 if same else 1
    PAGE.write_text(page(), "utf-8")
    print(f"{PAGE.name}: {len(names('model'))} variants")
    return 0


if __name__ == "__main__":
    sys.exit(main())
