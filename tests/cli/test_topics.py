"""Topics from the command line: fit, print, write, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., Any]
THEMES = ("orbit moon rocket shuttle launch", "oven butter flour recipe sugar", "goal team league match coach")


@pytest.fixture(scope="module")
def lines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """150 short texts in a table, with numbers of their own."""
    random = np.random.default_rng(0)
    path = tmp_path_factory.mktemp("topics") / "texts.csv"
    rows = [" ".join(random.choice(THEMES[n % 3].split(), 9)) for n in range(150)]
    pd.DataFrame({"id": np.arange(150) + 1000, "body": rows}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def model(run: Run, lines: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("model") / "m"
    words = (
        "--column",
        "body",
        "--key",
        "id",
        "--task",
        "topics",
        "--latent",
        3,
        "--epochs",
        60,
        "--lr",
        "0.01",
        "--set",
        "top=4",
    )
    result = run("fit", lines, *words, "--out", out)
    assert result.exit_code == 0, result.output
    assert "LDA" in result.stdout and "diversity" in result.stdout and "NPMI" in result.stdout
    return out


def test_the_topics_are_printed_and_written_word_by_word(run: Run, model: Path, tmp_path: Path) -> None:
    result = run("topics", model, "--top", 5, "--out", tmp_path / "t.csv")
    assert result.exit_code == 0 and "3 topics" in result.stdout and "NPMI" in result.stdout, result.output
    frame = pd.read_csv(tmp_path / "t.csv")
    assert list(frame) == ["topic", "rank", "word", "weight"] and len(frame) == 15
    found = {frozenset(words) for _, words in frame.groupby("topic")["word"]}
    assert found == {frozenset(theme.split()) for theme in THEMES}
    assert all((np.diff(part["weight"]) <= 0).all() for _, part in frame.groupby("topic"))


def test_each_text_gets_its_topics(run: Run, model: Path, lines: Path, tmp_path: Path) -> None:
    result = run("topics", model, lines, "--out", tmp_path / "d.csv")
    assert result.exit_code == 0, result.output
    frame = pd.read_csv(tmp_path / "d.csv")
    assert list(frame) == ["id", "topic", "share", "words", "t0", "t1", "t2"] and frame["id"].tolist()[0] == 1000
    np.testing.assert_allclose(frame[["t0", "t1", "t2"]].sum(axis=1), 1, rtol=1e-4)
    assert frame.groupby(frame["id"] % 3)["topic"].nunique().eq(1).all()
    assert run("topics", model, lines, "--out", tmp_path / "d.npy").exit_code == 0
    np.testing.assert_allclose(np.load(tmp_path / "d.npy"), frame[["t0", "t1", "t2"]], rtol=1e-4, atol=1e-6)
    assert "3 topics" in run("topics", model, lines).stdout


def test_other_verbs_take_its_topic_model(run: Run, model: Path, lines: Path, tmp_path: Path) -> None:
    assert run("encode", model, lines, "--out", tmp_path / "v.parquet").exit_code == 0
    assert list(pd.read_parquet(tmp_path / "v.parquet")) == ["id", "z0", "z1", "z2"]
    result = run("report", model, lines, "--out", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "r.html").read_text()
    assert "Topics of single texts" in page and "the text with most of it" in page
    assert "topics" in run("info", model).stdout


def test_a_plain_topic_model_has_topics_too(run: Run, lines: Path, tmp_path: Path) -> None:
    words = ("--column", "body", "--key", "id", "--model", "topic-model", "--latent", 2, "--epochs", 1)
    assert run("fit", lines, *words, "--out", tmp_path / "m").exit_code == 0
    assert "2 topics" in run("topics", tmp_path / "m").stdout


def test_what_is_no_topic_model_or_no_text_is_refused(
    run: Run, fails: Run, model: Path, models: Path, data: Path, lines: Path, tmp_path: Path
) -> None:
    assert "--task topics" in fails(1, "topics", models / "array")
    assert "holds no texts" in fails(2, "topics", model, data / "rows.npy")
    assert "autoencoder must be a TopicModel" in fails(
        2, "fit", lines, "--column", "body", "--task", "topics", "--model", "vae", "--out", tmp_path / "m"
    )
    assert ".csv" in fails(2, "topics", model, "--out", tmp_path / "t.npy")
    shallow = tmp_path / "shallow.csv"
    shallow.write_text("body\n" + "the of and\nit is 1993\n" * 4)
    told = fails(1, "fit", shallow, "--column", "body", "--task", "topics", "--out", tmp_path / "m")
    assert "no word is in 2 texts or more" in told
