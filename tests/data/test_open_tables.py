"""`open` on tables: labels never leak in, identifiers stay beside, and damage is named by column and row."""

from __future__ import annotations

import gzip

import numpy as np
import pandas as pd
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.data import TableProcessor, align, open

ROWS = "id,size,colour,label\n" + "".join(f"{100 + i},{i / 7},{'rg'[i % 2]},{i % 3}\n" for i in range(12))


@pytest.fixture
def path(tmp_path):
    (tmp_path / "shop.csv").write_text(ROWS)
    return tmp_path / "shop.csv"


def test_a_label_column_stops_and_names_the_options(path):
    with pytest.raises(
        UsageError, match=r"shop\.csv: column 'label' .*--target label .*--exclude label.*--target none"
    ):
        open(path)


def test_the_three_ways_out(path):
    source = open(path, target="label")
    assert list(source.rows) == ["size", "colour"] and source.target[:4].tolist() == [0, 1, 2, 0]
    assert list(source.keys) == ["id"] and "'id' names the rows" in source.notes[0]
    assert list(open(path, exclude="label").rows) == ["size", "colour"]
    assert list(open(path, target="none").rows) == ["size", "colour", "label"]


def test_a_trained_models_columns_need_no_answer(path):
    source = open(path, columns=["colour", "size"])
    assert source.target is None and list(source.keys) == ["id"]
    assert any("'label' is not one the model knows" in note for note in source.notes)
    assert list(align(source, ["colour", "size"]).rows) == ["colour", "size"]


def test_keys_and_misspelt_columns(path):
    assert list(open(path, key="colour", exclude=["label", "id"]).keys) == ["colour"]
    with pytest.raises(UsageError, match="no column 'lable'; did you mean 'label'"):
        open(path, target="lable")
    with pytest.raises(UsageError, match="--array does not apply to a table"):
        open(path, array="X")


def test_gzip_semicolons_and_decimal_commas(tmp_path):
    with gzip.open(tmp_path / "a.csv.gz", "wt") as file:
        file.write("a;b\n1,5;x\n2,5;y\n")
    source = open(tmp_path / "a.csv.gz")
    assert source.rows["a"].tolist() == [1.5, 2.5] and "decimal" in source.notes[1]


def test_whole_numbers_and_truth_values_stay_so_where_cells_are_missing(tmp_path):
    (tmp_path / "a.csv").write_text("n,t,f,s\n1,True,0.5,u\n,,,\n3,False,2.5,v\n")
    rows = open(tmp_path / "a.csv").rows
    assert [str(rows[c].dtype) for c in "ntf"] == ["Int64", "boolean", "float64"] and rows["s"].isna()[1]
    table = TableProcessor().fit(rows)
    back = table.invert(table.collate(table.encode(rows)).target)
    assert back["n"].tolist() == [1, 2, 3] and (back.dtypes == rows.dtypes).all()


def test_no_header(tmp_path):
    (tmp_path / "a.csv").write_text("1,2\n3,4\n")
    assert "--no-header" in open(tmp_path / "a.csv").notes[0]
    source = open(tmp_path / "a.csv", header=False)
    assert list(source.rows) == ["x0", "x1"] and len(source) == 2 and source.notes == []


def test_texts_that_name_the_rows_and_prose(tmp_path):
    frame = pd.DataFrame({"name": [f"n{i}" for i in range(600)], "x": range(600), "c": list("ab") * 300})
    frame["review"] = [f"text {i // 1.01:.0f}" for i in range(600)]
    frame["when"] = pd.date_range("2020-01-01", periods=600).strftime("%Y-%m-%d")
    frame.to_csv(tmp_path / "a.csv", index=False)
    source = open(tmp_path / "a.csv")
    assert list(source.rows) == ["x", "c", "when"] and list(source.keys) == ["name"]
    assert any("'review' holds" in note and "--column review" in note for note in source.notes)


@pytest.mark.parametrize(
    "text, match",
    [
        ("a,b\n", r"bad\.csv has a header \('a', 'b'\) but no rows"),
        ("\n\n", r"bad\.csv is empty"),
        ("a,b\n1,2\n3,4,5\n", r"bad\.csv cannot be read as a table: .*line 3"),
        ("a\n1.5\n2.5\noops\n3.5\n", r"bad\.csv: column 'a' contains text .*'oops' at row 2 \(line 4\)"),
        ("a\n1.5\ninf\n", r"bad\.csv: column 'a' contains infinity at row 1 \(line 3\)"),
    ],
)
def test_bad_csv(tmp_path, text, match):
    (tmp_path / "bad.csv").write_text(text)
    with pytest.raises(DataError, match=match):
        open(tmp_path / "bad.csv")


def test_codes_and_rare_words_are_no_stray_text(tmp_path):
    codes = [f"{90000 + i}" for i in range(20)] + ["T8H1N", "90001"]
    pd.DataFrame({"zip": codes, "many": [*"0123" * 5, "3+", "3+"], "x": range(22)}).to_csv(
        tmp_path / "a.csv", index=False
    )
    assert list(open(tmp_path / "a.csv").rows) == ["zip", "many", "x"]


def test_not_utf8(tmp_path):
    (tmp_path / "a.csv").write_bytes("größe\n1\n".encode("latin-1"))
    with pytest.raises(DataError, match=r"a\.csv is not UTF-8 .*iconv"):
        open(tmp_path / "a.csv")


def test_parquet(tmp_path, path):
    frame = pd.read_csv(path).assign(day=pd.Timestamp("2020-02-02"), n=pd.array([None, *range(11)], "Int64"))
    frame.to_parquet(tmp_path / "a.parquet")
    source = open(tmp_path / "a.parquet", target="label", as_="table")
    assert [str(d) for d in source.rows.dtypes][-1] == "Int64" and str(source.rows["day"].dtype).startswith(
        "datetime64"
    )
    whole = (tmp_path / "a.parquet").read_bytes()
    (tmp_path / "a.parquet").write_bytes(whole[:-40])
    with pytest.raises(DataError, match=r"a\.parquet is damaged or cut short"):
        open(tmp_path / "a.parquet")


def test_as_array_needs_numbers(path):
    assert open(path, exclude=["label", "colour"], as_="array").rows.shape == (12, 1)
    with pytest.raises(DataError, match="--as array needs numbers, but columns 'colour'"):
        open(path, exclude="label", as_="array")


def test_frames_pass_through_as_they_are(path):
    frame = pd.read_csv(path)
    assert list(open(frame).rows) == list(frame)
    source = open(frame, target="label", key="id")
    assert list(source.rows) == ["size", "colour"] and list(source.keys) == ["id"] and len(source.target) == 12


def test_align_names_what_is_missing_and_what_is_extra(path):
    source = open(path, target="none")
    aligned = align(source, ["colour", "size"])
    assert list(aligned.rows) == ["colour", "size"] and "'label'" in aligned.notes[-1]
    with pytest.raises(DataError, match=r"shop\.csv: column 'sizes' missing; did you mean 'size'"):
        align(source, ["sizes"])
    array = open(np.ones((2, 2)))
    assert align(array, ["a"]) is array


def test_take(path):
    part = open(path, target="label").take([3, 1])
    assert part.keys["id"].tolist() == [103, 101] and part.target.tolist() == [0, 1] and len(part.rows) == 2
