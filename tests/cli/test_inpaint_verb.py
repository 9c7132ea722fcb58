"""`diabolo fit --task inpaint`, then `diabolo inpaint`: masks of every kind, what comes back, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diabolo.data import open as open_source

FEW = ("--network", "u-shaped(width=4, depth=1)", "--latent", 4, "--loss", "squared", "--epochs", 2)


def picture(seed: int, height: int = 24, width: int = 20) -> np.ndarray:
    draw = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width]
    waves = [127 + 100 * np.sin((y * a + x * b) / 4) for a, b in draw.uniform(-1, 1, (3, 2))]
    return np.clip(np.stack(waves, -1), 1, 255).astype(np.uint8)


def lost(seed: int, height: int = 24, width: int = 20) -> np.ndarray:
    return np.random.default_rng(100 + seed).random((height, width)) < 0.3


@pytest.fixture(scope="module")
def folder(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures, the same damaged, masks, damage as transparency, and a model."""
    path = tmp_path_factory.mktemp("inpaint")
    for name in ("clean", "damaged", "masks", "clear", "part"):
        (path / name).mkdir()
    for place in range(12):
        whole, gone = picture(place), lost(place)
        Image.fromarray(whole).save(path / "clean" / f"p{place}.png")
        Image.fromarray(np.where(gone[..., None], 0, whole).astype(np.uint8)).save(path / "damaged" / f"p{place}.png")
        Image.fromarray(gone).save(path / "masks" / f"p{place}.gif")
        Image.fromarray(np.dstack([whole, np.where(gone, 0, 255).astype(np.uint8)])).save(
            path / "clear" / f"p{place}.png"
        )
    Image.fromarray(lost(0)).save(path / "part" / "p0.png")
    done = run("fit", path / "clean", "--task", "inpaint", "--out", path / "model", "--holdout", 0.5, *FEW)
    assert done.exit_code == 0, done.output
    assert "held-out pictures" in done.stdout and "linear" in done.stdout
    return path


