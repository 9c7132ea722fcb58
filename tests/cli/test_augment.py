"""`diabolo augment`: DATA comes back whole, made rows are marked."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest


@pytest.fixture(scope="module")
def folder(works: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A table with a rare class, and a model of it."""
    made = tmp_path_factory.mktemp("augment")
    random = np.random.default_rng(0)
    rare = np.arange(120) < 24
    frame = pd.DataFrame(
        {
            "part": [f"p{place}" for place in range(120)],
            "speed": random.normal(size=120) + 2 * rare,
            "count": random.poisson(4, 120),
            "kind": random.choice(["a", "b"], 120),
            "day": (pd.Timestamp("2024-01-01") + pd.to_timedelta(random.integers(0, 99, 120), "D")).strftime(
                "%Y-%m-%d"
            ),
            "state": np.where(rare, "worn", "fresh"),
        }
    )
    frame.to_csv(made / "data.csv", index=False)
    said = works("fit", made / "data.csv", "--task", "augment", "--target", "state", "--key", "part", "--epochs", 3,
                 "--out", made / "model", "--set", "how=density", "--holdout", 0.5)  # fmt: skip
    assert "Balanced accuracy of a random forest on 60 held-out rows" in said and "SMOTE" in said
    assert "augmentation" in said
    return made


def test_data_and_made_rows(works: Any, folder: Path) -> None:
    said = works("augment", folder / "model", folder / "data.csv", "--out", folder / "more.csv")
    assert "class fresh: 96 rows, 0 made" in said and "class worn: 24 rows, 72 made" in said and "192 rows" in said
    given, more = pd.read_csv(folder / "data.csv"), pd.read_csv(folder / "more.csv")
    assert list(more) == [*given, "synthetic"] and not more["synthetic"][:120].any() and more["synthetic"][120:].all()
    pd.testing.assert_frame_equal(more[given.columns][:120], given)
    made = more[120:]
    assert (
        (made["state"] == "worn").all()
        and made["part"].isna().all()
        and made["day"].str.fullmatch(r"2024-\d\d-\d\d").all()
    )
    assert (made["count"] % 1 == 0).all() and set(made["kind"]) <= {"a", "b"}


@pytest.mark.parametrize(
    ("words", "made"),
    [(("--strategy", "0.5"), 24), (("--strategy", "{'worn': 30, 'fresh': 100}"), 10), (("--how", "interpolation"), 72)],
)
def test_how_many_and_how(works: Any, folder: Path, words: tuple[str, str], made: int) -> None:
    out = folder / "some.parquet"
    works("augment", folder / "model", folder / "data.csv", "--out", out, "--force", *words)
    assert pd.read_parquet(out)["synthetic"].sum() == made


def test_the_seed(works: Any, folder: Path) -> None:
    tables = []
    for seed in (1, 1, 2):
        works("augment", folder / "model", folder / "data.csv", "--out", folder / "s.csv", "--force", "--seed", seed)
        tables.append((folder / "s.csv").read_bytes())
    assert tables[0] == tables[1] != tables[2]


def test_arrays_with_labels(works: Any, folder: Path) -> None:
    random = np.random.default_rng(0)
    np.savez(folder / "rows.npz", X=random.normal(size=(80, 3)), y=(np.arange(80) < 16).astype(int))
    words = ("--array", "X", "--target", "y")
    works("fit", folder / "rows.npz", *words, "--task", "augment", "--epochs", 2, "--out", folder / "array")
    works("augment", folder / "array", folder / "rows.npz", *words, "--out", folder / "rows.csv")
    more = pd.read_csv(folder / "rows.csv")
    assert list(more) == ["x0", "x1", "x2", "y", "synthetic"] and len(more) == 128


def test_what_cannot_be(fails: Any, folder: Path, models: Path, data: Path) -> None:
    def refused(code: int, *words: Any, model: Path = folder / "model", rows: Path = folder / "data.csv") -> str:
        return str(fails(code, "augment", model, rows, "--out", folder / "x.csv", *words))

    assert "--task augment" in refused(1, model=models / "table", rows=data / "train.csv")
    assert "did you mean 'density'" in refused(2, "--how", "densty")
    assert "how='ae-gan'" in refused(1, "--how", "ae-gan")
    assert "Known: .csv" in fails(2, "augment", folder / "model", folder / "data.csv", "--out", folder / "x.npy")
    given = pd.read_csv(folder / "data.csv")
    given.drop(columns="state").to_csv(folder / "bare.csv", index=False)
    assert "no column 'state'" in refused(2, rows=folder / "bare.csv")
    assert "name their column or array with --target" in refused(2, "--target", "none", rows=folder / "bare.csv")
    given.replace({"state": {"worn": "broken"}}).to_csv(folder / "other.csv", index=False)
    assert "'broken', a class that was not" in refused(1, rows=folder / "other.csv")
    words = ("--task", "augment", "--key", "part", "--target", "none", "--out", folder / "y")
    assert "--target" in fails(2, "fit", folder / "data.csv", *words)
    assert not (folder / "x.csv").exists()
