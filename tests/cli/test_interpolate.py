"""`diabolo interpolate`, the quality of pictures that `sample` draws, and pictures from `augment`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from diabolo import load
from diabolo.tasks.latent_paths import interpolate


@pytest.fixture(scope="module")
def folder(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Pictures of two digits, one of them rare, in a folder a class; a VAE and a sampler of them."""
    made = tmp_path_factory.mktemp("digits")
    digits = load_digits()
    for value, count in ((0, 100), (1, 30)):
        (made / "data" / f"c{value}").mkdir(parents=True)
        for place, picture in enumerate(digits.images[digits.target == value][:count]):
            Image.fromarray((picture * 15).astype(np.uint8)).save(made / "data" / f"c{value}" / f"p{place:03d}.png")
    for model, words in {
        "vae": ("--model", "vae", "--latent", 4, "--epochs", 80),
        "plain": ("--latent", 4, "--epochs", 2),
        "sampler": ("--task", "augment", "--set", "how=interpolation", "--epochs", 3, "--holdout", 0.4),
    }.items():
        result = run("fit", made / "data", *words, "--out", made / model)
        assert result.exit_code == 0, result.output
        assert model != "sampler" or "warping" in result.output
    return made


def pixels(file: Path) -> np.ndarray:
    with Image.open(file) as picture:
        return np.asarray(picture)


# ── paths ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_path_between_two_rows_is_that_of_python(works: Any, folder: Path, tmp_path: Path) -> None:
    words = ("--data", folder / "data", "--steps", 5)
    said = works("interpolate", folder / "vae", 0, "c1/p000.png", *words, "--out", tmp_path / "way")
    assert "5 rows" in said and "prior" not in said
    made = np.stack([pixels(file) for file in sorted((tmp_path / "way").glob("*.png"))])
    first, last = (pixels(folder / "data" / name)[None] for name in ("c0/p000.png", "c1/p000.png"))
    np.testing.assert_array_equal(made, interpolate(load(folder / "vae"), first, last, 5))


def test_two_files_and_one_strip(works: Any, folder: Path, tmp_path: Path) -> None:
    ends = (folder / "data/c0/p001.png", folder / "data/c1/p002.png")
    said = works("interpolate", folder / "plain", *ends, "--steps", 7, "--out", tmp_path / "way.png")
    assert "brought its codes to a prior" in said and "one strip" in said
    assert pixels(tmp_path / "way.png").shape == (8, 56)
    works("interpolate", folder / "plain", *ends, "--steps", 7, "--out", tmp_path / "way.npy", "--shape", "sphere")
    assert np.load(tmp_path / "way.npy").shape == (7, 8, 8)


def test_more_of_one_set_and_less_of_another(works: Any, folder: Path, tmp_path: Path) -> None:
    """A zero plus the mean one minus the mean zero ends nearer to ones than to zeros."""
    sets = ("--plus", folder / "data/c1", "--minus", folder / "data/c0")
    begin = folder / "data/c0/p003.png"
    works("interpolate", folder / "vae", begin, *sets, "--steps", 3, "--out", tmp_path / "way.npy")
    way = np.load(tmp_path / "way.npy").astype(float)
    means = [
        np.mean([pixels(file).astype(float) for file in (folder / "data" / name).iterdir()], 0) for name in ("c0", "c1")
    ]
    away = [[np.square(picture - mean).sum() for mean in means] for picture in way[[0, -1]]]
    assert away[0][0] < away[0][1] and away[1][0] > away[1][1]


def test_tables_come_as_tables(works: Any, models: Path, data: Path, tmp_path: Path) -> None:
    works(
        "interpolate", models / "table", 0, 1, "--data", data / "train.csv", "--steps", 4, "--out", tmp_path / "w.csv"
    )
    made = pd.read_csv(tmp_path / "w.csv")
    assert len(made) == 4 and "age" in made and made["age"].dtype == np.int64
    works("interpolate", models / "array", data / "rows.npy", data / "rows.npy", "--out", tmp_path / "w.npy")
    way = np.load(tmp_path / "w.npy")
    np.testing.assert_allclose(way, way[:1].repeat(10, 0), atol=1e-5)


