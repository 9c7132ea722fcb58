"""`diabolo fit --task denoise`, then `diabolo denoise`: folders, single pictures, tables, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

FEW = ("--network", "u-shaped(width=4, depth=1)", "--latent", 4, "--loss", "squared", "--epochs", 2)


def size(path: Path) -> tuple[int, ...]:
    """Height and width."""
    return np.asarray(Image.open(path)).shape


@pytest.fixture(scope="module")
def folder(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two sizes, and a denoiser that learnt from them."""
    path = tmp_path_factory.mktemp("denoise")
    (path / "photos").mkdir()
    draw = np.random.default_rng(0)
    for place in range(12):
        size = (24, 20) if place % 2 else (22, 30)
        y, x = np.mgrid[: size[0], : size[1]]
        wave = 127 + 100 * np.sin((y * draw.uniform(-1, 1) + x) / 4)
        Image.fromarray(wave.astype(np.uint8)).save(path / "photos" / f"p{place}.png")
    done = run("fit", path / "photos", "--task", "denoise", "--out", path / "model", "--holdout", 0.5, *FEW)
    assert done.exit_code == 0, done.output
    assert "held-out pictures" in done.stdout and "median filter" in done.stdout
    return path


def test_every_picture_comes_back_at_its_size(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("denoise", folder / "model", folder / "photos", "--out", tmp_path / "o")
    assert done.exit_code == 0, done.output
    assert "p0.png: noise of about" in done.stderr and "12 pictures ->" in done.stderr
    for name in ("p0.png", "p1.png"):
        assert size(tmp_path / "o" / name) == size(folder / "photos" / name)


def test_one_picture_to_one_file(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("denoise", folder / "model", folder / "photos" / "p1.png", "--out", tmp_path / "clean.png")
    assert done.exit_code == 0, done.output
    assert size(tmp_path / "clean.png") == (24, 20)
    several = run("denoise", folder / "model", folder / "photos", "--out", tmp_path / "all.png")
    assert several.exit_code == 2 and "name a folder" in several.stderr


def test_a_table(run: Any, folder: Path, tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(80, 4)), columns=list("abcd"))
    frame.to_csv(tmp_path / "t.csv", index=False)
    made = run("fit", tmp_path / "t.csv", "--task", "denoise", "--out", tmp_path / "m", "--epochs", 2)
    assert made.exit_code == 0, made.output
    done = run("denoise", tmp_path / "m", tmp_path / "t.csv", "--out", tmp_path / "o.csv")
    assert done.exit_code == 0, done.output
    assert list(pd.read_csv(tmp_path / "o.csv").columns) == list("abcd")


def test_the_report_has_a_section(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("report", folder / "model", folder / "photos", "--out", tmp_path / "r.html")
    assert done.exit_code == 0, done.output
    assert "Noise taken out" in (tmp_path / "r.html").read_text()


def test_what_is_refused(run: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"no picture")
    bad = run("denoise", folder / "model", tmp_path / "bad.png", "--out", tmp_path / "o.png")
    assert bad.exit_code == 1 and "bad.png cannot be read as a picture" in bad.stderr
    frame = pd.DataFrame(np.zeros((5, 3)))
    frame.to_csv(tmp_path / "t.csv", index=False)
    other = run("denoise", folder / "model", tmp_path / "t.csv", "--out", tmp_path / "o.npy")
    assert other.exit_code == 1 and "learnt from pictures; it was given rows" in other.stderr
    wrong = run("denoise", folder / "model", folder / "photos", "--out", tmp_path / "o.csv")
    assert wrong.exit_code == 2 and "cannot write 'o.csv'" in wrong.stderr
    plain = run("fit", "digits", "--out", tmp_path / "plain", "--epochs", 1)
    assert plain.exit_code == 0
    nothing = run("denoise", tmp_path / "plain", folder / "photos", "--out", tmp_path / "x")
    assert nothing.exit_code == 1 and "was not trained to denoise" in nothing.stderr
