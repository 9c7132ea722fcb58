"""Labels: classes and numbers, known and unknown, there and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from diabolo.core import Batch
from diabolo.core.errors import DataError, UsageError
from diabolo.estimators.labels import Labels, beside
from diabolo.train.stage import labelled


@pytest.mark.parametrize(
    ("y", "index", "classes"),
    [
        ([3, 1, -1, 3], [1, 0, -1, 1], [1, 3]),
        (["b", "a", None, ""], [1, 0, -1, -1], ["a", "b"]),
        ([2.5, np.nan, 1.0], [1, -1, 0], [1.0, 2.5]),
        (np.array([True, False]), [1, 0], [False, True]),
    ],
)
def test_classes_there_and_back(y: Any, index: list[int], classes: list[Any]) -> None:
    labels = Labels().fit(y)
    assert labels.classes.tolist() == classes and labels.encode(y).tolist() == index
    again = Labels.from_state(json.loads(json.dumps(labels.state())))
    known = torch.tensor([i for i in index if i >= 0])
    assert again.decode(known).tolist() == labels.decode(known).tolist() == [classes[i] for i in index if i >= 0]
    hot = labels.one_hot(labels.encode(y))
    assert hot.sum(1).tolist() == [float(i >= 0) for i in index]


def test_numbers_are_standardised_and_come_back() -> None:
    y = np.array([10.0, 30.0, np.nan, 20.0])
    labels = Labels(numeric=True).fit(y)
    encoded = labels.encode(y)
    assert encoded.shape == (4, 1) and encoded[2].isnan() and abs(float(encoded.nanmean())) < 1e-6
    np.testing.assert_allclose(labels.decode(encoded)[[0, 1, 3]], y[[0, 1, 3]], rtol=1e-6)


def test_strange_and_missing_labels_are_named() -> None:
    with pytest.raises(DataError, match="'c', a class that was not there at fit; known: a, b"):
        Labels().fit(["a", "b"]).encode(["c"])
    with pytest.raises(DataError, match="no known class"):
        Labels().fit([-1, -1])
    with pytest.raises(UsageError, match="give y to fit"):
        beside(Labels(), "label", None, 3)
    with pytest.raises(DataError, match="2 labels for 3 rows"):
        beside(Labels().fit([0, 1]), "label", [0, 1], 3)
    with pytest.raises(DataError, match="y must be numbers here"):
        Labels(numeric=True).fit(["high"])


def test_a_supervised_stage_scores_the_rows_whose_label_is_known() -> None:
    x = torch.zeros(3, 2)
    batch = labelled(Batch(x, x, label=torch.tensor([2, -1, 0])))
    assert batch.target.tolist() == [2, 0, 0] and batch.scored.tolist() == [True, False, True]
    batch = labelled(Batch(x, x, label=torch.tensor([[1.0], [float("nan")], [3.0]])))
    assert batch.target.tolist() == [[1.0], [0.0], [3.0]] and batch.scored.tolist() == [[True], [False], [True]]
    with pytest.raises(UsageError, match="needs labels"):
        labelled(Batch(x, x))
