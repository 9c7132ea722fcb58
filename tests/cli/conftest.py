"""Data and models for the command's tests, made once."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from diabolo.cli.main import app

Run = Callable[..., Any]


@pytest.fixture(scope="session")
def run() -> Run:
    """Runs `diabolo` in this process: ``run("info", model)`` gives exit code, stdout and stderr."""

    def call(*words: Any) -> Any:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert "Traceback" not in result.output, result.output
        assert result.exception is None or isinstance(result.exception, SystemExit), result.output
        return result

    return call


@pytest.fixture(scope="session")
def fails(run: Run) -> Run:
    """Runs `diabolo`, expects an exit code, and gives the one message on standard error."""

    def call(code: int, *words: Any) -> str:
        result = run(*words)
        assert result.exit_code == code, result.output
        errors = [line for line in result.stderr.splitlines() if line.startswith("diabolo: ")]
        assert len(errors) == 1, result.output
        assert "was not foreseen" not in errors[0], errors[0]
        return errors[0]

    return call


@pytest.fixture(scope="session")
def start() -> Callable[..., subprocess.Popen[str]]:
    """Starts `diabolo` as a process of its own, for signals."""

    def call(*words: Any) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "diabolo", *map(str, words)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )

    return call


def table(rows: int) -> pd.DataFrame:
    """Customers: identifiers, numbers, a category, a truth value, dates, missing cells, a constant, a label."""
    random = np.random.default_rng(rows)
    frame = pd.DataFrame(
        {
            "customer_id": [f"c{place:04d}" for place in range(rows)],
            "age": random.integers(18, 80, rows),
            "income": random.lognormal(10, 1, rows).round(2),
            "city": random.choice(["Rome", "Oslo", "Lima"], rows),
            "member": random.random(rows) < 0.5,
            "since": pd.Timestamp("2020-01-01") + pd.to_timedelta(random.integers(0, 1500, rows), "D"),
            "constant": 1,
            "label": random.integers(0, 2, rows),
        }
    )
    frame.loc[::17, "income"] = np.nan
    frame.loc[::23, "city"] = None
    return frame


@pytest.fixture(scope="session")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of small data of every kind."""
    from PIL import Image

    folder = tmp_path_factory.mktemp("data")
    table(120).to_csv(folder / "train.csv", index=False)
    table(120).to_parquet(folder / "train.parquet")
    table(40).to_csv(folder / "test.csv", index=False)
    random = np.random.default_rng(0)
    hidden = random.normal(size=(90, 2)) @ random.normal(size=(2, 6))
    np.save(folder / "rows.npy", (hidden + 0.1 * random.normal(size=(90, 6))).astype(np.float32))
    np.savez(folder / "labelled.npz", X=hidden, y=np.arange(90) % 2)
    (folder / "pictures").mkdir()
    for place in range(24):
        Image.fromarray(random.integers(0, 255, (12, 9, 3), dtype=np.uint8)).save(folder / f"pictures/p{place:02d}.png")
    return folder


@pytest.fixture(scope="session")
def models(run: Run, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of each kind: 'table', 'array', 'image'."""
    folder = tmp_path_factory.mktemp("models")
    for name, words in {
        "table": (data / "train.csv", "--target", "label", "--epochs", 2),
        "array": (data / "rows.npy", "--latent", 2, "--epochs", 3),
        "image": (data / "pictures", "--network", "conv(channels=[4])", "--latent", 3, "--epochs", 1),
    }.items():
        result = run("fit", *words, "--out", folder / name)
        assert result.exit_code == 0, result.output
    return folder


@pytest.fixture(scope="session")
def works(run: Run) -> Run:
    """Runs `diabolo`, expects it to end well, and gives all that it printed."""

    def call(*words: Any) -> str:
        result = run(*words)
        assert result.exit_code == 0, result.output
        return str(result.output)

    return call
