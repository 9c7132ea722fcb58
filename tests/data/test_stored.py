"""Rows that stay on disk are the rows that lie in memory, in any order, from any batch on."""

from __future__ import annotations

import json
from itertools import chain
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from diabolo import data
from diabolo.core.errors import DataError, UsageError
from diabolo.data import ArrayProcessor, ImageProcessor, Stored, StoredFeed, TableProcessor
from diabolo.data.source import as_bytes
from diabolo.data.stored import Mapped, Part, drawn
from diabolo.data.stored_table import stretches
from diabolo.data.tally import Moments

ROWS = 3000


def frame() -> pd.DataFrame:
    random = np.random.default_rng(0)
    made = pd.DataFrame(random.normal(5, 3, (ROWS, 3)), columns=["a", "b", "c"])
    made["kind"] = random.choice(["x", "y, z", 'say "no"'], ROWS)
    made["whole"] = pd.array(random.integers(0, 90, ROWS), "Int64")
    made.loc[7, "whole"] = None
    made["day"] = pd.date_range("2020-01-01", periods=ROWS, freq="h")
    made["yes"] = random.random(ROWS) < 0.3
    return made


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    made = frame()
    made.to_parquet(tmp_path / "t.parquet", row_group_size=400)
    made.to_csv(tmp_path / "t.csv", index=False)
    return {"parquet": tmp_path / "t.parquet", "csv": tmp_path / "t.csv"}


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_a_table_on_disk_is_the_table_in_memory(files: dict[str, Path], kind: str) -> None:
    whole, stored = data.open(files[kind]), data.open(files[kind], memory="1kB")
    assert isinstance(stored.rows, Stored) and len(stored) == ROWS
    assert "stay on disk" in stored.notes[-1]
    read = stored.rows.load().rows
    pd.testing.assert_frame_equal(read, whole.rows)
    some = stored.rows.read([len(stored.rows.edges) - 2])
    pd.testing.assert_frame_equal(
        some.rows.reset_index(drop=True), whole.rows.iloc[some.numbers].reset_index(drop=True)
    )


@pytest.mark.parametrize("kind", ["parquet", "csv"])
def test_statistics_of_one_pass_are_those_of_all_rows(files: dict[str, Path], kind: str) -> None:
    whole, stored = data.open(files[kind]), data.open(files[kind], memory="1kB")
    once = TableProcessor().fit(whole.rows)
    pieces = TableProcessor().fit_parts(part.rows for part in stored.rows.parts(700))
    for a, b in zip(once.state()["columns"], pieces.state()["columns"], strict=True):
        for name, value in a.items():
            assert b[name] == (pytest.approx(value, rel=1e-12) if isinstance(value, float) else value), (a, b)
    assert json.loads(json.dumps(pieces.state())) == pieces.state()


def test_a_column_may_begin_empty_and_grow_a_missing_cell_late() -> None:
    parts = [
        pd.DataFrame({"a": [None, None], "b": [1.0, 2.0]}),
        pd.DataFrame({"a": ["u", "v"], "b": [np.nan, 6.0]}),
    ]
    table = TableProcessor().fit_parts(parts)
    assert table.kinds == {"a": "categorical", "b": "numeric"}
    assert table.indicators == ["b"] and table.codecs[0].missing
    assert table.codecs[1].mean == pytest.approx(3.0)


def test_categories_of_a_csv_are_one_whether_a_stretch_of_it_is_all_digits_or_not() -> None:
    """pandas reads a stretch that holds digits alone as numbers, floats where cells are missing."""
    texts = pd.DataFrame({"zone": ["1", "2", "north", "1"]})
    digits, holes = pd.DataFrame({"zone": [1, 2, 2]}), pd.DataFrame({"zone": [1.0, np.nan, 3.0]})
    table = TableProcessor().fit_parts([texts, digits, holes])
    whole = pd.DataFrame({"zone": ["1", "2", "north", "1", "1", "2", "2", "1", None, "3"]})
    assert table.state() == TableProcessor().fit(whole).state()
    assert table.codecs[0].levels == ["1", "2", "3", "north"]  # type: ignore[attr-defined]
    assert table.encode(digits)["x"].argmax(1).tolist() == [0, 1, 1]


def test_moments_do_not_cancel_far_from_zero() -> None:
    tally = Moments()
    values = 1e9 + np.random.default_rng(1).normal(size=10_000)
    for piece in np.array_split(values, 7):
        tally.add(piece)
    assert tally.spread == pytest.approx(values.std(), rel=1e-6)


def feed_of(rows: int = 1000, block: int = 64) -> StoredFeed:
    array = np.arange(rows, dtype=np.float32)[:, None]
    processor = ArrayProcessor().fit(array)
    return StoredFeed(Mapped(array, "array", "a", block), processor, row_bytes=1 << 17)


def values(batches: object) -> list[list[float]]:
    return [batch.x.flatten().tolist() for batch in batches]  # type: ignore[attr-defined]


def rows_of(batches: object) -> list[float]:
    return list(chain.from_iterable(values(batches)))


def test_every_epoch_sees_every_row_once_in_another_order() -> None:
    feed = feed_of()
    first, second = (rows_of(feed.batches(30, seed=4, epoch=epoch)) for epoch in (0, 1))
    assert sorted(first) == sorted(second) == list(range(1000))
    assert first != second and first != sorted(first)
    assert rows_of(feed.batches(30)) == list(range(1000))


