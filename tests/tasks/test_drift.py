"""Drift: no false alarm, what changed is found and named, whatever the kind of data."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from diabolo import Autoencoder, Trainer
from diabolo.cli.drift import against
from diabolo.core.errors import DataError, UsageError
from diabolo.data import open as open_source
from diabolo.data.series import Series
from diabolo.tasks import drift
from diabolo.tasks.drift import drift_between

QUICK = Trainer(epochs=3)


def table(n: int, seed: int) -> pd.DataFrame:
    draw = np.random.default_rng(seed)
    size = draw.normal(50, 10, size=n)
    return pd.DataFrame(
        {
            "size": size,
            "weight": 2 * size + draw.normal(size=n),
            "count": draw.poisson(3, n),
            "kind": draw.choice(["a", "b", "c"], n, p=[0.5, 0.3, 0.2]),
            "on": draw.random(n) < 0.3,
            "gap": np.where(draw.random(n) < 0.1, np.nan, draw.normal(size=n)),
            "when": pd.Timestamp("2024-01-01") + pd.to_timedelta(draw.integers(0, 1000, n), unit="h"),
        }
    )


@pytest.fixture(scope="module")
def model() -> Autoencoder:
    return Autoencoder(3, trainer=QUICK, random_state=0).fit(table(300, 0))


def test_no_false_alarms(model: Autoencoder) -> None:
    found = [drift_between(model, table(80, 2 * s + 1), table(60, 2 * s + 2), permutations=59) for s in range(120)]
    wrong = np.mean([one.drifted for one in found])
    assert wrong <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 120)
    assert np.mean([one.codes.p_value <= 0.5 for one in found]) == pytest.approx(0.5, abs=0.15)


def change(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    draw = np.random.default_rng(9)
    n = len(rows)
    made = {
        "size": lambda: rows.assign(size=rows["size"] + 8),
        "count": lambda: rows.assign(count=rows["count"] * 2),
        "kind": lambda: rows.assign(kind=draw.choice(["a", "b", "new"], n)),
        "on": lambda: rows.assign(on=draw.random(n) < 0.7),
        "gap": lambda: rows.assign(gap=rows["gap"].where(draw.random(n) < 0.5)),
        "when": lambda: rows.assign(when=rows["when"] + pd.Timedelta("30D")),
    }
    return made[name]()


@pytest.mark.parametrize("name", ["size", "count", "kind", "on", "gap", "when"])
def test_the_changed_column_is_named(model: Autoencoder, name: str) -> None:
    found = drift_between(model, table(400, 5), change(table(300, 6), name), permutations=99)
    assert found.drifted and found.columns[0].name == name
    assert {column.name for column in found.changed} == {name}
    assert name in found.verdict and found.columns[0].change in found.verdict
    assert (found.reference, found.rows) == (400, 300)
    if name == "gap":
        assert found.columns[0].kind == "missing"
    if name == "kind":
        assert "'new' 0 % -> " in found.columns[0].change or "'a' " in found.columns[0].change


def test_a_change_that_no_column_shows_is_in_the_codes() -> None:
    draw = np.random.default_rng(1)

    def rows(n: int, correlation: float) -> np.ndarray:
        return draw.multivariate_normal(np.zeros(2), [[1, correlation], [correlation, 1]], size=n)

    model = Autoencoder(2, trainer=QUICK, random_state=0).fit(rows(300, 0.9))
    found = drift_between(model, rows(300, 0.9), rows(300, -0.9), permutations=199)
    assert found.drifted and not found.changed and found.codes.p_value == 0.005
    assert found.p_value == 0.01 and "how they go together" in found.verdict
    assert not drift_between(model, rows(300, 0.9), rows(300, 0.9), permutations=199).drifted


def test_what_is_said(model: Autoencoder) -> None:
    found = drift_between(model, table(90, 1), table(70, 2), alpha=1e-9)
    assert found.verdict.startswith("no drift found at 1e-07 %")
    values = json.loads(json.dumps(found.as_dict()))
    assert values["drifted"] is False and values["verdict"] == found.verdict
    assert [column["name"] for column in values["columns"]] == [column.name for column in found.columns]
    assert found.p_value == min(1.0, 2 * min(found.codes.p_value, found.columns[0].adjusted))
    again = drift_between(model, table(90, 1), table(70, 2), alpha=1e-9)
    assert again.as_dict() == found.as_dict()


def test_larger_data_and_data_on_disk_are_looked_at_in_part(
    model: Autoencoder, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(drift, "MOST", 50)
    found = drift_between(model, table(120, 1), table(70, 2))
    assert found.notes == ("codes were compared of 50 and 50 rows, drawn by the seed",)
    monkeypatch.setattr(drift, "STORED", 40)
    table(120, 1).to_parquet(tmp_path / "r.parquet", row_group_size=20)
    stored = open_source(tmp_path / "r.parquet", memory=1000)
    found = drift_between(model, stored, table(70, 2))
    assert found.reference == 40 and "about 40 of 120 rows on disk" in found.notes[0]


def test_arrays_pictures_and_names() -> None:
    draw = np.random.default_rng(0)
    x = pd.DataFrame(draw.normal(size=(200, 3)), columns=["u", "v", "w"])
    model = Autoencoder(2, trainer=QUICK, random_state=0).fit(x)
    assert {column.name for column in drift_between(model, x, x).columns} == {"u", "v", "w"}
    assert drift_between(model, x, x).p_value == 1.0
    pictures = draw.integers(0, 255, size=(60, 8, 8)).astype(np.uint8)
    model = Autoencoder(2, trainer=QUICK, random_state=0).fit(pictures)
    found = drift_between(model, pictures[:30], pictures[30:] // 2)
    assert found.drifted and {column.kind for column in found.columns} == {"code"}
    assert "value of the code" in found.verdict or "value of a code" in found.verdict


def wave(seed: int, steps: int = 900, size: float = 1.0) -> Series:
    """An oscillation with memory: windows that touch are alike."""
    draw = np.random.default_rng(seed)
    noise = draw.normal(size=steps)
    level = np.zeros(steps)
    for step in range(1, steps):
        level[step] = 0.9 * level[step - 1] + noise[step]
    return Series(size * level)


def test_series_are_permuted_in_stretches() -> None:
    source = open_source([wave(0)], processor="series(window=16)")
    model = Autoencoder(2, trainer=QUICK, random_state=0).fit(source)
    found = [drift_between(model, [wave(2 * s + 1)], [wave(2 * s + 2)], permutations=59) for s in range(60)]
    assert np.mean([one.drifted for one in found]) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 60)
    assert "stretches" in found[0].notes[0]
    louder = drift_between(model, [wave(1)], [wave(2, size=4.0)])
    assert louder.drifted and louder.columns[0].kind == "code"
    many = [wave(s, 200) for s in range(20)]
    assert "10 + 10" in drift_between(model, many[:10], many[10:]).notes[0]


def test_what_cannot_be_compared(model: Autoencoder) -> None:
    with pytest.raises(UsageError, match="alpha"):
        drift_between(model, table(9, 1), table(9, 2), alpha=1.0)
    with pytest.raises(DataError, match="reference has 1 row;"):
        drift_between(model, table(1, 1), table(9, 2))
    with pytest.raises(DataError, match="kind"):
        drift_between(model, table(9, 1), table(9, 2).drop(columns="kind"))


def test_the_command_prints_the_worst_columns(model: Autoencoder, capsys: pytest.CaptureFixture[str]) -> None:
    source = open_source(change(table(300, 6), "kind"))
    reference = open_source(table(400, 5))
    against(model, source, reference, 0.05, False)
    said = capsys.readouterr().out
    assert "codes, as a whole" in said and "drift at 5 %" in said
    assert next(line for line in said.splitlines() if "categorical" in line).startswith("kind")
    against(model, source, reference, 0.05, True)
    values = json.loads(capsys.readouterr().out)
    assert values["drifted"] is True and values["columns"][0]["name"] == "kind"
