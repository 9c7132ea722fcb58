"""`write` writes the whole or nothing, and what it wrote reads back the same."""

from __future__ import annotations

import errno
import os

import numpy as np
import pandas as pd
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.data import open, write


def test_arrays_keep_their_shape(tmp_path):
    codes = np.random.default_rng(0).normal(size=(3, 2, 4)).astype(np.float32)
    write(tmp_path / "z.npy", codes)
    np.testing.assert_array_equal(np.load(tmp_path / "z.npy"), codes)


@pytest.mark.parametrize(
    "suffix, read", [(".csv", pd.read_csv), (".csv.gz", pd.read_csv), (".parquet", pd.read_parquet)]
)
def test_codes_with_keys_first(tmp_path, suffix, read):
    path = tmp_path / f"z{suffix}"
    codes = np.random.default_rng(0).normal(size=(3, 2))
    write(path, codes, keys=pd.DataFrame({"id": [7, 8, 9]}, index=[4, 5, 6]))
    back = read(path)
    assert list(back) == ["id", "z0", "z1"] and back["id"].tolist() == [7, 8, 9]
    np.testing.assert_array_equal(back[["z0", "z1"]], codes)


def test_frames(tmp_path):
    frame = pd.DataFrame({"a": [1, 2], "c": ["x", "y"]})
    write(tmp_path / "t.parquet", frame)
    pd.testing.assert_frame_equal(open(tmp_path / "t.parquet").rows, frame)
    with pytest.raises(UsageError, match="'a' is both a key and a result"):
        write(tmp_path / "u.csv", frame, keys=frame)


@pytest.mark.parametrize("shape", [(3, 6, 5), (3, 6, 5, 3)])
def test_pictures(tmp_path, shape):
    rows = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    write(tmp_path / "pics", rows)
    np.testing.assert_array_equal(open(tmp_path / "pics").rows, rows)
    assert [p.name for p in sorted((tmp_path / "pics").iterdir())] == ["00000.png", "00001.png", "00002.png"]


def test_pictures_keep_the_names_they_had(tmp_path):
    rows = np.zeros((2, 4, 4), np.uint8)
    write(tmp_path / "p", rows, keys=pd.DataFrame({"file": ["a/0.jpg", "b/0.jpg"]}))
    assert open(tmp_path / "p").keys["file"].tolist() == ["a/0.png", "b/0.png"]
    with pytest.raises(UsageError, match="outside the folder"):
        write(tmp_path / "q", rows, keys=pd.DataFrame({"file": ["../0.jpg", "b/0.jpg"]}))


def test_floats_are_spread_over_the_bytes(tmp_path):
    write(tmp_path / "unit", np.array([[[0.0, 0.5], [1.0, 0.25]]]))
    write(tmp_path / "digits", np.array([[[0.0, 8.0], [16.0, 4.0]]]))
    for name in ("unit", "digits"):
        assert open(tmp_path / name).rows.tolist() == [[[0, 128], [255, 64]]]


def test_nothing_is_overwritten_unasked(tmp_path):
    for name, rows in (("z.npy", np.ones((2, 2))), ("pics", np.ones((2, 4, 4), np.uint8))):
        write(tmp_path / name, rows)
        with pytest.raises(UsageError, match=f"{name}' exists already.*--force"):
            write(tmp_path / name, rows)
        write(tmp_path / name, rows[:1], force=True)
    assert len(np.load(tmp_path / "z.npy")) == len(list((tmp_path / "pics").iterdir())) == 1


def test_force_spares_folders_that_hold_something_else(tmp_path):
    (tmp_path / "home").mkdir()
    (tmp_path / "home" / "diary.txt").write_text("dear")
    with pytest.raises(UsageError, match=r"also holds 'diary\.txt'"):
        write(tmp_path / "home", np.ones((2, 4, 4), np.uint8), force=True)


@pytest.mark.parametrize(
    "name, rows, match",
    [
        ("z.parqet", np.ones((2, 2)), r"did you mean '\.parquet'"),
        ("z.csv", np.ones((2, 2, 2)), r"shape \(2, 2, 2\). Write them to \.npy"),
        ("z", np.ones((2, 2)), "a folder takes pictures"),
        ("z.npy", pd.DataFrame({"a": ["x"]}), r"takes numbers only"),
        ("no/z.npy", np.ones((2, 2)), "folder .* does not exist"),
    ],
)
def test_what_cannot_be_written(tmp_path, name, rows, match):
    with pytest.raises(UsageError, match=match):
        write(tmp_path / name, rows)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name, rows", [("z.npy", np.ones((2, 2))), ("z.csv", np.ones((2, 2)))])
def test_a_full_disk_changes_nothing(tmp_path, monkeypatch, name, rows):
    write(tmp_path / name, rows)
    before = (tmp_path / name).read_bytes()

    def full(_):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(DataError, match="No space left on device; nothing was changed"):
        write(tmp_path / name, rows * 2, force=True)
    assert (tmp_path / name).read_bytes() == before and [p.name for p in tmp_path.iterdir()] == [name]
