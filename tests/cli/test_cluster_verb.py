"""`diabolo fit --task cluster` and `diabolo cluster`, from a file to a file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sklearn.datasets import make_blobs
from sklearn.metrics import adjusted_rand_score

from diabolo import load


def test_the_verb(run: Any, fails: Any, tmp_path: Path) -> None:
    centres = 6 * np.random.default_rng(1).normal(size=(4, 8))
    X, truth = make_blobs(200, centers=centres, random_state=0)
    frame = pd.DataFrame(X, columns=list("abcdefgh"))
    frame["name"], frame["kind"] = [f"r{place}" for place in range(len(X))], truth
    frame.to_csv(tmp_path / "rows.csv", index=False)
    beside = ("--key", "name", "--target", "kind")
    result = run("fit", tmp_path / "rows.csv", *beside, "--task", "cluster", "--latent", 2, "--set", "n_clusters=4",
                 "--set", "epochs=2", "--epochs", 40, "--out", tmp_path / "m")  # fmt: skip
    assert result.exit_code == 0 and "ARI" in result.output and "4 clusters of 20 held-out rows" in result.output
    result = run("cluster", tmp_path / "m", tmp_path / "rows.csv", "--out", tmp_path / "c.csv")
    assert result.exit_code == 0 and "200 assignments" in result.output
    found = pd.read_csv(tmp_path / "c.csv")
    assert list(found.columns) == ["name", "cluster", "probability"]
    assert found.probability.between(0.25, 1).all() and adjusted_rand_score(truth, found.cluster) > 0.95
    run("cluster", tmp_path / "m", tmp_path / "rows.csv", "--out", tmp_path / "c.npy")
    np.testing.assert_array_equal(np.load(tmp_path / "c.npy"), found.cluster)
    assert load(tmp_path / "m").metrics_["assessment"]["rows"][0][0] == "this model"
    run("fit", tmp_path / "rows.csv", *beside, "--epochs", 1, "--out", tmp_path / "plain")
    assert "--task cluster" in fails(
        1, "cluster", tmp_path / "plain", tmp_path / "rows.csv", "--out", tmp_path / "d.csv"
    )


def test_counts_from_a_file_are_encoded_normalized_and_clustered(run: Any, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    kind = np.repeat([0, 1], 60)
    rates = np.where(kind[:, None] == 0, [9, 9, 9, 1, 1, 1], [1, 1, 1, 9, 9, 9])
    frame = pd.DataFrame(random.poisson(rates * random.lognormal(0, 0.5, (120, 1))), columns=list("abcdef"))
    frame.insert(0, "cell", [f"c{place}" for place in range(120)])
    frame.to_csv(tmp_path / "counts.csv", index=False)
    words = ("--key", "cell", "--model", "count-vae", "--latent", 2, "--epochs", 60)
    task = ("--task", "cluster", "--set", "how=codes", "--set", "n_clusters=2")
    assert run("fit", tmp_path / "counts.csv", *words, *task, "--out", tmp_path / "m").exit_code == 0
    for verb, given, out in (("encode", "counts.csv", "z"), ("decode", "z.csv", "n"), ("cluster", "counts.csv", "c")):
        result = run(verb, tmp_path / "m", tmp_path / given, "--out", tmp_path / f"{out}.csv")
        assert result.exit_code == 0, result.output
    normal, found = pd.read_csv(tmp_path / "n.csv"), pd.read_csv(tmp_path / "c.csv")
    assert list(normal.columns) == list(frame.columns)
    totals = normal.iloc[:, 1:].sum(axis=1)
    np.testing.assert_allclose(totals, totals[0], rtol=1e-3)  # one library for all
    assert adjusted_rand_score(kind, found.cluster) > 0.9


def test_rows_on_disk_stream_with_codes_and_are_refused_where_a_target_is_kept_for_each(
    run: Any, fails: Any, tmp_path: Path
) -> None:
    random = np.random.default_rng(0)
    kind = random.integers(0, 2, 2000)
    frame = pd.DataFrame(random.normal(size=(2000, 6)) + 8 * kind[:, None], columns=list("abcdef"))
    frame.to_csv(tmp_path / "rows.csv", index=False)
    task = ("--memory", "50kB", "--task", "cluster", "--epochs", 2, "--latent", 2, "--set", "n_clusters=2")
    assert "how='codes'" in fails(2, "fit", tmp_path / "rows.csv", *task, "--out", tmp_path / "no")
    assert run("fit", tmp_path / "rows.csv", *task, "--set", "how=codes", "--out", tmp_path / "m").exit_code == 0
    result = run("cluster", tmp_path / "m", tmp_path / "rows.csv", "--memory", "50kB", "--out", tmp_path / "c.csv")
    assert result.exit_code == 0 and adjusted_rand_score(kind, pd.read_csv(tmp_path / "c.csv").cluster) > 0.9
