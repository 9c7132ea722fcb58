"""The command on texts, end to end: lines and columns in, texts out."""

import pandas as pd
import pytest

LINES = [f"{a} {b} number {n % 7}" for n in range(20) for a in ("red", "blue") for b in ("fish", "dog")]


@pytest.fixture(scope="module")
def lines(tmp_path_factory):
    path = tmp_path_factory.mktemp("text") / "lines.txt"
    path.write_text("".join(f"{line}\t{place % 2}\n" for place, line in enumerate(LINES)))
    return path


def test_labels_in_the_lines_stop(fails, lines, tmp_path):
    assert "--target last" in fails(2, "fit", lines, "--out", tmp_path / "m")


@pytest.mark.parametrize("model", ["autoencoder", "sequence", "vae"])
def test_from_lines_to_codes_and_back(run, lines, tmp_path, model):
    out = tmp_path / "m"
    result = run("fit", lines, "--target", "last", "--model", model, "--epochs", 1, "--out", out)
    assert result.exit_code == 0 and "80 texts of up to 4 tokens" in result.output, result.output
    assert run("encode", out, lines, "--out", tmp_path / "c.parquet").exit_code == 0
    assert run("decode", out, tmp_path / "c.parquet", "--out", tmp_path / "d.txt").exit_code == 0
    assert (tmp_path / "d.txt").read_text().count("\n") == len(LINES)
    assert run("reconstruct", out, lines, "--out", tmp_path / "r.csv").exit_code == 0
    assert len(pd.read_csv(tmp_path / "r.csv", keep_default_na=False)["text"]) == len(LINES)
    assert run("score", out, lines, "--out", tmp_path / "s.csv").exit_code == 0
    assert (pd.read_csv(tmp_path / "s.csv")["error"] > 0).all()
    assert run("info", out).exit_code == 0


def test_a_bag_of_words_of_a_column_is_held_against_pca(run, tmp_path):
    table = tmp_path / "news.csv"
    pd.DataFrame({"id": range(len(LINES)), "title": LINES, "class": 1}).to_csv(table, index=False)
    options = ("--column", "title", "--key", "id", "--processor", "bag-of-words(weight='tf-idf')")
    result = run("fit", table, *options, "--latent", 2, "--epochs", 1, "--out", tmp_path / "m")
    assert result.exit_code == 0 and "PCA, 2 components" in result.output, result.output
    assert run("encode", tmp_path / "m", table, "--out", tmp_path / "c.csv").exit_code == 0
    assert list(pd.read_csv(tmp_path / "c.csv")) == ["id", "z0", "z1"]


def test_texts_do_not_go_into_npy(run, fails, lines, tmp_path):
    assert run("fit", lines, "--target", "last", "--epochs", 1, "--out", tmp_path / "m").exit_code == 0
    assert ".txt" in fails(2, "reconstruct", tmp_path / "m", lines, "--out", tmp_path / "r.npy")
