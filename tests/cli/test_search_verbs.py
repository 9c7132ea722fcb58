"""`diabolo index` and `diabolo search`, from files to hits, for every kind of data that is searched."""

from __future__ import annotations

import wave
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from diabolo import load


@pytest.fixture(scope="module")
def pictures(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 digits in a folder and 20 more in another, a model of the first, and its index."""
    folder = tmp_path_factory.mktemp("pictures")
    digits = load_digits()
    for place in range(140):
        part = folder / ("pics" if place < 120 else "more")
        part.mkdir(exist_ok=True)
        Image.fromarray((digits.images[place] * 15).astype(np.uint8)).save(part / f"d{place:03d}.png")
    assert run("fit", folder / "pics", "--latent", 8, "--epochs", 10, "--out", folder / "m").exit_code == 0
    assert run("index", folder / "m", folder / "pics", "--out", folder / "index").exit_code == 0
    return folder


def test_pictures_by_folder_by_file_and_by_key(works: Any, pictures: Path, tmp_path: Path) -> None:
    said = works("search", pictures / "index", pictures / "more", "--k", 3, "--out", tmp_path / "hits.csv")
    assert "60 hits of 20 queries" in said
    hits = pd.read_csv(tmp_path / "hits.csv")
    assert list(hits.columns) == ["query", "rank", "distance", "file"] and len(hits) == 60
    assert hits["query"].iloc[0] == "d120.png" and (hits["rank"].to_numpy().reshape(20, 3) == [1, 2, 3]).all()
    assert (np.diff(hits.distance.to_numpy().reshape(20, 3)) >= 0).all()
    one = works("search", pictures / "index", pictures / "more/d121.png", "--k", 3)
    assert "nearest to d121.png" in one and hits.file.iloc[3] in one
    itself = works("search", pictures / "index", pictures / "pics/d007.png", "--k", 1)
    assert "d007.png" in itself.replace("nearest to d007.png", "")
    for words in (("--like", "d007.png"), ("--row", 7)):
        other = works("search", pictures / "index", *words, "--k", 4)
        assert "nearest to d007.png" in other and other.count("d007.png") == 1
    works("search", pictures / "index", pictures / "more", "--k", 3, "--out", tmp_path / "hits.npy")
    numbers = np.load(tmp_path / "hits.npy")
    assert numbers.shape == (20, 3) and [f"d{n:03d}.png" for n in numbers[0]] == hits.file[:3].tolist()


def test_an_index_is_lengthened_and_stays_a_model(works: Any, pictures: Path, tmp_path: Path) -> None:
    works("index", pictures / "m", pictures / "pics", "--out", tmp_path / "i", "--kind", "hnsw", "--recall", 0.9)
    said = works("index", pictures / "m", pictures / "more", "--out", tmp_path / "i", "--append")
    assert (
        "20 added, 140 codes of 8 values (hnsw, cosine)" in said and "of the 10 nearest that exact search finds" in said
    )
    assert "d130.png" in works("search", tmp_path / "i", pictures / "more/d130.png", "--k", 1)
    assert not [path for path in tmp_path.iterdir() if path.name != "i"]  # nothing is left of the exchange
    works("encode", tmp_path / "i", pictures / "more", "--out", tmp_path / "z.npy")
    assert np.load(tmp_path / "z.npy").shape == (20, 8)
    works("index", tmp_path / "i", pictures / "more", "--out", tmp_path / "j")  # an index is a model: its settings hold
    assert load(tmp_path / "j").kind == "hnsw" and len(load(tmp_path / "j")) == 20
    page = tmp_path / "page.html"
    works("report", pictures / "index", pictures / "more", "--out", page)
    text = page.read_text("utf-8")
    assert "Neighbours by code" in text and "What the index finds" in text and "like d120.png" in text
    assert "search" in works("info", tmp_path / "i")


def test_bits_and_a_table_with_keys(works: Any, data: Path, models: Path, tmp_path: Path) -> None:
    works(
        "index",
        models / "table",
        data / "train.csv",
        "--key",
        "customer_id",
        "--kind",
        "binary",
        "--out",
        tmp_path / "i",
    )
    works(
        "search",
        tmp_path / "i",
        data / "test.csv",
        "--key",
        "customer_id",
        "--k",
        2,
        "--out",
        tmp_path / "hits.parquet",
    )
    hits = pd.read_parquet(tmp_path / "hits.parquet")
    assert list(hits.columns) == ["query", "rank", "distance", "customer_id"] and len(hits) == 80
    assert hits["query"].iloc[0] == "c0000" and (hits.distance % 1 == 0).all()


def test_rows_on_disk_are_indexed_piece_by_piece(works: Any, models: Path, data: Path, tmp_path: Path) -> None:
    rows = np.random.default_rng(0).normal(size=(4000, 6)).astype(np.float32)
    np.save(tmp_path / "rows.npy", rows)
    said = works("index", models / "array", tmp_path / "rows.npy", "--memory", "20kB", "--out", tmp_path / "i")
    assert "4,000 codes of 2 values" in said
    whole = load(tmp_path / "i")
    np.testing.assert_allclose(whole.arrays_["codes"], load(models / "array").transform(rows), rtol=1e-5, atol=1e-6)
    works("search", tmp_path / "i", tmp_path / "rows.npy", "--memory", "20kB", "--k", 1, "--out", tmp_path / "hits.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "hits.npy")[:, 0], np.arange(4000))


def test_a_text_is_a_query_itself(works: Any, tmp_path: Path) -> None:
    words = {"cat": "cat purr whiskers fur", "sea": "sea wave sail harbour", "code": "loop bug compiler branch"}
    random = np.random.default_rng(0)
    lines = [" ".join(random.choice(words[kind].split(), 8)) for kind in list(words) * 30]
    pd.DataFrame({"name": [f"t{n}" for n in range(90)], "text": lines}).to_csv(tmp_path / "texts.csv", index=False)
    reading = ("--column", "text", "--key", "name", "--processor", "bag-of-words")
    works("fit", tmp_path / "texts.csv", *reading, "--latent", 3, "--epochs", 30, "--out", tmp_path / "m")
    works("index", tmp_path / "m", tmp_path / "texts.csv", "--out", tmp_path / "i")
    said = works("search", tmp_path / "i", "a sail in the harbour and a wave", "--k", 5)
    found = [int(line.split("t")[-1]) for line in said.splitlines() if line[:1].isdigit()]
    assert len(found) == 5 and all(number % 3 == 1 for number in found)


def test_sounds_are_found_by_file_and_second(works: Any, tmp_path: Path) -> None:
    (tmp_path / "sounds").mkdir()
    time, random = np.arange(16_000) / 8000, np.random.default_rng(0)
    for name, (first, second) in {"low_high": (300, 1500), "high_low": (1500, 300), "same": (700, 700)}.items():
        tone = np.where(time < 1, np.sin(2 * np.pi * first * time), np.sin(2 * np.pi * second * time))
        pcm = (8000 * (tone + 0.01 * random.normal(size=len(time)))).astype(np.int16)
        with wave.open(str(tmp_path / f"sounds/{name}.wav"), "wb") as file:
            file.setparams((1, 2, 8000, len(pcm), "NONE", ""))
            file.writeframes(pcm.tobytes())
    reading = ("--processor", "log-mel(window=0.5, hop=1.0)")
    works("fit", tmp_path / "sounds", *reading, "--latent", 3, "--epochs", 20, "--out", tmp_path / "m")
    works("index", tmp_path / "m", tmp_path / "sounds", "--out", tmp_path / "i")
    works("search", tmp_path / "i", "--like", "high_low.wav", "--k", 2, "--out", tmp_path / "hits.csv")
    hits = pd.read_csv(tmp_path / "hits.csv")
    assert list(hits.columns) == ["query", "rank", "distance", "file", "start", "end"]
    first = hits[hits["query"].str.startswith("high_low.wav 0 to")].iloc[:2]
    assert {(name, start >= 1) for name, start in zip(first.file, first.start, strict=True)} <= {
        ("high_low.wav", False), ("low_high.wav", True)}  # fmt: skip
    works("report", tmp_path / "i", tmp_path / "sounds", "--out", tmp_path / "page.html")
    assert "Neighbours by code" in (tmp_path / "page.html").read_text("utf-8")


def test_what_cannot_be_done_is_said(
    fails: Any, works: Any, pictures: Path, data: Path, models: Path, tmp_path: Path
) -> None:
    index, m = pictures / "index", pictures / "m"
    assert "is a model (autoencoder), no index" in fails(1, "search", m, pictures / "more")
    assert "say what to search for" in fails(2, "search", index)
    assert "say what to search for" in fails(2, "search", index, pictures / "more", "--row", 1)
    assert "from 0 to 119" in fails(2, "search", index, "--row", 120)
    assert "no row of this index has file 'x.png'" in fails(1, "search", index, "--like", "x.png")
    assert "expecting 64 features" in fails(1, "search", index, data / "rows.npy")
    (tmp_path / "broken.png").write_bytes(b"no picture")
    assert "broken.png" in fails(1, "search", index, tmp_path / "broken.png")
    assert "codes of another model" in fails(
        1, "index", models / "image", data / "pictures", "--out", index, "--append"
    )
    assert "leave it out with --append" in fails(
        2, "index", m, pictures / "more", "--out", index, "--append", "--kind", "hnsw"
    )
    assert "exists already" in fails(2, "index", m, pictures / "pics", "--out", index)
    assert "kind must be" in fails(2, "index", m, pictures / "pics", "--out", tmp_path / "i", "--kind", "flat")
    assert not (tmp_path / "i").exists()
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/thesis.txt").write_text("years of work")
    assert "is no index" in fails(2, "index", m, pictures / "pics", "--out", tmp_path / "mine", "--force")
    works("index", m, pictures / "pics", "--out", tmp_path / "cut")
    file = tmp_path / "cut/model.safetensors"
    file.write_bytes(file.read_bytes()[:-9])
    assert "checksum does not match" in fails(1, "search", tmp_path / "cut", pictures / "more")


def test_fit_task_search_says_what_the_codes_are_worth(works: Any, pictures: Path, tmp_path: Path) -> None:
    words = ("--task", "search", "--set", "kind=binary", "--latent", 8, "--epochs", 10)
    said = works("fit", "digits", *words, "--out", tmp_path / "m")
    assert "this model, bits" in said and "PCA, 8 components" in said and "of the query's own class" in said
    works("index", tmp_path / "m", "digits", "--out", tmp_path / "i")
    assert load(tmp_path / "i").kind == "binary" and len(load(tmp_path / "i")) == 1797
    assert "nearest to 3" in works("search", tmp_path / "i", "--row", 3)
