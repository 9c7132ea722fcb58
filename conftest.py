"""What every test and every docstring example gets: fixed seeds, one thread a worker, the folder of real data."""

from __future__ import annotations

import os
import random
from pathlib import Path

import numpy as np
import pytest
import torch


def pytest_configure(config: pytest.Config) -> None:
    """Workers share the cores: one thread each, or they wait for one another."""
    if hasattr(config, "workerinput"):
        torch.set_num_threads(1)


@pytest.fixture(autouse=True)
def _seeds() -> None:
    """Every test starts from the same random state, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    torch.manual_seed(0)


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of real data sets that DIABOLO_DATA names; the test is skipped where there is none."""
    named = os.environ.get("DIABOLO_DATA")
    if not named:
        pytest.skip("DIABOLO_DATA is not set: it names the folder with the real data sets (mnist/ …)")
    if not Path(named).is_dir():
        pytest.skip(f"DIABOLO_DATA is {named!r}, which is not a folder")
    return Path(named)
