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
    assert result.exit_code == 0 and "200 clusters" in result.output
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
