"""Series on the command line: a table of times in, the same axis out, a line a window for codes and scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from .conftest import Run


def done(run: Run, *words: Any) -> Any:
    result = run(*words)
    assert result.exit_code == 0, result.output
    return result


def test_a_table_of_times_from_fit_to_report(run: Run, tmp_path: Path) -> None:
    table, model = tmp_path / "machine.csv", tmp_path / "m"
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(500) * 5, "min")
    pd.DataFrame({"time": time, "load": np.sin(np.arange(500) / 7)}).to_csv(table, index=False)
    said = done(run, "fit", table, "--out", model, "--epochs", "2", "--processor", "series(window=20)")
    assert "1 series, as windows of 20 steps in 1 channel; the last 10 % of the time kept" in said.stdout
    assert "PCA" in said.stdout
    for verb in ("reconstruct", "score", "encode"):
        done(run, verb, model, table, "--out", tmp_path / f"{verb}.csv")
    back = pd.read_csv(tmp_path / "reconstruct.csv")
    assert list(back.columns) == ["time", "load"] and (back["time"] == pd.read_csv(table)["time"]).all()
    errors = pd.read_csv(tmp_path / "score.csv")
    assert list(errors.columns) == ["start", "end", "error"] and len(errors) == 49
    assert errors["start"][1] == "2024-01-01 00:50:00" and errors["end"].iloc[-1] == "2024-01-02 17:35:00"
    done(run, "decode", model, tmp_path / "encode.csv", "--out", tmp_path / "d.csv")
    assert list(pd.read_csv(tmp_path / "d.csv").columns) == ["step", "start", "end", "load"]
    done(run, "report", model, table, "--out", tmp_path / "r.html")
    done(run, "doctor", model, table)


def test_series_told_apart_by_a_key_keep_it(run: Run, tmp_path: Path) -> None:
    table, model = tmp_path / "all.parquet", tmp_path / "m"
    frame = pd.DataFrame({"t": np.tile(np.arange(60), 3), "id": np.repeat(list("cab"), 60), "v": np.arange(180.0) % 7})
    frame.to_parquet(table)
    done(run, "fit", table, "--out", model, "--time", "t", "--key", "id", "--epochs", "2", "--processor",
            "series(window=20, every=2)")  # fmt: skip
    done(run, "reconstruct", model, table, "--out", tmp_path / "r.csv")
    back = pd.read_csv(tmp_path / "r.csv")
    assert (
        list(back.columns) == ["t", "id", "v"]
        and back["t"].dtype == int
        and (back[["t", "id"]] == frame[["t", "id"]]).all(axis=None)
    )
    done(run, "score", model, table, "--out", tmp_path / "s.csv")
    errors = pd.read_csv(tmp_path / "s.csv")
    assert set(errors["id"]) == set("abc") and errors["end"].max() == 59


def test_the_label_of_a_line_is_remembered(works: Run, tmp_path: Path) -> None:
    lines = np.c_[np.arange(40) % 2, np.random.default_rng(0).normal(size=(40, 20))]
    np.savetxt(tmp_path / "lines.txt", lines, fmt="%.4f")
    words = ("--as", "series", "--target", "x0", "--epochs", 1)
    works("fit", tmp_path / "lines.txt", *words, "--out", tmp_path / "m")
    said = works("encode", tmp_path / "m", tmp_path / "lines.txt", "--out", tmp_path / "z.npy")
    assert "series of 20 steps; 'x0' is its label, as at fit" in said
    said = works("encode", tmp_path / "m", tmp_path / "lines.txt", "--target", "none", "--out", tmp_path / "y.npy")
    assert "series of 21 steps" in said
