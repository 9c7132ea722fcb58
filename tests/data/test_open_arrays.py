"""`open` on arrays: what is recognised, what is taken, and what each kind of damage says."""

from __future__ import annotations

import gzip
import struct

import numpy as np
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.data import Source, limits, open


def write_idx(path, array, cut=0):
    head = bytes([0, 0, 8, array.ndim]) + struct.pack(f">{array.ndim}I", *array.shape)
    body = head + array.tobytes()
    body = body[: len(body) - cut]
    path.write_bytes(gzip.compress(body) if path.suffix == ".gz" else body)
    return path


@pytest.fixture
def pictures():
    return np.random.default_rng(0).integers(0, 256, (6, 5, 4), dtype=np.uint8)


def test_digits_have_labels_beside_them():
    source = open("digits")
    assert source.rows.shape == (1797, 8, 8) and source.modality == "image" and len(source.target) == 1797
    assert open("digits", target="none").target is None
    assert open("digits", as_="array").modality == "array"


@pytest.mark.parametrize("name", ["a-idx3-ubyte", "a-idx3-ubyte.gz", "a.idx", "b.bin"])
def test_idx_is_recognised_by_its_first_bytes(tmp_path, pictures, name):
    source = open(write_idx(tmp_path / name, pictures))
    assert source.modality == "image" and source.origin == name
    np.testing.assert_array_equal(source.rows, pictures)


def test_idx_labels_alone_are_refused(tmp_path):
    with pytest.raises(DataError, match=r"l-idx1-ubyte is a labels file \(3 values, 0 to 9\)"):
        open(write_idx(tmp_path / "l-idx1-ubyte", np.array([0, 9, 3], np.uint8)))


@pytest.mark.parametrize("name", ["a.idx", "a.idx.gz"])
def test_idx_cut_short(tmp_path, pictures, name):
    with pytest.raises(DataError, match=f"{name} is cut short: 120 bytes of data announced, 110 found"):
        open(write_idx(tmp_path / name, pictures, cut=10))


def test_gzip_cut_short(tmp_path, pictures):
    path = write_idx(tmp_path / "a.idx.gz", pictures)
    path.write_bytes(path.read_bytes()[:-20])
    with pytest.raises(DataError, match=r"a\.idx\.gz is damaged or cut short"):
        open(path)


def test_npy(tmp_path):
    np.save(tmp_path / "a.npy", np.arange(6.0).reshape(3, 2))
    source = open(tmp_path / "a.npy")
    assert source.rows.tolist() == [[0, 1], [2, 3], [4, 5]] and source.modality == "array"
    assert list(open(tmp_path / "a.npy", as_="table").rows.columns) == ["x0", "x1"]
    with pytest.raises(UsageError, match=r"--target does not apply to a \.npy file"):
        open(tmp_path / "a.npy", target="y")


def test_npy_damage(tmp_path):
    np.save(tmp_path / "a.npy", np.ones((30, 4)))
    whole = (tmp_path / "a.npy").read_bytes()
    (tmp_path / "a.npy").write_bytes(whole[:-8])
    with pytest.raises(DataError, match=r"a\.npy is damaged or cut short"):
        open(tmp_path / "a.npy")
    np.save(tmp_path / "o.npy", np.array([{}, []], object), allow_pickle=True)
    with pytest.raises(DataError, match=r"o\.npy holds Python objects"):
        open(tmp_path / "o.npy")


def test_nan_is_named_by_row_and_column(tmp_path):
    np.save(tmp_path / "a.npy", np.array([[0, 1], [2, np.nan]]))
    with pytest.raises(DataError, match=r"a\.npy contains NaN at row 1, column 1"):
        open(tmp_path / "a.npy")
    assert np.isnan(open(tmp_path / "a.npy", allow_missing=True).rows[1, 1])
    np.save(tmp_path / "a.npy", np.array([[0, np.inf], [2, 3]]))
    with pytest.raises(DataError, match=r"a\.npy contains infinity at row 0, column 1"):
        open(tmp_path / "a.npy", allow_missing=True)


def test_npz_takes_x_and_keeps_y_out_and_says_so(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((4, 3)), y=np.arange(4), names=np.array(["p", "q"]))
    source = open(tmp_path / "a.npz")
    assert source.rows.shape == (4, 3) and source.target.tolist() == [0, 1, 2, 3]
    assert "took 'X'" in source.notes[0] and "--array" in source.notes[0] and "--target" in source.notes[0]
    assert open(tmp_path / "a.npz", target="none").target is None


