"""Search by codes: exact search is brute force, FAISS's kinds are held against it, an index keeps what it has."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.datasets import load_digits

from diabolo import Autoencoder, AutoencoderClassifier, SearchIndex, Trainer, load
from diabolo.core.errors import DataError, MissingExtra, ModelError, UsageError
from diabolo.data import Source
from diabolo.data import open as open_source
from diabolo.data.series import Series
from diabolo.tasks import approximate, faiss_arrays, hashing, principal
from diabolo.tasks.nearest import Exact

ROWS = np.random.default_rng(0).normal(size=(1500, 8)).astype(np.float32)
KINDS = ("exact", "hnsw", "ivf-pq", "binary")


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return Autoencoder(6, trainer=Trainer(epochs=2), random_state=0).fit(ROWS)


def made(model: Any, kind: str = "exact", **given: Any) -> SearchIndex:
    return SearchIndex(model, kind=kind, random_state=0, **given)


def brute(queries: np.ndarray, codes: np.ndarray, k: int, metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Distances and numbers by NumPy in float64, ties by number."""
    a, b = queries.astype(np.float64), codes.astype(np.float64)
    if metric == "cosine":
        length = [np.linalg.norm(part, axis=1, keepdims=True) for part in (a, b)]
        away = 1 - (a / np.where(length[0] > 0, length[0], 1)) @ (b / np.where(length[1] > 0, length[1], 1)).T
    else:
        away = np.sqrt(np.square(a[:, None] - b[None]).sum(-1))
    order = np.argsort(away, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(away, order, 1), order


# exact search


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
@pytest.mark.parametrize("far", [0.0, 1000.0])
def test_exact_search_is_brute_force(metric: str, far: float, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("diabolo.tasks.nearest.ENTRIES", 4096)  # many blocks
    codes = np.random.default_rng(1).normal(far, 1, (700, 5)).astype(np.float32)
    queries = np.random.default_rng(2).normal(far, 1, (300, 5)).astype(np.float32)
    distances, numbers = Exact(codes, metric).search(queries, 9)
    expected, order = brute(queries, codes, 9, metric)
    np.testing.assert_allclose(distances, expected, rtol=1e-6, atol=1e-9 if not far else 1e-6)
    if not (far and metric == "cosine"):  # there all codes lie within 1e-6 of each other: NumPy's own order is noise
        np.testing.assert_array_equal(numbers, order)


def test_equal_codes_come_in_the_order_of_their_numbers() -> None:
    """200 copies of 5 codes: every distance is tied 40-fold, far more than the spare candidates hold."""
    codes = np.random.default_rng(0).normal(size=(5, 7)).astype(np.float32)[np.arange(200) % 5]
    distances, numbers = Exact(codes, "euclidean").search(codes[:5], 30)
    np.testing.assert_array_equal(numbers, np.arange(5)[:, None] + 5 * np.arange(30))
    assert (distances == 0).all()
    np.testing.assert_array_equal(Exact(codes, "cosine").search(codes[:5], 30)[1], numbers)


def test_a_code_of_zeros_is_at_cosine_0_from_all() -> None:
    codes = np.array([[0.0, 0.0], [1.0, 0.0], [0.0, 2.0], [-3.0, 0.0]], np.float32)
    distances, numbers = Exact(codes, "cosine").search(codes[:2], 4)
    assert numbers.tolist() == [[0, 1, 2, 3], [1, 0, 2, 3]]
    np.testing.assert_allclose(distances, [[1, 1, 1, 1], [0, 1, 1, 2]])


# the index


@pytest.mark.parametrize("metric", ["cosine", "euclidean"])
def test_an_index_finds_what_brute_force_finds_among_the_codes(model: Autoencoder, metric: str) -> None:
    index = made(model, metric=metric).add(ROWS)
    distances, keys = index.search(ROWS[:50] + 0.1, k=7)
    expected, order = brute(model.transform(ROWS[:50] + 0.1), model.transform(ROWS), 7, metric)
    np.testing.assert_allclose(distances, expected, rtol=1e-5, atol=1e-7)
    np.testing.assert_array_equal(keys, order)


@pytest.mark.parametrize("kind", ["exact", "binary"])
def test_adding_in_parts_is_adding_at_once(model: Autoencoder, kind: str) -> None:
    whole = made(model, kind).add(ROWS)
    parts = made(model, kind).add(ROWS[:1000])
    if kind == "binary":  # the rotation is learnt from the rows that come first
        whole = whole.empty()
        whole.add(ROWS[:1000])
        whole.add(ROWS[1000:])
    parts.search(ROWS[:1])
    parts.add(ROWS[1000:])
    for one, other in zip(whole.search(ROWS[:99], 10), parts.search(ROWS[:99], 10), strict=True):
        np.testing.assert_array_equal(one, other)


@pytest.mark.parametrize("kind", ["hnsw", "ivf-pq"])
def test_approximate_kinds_find_nearly_all(model: Autoencoder, kind: str) -> None:
    index = made(model, kind).add(ROWS[:1000])
    index.search(ROWS[:1])
    index.add(ROWS[1000:])
    assert len(index) == 1500 and index.recall_at(model.transform(ROWS[:200] + 0.05)) >= 0.95
    assert index.facts_["recall"] >= 0.98
    distances, keys = index.search(ROWS[:20], 5)
    assert (keys[:, 0] == np.arange(20)).all() and (distances[:, 0] < 1e-6).all()
    assert (np.diff(distances, axis=1) >= 0).all()
    patient, hasty = (made(model, kind, recall=share).add(ROWS)._store for share in (1.0, 0.3))
    assert patient.built().ntotal == hasty.built().ntotal == 1500
    assert patient.facts["effort"] >= hasty.facts["effort"] and patient.facts["recall"] >= hasty.facts["recall"] >= 0.3
    assert kind == "hnsw" or patient.facts["recall"] == 1 > hasty.facts["recall"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_saved_index_finds_the_same_to_the_bit(model: Autoencoder, kind: str, tmp_path: Path) -> None:
    names = [f"row é {place}" for place in range(len(ROWS))]
    index = made(model, kind).add(ROWS, keys=names)
    before = index.search(ROWS[:40], 6)
    index.save(tmp_path / "index")
    for saved in (load(tmp_path / "index"), load(tmp_path / "index")):
        for one, other in zip(before, saved.search(ROWS[:40], 6), strict=True):
            np.testing.assert_array_equal(one, other)
        saved.add(ROWS[:3], keys=["new", "newer", "newest"])
        assert len(saved) == 1503 and saved.where("newer").tolist() == [1501]
    assert index.search(ROWS[:1], 3).keys.shape == (1, 3)
    load(tmp_path / "index").save(tmp_path / "again")  # FAISS's part, not looked at in between
    assert (tmp_path / "again/model.safetensors").read_bytes() == (tmp_path / "index/model.safetensors").read_bytes()


def test_a_graph_is_the_same_every_time(model: Autoencoder) -> None:
    one, two = (faiss_arrays.to_arrays("hnsw", made(model, "hnsw").add(ROWS)._store.built()) for _ in range(2))
    assert all((one[name] == two[name]).all() for name in one)


def test_rows_of_the_index_are_queries_without_themselves(model: Autoencoder) -> None:
    for kind in KINDS:
        index = made(model, kind).add(ROWS)
        numbers = index.like([3, 77], 5)[1]
        assert numbers.shape == (2, 5) and not (numbers == np.array([[3], [77]])).any()
    codes = model.transform(ROWS)
    np.testing.assert_array_equal(made(model).add(ROWS).like(3, 5)[1], brute(codes[3:4], codes, 6, "cosine")[1][:, 1:])


def test_keys_come_back_as_they_were(model: Autoencoder) -> None:
    frame = pd.DataFrame({"name": ["b", "a", "ü"] * 500, "year": np.arange(1500)})
    index = made(model).add(ROWS, keys=frame)
    assert index.search(ROWS[2:3], 1).keys[0, 0] == ("ü", 2)
    assert index.columns_of(np.array([1]))["year"].tolist() == [1]
    assert index.where("a").tolist() == list(range(1, 1500, 3))
    assert made(model).add(ROWS).search(ROWS[9:10], 1).keys.tolist() == [[9]]
    numbered = made(model).add(ROWS, keys=np.arange(1500) * 10)
    assert numbered.where("70").tolist() == [7] and numbered.search(ROWS[7:8], 1).keys.tolist() == [[70]]


def test_windows_say_their_row_and_where_they_lie() -> None:
    wave = np.sin(np.arange(300) / 3)
    odd = np.concatenate([wave[:150], np.sign(np.sin(np.arange(60) / 2)), wave[:90]])
    rows = open_source([Series(wave), Series(odd)], processor="series(window=30, hop=30)")
    model = Autoencoder(4, trainer=Trainer(epochs=20), random_state=0).fit(rows)
    index = made(model, metric="euclidean").add(rows)
    assert len(index) == 20 and index._keys.names == ["row", "start", "end"]
    distances, keys = index.search(open_source([Series(odd[150:180])]), 2)
    assert keys[0, 0] == (1, 150, 179) and distances[0, 0] < 1e-5 < distances[0, 1]
    index.add(rows)
    assert index.columns_of(np.array([39])) == {"row": [3], "start": [270], "end": [299]}


def test_fit_trains_and_adds(tmp_path: Path) -> None:
    index = SearchIndex(Autoencoder(3), trainer=Trainer(epochs=2), random_state=0).fit(ROWS)
    assert len(index) == 1500 and index.search(ROWS[5:6], 1).keys.tolist() == [[5]]
    index.fit(ROWS[:90])
    assert len(index) == 90
    given = SearchIndex(index.autoencoder_)
    assert clone(given).add(ROWS[:10]).autoencoder_ is index.autoencoder_
    classes = AutoencoderClassifier(Autoencoder(3), trainer=Trainer(epochs=2), random_state=0).fit(ROWS, ROWS[:, 0] > 0)
    told = SearchIndex(classes).add(ROWS)
    told.save(tmp_path / "told")
    np.testing.assert_array_equal(load(tmp_path / "told").search(ROWS[:3]).keys, told.search(ROWS[:3]).keys)


# bits


def test_the_rotation_of_bits_is_orthogonal_and_loses_less_than_none() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(800, 4)) @ random.normal(size=(4, 10)) + 0.2 * random.normal(size=(800, 10))
    mean, turn = hashing.itq(rows, 6)
    np.testing.assert_allclose(turn.T @ turn, np.eye(6), atol=1e-10)
    axes = principal.fit(lambda: iter([rows]), 6).axes
    loss = [np.square(np.sign((rows - mean) @ t) - (rows - mean) @ t).sum() for t in (turn, axes)]
    assert loss[0] < loss[1]


def test_bits_of_well_separated_corners_are_told_apart() -> None:
    """Codes at the corners of a rotated cube: some rotation puts one corner in each orthant, and it is found."""
    random = np.random.default_rng(3)
    corners = np.where(random.integers(0, 2, (600, 3)) > 0, 1.0, -1.0)
    turned = (corners + 0.05 * random.normal(size=corners.shape)) @ np.linalg.qr(random.normal(size=(3, 3)))[0]
    mean, turn = hashing.itq(turned, 3)
    bits = hashing.packed((turned - mean) @ turn)[:, 0]
    whole = corners @ [4, 2, 1]
    assert len(np.unique(bits)) == 8 and all(len(np.unique(bits[whole == one])) == 1 for one in np.unique(whole))


def test_hamming_distances_are_counts_of_bits_with_ties_in_order(model: Autoencoder) -> None:
    index = made(model, "binary").add(ROWS)
    distances, keys = index.search(ROWS[:30], 12)
    bits = np.unpackbits(index.arrays_["bits"], axis=1)
    away = (bits[:30, None] != bits[None]).sum(-1)
    order = np.argsort(away, axis=1, kind="stable")[:, :12]
    np.testing.assert_array_equal(keys, order)
    np.testing.assert_array_equal(distances, np.take_along_axis(away, order, 1))


def test_codes_that_are_bits_stay_as_they_are() -> None:
    model = Autoencoder(12, bottleneck="binary", trainer=Trainer(epochs=3), random_state=0).fit(ROWS)
    index = made(model, "binary").add(ROWS)
    assert "turn" not in index.arrays_ and index.facts_["bits"] == 12
    np.testing.assert_array_equal(np.unpackbits(index.arrays_["bits"], axis=1)[:, :12] > 0, model.transform(ROWS) > 0)
    with pytest.raises(UsageError, match="bits must be 12"):
        made(model, "binary", bits=8).add(ROWS)


# assessment and pictures


def test_the_assessment_knows_good_codes_and_says_when_rows_do_better() -> None:
    X, y = load_digits(return_X_y=True)
    rows = Source((X / 16).reshape(-1, 8, 8).astype(np.float32), "image", target=y)
    learn, held = rows.take(slice(0, 1500)), rows.take(slice(1500, None))
    index = SearchIndex(Autoencoder(12), trainer=Trainer(epochs=20), random_state=0).fit(learn)
    found = index.assess(learn, held)
    assert found is not None and [line[0] for line in found.rows] == [
        "this model",
        "PCA, 12 components",
        "all 64 values",
    ]
    assert all(0.8 < float(line[1]) <= 1 for line in found.rows)
    unlabelled = index.assess(Source(learn.rows, "image"), Source(held.rows, "image"))
    assert unlabelled is not None and "share found" in unlabelled.columns and len(unlabelled.rows) == 2
    poor = SearchIndex(Autoencoder(1), trainer=Trainer(epochs=1), random_state=0).fit(learn).assess(learn, held)
    assert poor is not None and "no better than" in poor.verdict


@pytest.mark.parametrize("kind", ["exact", "binary"])
def test_the_report_shows_the_query_and_its_neighbours(kind: str) -> None:
    rows = Source(load_digits().images[:300].astype(np.float32), "image")
    index = SearchIndex(Autoencoder(6), kind=kind, trainer=Trainer(epochs=10), random_state=0).fit(rows)
    strips, table = index.exhibits(rows)
    first = strips.strips[0].pictures
    assert len(strips.strips) == 6 and len(first) == 6 and first[0].shape == (8, 8)
    near, random = (
        np.mean([np.square(p - first[0]).mean() for p in some]) for some in (first[1:4], rows.rows[40:90] / 16)
    )
    assert near < random
    assert table.columns[0] == "query" and len(table.rows) == 6
    assert SearchIndex(index.autoencoder_, kind=kind).empty().exhibits(rows) == []


# what is refused


def test_bad_parameters_and_bad_rows_are_refused_in_words(model: Autoencoder, monkeypatch: pytest.MonkeyPatch) -> None:
    index = made(model).add(ROWS)
    refused: list[tuple[Any, str, Any]] = [
        (UsageError, "kind must be 'exact'", lambda: made(model, "hnws").add(ROWS)),
        (UsageError, "metric must be", lambda: made(model, metric="l2").add(ROWS)),
        (UsageError, "recall must be", lambda: made(model, "hnsw", recall=0).add(ROWS)),
        (UsageError, "at most 6", lambda: made(model, "binary", bits=99).add(ROWS)),
        (UsageError, "k must be", lambda: index.search(ROWS[:1], 0)),
        (UsageError, "from 0 to 1499", lambda: index.like(1500)),
        (DataError, "no row of this index has row 'x'", lambda: index.where("x")),
        (DataError, "holds no rows", lambda: made(model).empty().search(ROWS[:1])),
        (DataError, "3 keys for 1500", lambda: made(model).add(ROWS, keys=["a", "b", "c"])),
        (DataError, "go by their number", lambda: index.add(ROWS[:2], keys=["a", "b"])),
        (DataError, "give keys=", lambda: made(model).add(ROWS[:2], keys=["a", "b"]).add(ROWS)),
        (DataError, "comes? with", lambda: made(model).add(ROWS[:2], keys=["a", "b"]).add(ROWS[:2], keys=[1, 2])),
        (DataError, "at least 624", lambda: made(model, "ivf-pq").add(ROWS[:99]).search(ROWS[:1])),
        (DataError, "features|columns|values", lambda: index.search(ROWS[:2, :3])),
        (ModelError, "not fitted", lambda: SearchIndex(Autoencoder(2)).add(ROWS)),
    ]
    for error, words, call in refused:
        with pytest.raises(error, match=words):
            call()
    monkeypatch.setattr(approximate, "require", _absent)
    with pytest.raises(MissingExtra):
        made(model, "hnsw").add(ROWS)


def _absent(*given: str) -> None:
    raise MissingExtra("not installed")


def test_another_model_is_refused(model: Autoencoder) -> None:
    index = made(model).add(ROWS)
    index.must_hold(model)
    other = Autoencoder(6, trainer=Trainer(epochs=2), random_state=1).fit(ROWS)
    with pytest.raises(ModelError, match="another model"):
        index.must_hold(other)


@pytest.mark.parametrize("kind", ["exact", "hnsw"])
def test_a_damaged_or_truncated_index_is_refused_before_faiss_sees_it(
    model: Autoencoder, kind: str, tmp_path: Path
) -> None:
    made(model, kind).add(ROWS).save(tmp_path / "index")
    file = tmp_path / "index/model.safetensors"
    whole = file.read_bytes()
    for damaged in (whole[:-100], whole[:-5000] + bytes(8) + whole[-4992:]):
        file.write_bytes(damaged)
        with pytest.raises(ModelError, match="checksum does not match"):
            load(tmp_path / "index")


def altered(held: dict[str, np.ndarray], name: str, at: Any, value: int) -> dict[str, np.ndarray]:
    changed = held[name].copy()
    changed[at] = value
    return {**held, name: changed}


def test_arrays_that_are_no_graph_of_these_codes_never_reach_faiss(model: Autoencoder) -> None:
    store = made(model, "hnsw").add(ROWS)._store
    held = faiss_arrays.to_arrays("hnsw", store.built())
    rows = approximate.as_searched(store.arrays["codes"][store.order], "cosine")
    low, high = (int(np.flatnonzero(held["levels"] == level)[0]) for level in (1, 2))
    slot = int(64 * high + 32 * (held["levels"][:high] - 1).sum() + 64)  # the first link of a node on its second level
    wrong = {
        "links out of range": altered(held, "links", 5, 1500),
        "links to nodes below": altered(held, "links", slot, low),
        "levels out of range": altered(held, "levels", 5, 99),
        "another number of links": altered(held, "levels", low, 2),
        "an entry that is not": altered(held, "entry", 0, low),
        "other types": {**held, "links": held["links"].astype(np.int64)},
        "levels": {name: array for name, array in held.items() if name != "levels"},
    }
    for words, arrays in wrong.items():
        with pytest.raises(ModelError, match=words):
            faiss_arrays.from_arrays("hnsw", approximate.graph(6), arrays, rows)
    with pytest.raises(ModelError, match="another number of nodes"):
        faiss_arrays.from_arrays("hnsw", approximate.graph(6), held, rows[:-1])
    for order in (np.arange(3.0), np.array([0, 0, 1]), np.array([0, 3]), np.array([-1, 0])):
        with pytest.raises(ModelError, match="order"):
            faiss_arrays.order_of({"order": order}, 3)
    again = faiss_arrays.from_arrays("hnsw", approximate.graph(6), held, rows)
    np.testing.assert_array_equal(again.search(rows[:50], 5)[1], store.built().search(rows[:50], 5)[1])


def test_arrays_that_are_no_cells_of_these_codes_never_reach_faiss(model: Autoencoder) -> None:
    store = made(model, "ivf-pq").add(ROWS)._store
    held = faiss_arrays.to_arrays("ivf-pq", store.built())
    rows = approximate.as_searched(store.arrays["codes"][store.order], "cosine")
    wrong = {
        "cells out of range": altered(held, "cell", 5, 10_000),
        "other pieces": altered(held, "cut", 0, 4),
        "codes of another size": {**held, "code": held["code"][:, :1]},
        "centres of another width": {**held, "cells": held["cells"][:, :5]},
    }
    for words, arrays in wrong.items():
        with pytest.raises(ModelError, match=words):
            faiss_arrays.from_arrays("ivf-pq", None, arrays, rows)
    again, built = faiss_arrays.from_arrays("ivf-pq", None, held, rows), store.built()
    again.nprobe = built.nprobe = 4
    np.testing.assert_array_equal(again.search(rows[:50], 5)[1], built.search(rows[:50], 5)[1])
