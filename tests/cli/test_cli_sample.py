"""`diabolo sample`: a generator from the command, conditions, classes, and the quality of what was drawn."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def generators(run: Any, data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with generators: 'named' with a target, 'plain' without, 'npz' of arrays."""
    folder = tmp_path_factory.mktemp("generators")
    for name, words in {
        "named": (data / "train.csv", "--target", "label"),
        "plain": (data / "train.csv", "--target", "none"),
        "npz": (data / "labelled.npz", "--target", "y", "--array", "X"),
    }.items():
        result = run("fit", *words, "--task", "generate", "--epochs", 2, "--out", folder / name)
        assert result.exit_code == 0, result.output
        assert "shuffled columns" in result.output and "Gaussian copula" in result.output
    return folder


def test_new_rows_have_the_columns_and_the_target(works: Any, generators: Path, data: Path, tmp_path: Path) -> None:
    works("sample", generators / "named", 70, "--out", tmp_path / "s.csv")
    real, made = pd.read_csv(data / "train.csv"), pd.read_csv(tmp_path / "s.csv")
    assert len(made) == 70 and set(made) == set(real) - {"customer_id"}
    assert made["age"].dtype == np.int64 and set(made["label"]) == {0, 1} and (made["constant"] == 1).all()
    works("sample", generators / "npz", 20, "--out", tmp_path / "n.csv")
    assert list(pd.read_csv(tmp_path / "n.csv"))[-1] == "y"


@pytest.mark.parametrize("model", ["named", "plain"])
def test_conditions_hold_and_the_draws_are_told(works: Any, generators: Path, tmp_path: Path, model: str) -> None:
    asked = ("--where", "city=Rome", "--where", "age>=40", "--where", "label=1")
    said = works("sample", generators / model, 30, *asked, "--out", tmp_path / "s.parquet")
    made = pd.read_parquet(tmp_path / "s.parquet")
    assert (made["city"] == "Rome").all() and (made["age"] >= 40).all() and (made["label"] == 1).all()
    assert "rows drawn" in said and "for 30 that satisfy the conditions" in said


def test_a_class_of_the_target(works: Any, fails: Any, generators: Path, tmp_path: Path) -> None:
    works("sample", generators / "named", 9, "--class", 1, "--out", tmp_path / "s.csv")
    assert (pd.read_csv(tmp_path / "s.csv")["label"] == 1).all()
    assert "--where column=value" in fails(
        2, "sample", generators / "plain", 9, "--class", 1, "--out", tmp_path / "t.csv"
    )


def test_the_same_seed_gives_the_same_file(works: Any, generators: Path, tmp_path: Path) -> None:
    for name in "ab":
        works("sample", generators / "named", 25, "--seed", 3, "--where", "age>30", "--out", tmp_path / f"{name}.csv")
    assert (tmp_path / "a.csv").read_bytes() == (tmp_path / "b.csv").read_bytes()


def test_the_quality_beside_real_rows(works: Any, generators: Path, data: Path, tmp_path: Path) -> None:
    said = works("sample", generators / "named", 60, "--out", tmp_path / "s.csv", "--quality", data / "test.csv")
    assert "these rows" in said and "AUROC" in said and "nearest" in said
    said = works("sample", generators / "npz", 60, "--out", tmp_path / "n.csv", "--quality", data / "labelled.npz",
                 )  # fmt: skip
    assert "shuffled columns" in said


def test_conditions_on_a_model_that_is_no_generator(works: Any, fails: Any, data: Path, tmp_path: Path) -> None:
    works("fit", data / "train.csv", "--target", "label", "--model", "vae", "--epochs", 2, "--out", tmp_path / "vae")
    said = works("sample", tmp_path / "vae", 12, "--where", "city!=Oslo", "--out", tmp_path / "s.csv")
    assert "Oslo" not in set(pd.read_csv(tmp_path / "s.csv")["city"]) and "rows drawn" in said
    out = ("--out", tmp_path / "t.csv")
    assert "--task generate" in fails(2, "sample", tmp_path / "vae", 5, *out, "--quality", data / "test.csv")
    assert "column 'town' is unknown" in fails(2, "sample", tmp_path / "vae", 5, *out, "--where", "town=x")
    works("fit", data / "rows.npy", "--model", "vae", "--epochs", 1, "--out", tmp_path / "array")
    assert "mixed table" in fails(2, "sample", tmp_path / "array", 5, *out, "--where", "x0>1")


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("city=Roma", "'city' holds Lima, Oslo, Rome"),
        ("age>500", "'age' goes from"),
        ("town=Rome", "column 'town' is unknown"),
        ("city", "column=value"),
    ],
)
def test_impossible_conditions_end_in_one_message(
    fails: Any, generators: Path, tmp_path: Path, where: str, message: str
) -> None:
    assert message in fails(2, "sample", generators / "named", 5, "--where", where, "--out", tmp_path / "s.csv")
    assert not (tmp_path / "s.csv").exists()


def test_other_verbs_read_the_rows_of_a_generator(works: Any, generators: Path, data: Path, tmp_path: Path) -> None:
    for model in ("named", "plain"):
        works("encode", generators / model, data / "test.csv", "--out", tmp_path / f"{model}.npy")
        assert np.load(tmp_path / f"{model}.npy").shape[0] == 40
    assert "generate" in works("info", generators / "named")


def test_what_is_no_table_is_refused(fails: Any, data: Path, tmp_path: Path) -> None:
    said = fails(1, "fit", data / "pictures", "--task", "generate", "--out", tmp_path / "m")
    assert "made of tables" in said