def test_what_cannot_be(fails: Any, folder: Path, models: Path, data: Path, tmp_path: Path) -> None:
    def refused(code: int, *words: Any, model: Path = folder / "vae", out: str = "w.npy") -> str:
        return str(fails(code, "interpolate", model, *words, "--out", tmp_path / out))

    rows = ("--data", folder / "data")
    assert "a path needs an end" in refused(2, 0, *rows)
    assert "keep one of them" in refused(2, 0, 1, *rows, "--plus", folder / "data/c1")
    assert "0 to 129; got 130" in refused(2, 0, 130, *rows)
    assert "is among the 130 of data; did you mean 'c1/p0" in refused(2, 0, "c1/p00.png", *rows)
    assert "did you mean 'sphere'" in refused(2, 0, 1, *rows, "--shape", "sphre")
    assert "no file" in refused(1, folder / "none.png", folder / "data/c0/p000.png")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "x.png").write_bytes(b"\x89PNG and nothing more")
    assert "x.png" in refused(1, tmp_path / "broken" / "x.png", folder / "data/c0/p000.png")
    table = ("--data", data / "train.csv")
    assert "a strip (.png) is of pictures" in refused(2, 0, 1, *table, model=models / "table", out="w.png")
    assert "row numbers from 0" in refused(2, "a", "b", "--data", data / "rows.npy", model=models / "array")
    assert "the model was trained on" in refused(1, 0, 1, *table, "--target", "label")
    assert not list(tmp_path.glob("w.*"))


# ── quality ───────────────────────────────────────────────────────────────────────────────────────


def test_the_quality_of_pictures(works: Any, fails: Any, folder: Path, tmp_path: Path) -> None:
    words = ("sample", folder / "vae", 40, "--out")
    said = works(*words, tmp_path / "made", "--quality", folder / "data")
    for text in ("hidden units of a classifier of the 2 classes", "precision", "a Gaussian of the values", "real rows"):
        assert text in said
    assert len(list((tmp_path / "made").glob("*.png"))) == 40
    assert "at least 20 real rows" in fails(1, *words, tmp_path / "few", "--quality", _few(folder, tmp_path))
    assert "fit_prior" in fails(1, "sample", folder / "plain", 4, "--out", tmp_path / "no")


def _few(folder: Path, tmp_path: Path) -> Path:
    (tmp_path / "real").mkdir()
    for file in sorted((folder / "data/c0").iterdir())[:9]:
        (tmp_path / "real" / file.name).write_bytes(file.read_bytes())
    return tmp_path / "real"


# ── pictures made of rare classes ─────────────────────────────────────────────────────────────────


def test_pictures_fill_up_their_folders(works: Any, fails: Any, folder: Path, tmp_path: Path) -> None:
    said = works("augment", folder / "sampler", folder / "data", "--out", tmp_path / "more")
    assert "class c1: 30 rows, 70 made" in said
    given, made = (sorted(p.relative_to(root).as_posix() for p in root.rglob("*.png"))
                   for root in (folder / "data", tmp_path / "more"))  # fmt: skip
    new = sorted(set(made) - set(given))
    assert set(given) <= set(made) and len(new) == 70 and all(name.startswith("c1/synthetic-") for name in new)
    for name in given[::25]:
        np.testing.assert_array_equal(*(pixels(root / name) for root in (folder / "data", tmp_path / "more")))
    assert pixels(tmp_path / "more" / new[0]).shape == (8, 8)
    works("fit", tmp_path / "more", "--epochs", 1, "--out", tmp_path / "again")
    assert "folder" in fails(2, "augment", folder / "sampler", folder / "data", "--out", tmp_path / "more.csv")


def test_arrays_of_pictures_go_to_folders_of_their_classes(works: Any, folder: Path, tmp_path: Path) -> None:
    digits = load_digits()
    keep = np.flatnonzero((digits.target == 3) | ((digits.target == 5) & (np.arange(1797) < 200)))
    np.savez(tmp_path / "d.npz", X=(digits.images[keep] * 15).astype(np.uint8), y=digits.target[keep])
    words = ("--array", "X", "--target", "y")
    task = ("--task", "augment", "--set", "how=interpolation", "--epochs", 1, "--holdout", 0)
    works("fit", tmp_path / "d.npz", *words, *task, "--out", tmp_path / "m")
    works("augment", tmp_path / "m", tmp_path / "d.npz", *words, "--out", tmp_path / "more")
    counts = {name.name: len(list(name.iterdir())) for name in (tmp_path / "more").iterdir()}
    assert set(counts) == {"3", "5"} and counts["3"] == counts["5"] == 183


def test_reports_show_samples_paths_and_made_pictures(works: Any, folder: Path, tmp_path: Path) -> None:
    for model, texts in {
        "vae": ("Samples", "The real picture nearest to each", "Paths between pictures"),
        "plain": ("Paths between pictures", "brought its codes to a prior"),
        "sampler": ("Pictures made of rare classes", "Class c1: made (interpolation)", "warping"),
    }.items():
        works("report", folder / model, folder / "data", "--out", tmp_path / f"{model}.html")
        page = (tmp_path / f"{model}.html").read_text("utf-8")
        assert all(text in page for text in texts)
