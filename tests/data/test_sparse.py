"""Sparse rows are gathered as the dense tensor they stand for."""

import numpy as np
import pytest
import torch
from scipy.sparse import csr_matrix, random

from diabolo.core import Batch
from diabolo.core.errors import DataError, UsageError
from diabolo.data import MemoryFeed
from diabolo.data.sparse import SparseRows

WIDTH = 7


@pytest.fixture
def matrix():
    made = random(23, WIDTH, 0.3, "csr", np.float32, rng=np.random.default_rng(0)).toarray()
    made[4] = 0
    return csr_matrix(made)


def test_dense_is_the_matrix(matrix):
    rows = SparseRows.of(matrix)
    assert len(rows) == 23
    np.testing.assert_array_equal(rows.dense(WIDTH).numpy(), matrix.toarray())
    assert (rows.csr(WIDTH) != matrix).nnz == 0


@pytest.mark.parametrize("part", [slice(3, 9), slice(None), slice(20, 99), slice(5, 5), slice(-4, None), slice(9, 3)])
def test_a_slice_is_the_slice_of_the_dense_rows(matrix, part):
    rows = SparseRows.of(matrix)
    assert torch.equal(rows[part].dense(WIDTH), rows.dense(WIDTH)[part])


@pytest.mark.parametrize("index", [[2, 2, 0], [], [4], list(range(22, -1, -1))])
def test_index_select_is_that_of_the_dense_rows(matrix, index):
    rows, index = SparseRows.of(matrix), torch.tensor(index, dtype=torch.long)
    assert torch.equal(rows.index_select(0, index).dense(WIDTH), rows.dense(WIDTH).index_select(0, index))


def test_slices_of_selections_stay_right(matrix):
    rows = SparseRows.of(matrix)
    index = torch.tensor([8, 4, 1, 8, 22])
    assert torch.equal(rows[2:].index_select(0, index[:4])[1:3].dense(WIDTH), rows.dense(WIDTH)[2:][index[:4]][1:3])


def test_a_feed_gives_the_same_batches_as_of_dense_rows(matrix):
    rows = SparseRows.of(matrix)

    def dense(tensors):
        x = tensors["x"]
        x = x.dense(WIDTH) if isinstance(x, SparseRows) else x
        return Batch(x, x)

    sparse, full = MemoryFeed({"x": rows}, dense), MemoryFeed({"x": rows.dense(WIDTH)}, dense)
    for seed in (None, 3):
        pairs = zip(sparse.batches(5, seed=seed), full.batches(5, seed=seed), strict=True)
        assert all(torch.equal(a.x, b.x) for a, b in pairs)
    kept, held = sparse.split(0.5, 0)
    assert len(kept) + len(held) == 23


def test_repeated_entries_are_added_up():
    matrix = csr_matrix((np.ones(3), np.array([1, 1, 0]), np.array([0, 2, 3])), shape=(2, 2))
    assert SparseRows.of(matrix).dense(2).tolist() == [[0.0, 2.0], [1.0, 0.0]]
    assert matrix.nnz == 3, "what was given stays as it is"


@pytest.mark.parametrize("part", [slice(None, None, 2), slice(7, 1, -3), slice(2, 9), slice(9, 2), slice(-3, None)])
def test_slices_are_those_of_an_array(matrix, part):
    np.testing.assert_array_equal(SparseRows.of(matrix)[part].csr(matrix.shape[1]).toarray(), matrix.toarray()[part])


def test_what_cannot_be_is_refused(matrix):
    rows = SparseRows.of(matrix)
    with pytest.raises(DataError, match="outside rows of 2 values"):
        rows.dense(2)
    assert rows[::2].dense(width := int(rows.columns.max()) + 1).equal(rows.dense(width)[::2])
    with pytest.raises(UsageError, match="dimension 0"):
        rows.index_select(1, torch.tensor([0]))
