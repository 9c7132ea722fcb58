"""What the script of clusters calls accuracy."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2]))

from runs.clusters import accuracy


def test_accuracy_does_not_depend_on_the_names_of_clusters() -> None:
    truth = np.repeat(np.arange(5), 8)
    names = np.random.default_rng(0).permutation(5)
    assert accuracy(names[truth], truth) == 1.0
    assert accuracy(np.zeros(40, int), truth) == pytest.approx(0.2)
    assert accuracy(np.array([1, 1, 0, 0, 0]), np.array([0, 0, 1, 1, 0])) == 0.8
