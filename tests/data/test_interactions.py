"""Interactions: files to sparse matrices, to sparse batches and back."""

from __future__ import annotations

import gzip
import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix, random, save_npz

from diabolo import Autoencoder, Trainer
from diabolo.core.errors import DataError, UsageError
from diabolo.core.sparse import is_sparse
from diabolo.data import InteractionProcessor, SparseRows, processor_for
from diabolo.data import open as open_source
from diabolo.data.write import write
from diabolo.data.write_interactions import top_items

WANTED = [[1, 0, 1], [0, 1, 1]]
RATED = [[4, 0, 2], [0, 5, 1]]


@pytest.fixture
def matrix() -> csr_matrix:
    made = random(60, 20, density=0.2, random_state=0, format="csr", dtype=np.float32)
    made.data = np.rint(1 + 4 * made.data)
    return made


@pytest.mark.parametrize("text", ["7 1 30\n9 2 30\n", "7 1 30\r\n9 2 30", "9,2\n7 1 30\n\n9 30 2\n"])
def test_lines_of_items(tmp_path: Path, text: str) -> None:
    (tmp_path / "a.txt").write_text("5\n" + text)
    source = open_source(tmp_path / "a.txt")
    assert source.modality == "interactions"
    assert source.rows.toarray().tolist() == [[0, 0, 0], *WANTED]
    assert source.columns == ("1", "2", "30") and source.keys["user"].tolist() == [5, 7, 9]


@pytest.mark.parametrize("mark", ["\t", " ", ",", ";", "::"])
@pytest.mark.parametrize("head", ["", "userId|movieId|rating|timestamp\n"])
def test_triples_by_any_mark_with_or_without_a_header(tmp_path: Path, mark: str, head: str) -> None:
    (tmp_path / "u.data").write_text((head + "9|b2|5|1\n7|b|4|2\n9|c|1|3\n7|c|2|4\n").replace("|", mark))
    source = open_source(tmp_path / "u.data", as_="interactions")
    assert source.columns == ("b", "b2", "c")
    assert source.rows.toarray().tolist() == RATED
    assert any("value" in note and "left out" in note for note in source.notes)


def test_tables_by_the_names_of_their_columns(tmp_path: Path) -> None:
    frame = pd.DataFrame({"stars": [5, 4, 1, 2], "item": list("yxzz"), "user id": ["u 2", "u 1", "u 2", "u 1"]})
    frame.to_parquet(tmp_path / "a.parquet")
    frame.to_csv(tmp_path / "a.csv", index=False, quoting=1)
    for name in ("a.parquet", "a.csv"):
        source = open_source(tmp_path / name, as_="interactions")
        assert source.rows.toarray().tolist() == RATED and source.keys["user"].tolist() == ["u 1", "u 2"]


def test_sparse_files_and_gzip(tmp_path: Path) -> None:
    save_npz(tmp_path / "a.npz", csr_matrix(np.array(RATED)))
    assert open_source(tmp_path / "a.npz", as_="interactions").rows.toarray().tolist() == RATED
    (tmp_path / "a.txt.gz").write_bytes(gzip.compress(b"7 1 30\n9 2 30 2\n"))
    source = open_source(tmp_path / "a.txt.gz", as_="interactions")
    assert source.rows.toarray().tolist() == WANTED and any("come again" in note for note in source.notes)