@pytest.mark.parametrize("start", [1, 8, 9, 17, 33])
def test_an_epoch_resumes_at_any_batch(start: int) -> None:
    feed = feed_of()
    whole = values(feed.batches(30, seed=4, epoch=2))
    assert [len(batch) for batch in whole] == [30] * 33 + [10]
    assert values(feed.batches(30, seed=4, epoch=2, start=start)) == whole[start:]


def test_a_shuffle_mixes_far_more_than_neighbours() -> None:
    """Neighbours in the shuffle are as far apart as in a random order (a third of all rows), within 15 %."""
    feed = feed_of(4000, 16)
    order = np.array(rows_of(feed.batches(50, seed=1)))
    assert abs(np.abs(np.diff(order)).mean() / (4000 / 3) - 1) < 0.15


def test_held_out_rows_are_never_trained_on() -> None:
    feed = feed_of(5000)
    kept, held = feed.split(0.1, seed=2)
    assert held is not None
    trained, tested = set(rows_of(kept.batches(64, seed=0))), set(rows_of(held.batches(64)))
    assert not trained & tested and len(trained) + len(tested) == 5000 == len(kept) + len(held)
    assert abs(len(tested) - 500) < 4 * np.sqrt(500)
    again = feed.split(0.1, seed=2)[1]
    assert again is not None and set(rows_of(again.batches(64))) == tested


def test_parts_of_parts_are_counted_right() -> None:
    stored = Mapped(np.arange(10_000.0)[:, None], "array", "a", 100)
    part = Part(stored, [(0.3, 1, False)])
    deeper = part.split(0.5, 2)[1]
    assert len(part) == int((~drawn(np.arange(10_000), 0.3, 1)).sum())
    assert len(deeper) == len(deeper.load().rows)


def test_rows_end_where_no_quotation_is_open(tmp_path: Path) -> None:
    path = tmp_path / "q.csv"
    path.write_text('a,b\n1,"two\nlines"\n\n2,"x, ""y"""\r\n\r\n3,z', newline="")
    for size in (1, 3, 7, 1000):
        offsets, edges = stretches(path, True, size)
        assert edges[-1] == 3 and offsets[0] == 4 and offsets[-1] == path.stat().st_size
    rows = data.open(path, memory=1).rows.load().rows
    assert rows["b"].tolist() == ["two\nlines", 'x, "y"', "z"]


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    folder = tmp_path / "pictures"
    folder.mkdir()
    random = np.random.default_rng(0)
    for place in range(40):
        Image.fromarray(random.integers(0, 256, (8, 6, 3)).astype(np.uint8)).save(folder / f"{place:02d}.png")
    return folder


def test_pictures_are_decoded_as_they_are_needed(pictures: Path) -> None:
    whole, stored = data.open(pictures), data.open(pictures, memory=100)
    assert isinstance(stored.rows, Stored) and stored.modality == "image"
    assert (stored.rows.load().rows == whole.rows).all()
    assert stored.rows.read([3, 1]).keys["file"].tolist() == ["03.png", "01.png"]


def test_a_picture_found_damaged_is_named_and_another_stands_in(pictures: Path) -> None:
    stored = data.open(pictures, memory=100)
    whole = (pictures / "05.png").read_bytes()
    (pictures / "05.png").write_bytes(whole[: len(whole) - 60])
    feed = StoredFeed(stored.rows, ImageProcessor().fit(stored.rows.read([0]).rows), 144)
    assert sum(len(batch) for batch in feed.batches(8, seed=0)) == 40
    assert list(stored.rows.damaged) == ["05.png"]
    kept = list(stored.rows.parts(8))
    assert sum(len(source) for source in kept) == 39
    assert "05.png" not in np.concatenate([source.keys["file"] for source in kept])


def test_bounds_of_an_array_come_from_all_pieces() -> None:
    rows = np.clip(np.random.default_rng(0).normal(size=(500, 4)), -1, 1).astype(np.float32)
    once, pieces = ArrayProcessor().fit(rows), ArrayProcessor().fit_parts(np.array_split(rows, 6))
    assert once.state() == pieces.state() and once.bounded


def test_errors_say_what_to_do(tmp_path: Path, files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="memory must be a size such as '1GB'"):
        data.open(files["csv"], memory="much")
    assert as_bytes("2 kB") == 2000
    with pytest.raises(UsageError, match="leave out --as array, or give more --memory"):
        data.open(files["parquet"], memory=1, as_="array")
    made = frame()
    made["label"] = 1
    made.to_parquet(tmp_path / "l.parquet")
    with pytest.raises(UsageError, match="looks like labels"):
        data.open(tmp_path / "l.parquet", memory=1)
    made = made.drop(columns="label")
    made.loc[2500, "a"] = np.inf
    made.to_parquet(tmp_path / "i.parquet", row_group_size=1000)
    with pytest.raises(DataError, match="column 'a' contains infinity"):
        data.open(tmp_path / "i.parquet", memory=1).rows.load()


def test_tensors_of_a_stored_feed_are_those_of_memory() -> None:
    feed = feed_of()
    assert torch.equal(next(feed.batches(10)).x, feed.in_memory().tensors["x"][:10])


def test_what_is_no_archive_and_no_processor_is_said_at_once(files: dict[str, Path]) -> None:
    with pytest.raises(UsageError, match="neither a folder nor an archive"):
        data.open(files["csv"], as_="video")
    with pytest.raises(UsageError, match="rate must be an int above 0"):
        data.open(files["csv"], processor="audio(rate=-1)")
    with pytest.raises(UsageError, match="processor 'audoi' is unknown; did you mean 'audio'"):
        data.open(files["csv"], processor="audoi")
