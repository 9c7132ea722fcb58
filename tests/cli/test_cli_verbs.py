"""The verbs on small data of every kind: what goes in comes back, by name, with its keys."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import load

Run = Callable[..., Any]


def test_fit_says_what_the_data_are_what_was_chosen_and_how_good_it_is(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "rows.npy", "--out", tmp_path / "m", "--epochs", 2)
    out = result.stdout
    told = [
        "rows.npy: 90 rows of 6 values; 81 to learn from, 9 kept for the comparison",
        "principal components hold 90 % of the variance",
        "95 % interval",
        "this model, a code of",
        "PCA, ",
        "predicting the mean",
        "training rows: ",
        "the gap to held-out rows is",
    ]
    places = [out.find(text) for text in told]
    assert min(places) >= 0 and places == sorted(places), out
    assert "\x1b" not in result.output and "━" not in result.output
    assert sorted(p.name for p in (tmp_path / "m").iterdir()) == ["config.json", "model.safetensors"]


def test_too_few_rows_for_a_comparison_is_said(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "pictures", "--out", tmp_path / "m", "--epochs", 1, "--hidden", "8")
    assert result.exit_code == 0 and "for want of 5 rows" in result.stdout and "PCA" not in result.stdout


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".csv.gz", ".parquet"])
def test_codes_survive_every_format(run: Run, data: Path, models: Path, tmp_path: Path, suffix: str) -> None:
    model = load(models / "table")
    codes, back = tmp_path / f"codes{suffix}", tmp_path / "back.parquet"
    assert run("encode", models / "table", data / "test.csv", "--out", codes).exit_code == 0
    assert run("decode", models / "table", codes, "--out", back).exit_code == 0
    frame = pd.read_parquet(back)
    names = ["age", "income", "city", "member", "since", "constant"]
    keys = [] if suffix == ".npy" else ["customer_id"]
    assert list(frame) == keys + names and len(frame) == 40
    assert frame["age"].dtype == np.int64 and frame["member"].dtype == bool
    assert frame["since"].dtype.kind == "M" and set(frame["city"]) <= {"Rome", "Oslo", "Lima"}
    if suffix == ".npy":
        assert np.load(codes).shape == (40, model.n_components_)


def test_columns_are_matched_by_name(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    usual = pd.read_csv(data / "test.csv")
    changed = {
        "without the label": usual.drop(columns="label"),
        "in another order": usual[sorted(usual)],
        "with one more": usual.assign(extra=3),
        "without the key": usual.drop(columns="customer_id"),
    }
    run("encode", models / "table", data / "test.csv", "--out", tmp_path / "usual.npy")
    for place, (what, frame) in enumerate(changed.items()):
        frame.to_csv(tmp_path / f"{place}.csv", index=False)
        result = run("encode", models / "table", tmp_path / f"{place}.csv", "--out", tmp_path / f"{place}.npy")
        assert result.exit_code == 0, (what, result.output)
        assert ("'extra' is not one the model knows" in result.stderr) == (what == "with one more")
        assert np.array_equal(np.load(tmp_path / f"{place}.npy"), np.load(tmp_path / "usual.npy")), what


def test_a_table_as_an_array_is_matched_by_name_too(run: Run, tmp_path: Path) -> None:
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=["a", "b", "c"])
    frame.to_csv(tmp_path / "d.csv", index=False)
    frame[["c", "a", "b"]].to_csv(tmp_path / "e.csv", index=False)
    run("fit", tmp_path / "d.csv", "--as", "array", "--out", tmp_path / "m", "--epochs", 1)
    for name in "de":
        run("encode", tmp_path / "m", tmp_path / f"{name}.csv", "--out", tmp_path / f"{name}.npy")
    assert np.array_equal(np.load(tmp_path / "d.npy"), np.load(tmp_path / "e.npy"))
    run("reconstruct", tmp_path / "m", tmp_path / "e.csv", "--out", tmp_path / "r.csv")
    assert list(pd.read_csv(tmp_path / "r.csv")) == ["a", "b", "c"]


def test_chosen_keys_and_targets_are_remembered(run: Run, data: Path, tmp_path: Path) -> None:
    run("fit", data / "train.csv", "--target", "label", "--key", "age", "--exclude", "income",
        "--out", tmp_path / "m", "--epochs", 1)  # fmt: skip
    assert run("score", tmp_path / "m", data / "test.csv", "--out", tmp_path / "s.csv").exit_code == 0
    scored = pd.read_csv(tmp_path / "s.csv")
    assert list(scored) == ["customer_id", "age", "error"] and scored["error"].notna().all()


def test_a_file_without_header_is_read_alike_by_every_verb(run: Run, tmp_path: Path) -> None:
    pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3))).to_csv(tmp_path / "d.csv", index=False, header=False)
    run("fit", tmp_path / "d.csv", "--no-header", "--out", tmp_path / "m", "--epochs", 1)
    run("encode", tmp_path / "m", tmp_path / "d.csv", "--out", tmp_path / "c.npy")
    assert len(np.load(tmp_path / "c.npy")) == 30


def test_score_is_the_negative_of_score_samples(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    run("score", models / "array", data / "rows.npy", "--out", tmp_path / "s.npy")
    expected = -load(models / "array").score_samples(np.load(data / "rows.npy"))
    assert np.array_equal(np.load(tmp_path / "s.npy"), expected)


def test_arrays_come_back_in_their_shape(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    run("reconstruct", models / "array", data / "rows.npy", "--out", tmp_path / "r.npy")
    run("reconstruct", models / "image", data / "pictures", "--out", tmp_path / "p.npy")
    assert np.load(tmp_path / "r.npy").shape == (90, 6)
    assert np.load(tmp_path / "p.npy").shape == (24, 12, 9, 3)


def test_pictures_come_back_as_pictures_with_their_names(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    run("encode", models / "image", data / "pictures", "--out", tmp_path / "c.csv")
    assert list(pd.read_csv(tmp_path / "c.csv")) == ["file", "z0", "z1", "z2"]
    run("decode", models / "image", tmp_path / "c.csv", "--out", tmp_path / "back")
    assert sorted(p.name for p in (tmp_path / "back").iterdir()) == [f"p{place:02d}.png" for place in range(24)]


def test_grey_pictures_of_another_size_fit_a_model_of_coloured_ones(run: Run, models: Path, tmp_path: Path) -> None:
    from PIL import Image

    (tmp_path / "grey").mkdir()
    Image.fromarray(np.full((30, 30), 90, np.uint8)).save(tmp_path / "grey" / "a.png")
    result = run("encode", models / "image", tmp_path / "grey", "--out", tmp_path / "c.npy")
    assert result.exit_code == 0 and "resized to 9x12" in result.stderr and "converted to colour" in result.stderr


def test_npz_says_what_it_took(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "labelled.npz", "--out", tmp_path / "m", "--epochs", 1)
    assert "took 'X' as the input" in result.stderr and "'y' as labels, never an input" in result.stderr


def test_info_prints_the_plan_of_shapes_and_json(run: Run, models: Path) -> None:
    text = run("info", models / "image").stdout
    assert "pictures of 12x9 (height x width) in 3 channels -> a code of 3" in text and "Conv2d(3, 4" in text
    described = json.loads(run("info", models / "table", "--json").stdout)
    assert described["name"] == "autoencoder" and described["modality"] == "table" and described["layers"]
    assert described["metrics"]["comparison"]["pca_components"] == described["n_components"]


def test_report_is_one_file(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    for name, rows in (("table", "test.csv"), ("array", "rows.npy"), ("image", "pictures")):
        result = run("report", models / name, data / rows, "--out", tmp_path / f"{name}.html")
        assert result.exit_code == 0, result.output
        text = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert "<html" in text and 'src="http' not in text


def test_parts_lists_every_axis(run: Run) -> None:
    listed = json.loads(run("parts", "--json").stdout)
    assert {"vae", "autoencoder"} <= {part["name"] for part in listed["model"]}
    huber = next(part for part in listed["loss"] if part["name"] == "huber")
    assert huber["parameters"]["delta"] == 1.0 and huber["summary"]
    assert "huber" in run("parts", "loss").stdout and "vae" not in run("parts", "loss").stdout


def test_dry_run_trains_and_writes_nothing(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "train.csv", "--target", "label", "--out", tmp_path / "m", "--dry-run")
    assert result.exit_code == 0 and "nothing was trained" in result.stdout and "MiB" in result.stdout
    assert not (tmp_path / "m").exists()


def test_every_training_option_is_taken(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    logs = tmp_path / "logs"
    result = run(
        "fit", data / "rows.npy", "--out", tmp_path / "m", "--model", "vae", "--latent", 2, "--hidden", "8,4",
        "--network", "dense(activation='tanh')", "--loss", "gaussian", "--beta", 0.5, "--epochs", 2, "--batch-size",
        16, "--lr", 0.01, "--optimizer", "adamw(weight_decay=0.1)", "--schedule", "cosine", "--clip", 1, "--patience",
        "none", "--holdout", 0.2, "--device", "cpu", "--precision", "fp32", "--seed", 7, "--log-dir", logs,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    model = load(tmp_path / "m")
    assert (model.n_components, model.hidden, model.random_state, model.beta) == (2, (8, 4), 7, 0.5)
    assert (model.trainer.batch_size, model.trainer.lr, model.trainer.patience) == (16, 0.01, None)
    assert any("tfevents" in p.name for p in logs.iterdir())


def test_configuration_file_and_command_line(run: Run, data: Path, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text('latent = 3\nhidden = [8, 4]\nepochs = 1\nseed = 5\nlr = 0.1\npenalty = "weight-decay"\n')
    result = run("fit", data / "rows.npy", "--out", tmp_path / "m", "--config", config, "--latent", 2)
    assert result.exit_code == 0, result.output
    model = load(tmp_path / "m")
    assert (model.n_components, model.hidden, model.random_state, model.penalties) == (2, (8, 4), 5, ("weight-decay",))


def test_transfer_keeps_the_frozen_side(run: Run, data: Path, models: Path, tmp_path: Path) -> None:
    result = run("fit", data / "rows.npy", "--out", tmp_path / "m", "--init", models / "array", "--freeze", "encoder",
                 "--epochs", 1)  # fmt: skip
    assert result.exit_code == 0, result.output
    before, after = load(models / "array").module_, load(tmp_path / "m").module_
    rows = [(a, b) for a, b in zip(before.encoder.parameters(), after.encoder.parameters(), strict=True)]
    assert all(np.array_equal(a.detach().numpy(), b.detach().numpy()) for a, b in rows)


def test_a_limit_of_time_saves_a_model(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "rows.npy", "--out", tmp_path / "m", "--epochs", 100000, "--patience", "none",
                 "--max-time", "1s")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert 0 < len(load(tmp_path / "m").history_) < 100000


def test_the_same_seed_writes_the_same_bytes(run: Run, data: Path, tmp_path: Path) -> None:
    for name in "ab":
        run("fit", data / "train.csv", "--target", "label", "--epochs", 2, "--out", tmp_path / name)
    for file in ("config.json", "model.safetensors"):
        assert (tmp_path / "a" / file).read_bytes() == (tmp_path / "b" / file).read_bytes()
