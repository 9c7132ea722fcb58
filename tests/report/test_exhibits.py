"""What a task shows stands in the report: its verdict, its pictures, its tables; bounded and escaped."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diabolo.report.exhibits import MAX_LINES, MAX_STRIPS, for_page, of_task
from diabolo.tasks.base import Assessment
from diabolo.tasks.exhibit import Exhibit, Strip

from .test_page import EVIL, Model, Reader, build_page, noise

STRIP = Strip("before and after", (noise(8, 8), (noise(9, 7, 3) * 255).astype(np.uint8)), ("noisy", EVIL))


def test_a_section_has_its_pictures_and_its_table() -> None:
    page = build_page(
        Model(), noise(20, 16), exhibits=[Exhibit("Noise", EVIL, (STRIP,), ("method", "dB"), (("ours", "28.3"),))]
    )
    read = Reader(page)
    assert "task-1" in read.ids
    assert EVIL not in page
    assert "28.3" in page
    assert page.count("data:image/png") == 2
    assert read.pictures_without_words == 0


def test_what_is_shown_is_bounded() -> None:
    many = Exhibit("t", strips=(STRIP,) * 50, columns=("a",), rows=(("x",),) * 100)
    section = for_page([many])[0]
    assert len(section["strips"]) == MAX_STRIPS
    assert (len(section["rows"]), section["left_out"]) == (MAX_LINES, 100 - MAX_LINES)


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 1), (5, 6, 3), (5, 6, 4)])
def test_floats_and_bytes_give_the_same_picture(shape: tuple[int, ...]) -> None:
    whole = (noise(*shape) * 255).round().astype(np.uint8)
    strips = tuple(Strip("s", (shown,)) for shown in (whole, whole / np.float32(255)))
    made = [strip["pictures"][0]["source"] for strip in for_page([Exhibit("t", strips=strips)])[0]["strips"]]
    assert made[0] == made[1]


def test_how_a_task_was_judged_comes_first(tmp_path: Path) -> None:
    from diabolo import AutoencoderImputer, Trainer

    X = np.random.default_rng(0).normal(size=(60, 3))
    model = AutoencoderImputer(members=1, trainer=Trainer(epochs=1), random_state=0).fit(X)
    assert of_task(model, X) == []
    model.metrics_["assessment"] = Assessment("Missing cells", ("method", "rank"), (("ours", "1"),), "better").as_dict()
    (judged,) = of_task(model, X)
    assert (judged.title, judged.text, judged.rows) == ("Missing cells", "better", (("ours", "1"),))
