"""docs/variants.md is what the registry and the recorded results say now."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import Any

import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from diabolo.core import lookup, names
from runs import record, variants_table

AXES = [*variants_table.AXES, "model"]


def test_the_page_on_disk_is_the_one_made_now() -> None:
    held = variants_table.PAGE.read_text("utf-8")
    assert held == variants_table.page(), "docs/variants.md is stale; run: python -m runs.variants_table"


@pytest.mark.parametrize("axis", AXES)
def test_every_part_stands_in_the_page_once(axis: str) -> None:
    text = variants_table.variants([]) if axis == "model" else variants_table.parts(axis)
    found = re.findall(r"^\| `([^`]+)`", text, re.M)
    assert found == names(axis)
    assert len({line.count(" | ") for line in text.splitlines()[:2]}) == 1


@pytest.mark.parametrize("name", names("model"))
def test_every_variant_has_a_year_and_an_author(name: str) -> None:
    year, work = variants_table.reference(lookup("model", name))
    assert re.fullmatch(r"(19|20)\d\d", year) and (work[0].isupper() or work.startswith("van "))


def test_what_was_recorded_stands_in_its_row(tmp_path: Path) -> None:
    kept: dict[str, Any] = {"published": "86.8 (a | b)", "rival": "PCA 100", "path": tmp_path / "r.json"}
    first = record.record("vae", "nats", [90.0, 92.0], command="python -m runs.x", **kept)
    second = record.record("vae", "active units", [7.0], command="python -m runs.x", **kept)
    text = variants_table.page([first, second, {**first, "model": "a benchmark"}])
    row = next(line for line in text.splitlines() if line.startswith("| `vae`"))
    assert "nats: 91 (90 to 92, 2 seeds)<br>active units: 7 (one seed)" in row
    assert r"86.8 (a \| b)" in row and row.count("`python -m runs.x`") == 1
    assert "| a benchmark | nats |" in text


@pytest.mark.parametrize(
    ("doc", "expected"),
    [
        ('A (Chen et al. 2018, "Isolating sources", eq. 4).', ("2018", "Chen et al., “Isolating sources”")),
        ('A.\n\nReference: Kim & Mnih (2018), "By factorising", x.', ("2018", "Kim & Mnih, “By factorising”")),
        ("A (Kingma & Ba 2015).", ("2015", "Kingma & Ba")),
        ("Nothing.", ("", "")),
    ],
)
def test_references_are_read_from_docstrings(doc: str, expected: tuple[str, str]) -> None:
    def part() -> None: ...

    part.__doc__ = doc
    assert variants_table.reference(part) == expected
