"""Models saved by every format so far: they load for ever and give the codes they gave then."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diabolo import load
from diabolo.core import names
from diabolo.estimators.saving import FORMAT

from .make_golden import ANSWERS

HERE = Path(__file__).parent
FOLDERS = sorted(folder for folder in HERE.glob("format*-*") if folder.is_dir())
TASKS = [folder for folder in FOLDERS if "-task-" in folder.name]
MODELS = [folder for folder in FOLDERS if folder not in TASKS]


@pytest.mark.parametrize("folder", MODELS, ids=lambda folder: folder.name)
def test_it_loads_and_gives_the_codes_it_gave(folder: Path) -> None:
    model, rows = load(folder), np.load(folder / "rows.npy")
    np.testing.assert_allclose(model.transform(rows), np.load(folder / "codes.npy"), rtol=1e-4, atol=1e-5)
    recon, then = model.reconstruct(rows), np.load(folder / "recon.npy")
    assert recon.dtype == then.dtype
    np.testing.assert_allclose(
        recon.astype(float), then.astype(float), rtol=1e-4, atol=1.0 if rows.dtype == np.uint8 else 1e-3
    )


@pytest.mark.parametrize("folder", TASKS, ids=lambda folder: folder.name)
def test_a_task_gives_the_answer_it_gave(folder: Path) -> None:
    model, rows = load(folder), np.load(folder / "rows.npy")
    answer = ANSWERS[folder.name.partition("-task-")[2]](model, rows)
    np.testing.assert_allclose(answer, np.load(folder / "answer.npy"), rtol=1e-4, atol=1e-4)


def test_every_format_and_every_model_has_one() -> None:
    assert {folder.name.split("-")[0] for folder in FOLDERS} == {f"format{n}" for n in range(1, FORMAT + 1)}
    assert set(names("task")) <= {folder.name.partition("-task-")[2] for folder in TASKS}
    assert set(names("model")) <= {folder.name.split("-", 1)[1] for folder in FOLDERS}


def test_they_are_small() -> None:
    sizes = [sum(file.stat().st_size for file in folder.iterdir()) for folder in FOLDERS]
    assert max(sizes) < 100_000 and sum(sizes) < 20_000 * len(FOLDERS)