def test_items_of_a_model_are_matched_by_name(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("7 1 30\n9 2 30 99\n")
    source = open_source(tmp_path / "a.txt", columns=["30", "4", "1"])
    assert source.rows.toarray().tolist() == [[1, 0, 1], [1, 0, 0]] and source.columns == ("30", "4", "1")
    assert any(note.startswith("2 items the model does not know ('2', '99')") for note in source.notes)
    with pytest.raises(DataError, match="none of the 4 items"):
        open_source(tmp_path / "a.txt", columns=["x"])


@pytest.mark.parametrize(
    ("text", "said"),
    [("", "empty"), ("7\n8\n", "an item at least"), ("user item rating\n1 2 x\n", "'rating' holds|rating holds")],
)
def test_what_cannot_be_read_is_named(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "bad.txt").write_text(text)
    with pytest.raises(DataError, match=said):
        open_source(tmp_path / "bad.txt", as_="interactions")
    (tmp_path / "bad.npz").write_text("nothing")
    with pytest.raises(DataError, match=r"bad.npz holds no"):
        open_source(tmp_path / "bad.npz", as_="interactions")
    with pytest.raises(UsageError, match="--target"):
        open_source(tmp_path / "bad.txt", as_="interactions", target="y")


@pytest.mark.parametrize("values", ["implicit", "rating"])
def test_the_processor_gives_sparse_batches_and_the_rows_back(values: str, matrix: csr_matrix) -> None:
    made = InteractionProcessor(values).fit(matrix)
    again = InteractionProcessor.from_state(json.loads(json.dumps(made.state())))
    tensors = made.encode(matrix)
    assert isinstance(tensors["x"], SparseRows) and len(tensors["x"]) == 60
    batch, other = made.collate(tensors), again.collate(again.encode(matrix))
    assert is_sparse(batch.x) and is_sparse(batch.target)
    there = matrix.toarray() != 0
    back = np.where(there, made.invert(batch.target.to_dense()), 0)
    assert np.allclose(back, there if values == "implicit" else matrix.toarray(), atol=1e-6)
    assert (batch.scored is None) == (values == "implicit")
    if batch.scored is not None:
        assert np.array_equal(batch.scored.to_dense().numpy(), there)
    assert np.array_equal(batch.x.to_dense(), other.x.to_dense())
    lengths = batch.x.to_dense().norm(dim=1)[there.any(1)]
    assert values == "rating" or np.allclose(lengths, 1, atol=1e-6)


def test_interactions_below_a_value_are_left_out(matrix: csr_matrix) -> None:
    made = InteractionProcessor(at_least=4).fit(matrix)
    kept = made.collate(made.encode(matrix)).target.to_dense().numpy()
    assert np.array_equal(kept, matrix.toarray() >= 4)
    with pytest.raises(DataError, match="no interaction at a value of at least 9"):
        InteractionProcessor(at_least=9).fit(matrix)
    with pytest.raises(DataError, match="columns=ITEMS"):
        made.encode(matrix[:, :5])
    with pytest.raises(UsageError, match="values must be"):
        InteractionProcessor("stars")


def test_the_best_items_leave_out_those_seen() -> None:
    scores = np.array([[1.0, 5.0, 3.0, 4.0], [4.0, 3.0, 2.0, 1.0]])
    seen = csr_matrix([[0, 1.0, 0, 0], [1.0, 1.0, 1.0, 0]])
    top = top_items(scores, seen, ["u", "v"], ["a", "b", "c", "d"], 2)
    assert top.to_numpy().tolist() == [["u", "d", 4.0], ["u", "c", 3.0], ["v", "d", 1.0]]


def test_a_sparse_matrix_is_written_as_triples_that_read_alike(tmp_path: Path, matrix: csr_matrix) -> None:
    assert type(processor_for(matrix)) is InteractionProcessor
    write(tmp_path / "a.csv", matrix)
    again = open_source(tmp_path / "a.csv", as_="interactions", columns=[str(i) for i in range(20)])
    rows = np.flatnonzero(np.diff(matrix.indptr))
    assert np.array_equal(again.rows.toarray(), matrix.toarray()[rows])


@pytest.mark.parametrize("values", ["implicit", "rating"])
def test_sparse_training_is_dense_training(values: str, matrix: csr_matrix, monkeypatch: pytest.MonkeyPatch) -> None:
    """The same losses, to float32's last digits, where every batch is made dense first."""
    collate = InteractionProcessor.collate
    losses = []
    for made in (collate, lambda self, tensors: collate(self, tensors).dense()):
        monkeypatch.setattr(InteractionProcessor, "collate", made)
        trainer = Trainer(epochs=3, optimizer="adam", lr=1e-3)
        model = Autoencoder(3, network="dense(activation='tanh')", hidden=(8,), loss="auto", trainer=trainer,
                            random_state=0)  # fmt: skip
        monkeypatch.setattr("diabolo.estimators.start._start_sparse", lambda recipe, sample: None)
        monkeypatch.setattr("diabolo.estimators.start.centre", lambda recipe, sample: None)
        source = open_source(np.zeros((2, 2)))
        source.rows, source.modality, source.processor = matrix, "interactions", f"interactions(values='{values}')"
        model.fit(source)
        losses.append([epoch["train"]["loss"] for epoch in model.history_])
        assert model.reconstruct(source).shape == (60, 20) and model.score_samples(source).shape == (60,)
    assert np.allclose(losses[0], losses[1], rtol=1e-5)
    assert losses[0][-1] < losses[0][0]
