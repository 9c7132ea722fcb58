"""The command line on data that do not fit into the memory they are given."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile
from PIL import Image

from .conftest import Run


@pytest.fixture
def table(tmp_path: Path) -> Path:
    made = pd.DataFrame(np.random.default_rng(0).normal(size=(3000, 5)), columns=list("abcde"))
    made["name"] = [f"n{place}" for place in range(3000)]
    made.to_parquet(tmp_path / "t.parquet", row_group_size=250)
    return tmp_path / "t.parquet"


@pytest.mark.parametrize("out", ["codes.parquet", "codes.csv", "codes.csv.gz", "codes.npy"])
def test_fit_and_encode_piece_by_piece(works: Run, table: Path, tmp_path: Path, out: str) -> None:
    memory = ("--memory", "20kB")
    said = works("fit", table, "--out", tmp_path / "m", "--epochs", 2, "--latent", 2, *memory)
    assert "stay on disk" in said and "sample of" in said
    works("encode", tmp_path / "m", table, "--out", tmp_path / out, *memory)
    works("encode", tmp_path / "m", table, "--out", tmp_path / f"whole-{out}")
    read = {"parquet": pd.read_parquet, "csv": pd.read_csv, "gz": pd.read_csv}.get(out.rpartition(".")[2], np.load)
    pieces, whole = read(tmp_path / out), read(tmp_path / f"whole-{out}")
    assert len(pieces) == 3000
    if out.endswith("npy"):
        np.testing.assert_allclose(pieces, whole, atol=1e-6)
    else:
        assert list(pieces) == ["name", "z0", "z1"]
        pd.testing.assert_frame_equal(pieces, whole, atol=1e-6)


def test_score_and_reconstruct_piece_by_piece(works: Run, table: Path, tmp_path: Path) -> None:
    works("fit", table, "--out", tmp_path / "m", "--epochs", 1, "--latent", 2, "--memory", "20kB")
    works("score", tmp_path / "m", table, "--out", tmp_path / "s.csv", "--memory", "20kB")
    works("reconstruct", tmp_path / "m", table, "--out", tmp_path / "r.parquet", "--memory", "20kB")
    assert list(pd.read_csv(tmp_path / "s.csv")) == ["name", "error"]
    assert list(pd.read_parquet(tmp_path / "r.parquet")) == ["name", *"abcde"]


def test_pictures_on_disk(works: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    for place in range(30):
        Image.fromarray(np.full((8, 8), 8 * place, np.uint8)).save(folder / f"{place:02d}.png")
    said = works("fit", folder, "--out", tmp_path / "m", "--epochs", 2, "--latent", 1, "--memory", "500")
    assert "30 pictures stay on disk" in said
    works("encode", tmp_path / "m", folder, "--out", tmp_path / "z.csv", "--memory", "500")
    assert pd.read_csv(tmp_path / "z.csv")["file"].tolist()[:2] == ["00.png", "01.png"]


def test_files_that_turn_out_damaged_are_named(works: Run, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for place in range(40):
        Image.fromarray(random.integers(0, 255, (16, 16), dtype=np.uint8)).save(folder / f"{place:02d}.png")
    whole = (folder / "00.png").read_bytes()
    (folder / "00.png").write_bytes(whole[:60])  # the header is sound
    said = works("fit", folder, "--out", tmp_path / "m", "--epochs", 1, "--latent", 1, "--memory", "500")
    assert "1 files could not be read and were left out: 00.png" in said
    said = works("encode", tmp_path / "m", folder, "--out", tmp_path / "z.csv", "--memory", "500")
    assert "00.png" in said and "00.png" not in pd.read_csv(tmp_path / "z.csv")["file"].tolist()


def test_sounds_on_disk_are_held_out_for_the_comparison(works: Run, tmp_path: Path) -> None:
    folder = tmp_path / "sounds"
    folder.mkdir()
    for place in range(80):
        soundfile.write(folder / f"{place:02d}.wav", 0.5 * np.sin(np.arange(400) * (0.1 + place / 300)), 8000)
    said = works(
        "fit", folder, "--processor", "audio(window=0.02)", "--out", tmp_path / "m", "--epochs", 1, "--latent", 2,
        "--memory", "1kB",
    )  # fmt: skip
    assert "80 files stay on disk" in said and "Squared error on" in said
