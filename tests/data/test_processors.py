"""Laws of every processor: what goes in comes back, and its state says all there is to say."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from diabolo.core import Spec, lookup, names
from diabolo.core.errors import DataError
from diabolo.data import ArrayProcessor, ImageProcessor, Source, TableProcessor, open, processor_for

FINITE = st.floats(-1e100, 1e100, allow_subnormal=False)
WHOLE = st.integers(-(10**5), 10**5)
DATES = st.datetimes(pd.Timestamp("1900-01-01").to_pydatetime(), pd.Timestamp("2100-01-01").to_pydatetime())
WORDS = st.text(min_size=0, max_size=5)


def round_trip(processor, rows):
    fitted = processor.fit(rows)
    return fitted.invert(fitted.collate(fitted.encode(rows)).target)


def reloaded(processor):
    return type(processor).from_state(json.loads(json.dumps(processor.state(), allow_nan=False)))


def assert_same_encoding(one, other, rows):
    first, second = one.encode(rows), other.encode(rows)
    assert first.keys() == second.keys()
    for name in first:
        assert torch.equal(first[name], second[name])
    assert one.shape == other.shape and one.target_shape == other.target_shape
    assert one.defaults() == other.defaults()


def arrays():
    rng = np.random.default_rng(0)
    return [
        (ArrayProcessor(), rng.normal(size=(7, 3)).astype(np.float32)),
        (ArrayProcessor(), rng.normal(size=(4, 2, 3, 2)).astype(np.float32)),
        (ArrayProcessor(), open("digits").rows[:20]),
        (ImageProcessor(), rng.integers(0, 256, (5, 4, 3), dtype=np.uint8)),
        (ImageProcessor(), rng.integers(0, 256, (5, 4, 3, 3), dtype=np.uint8)),
    ]


def test_every_processor_is_registered():
    assert {"array", "image", "table"} <= set(names("processor"))
    assert lookup("processor", "table") is TableProcessor


@pytest.mark.parametrize("processor, rows", arrays())
def test_arrays_and_images_come_back_exactly(processor, rows):
    back = round_trip(processor, rows)
    assert back.dtype == rows.dtype
    np.testing.assert_array_equal(back, rows)
    assert_same_encoding(processor, reloaded(processor), rows)


def test_every_byte_survives_the_image_processor():
    rows = np.arange(256, dtype=np.uint8).reshape(1, 16, 16)
    np.testing.assert_array_equal(round_trip(ImageProcessor(), rows), rows)


def test_images_stay_bytes_in_memory_and_invert_clamps():
    image = ImageProcessor().fit(np.zeros((2, 2, 2), np.uint8))
    assert image.encode(np.zeros((2, 2, 2), np.uint8))["x"].dtype == torch.uint8
    assert image.invert(torch.tensor([[[-3.0, 0.5], [2.0, torch.nan]]])).tolist() == [[[0, 128], [255, 0]]]


@pytest.mark.parametrize(
    "rows, spec",
    [
        (np.array([[0.0, 1.0], [1.0, 0.0]]), Spec("squared", low=0.0, high=1.0)),
        (np.linspace(0, 1, 1000).reshape(100, 10) ** 2, Spec("squared")),
        (np.ones((5, 2)), Spec("squared")),
    ],
)
def test_bounded_data_is_recognised(rows, spec):
    assert ArrayProcessor().fit(rows).defaults()["loss"] == spec


def mixed_tables(rows: int):
    def column(cells, dtype):
        cell = st.one_of(st.none(), cells)
        return st.lists(cell, min_size=rows, max_size=rows).map(lambda values: pd.Series(values, dtype=dtype))

    return st.fixed_dictionaries(
        {
            "number": column(FINITE, "float64"),
            "whole": column(WHOLE, "Int64"),
            "truth": column(st.booleans(), "boolean"),
            "word": column(WORDS, object),
            "level": column(st.sampled_from("abc"), pd.CategoricalDtype(list("cab"), ordered=True)),
            "day": column(DATES, "datetime64[us]"),
        }
    ).map(pd.DataFrame)


@settings(max_examples=60, deadline=None)
@given(mixed_tables(6))
def test_mixed_tables_come_back(rows):
    table = TableProcessor().fit(rows)
    batch = table.collate(table.encode(rows))
    back = table.invert(batch.target)
    assert torch.isfinite(batch.x).all() and back.columns.equals(rows.columns)
    for name in rows:
        known = rows[name].notna()
        assert_column_same(rows[name][known], back[name][known])
        if known.any():
            assert back[name].dtype == rows[name].dtype and back[name].notna().all()
    if batch.scored is None:
        assert rows.notna().all(axis=None)
    else:
        np.testing.assert_array_equal(batch.scored.numpy(), rows.notna().to_numpy())
    assert_same_encoding(table, reloaded(table), rows)


def assert_column_same(given_cells, back):
    if given_cells.empty:
        return
    if given_cells.dtype.kind in "fM":
        as_number = (
            (lambda s: s.to_numpy().view(np.int64).astype(float)) if given_cells.dtype.kind == "M" else np.asarray
        )
        a, b = as_number(given_cells), as_number(back)
        room = 1e-6 * (a.max() - a.min()) + 1e-12 * np.abs(a).max()
        assert np.abs(a - b).max() <= room
    else:
        assert given_cells.tolist() == back.tolist()


def test_dtypes_and_order_come_back():
    rows = pd.DataFrame(
        {
            "u8": np.array([0, 255, 3], "u1"),
            "f32": np.array([1, 2, 4], "f4"),
            "flag": [True, False, True],
            "text": ["a", "b", "a"],
            "code": pd.Categorical([3, 1, 3]),
            "zone": pd.to_datetime(["2020-01-01", "2021-05-03", "2022-01-01"]).tz_localize("Europe/Berlin"),
            "ns": pd.to_datetime(["2020-01-01", "2021-05-03", "2022-01-01"]).astype("datetime64[ns]"),
            7: [1, 2, 3],
        }
    )
    pd.testing.assert_frame_equal(round_trip(TableProcessor(), rows), rows)


def test_iso_texts_become_dates():
    rows = pd.DataFrame({"when": ["2014-07-01 00:00:00", None, "2014-07-03 12:00:00"]})
    table = TableProcessor().fit(rows)
    assert table.kinds == {"when": "date"} and "come back as datetime64" in table.notices[0]
    back = table.invert(table.collate(table.encode(rows)).target)
    assert back["when"].tolist()[::2] == [pd.Timestamp("2014-07-01"), pd.Timestamp("2014-07-03 12:00")]


def test_constant_and_empty_columns_do_no_harm():
    rows = pd.DataFrame(
        {"same": [0.1] * 4, "day": pd.to_datetime(["2020-02-02"] * 4), "none": [None] * 4, "x": range(4)}
    )
    table = TableProcessor().fit(rows)
    batch = table.collate(table.encode(rows))
    assert batch.x[:, :3].eq(0).all() and not batch.scored[:, 2].any()
    assert round_trip(TableProcessor(), rows)[["same", "day"]].equals(rows[["same", "day"]])
    table.encode(rows.assign(same=1e9))
    assert any("constant at fit" in notice for notice in table.notices)


def test_columns_of_numbers_are_standardised_over_known_cells():
    rows = pd.DataFrame({"a": [1.0, None, 5.0], "b": [True, None, True]})
    table = TableProcessor().fit(rows)
    batch = table.collate(table.encode(rows))
    assert batch.target[:, 0].tolist() == [-1.0, 0.0, 1.0] and batch.target[:, 1].tolist() == [1.0, 1.0, 1.0]
    assert batch.x[:, 2:].tolist() == [[0.0, 0.0], [1.0, 1.0], [0.0, 0.0]]
    assert table.indicators == ["a", "b"] and (table.shape, table.target_shape) == ((4,), (2,))


def test_nothing_missing_means_nothing_unscored():
    rows = pd.DataFrame({"a": [1.0, 2.0], "c": ["u", "v"]})
    table = TableProcessor().fit(rows)
    assert table.collate(table.encode(rows)).scored is None
    later = table.collate(table.encode(pd.DataFrame({"a": [np.nan], "c": ["u"]})))
    assert later.scored.tolist() == [[False, True]] and later.x.shape == (1, 3)


def test_defaults_name_each_column():
    rows = pd.DataFrame(
        {"a": [1, 2], "c": ["u", "v"], "b": [True, False], "d": pd.to_datetime(["2020-01-01", "2021-01-01"])}
    )
    spec = TableProcessor().fit(rows).defaults()["loss"]
    assert spec == Spec("mixed", columns=[["numeric", 1], ["categorical", 2], ["boolean", 1], ["numeric", 1]])


def test_unseen_categories_are_not_scored_and_noted():
    table = TableProcessor().fit(pd.DataFrame({"c": ["u", "v"]}))
    batch = table.collate(table.encode(pd.DataFrame({"c": ["u", "w"]})))
    assert batch.target[1].eq(0).all() and batch.scored.tolist() == [[True], [False]]
    assert "'w' at row 1" in table.notices[0]


def test_at_most_256_categories():
    rows = pd.DataFrame({"c": [f"k{i}" for i in range(300)] + ["k1"] * 10})
    table = TableProcessor().fit(rows)
    assert table.target_shape == (256,) and "300 categories" in table.notices[0]
    assert int(table.collate(table.encode(rows)).scored.sum()) == 310 - 44


def test_columns_are_matched_by_name():
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": ["u", "v"]})
    table = TableProcessor().fit(rows)
    shuffled = table.encode(rows.assign(extra=1)[["extra", "b", "a"]])
    assert torch.equal(shuffled["x"], table.encode(rows)["x"])
    with pytest.raises(DataError, match="'b' missing"):
        table.encode(rows[["a"]])


def test_wild_values_stay_in_the_range_of_their_type():
    rows = pd.DataFrame(
        {"u8": np.array([0, 255], "u1"), "i64": [0, 9], "day": pd.to_datetime(["2020-01-01", "2021-01-01"])}
    )
    table = TableProcessor().fit(rows)
    back = table.invert(torch.tensor([[1e30] * 3, [-1e30] * 3]))
    assert back["u8"].tolist() == [255, 0] and back["i64"][0] > 9e18
    assert back["day"].dt.year.tolist() == [9999, 1]


@pytest.mark.parametrize(
    "bad, match",
    [
        ({"a": ["1", "oops"]}, r"'a' holds 'oops' at row 1 where numbers were expected"),
        ({"a": [1.0, np.inf]}, r"'a' contains infinity at row 1"),
        ({"b": [True, "maybe"]}, r"'b' holds 'maybe' at row 1 where true or false"),
        ({"d": ["2020-01-01", "soon"]}, r"'d' holds 'soon' at row 1 where dates"),
    ],
)
def test_bad_cells_are_named(bad, match):
    rows = pd.DataFrame({"a": [1.0, 2.0], "b": [True, False], "d": pd.to_datetime(["2020-01-01", "2021-01-01"])})
    table = TableProcessor().fit(rows)
    with pytest.raises(DataError, match=match):
        table.encode(rows.assign(**bad))


@pytest.mark.parametrize(
    "rows, match",
    [
        (pd.DataFrame({"a": [[1], [2]]}), "'a' holds cells of type list"),
        (pd.DataFrame({"a": [1, "x"]}, dtype=object), "'a' holds cells of type int, str"),
        (pd.DataFrame({"a": [1e200]}), "too large to standardise"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "'a' appears more than once"),
        (pd.DataFrame({"a": []}), "the table is empty"),
        (np.ones((2, 2)), "a table is needed"),
        (pd.DataFrame({"a": pd.cut([1, 2], 2)}), "categories of type Interval"),
    ],
)
def test_tables_that_cannot_be_used(rows, match):
    with pytest.raises(DataError, match=match):
        TableProcessor().fit(rows)


@pytest.mark.parametrize(
    "rows, match",
    [
        (np.array([[0, 0, 0], [0, 0, np.nan]]), r"Input X contains NaN at row 1, column 2"),
        (np.array([[0, np.inf]]), r"Input X contains infinity at row 0, column 1"),
        (np.array([[0, 1e300]]), r"too large for dtype\('float32'\) at row 0, column 1"),
        (np.full((1, 2, 2), np.nan), r"NaN at row 0, position \(0, 0\)"),
        (np.ones(3), "Reshape your data"),
        (np.ones((0, 3)), r"0 sample\(s\)"),
        (np.ones((3, 0)), r"0 feature\(s\) \(shape=\(3, 0\)\) while a minimum of 1 is required"),
        (np.ones((2, 2)) * 1j, "Complex data not supported"),
        (np.array([["a", "b"]]), "not numbers"),
    ],
)
def test_arrays_that_cannot_be_used(rows, match):
    with pytest.raises(DataError, match=match):
        ArrayProcessor().fit(rows)


def test_shapes_must_match_those_at_fit():
    with pytest.raises(DataError, match=r"X has 2 features, but .* is expecting 3 features as input"):
        ArrayProcessor().fit(np.ones((2, 3))).encode(np.ones((2, 2)))
    with pytest.raises(DataError, match=r"\(2, 2\), but the model is expecting \(3, 3\)"):
        ImageProcessor().fit(np.zeros((1, 3, 3), np.uint8)).encode(np.zeros((1, 2, 2), np.uint8))


def test_processor_for_each_kind():
    pictures = np.zeros((2, 4, 4), np.uint8)
    assert isinstance(processor_for(pictures), ImageProcessor)
    assert isinstance(processor_for(Source(pictures, "array")), ArrayProcessor)
    assert isinstance(processor_for(pictures.astype(np.float32)), ArrayProcessor)
    assert isinstance(processor_for(pd.DataFrame({"a": [1]})), TableProcessor)
