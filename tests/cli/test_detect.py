"""`diabolo fit --task detect` and `diabolo detect`: what is written, by which rule, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., Any]


def customers(rows: int, seed: int) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    z = random.normal(size=rows)
    return pd.DataFrame(
        {
            "id": [f"r{place}" for place in range(rows)],
            "age": 40 + 10 * z + random.normal(size=rows),
            "income": 1000 + 300 * z + 30 * random.normal(size=rows),
            "job": np.where(z > 0, "clerk", "smith"),
        }
    )


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model, rows to judge (three of them wrong), and what the fit printed."""
    folder = tmp_path_factory.mktemp("detect")
    customers(600, 0).to_csv(folder / "train.csv", index=False)
    judged = customers(60, 1)
    judged.loc[3, "income"], judged.loc[7, "age"], judged.loc[9, "income"] = 5000.0, -20.0, -900.0
    judged.to_csv(folder / "new.csv", index=False)
    words = ("--epochs", 30, "--batch-size", 64, "--optimizer", "adam", "--lr", 0.01)
    result = run("fit", folder / "train.csv", "--key", "id", "--task", "detect", "--out", folder / "m", *words)
    assert result.exit_code == 0, result.output
    (folder / "printed.txt").write_text(result.output)
    return folder


def test_the_fit_says_how_good_the_detector_is(made: Path) -> None:
    told = (made / "printed.txt").read_text()
    for text in ("nearest neighbours", "isolation forest", "PCA residual", "AUROC", "false alarms, nominal 5 %"):
        assert text in told
    assert "the best of the simple methods" in told


