"""Interactions through the command line: fit, encode, reconstruct, score, info."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
from typer.testing import CliRunner

from diabolo.cli.main import app


def test_every_verb_takes_interactions(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    lines = [f"{user} " + " ".join(map(str, draw.choice(30, draw.integers(2, 9), replace=False))) for user in range(80)]
    (tmp_path / "a.txt").write_text("\n".join(lines))
    # another file: an item that the model does not know
    (tmp_path / "b.txt").write_text("x 1 2 777\ny 3 4\n")
    m = str(tmp_path / "m")

    def run(*words: str) -> str:
        done = CliRunner().invoke(app, list(words), env={"COLUMNS": "160"})
        assert done.exit_code == 0, done.output
        return done.output

    said = run("fit", str(tmp_path / "a.txt"), "--out", m, "--epochs", "2", "--latent", "3", "--hidden", "8")
    assert "users with their interactions, among 30 items" in said
    run("encode", m, str(tmp_path / "b.txt"), "--as", "interactions", "--out", str(tmp_path / "codes.csv"))
    assert pd.read_csv(tmp_path / "codes.csv").columns.tolist() == ["user", "z0", "z1", "z2"]
    run("reconstruct", m, str(tmp_path / "b.txt"), "--out", str(tmp_path / "best.csv"))
    best = pd.read_csv(tmp_path / "best.csv")
    assert best.columns.tolist() == ["user", "item", "score"] and best["user"].value_counts().to_dict() == {
        "x": 20,
        "y": 20,
    }
    assert not {1, 2} & set(best["item"][best["user"] == "x"]) and not {3, 4} & set(best["item"][best["user"] == "y"])
    run("score", m, str(tmp_path / "a.txt"), "--out", str(tmp_path / "errors.csv"))
    assert len(pd.read_csv(tmp_path / "errors.csv")) == 80
    run("decode", m, str(tmp_path / "codes.csv"), "--out", str(tmp_path / "scores.csv"))
    assert pd.read_csv(tmp_path / "scores.csv").shape == (2, 31)
    assert "multinomial" in run("info", m)
    run("doctor", m, str(tmp_path / "a.txt"))
    run("report", m, str(tmp_path / "a.txt"), "--out", str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").stat().st_size > 10_000
