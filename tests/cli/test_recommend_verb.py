"""`diabolo fit --task recommend` and `diabolo recommend`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def ratings(tmp_path: Path) -> Path:
    """Users who have four of the six items of one group."""
    draw = np.random.default_rng(0)
    lines = [f"u{u},{'abc'[u % 3]}{i},{1 + i % 5}" for u in range(90) for i in draw.permutation(6)[:4]]
    path = tmp_path / "ratings.csv"
    path.write_text("user,item,rating\n" + "\n".join(lines))
    return path


def test_from_ratings_to_recommendations(ratings: Path, tmp_path: Path, run: Any) -> None:
    model, out = str(tmp_path / "m"), tmp_path / "out.csv"
    said = run("fit", str(ratings), "--task", "recommend", "--out", model, "--epochs", "20")
    assert said.exit_code == 0, said.output
    assert "users with their interactions, among 18 items" in said.output and "nearest items" in said.output
    assert "nDCG@100" in run("info", model).output
    (tmp_path / "new.txt").write_text("ann a0 a1 a2 zz\nbob yy xx\n")
    said = run("recommend", model, str(tmp_path / "new.txt"), "--out", str(out), "--k", "3")
    assert said.exit_code == 0, said.output
    assert "3 items the model does not know" in said.stderr and "1 of 2 users have no item" in said.stderr
    found = pd.read_csv(out)
    assert found.columns.tolist() == ["user", "item", "score"] and len(found) == 6
    assert sorted(found["item"][found["user"] == "ann"]) == ["a3", "a4", "a5"]
    said = run("recommend", model, "--similar", "b1", "--out", str(out), "--k", "5", "--force")
    assert said.exit_code == 0 and set(pd.read_csv(out)["item"]) == {f"b{i}" for i in (0, 2, 3, 4, 5)}
    words = {"a": "crime", "b": "war", "c": "love"}
    table = [f"{group}{i},a film of {words[group]}" for group in "abc" for i in range(6)]
    (tmp_path / "items.csv").write_text("item,title\n" + "\n".join([*table, "fresh,a new crime"]))
    said = run("recommend", model, str(tmp_path / "new.txt"), "--items", str(tmp_path / "items.csv"), "--out", str(out),
               "--k", "4", "--force")  # fmt: skip
    assert said.exit_code == 0, said.output
    found = pd.read_csv(out)
    assert "1 new items" in said.stderr and "fresh" in set(found["item"][found["user"] == "ann"])
    said = run("report", model, str(ratings), "--out", str(tmp_path / "page.html"))
    assert said.exit_code == 0, said.output
    assert "what is recommended" in (tmp_path / "page.html").read_text("utf-8")


def test_what_is_wrong_is_said(ratings: Path, tmp_path: Path, run: Any) -> None:
    model, out = str(tmp_path / "m"), str(tmp_path / "out.csv")
    said = run("fit", str(ratings), "--task", "recommend", "--set", "kind=ease", "--set", "penalty=5", "--out", model)
    assert said.exit_code == 0, said.output
    assert "18" in run("info", model).output
    for words, what in (
        (("recommend", model, "--out", out), "either DATA"),
        (("recommend", model, str(ratings), "--similar", "a1", "--out", out), "either DATA"),
        (("recommend", model, "--similar", "zz", "--out", out), "not one of the 18"),
        (("recommend", model, str(ratings), "--out", str(tmp_path / "x.npy")), "csv"),
        (("recommend", model, str(ratings), "--items", str(tmp_path / "none.csv"), "--out", out), "cannot be read"),
        (("encode", model, str(ratings), "--out", out), "no codes"),
        (("recommend", model, str(tmp_path / "nothing.txt"), "--out", out), "no file"),
    ):
        said = run(*words)
        assert said.exit_code in (1, 2) and what in said.stderr, (words, said.output)
    (tmp_path / "strange.txt").write_text("ann q1 q2 q3\nbob q4 q5\n")
    said = run("recommend", model, str(tmp_path / "strange.txt"), "--out", out)
    assert said.exit_code == 1 and "give data with the same names of items" in said.stderr
    plain = run("fit", "digits", "--out", str(tmp_path / "d"), "--epochs", "1", "--latent", "2")
    assert plain.exit_code == 0
    said = run("recommend", str(tmp_path / "d"), str(ratings), "--out", out)
    assert said.exit_code == 1 and "--task recommend" in said.stderr
