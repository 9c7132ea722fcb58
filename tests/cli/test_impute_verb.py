"""`diabolo fit --task impute`, then `diabolo impute`: tables, arrays, draws, and what is refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

FEW = ("--epochs", 3, "--set", "members=1")


def table(n: int = 120) -> pd.DataFrame:
    random = np.random.default_rng(0)
    a = random.normal(size=n)
    made = pd.DataFrame({"id": np.arange(n), "a": a, "b": 2 * a, "kind": np.where(a > 0, "x", "y"), "none": np.nan})
    return made.mask((random.random(made.shape) < 0.2) & (made.columns != "id"))


@pytest.fixture(scope="module")
def folder(run: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table and an array with holes, and a model of each."""
    path = tmp_path_factory.mktemp("impute")
    table().to_csv(path / "t.csv", index=False)
    np.save(path / "t.npy", table()[["a", "b"]].to_numpy())
    for name, more in (("t.csv", ("--key", "id")), ("t.npy", ())):
        done = run("fit", path / name, *more, "--task", "impute", "--out", path / f"{name}.model", *FEW)
        assert done.exit_code == 0, done.output
        assert "hidden cells of 12 held-out rows" in done.stdout and "mean or mode" in done.stdout
    return path


def test_a_table_is_filled_and_the_cells_counted(run: Any, folder: Path, tmp_path: Path) -> None:
    done = run("impute", folder / "t.csv.model", folder / "t.csv", "--out", tmp_path / "o.csv")
    assert done.exit_code == 0, done.output
    filled, given = pd.read_csv(tmp_path / "o.csv"), table()
    assert list(filled) == list(given) and filled.drop(columns="none").notna().all().all()
    for name in ("a", "b", "kind"):
        known = given[name].notna()
        assert (filled[name][known] == given[name][known]).all()
        assert f"  {name}: {(~known).sum()} cells filled" in done.stderr
    assert "none: 0 cells filled; 120 stay missing" in done.stderr and "120 rows ->" in done.stderr


def test_draws_stand_below_each_other(run: Any, folder: Path, tmp_path: Path) -> None:
    words = ("impute", folder / "t.csv.model", folder / "t.csv", "--draws", 3, "--out")
    assert run(*words, tmp_path / "o.parquet").exit_code == 0
    found = pd.read_parquet(tmp_path / "o.parquet")
    assert list(found) == ["id", "draw", "a", "b", "kind", "none"] and len(found) == 360
    assert found["draw"].value_counts().eq(120).all() and found["id"].tolist() == 3 * list(range(120))
    gone = table()["a"].isna().to_numpy()
    draws = found["a"].to_numpy().reshape(3, 120)
    assert (np.ptp(draws, 0) == 0).tolist() == (~gone).tolist()
    for seed, same in ((0, True), (1, False)):
        run(*words, tmp_path / f"{seed}.parquet", "--seed", seed)
        assert pd.read_parquet(tmp_path / f"{seed}.parquet").equals(found) == same


def test_arrays_come_back_as_arrays(run: Any, folder: Path, tmp_path: Path) -> None:
    model, data = folder / "t.npy.model", folder / "t.npy"
    for out, more, shape in (("o.npy", (), (120, 2)), ("d.npy", ("--draws", 2), (2, 120, 2))):
        assert run("impute", model, data, "--out", tmp_path / out, *more).exit_code == 0
        found, given = np.load(tmp_path / out), np.load(data)
        assert found.shape == shape and np.isfinite(found).all()
        assert (found == given)[..., ~np.isnan(given)].all()
    assert run("impute", model, data, "--out", tmp_path / "o.csv").exit_code == 0
    assert list(pd.read_csv(tmp_path / "o.csv")) == ["x0", "x1"]


def test_rows_on_disk_are_filled_piece_by_piece(run: Any, folder: Path, tmp_path: Path) -> None:
    words = ("impute", folder / "t.csv.model", folder / "t.csv", "--memory", "2kB", "--out")
    done = run(*words, tmp_path / "o.csv")
    assert done.exit_code == 0, done.output
    assert run("impute", folder / "t.csv.model", folder / "t.csv", "--out", tmp_path / "whole.csv").exit_code == 0
    pieces, whole = (pd.read_csv(tmp_path / name) for name in ("o.csv", "whole.csv"))
    pd.testing.assert_frame_equal(pieces, whole, rtol=1e-4)
    assert "--draws needs the rows in memory" in run(*words, tmp_path / "d.csv", "--draws", 2).stderr


def test_a_model_of_something_else_and_a_file_that_is_there(run: Any, folder: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(size=(40, 3)))
    run("fit", tmp_path / "x.npy", "--epochs", 1, "--out", tmp_path / "plain")
    done = run("impute", tmp_path / "plain", folder / "t.csv", "--out", tmp_path / "o.csv")
    assert done.exit_code == 1 and "--task impute" in done.stderr
    (tmp_path / "there.csv").write_text("a\n1\n")
    done = run("impute", folder / "t.csv.model", folder / "t.csv", "--out", tmp_path / "there.csv")
    assert done.exit_code == 2 and "exists already" in done.stderr