def test_masks_of_the_same_names(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("inpaint", folder / "model", folder / "damaged", "--mask", folder / "masks", "--out", tmp_path / "o")
    assert done.exit_code == 0, done.output
    count = sum(int(lost(place).sum()) for place in range(12))
    assert f"{count:,} pixels filled in 12 pictures" in done.stderr
    for place in range(12):
        made, gone = np.asarray(Image.open(tmp_path / "o" / f"p{place}.png")), lost(place)
        assert (made == picture(place))[~gone].all()
        assert np.abs(made.astype(int) - picture(place))[gone].mean() < 40  # black would be off by 127


def test_a_colour_or_transparency_may_say_the_same(run: Any, folder: Path, tmp_path: Path) -> None:
    words = ("inpaint", folder / "model")
    assert run(*words, folder / "damaged", "--mask", folder / "masks", "--out", tmp_path / "a.npy").exit_code == 0
    assert run(*words, folder / "damaged", "--missing-value", 0, "--out", tmp_path / "b.npy").exit_code == 0
    assert run(*words, folder / "damaged", "--missing-value", "0,0,0", "--out", tmp_path / "c.npy").exit_code == 0
    assert run(*words, folder / "clear", "--mask", "alpha", "--out", tmp_path / "d.npy").exit_code == 0
    first, *others = (np.load(tmp_path / f"{name}.npy") for name in "abcd")
    assert all((first == other).all() for other in others)


def test_one_mask_for_all(run: Any, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "m.npy", lost(0))
    words = ("inpaint", folder / "model", folder / "clean", "--mask")
    assert run(*words, folder / "part" / "p0.png", "--out", tmp_path / "a.npy").exit_code == 0
    assert run(*words, tmp_path / "m.npy", "--out", tmp_path / "b.npy").exit_code == 0
    assert (np.load(tmp_path / "a.npy") == np.load(tmp_path / "b.npy")).all()


def test_photographs_of_several_sizes_stay_as_they_are(run: Any, fails: Any, folder: Path, tmp_path: Path) -> None:
    sizes = [(24, 20), (31, 27), (26, 20), (19, 40)] * 3
    for name in ("photos", "masks"):
        (tmp_path / name).mkdir()
    for place, size in enumerate(sizes):
        Image.fromarray(picture(place, *size)).save(tmp_path / "photos" / f"p{place}.png")
        Image.fromarray(lost(place, *size)).save(tmp_path / "masks" / f"p{place}.png")
    words = ("--target", tmp_path / "masks", "--task", "inpaint", "--out", tmp_path / "m", "--holdout", 0.5, *FEW)
    done = run("fit", tmp_path / "photos", *words)
    assert done.exit_code == 0 and "12 pictures of 4 sizes, each taken as it is" in done.stderr, done.output
    words = ("inpaint", tmp_path / "m", tmp_path / "photos", "--mask", tmp_path / "masks", "--out")
    done = run(*words, tmp_path / "o")
    assert done.exit_code == 0, done.output
    for place, size in enumerate(sizes):
        made = np.asarray(Image.open(tmp_path / "o" / f"p{place}.png"))
        assert made.shape[:2] == size and (made == picture(place, *size))[~lost(place, *size)].all()
    assert "pictures of several sizes are no array" in fails(2, *words, tmp_path / "o.npy")
    done = run(
        "report", tmp_path / "m", tmp_path / "photos", "--target", tmp_path / "masks", "--out", tmp_path / "r.html"
    )
    assert done.exit_code == 0, done.output


def test_a_single_damaged_photograph(run: Any, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "one").mkdir()
    Image.fromarray(np.where(lost(3, 60, 80)[..., None], 0, picture(3, 60, 80)).astype(np.uint8)).save(
        tmp_path / "one/p.png"
    )
    words = (tmp_path / "one", "--task", "inpaint", "--set", "missing_value=0", "--out", tmp_path / "m", *FEW)
    plan = run("fit", *words, "--dry-run")
    assert plan.exit_code == 0 and "nothing was trained" in plan.stdout, plan.output
    assert run("fit", *words).exit_code == 0
    done = run(
        "inpaint", tmp_path / "m", tmp_path / "one", "--out", tmp_path / "o"
    )  # the model knows what means missing
    assert done.exit_code == 0 and f"{int(lost(3, 60, 80).sum()):,} pixels filled in 1 picture" in done.stderr, (
        done.output
    )
    shown = run("info", tmp_path / "m")
    assert shown.exit_code == 0 and "missing_value" in shown.stdout


def test_only_damaged_pictures(run: Any, folder: Path, tmp_path: Path) -> None:
    """They are learnt from beside their masks, which then stand as ``target`` of the source."""
    model = tmp_path / "m"
    words = ("--target", folder / "masks", "--task", "inpaint", "--out", model, "--holdout", 0.5, *FEW)
    done = run("fit", folder / "damaged", *words)
    assert done.exit_code == 0 and "hidden pixels (others)" in done.stdout, done.output
    source = open_source(folder / "damaged", target=str(folder / "masks"))
    assert ((source.target > 0) == np.stack([lost(place) for place in (0, 1, 10, 11, *range(2, 10))])).all()
    done = run("inpaint", model, folder / "damaged", "--mask", folder / "masks", "--out", tmp_path / "o")
    assert done.exit_code == 0, done.output


def test_a_report_shows_before_and_after(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run(
        "report", folder / "model", folder / "damaged", "--target", folder / "masks", "--out", tmp_path / "r.html"
    )
    assert done.exit_code == 0, done.output
    text = (tmp_path / "r.html").read_text("utf-8")
    assert "Missing pixels filled" in text and "Hidden pixels given back" in text


def test_what_is_refused(fails: Any, run: Any, folder: Path, models: Path, tmp_path: Path) -> None:
    words = ("inpaint", folder / "model", folder / "clean", "--out", tmp_path / "o")
    assert "no pixel of clean is missing" in fails(2, *words)
    assert "'there' does not exist" in fails(2, *words, "--mask", "there")
    assert "part holds no picture for p1.png (a file p1.png, say)" in fails(1, *words, "--mask", folder / "part")
    assert "p0.png has no transparency" in fails(1, *words, "--mask", "alpha")
    assert "--missing-value must be a number such as 0" in fails(2, *words, "--missing-value", "black")
    (tmp_path / "small").mkdir()
    for place in range(12):
        Image.fromarray(lost(0, 24, 10)).save(tmp_path / "small" / f"p{place}.png")
    assert "p0.png has 10x24 pixels (width x height), its picture 20x24" in fails(
        1, *words, "--mask", tmp_path / "small"
    )
    (tmp_path / "bad.png").write_bytes(b"no picture")
    assert "bad.png cannot be read as a picture" in fails(1, *words, "--mask", tmp_path / "bad.png")
    plain = ("inpaint", models / "image", folder / "clean", "--out", tmp_path / "o")
    assert "was not trained to inpaint: diabolo fit DATA --task inpaint" in fails(1, *plain)
    assert "none at 'nowhere'" in fails(2, "fit", folder / "clean", "--target", "nowhere", "--out", tmp_path / "m")