def test_what_is_written(run: Run, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.csv"
    result = run("detect", made / "m", made / "new.csv", "--out", out, "--alpha", 0.2)
    assert result.exit_code == 0 and "anomalies among 60" in result.stderr
    found = pd.read_csv(out, keep_default_na=False)
    assert list(found) == ["id", "score", "p_value", "anomaly", "reason_1", "reason_2", "reason_3"]
    assert found["id"].tolist() == [f"r{place}" for place in range(60)]
    assert found["anomaly"].dtype == bool and found.loc[[3, 7, 9], "anomaly"].all() and found["anomaly"].sum() <= 6
    assert [found.loc[row, "reason_1"].split()[0] for row in (3, 7, 9)] == ["income", "age", "income"]
    assert set(found.nlargest(3, "score").index) == {3, 7, 9}  # higher is worse
    assert (found.loc[found["p_value"] > 0.2, "reason_1"] == "").all()


@pytest.mark.parametrize(("words", "count"), [(("--contamination", 0.1), 6), (("--alpha", 1e-6), 0)])
def test_other_rules(run: Run, made: Path, tmp_path: Path, words: Any, count: int) -> None:
    out = tmp_path / "found.parquet"
    assert run("detect", made / "m", made / "new.csv", "--out", out, *words).exit_code == 0
    assert pd.read_parquet(out)["anomaly"].sum() == count


def test_no_contamination_names_what_is_beyond_all_rows_held_out(run: Run, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "found.parquet"
    assert run("detect", made / "m", made / "new.csv", "--out", out, "--contamination", 0).exit_code == 0
    found = pd.read_parquet(out)
    np.testing.assert_array_equal(found["anomaly"], found["p_value"] <= found["p_value"].min())


def test_what_is_refused(fails: Run, made: Path, models: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    told = fails(1, "detect", models / "array", made / "new.csv", "--out", out)
    assert "--task detect" in told
    assert "--alpha" in fails(2, "detect", made / "m", made / "new.csv", "--out", out, "--alpha", 2)
    wrong = fails(2, "detect", made / "m", made / "new.csv", "--out", out, "--contamination", 0.7)
    assert "--contamination" in wrong and not out.exists()
    assert ".npy" in fails(2, "detect", made / "m", made / "new.csv", "--out", tmp_path / "o.npy")


def detector_of_a_wave(run: Run, folder: Path, times: Any, wrong: float) -> pd.DataFrame:
    """A detector m of the first 700 steps of a wave; new.csv, the rest, is ``wrong`` from step 90 to 110."""
    wave = np.sin(np.arange(900) / 4) + 0.05 * np.random.default_rng(0).normal(size=900)
    frame = pd.DataFrame({"time": times, "value": wave})
    frame.iloc[:700].to_csv(folder / "train.csv", index=False)
    late = frame.iloc[700:].copy()
    late.iloc[90:110, 1] = wrong
    late.to_csv(folder / "new.csv", index=False)
    words = ("--time", "time", "--processor", "series(window=20)", "--epochs", 40, "--holdout", 0)
    assert run("fit", folder / "train.csv", "--task", "detect", "--out", folder / "m", *words).exit_code == 0
    return late


def test_the_windows_of_a_series(run: Run, tmp_path: Path) -> None:
    times = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(900), "min")
    late = detector_of_a_wave(run, tmp_path, times, wrong=0.0)
    out = tmp_path / "found.csv"
    assert run("detect", tmp_path / "m", tmp_path / "new.csv", "--out", out).exit_code == 0
    found = pd.read_csv(out, parse_dates=["start", "end"])
    worst = found.loc[found["score"].idxmax()]
    assert late["time"].iloc[70] <= worst["start"] and worst["end"] <= late["time"].iloc[130]
    assert worst["reason_1"].startswith("value at step ")


def test_the_steps_of_a_series(run: Run, fails: Run, made: Path, tmp_path: Path) -> None:
    late = detector_of_a_wave(run, tmp_path, np.arange(900) * 0.5, wrong=3.0)
    out = tmp_path / "found.csv"
    assert run("detect", tmp_path / "m", tmp_path / "new.csv", "--out", out, "--steps", "--alpha", 0.2).exit_code == 0
    found = pd.read_csv(out)
    assert list(found) == ["time", "score", "anomaly", "why"] and found["time"].tolist() == late["time"].tolist()
    assert 85 <= found["score"].idxmax() <= 115 and found["anomaly"][90:110].all()
    assert 90 <= found["why"].idxmax() < 110
    assert "cuts no windows" in fails(2, "detect", made / "m", made / "new.csv", "--out", tmp_path / "o.csv", "--steps")


def test_drift_is_printed(run: Run, fails: Run, made: Path, models: Path, tmp_path: Path) -> None:
    customers(300, 5).to_csv(tmp_path / "same.csv", index=False)
    changed = customers(300, 6)
    changed["job"] = "smith"
    changed.to_csv(tmp_path / "changed.csv", index=False)
    same = run("detect", made / "m", tmp_path / "same.csv", "--against", made / "train.csv")
    assert same.exit_code == 0 and "no drift found at 5 %" in same.stdout
    told = run("detect", made / "m", tmp_path / "changed.csv", "--against", made / "train.csv", "--alpha", 0.01)
    assert told.exit_code == 0 and "drift at 1 %" in told.stdout and "job ('" in told.stdout
    assert "changed.csv against train.csv: 300 rows, 600 of the reference" in told.stdout
    as_json = run("detect", made / "m", tmp_path / "changed.csv", "--against", made / "train.csv", "--json")
    found = json.loads(as_json.stdout)
    assert found["drifted"] is True and found["columns"][0]["name"] == "job"
    out = tmp_path / "both.csv"
    both = run("detect", made / "m", tmp_path / "changed.csv", "--against", made / "train.csv", "--out", out)
    assert both.exit_code == 0 and len(pd.read_csv(out)) == 300 and "drift at" in both.stdout
    assert "--against" in fails(2, "detect", made / "m", tmp_path / "same.csv")
    assert "--against" in fails(2, "detect", made / "m", tmp_path / "same.csv", "--out", out, "--json", "--force")


def test_drift_takes_any_model(run: Run, tmp_path: Path) -> None:
    customers(200, 0).to_csv(tmp_path / "a.csv", index=False)
    run("fit", tmp_path / "a.csv", "--key", "id", "--out", tmp_path / "m", "--epochs", 2)
    result = run("detect", tmp_path / "m", tmp_path / "a.csv", "--against", tmp_path / "a.csv")
    assert result.exit_code == 0 and "no drift found" in result.stdout
