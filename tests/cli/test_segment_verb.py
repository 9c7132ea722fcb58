"""`diabolo fit --task segment`, then `diabolo segment`: label pictures from few labelled ones, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

FEW = ("--network", "u-shaped(width=4, depth=1)", "--latent", 4, "--epochs", 12, "--batch-size", 4, "--lr", 0.01)


@pytest.fixture(scope="module")
def folder(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Dark and bright halves, label pictures of two thirds of them, and a model."""
    path = tmp_path_factory.mktemp("segment")
    draw = np.random.default_rng(0)
    for name in ("photos", "labels"):
        (path / name).mkdir()
    for place in range(18):
        label = np.zeros((16, 12), np.uint8)
        label[:, : int(draw.integers(3, 9))] = 3
        picture = (60 + 120 * (label == 3) + draw.integers(0, 40, label.shape)).astype(np.uint8)
        Image.fromarray(picture).save(path / "photos" / f"p{place:02d}.png")
        if place < 12:
            Image.fromarray(label).save(path / "labels" / f"p{place:02d}.png")
    words = ("--task", "segment", "--target", path / "labels", "--out", path / "model", "--holdout", 0.4)
    done = run("fit", path / "photos", *words, *FEW)
    assert done.exit_code == 0, done.output
    assert "held-out labelled pictures, 2 classes" in done.stdout and "without pre-training" in done.stdout
    assert "6 of 18 pictures have no companion in labels" in done.stderr
    return path


def test_label_pictures_under_the_names_of_the_pictures(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("segment", folder / "model", folder / "photos", "--out", tmp_path / "o")
    assert done.exit_code == 0 and "18 label pictures ->" in done.stderr and "class 3:" in done.stderr, done.output
    right = []
    for place in range(18):
        said = np.asarray(Image.open(tmp_path / "o" / f"p{place:02d}.png"))
        assert set(np.unique(said)) <= {0, 3}
        right.append(((said == 3) == (np.asarray(Image.open(folder / "photos" / f"p{place:02d}.png")) > 150)).mean())
    assert np.mean(right) > 0.9
    assert run("segment", folder / "model", folder / "photos", "--out", tmp_path / "o.npy").exit_code == 0
    assert np.load(tmp_path / "o.npy").shape == (18, 16, 12)


def test_a_report_shows_what_every_pixel_was_said_to_be(run: Any, folder: Path, tmp_path: Path) -> None:
    words = ("--target", folder / "labels", "--out", tmp_path / "r.html")
    done = run("report", folder / "model", folder / "photos", *words)
    assert done.exit_code == 0, done.output
    assert "Pixel classes" in (tmp_path / "r.html").read_text("utf-8")


def test_what_is_refused(fails: Any, folder: Path, models: Path, tmp_path: Path) -> None:
    fit = ("fit", folder / "photos", "--task", "segment", "--out", tmp_path / "m", *FEW)
    assert "learns from labels, and photos has none" in fails(2, *fit)
    (tmp_path / "empty").mkdir()
    assert "empty holds no picture named as one of photos" in fails(1, *fit, "--target", tmp_path / "empty")
    plain = ("segment", models / "image", folder / "photos", "--out", tmp_path / "o")
    assert "was not trained to segment: diabolo fit DATA --task segment" in fails(1, *plain)
    words = ("segment", folder / "model", folder / "photos", "--out")
    assert "suffix '.csv' is unknown" in fails(2, *words, tmp_path / "o.csv")
    Image.fromarray(np.zeros((16, 12, 3), np.uint8)).save(tmp_path / "empty" / "c.png")
    Image.fromarray(np.full((16, 12, 3), (1, 2, 3), np.uint8)).save(tmp_path / "empty" / "d.png")
    assert "has 3 channels, 1 is expected" in fails(1, *words[:2], tmp_path / "empty", "--out", tmp_path / "o")