def test_npz_with_several_inputs_stops(tmp_path):
    np.savez(tmp_path / "a.npz", a=np.ones((4, 3)), b=np.ones((4, 2)), labels=np.arange(4))
    with pytest.raises(UsageError, match=r"several arrays .*a \(4, 3\) float64, b \(4, 2\).*--array a"):
        open(tmp_path / "a.npz")
    source = open(tmp_path / "a.npz", array="b")
    assert source.rows.shape == (4, 2) and source.target.tolist() == [0, 1, 2, 3]
    with pytest.raises(UsageError, match="'c' is unknown"):
        open(tmp_path / "a.npz", array="c")


def test_npz_with_train_and_test_stops(tmp_path):
    np.savez(
        tmp_path / "a.npz", x_test=np.ones((2, 3)), y_test=np.ones(2), x_train=np.ones((2, 3)), y_train=np.zeros(2)
    )
    with pytest.raises(UsageError, match=r"training and test data.*--array x_train"):
        open(tmp_path / "a.npz")
    assert open(tmp_path / "a.npz", array="x_train").target.tolist() == [0, 0]


def test_npz_damage(tmp_path):
    np.savez(tmp_path / "a.npz", X=np.ones((40, 3)))
    (tmp_path / "a.npz").write_bytes((tmp_path / "a.npz").read_bytes()[:300])
    with pytest.raises(DataError, match=r"a\.npz is damaged or cut short"):
        open(tmp_path / "a.npz")
    np.savez(tmp_path / "v.npz", s=np.ones(9), t=np.ones(7))
    with pytest.raises(DataError, match=r"v\.npz holds no array of rows"):
        open(tmp_path / "v.npz")


def test_text_of_numbers_is_a_table(tmp_path):
    (tmp_path / "a.txt").write_text("1 2.5\n3,4\n")
    source = open(tmp_path / "a.txt", target="x0")
    assert source.rows["x1"].tolist() == [2.5, 4.0] and source.target.tolist() == [1.0, 3.0]
    (tmp_path / "b.txt").write_text("1 2.5\n3\n")
    with pytest.raises(DataError, match=r"b\.txt, line 2, has 1 values where the lines before have 2"):
        open(tmp_path / "b.txt")
    (tmp_path / "c.txt").write_text("1 2\n" * 20_000 + "a fine day\n")
    with pytest.raises(UsageError, match="line 20001, is text where the lines before are numbers"):
        open(tmp_path / "c.txt")


def test_what_is_no_data(tmp_path):
    (tmp_path / "train.csv").write_text("")
    with pytest.raises(DataError, match=r"train\.csv is empty \(0 bytes\)"):
        open(tmp_path / "train.csv")
    with pytest.raises(DataError, match=r"no file .*trian\.csv.*did you mean 'train\.csv'"):
        open(tmp_path / "trian.csv")
    with pytest.raises(DataError, match=r"folder .* does not exist either"):
        open(tmp_path / "nowhere" / "a.csv")
    (tmp_path / "a.docx").write_text("hello")
    with pytest.raises(UsageError, match=r"a\.docx is of no kind that can be read"):
        open(tmp_path / "a.docx")
    (tmp_path / "a.npy").write_text("hello world")
    with pytest.raises(DataError, match=r"a\.npy is damaged: it does not begin as a \.npy"):
        open(tmp_path / "a.npy")
    with pytest.raises(UsageError, match="did you mean 'image'"):
        open(tmp_path / "a.npy", as_="imge")


def test_more_than_the_memory_holds(tmp_path, pictures, monkeypatch):
    monkeypatch.setattr(limits, "available_memory", lambda: 100)
    with pytest.raises(DataError, match=r"a\.idx would take 120 bytes of memory; 100 bytes are available"):
        open(write_idx(tmp_path / "a.idx", pictures))


def test_objects_pass_through(pictures):
    source = open(pictures)
    assert source.rows is pictures and open(source) is source
    assert open([[1, 2], [3, 4]]).rows.shape == (2, 2)


def test_take_keeps_rows_and_labels_together():
    source = Source(np.arange(8).reshape(4, 2), target=np.array([0, 1, 2, 3]))
    part = source.take(np.array([True, False, False, True]))
    assert part.rows.tolist() == [[0, 1], [6, 7]] and part.target.tolist() == [0, 3] and len(part) == 2
