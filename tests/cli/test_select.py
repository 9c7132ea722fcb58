"""`diabolo fit --task select` and `diabolo select`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import load

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def selector(works: Run, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A selector of three columns of a table."""
    out = tmp_path_factory.mktemp("selector") / "m"
    said = works("fit", data / "train.csv", "--target", "label", "--task", "select", "--set", "n_features=3",
                 "--epochs", 2, "--out", out)  # fmt: skip
    assert "What is lost of a left-out column on 12 held-out rows" in said and "variance, by ridge regression" in said
    return out


def test_the_kept_columns_are_written_beside_the_keys_and_the_others_explained(
    works: Run, data: Path, selector: Path, tmp_path: Path
) -> None:
    said = works("select", selector, data / "test.csv", "--out", tmp_path / "o.parquet")
    model, given = load(selector), pd.read_csv(data / "test.csv", parse_dates=["since"])
    found = pd.read_parquet(tmp_path / "o.parquet")
    assert list(found) == ["customer_id", *model.kept_names] and len(model.kept_names) == 3
    if "since" in found:
        found["since"] = pd.to_datetime(found["since"])
    pd.testing.assert_frame_equal(found, given[list(found)], check_dtype=False)
    assert "kept: 3 of 6 columns (as asked)" in said and "carried by" in said
    left = [line for line in said.splitlines() if any(line.startswith(one.column) for one in model.rebuilt_)]
    assert len(left) == 3


def test_rows_of_an_array_keep_their_values(works: Run, data: Path, tmp_path: Path) -> None:
    works("fit", data / "rows.npy", "--task", "select", "--set", "n_features=2", "--set", "how=group", "--epochs", 2,
          "--out", tmp_path / "m")  # fmt: skip
    works("select", tmp_path / "m", data / "rows.npy", "--out", tmp_path / "o.npy")
    works("select", tmp_path / "m", data / "rows.npy", "--out", tmp_path / "o.csv")
    kept = load(tmp_path / "m").get_support(indices=True)
    np.testing.assert_array_equal(np.load(tmp_path / "o.npy"), np.load(data / "rows.npy")[:, kept])
    assert list(pd.read_csv(tmp_path / "o.csv")) == [f"x{column}" for column in kept]


def test_rows_on_disk_are_gone_over_piece_by_piece(works: Run, data: Path, selector: Path, tmp_path: Path) -> None:
    works("select", selector, data / "train.parquet", "--out", tmp_path / "disk.csv", "--memory", "1kB")
    works("select", selector, data / "train.parquet", "--out", tmp_path / "whole.csv")
    assert (tmp_path / "disk.csv").read_text() == (tmp_path / "whole.csv").read_text()


def test_what_does_not_fit_is_refused(fails: Run, data: Path, models: Path, selector: Path, tmp_path: Path) -> None:
    message = fails(1, "select", models / "table", data / "test.csv", "--out", tmp_path / "o.csv")
    assert "diabolo fit DATA --task select --out MODEL" in message
    assert ".npy" in fails(2, "select", selector, data / "test.csv", "--out", tmp_path / "o.npy")
    fit = ("fit", data / "train.csv", "--target", "label", "--task", "select", "--out", tmp_path / "m")
    assert "n_features must be" in fails(2, *fit, "--set", "n_features=99")
    assert "did you mean 'concrete'" in fails(2, *fit, "--set", "how=concret")
    assert "columns are chosen of tables" in fails(
        1, "fit", data / "pictures", "--task", "select", "--out", tmp_path / "p"
    )


def test_a_dry_run_says_what_it_begins_with(works: Run, data: Path, tmp_path: Path) -> None:
    said = works("fit", data / "rows.npy", "--task", "select", "--dry-run", "--out", tmp_path / "m")
    assert "nothing was trained" in said and not (tmp_path / "m").exists()


def test_a_classifier_starts_from_a_saved_model(works: Run, data: Path, tmp_path: Path) -> None:
    where = data / "labelled.npz"
    works("fit", where, "--target", "y", "--latent", 2, "--epochs", 3, "--out", tmp_path / "m")
    for name, more in {"frozen": ("--freeze", "encoder"), "tuned": ()}.items():
        works("fit", where, "--target", "y", "--task", "classify", "--init", tmp_path / "m", *more, "--epochs", 2,
              "--out", tmp_path / name)  # fmt: skip
    X = np.load(where)["X"]
    codes = load(tmp_path / "m").transform(X)
    np.testing.assert_array_equal(load(tmp_path / "frozen").transform(X), codes)
    assert not np.array_equal(load(tmp_path / "tuned").transform(X), codes)
