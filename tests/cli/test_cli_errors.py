"""Bad input: one message that says what to do, the right exit code, nothing lost."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

Run = Callable[..., Any]


@pytest.fixture
def model(models: Path, tmp_path: Path) -> Path:
    """A copy of a model, to be damaged."""
    return shutil.copytree(models / "array", tmp_path / "model")


WRONG_USE = {
    "--hidden abc": "--hidden must be widths such as 128,64",
    "--hidden 0": "--hidden must be widths",
    "--latent 0": "--latent must be a whole number of at least 1 or 'auto'; got '0'",
    "--latent many": "--latent must be a whole number",
    "--epochs 0": "--epochs must be",
    "--epochs 1.5": "--epochs must be",
    "--batch-size none": "--batch-size must be",
    "--lr -1": "--lr must be a positive number",
    "--lr inf": "--lr must be a positive number",
    "--patience 0": "--patience must be",
    "--holdout 1.5": "--holdout must be a share",
    "--clip -1": "clip must be",
    "--loss bernouli": "did you mean 'bernoulli'?",
    "--loss huber(": "cannot read",
    "--loss huber(dleta=1)": "did you mean 'delta'?",
    "--network con": "did you mean 'conv'?",
    "--network custom": "use it from Python",
    "--model vea": "did you mean 'vae'?",
    "--optimizer adm": "did you mean 'adam'?",
    "--schedule cosin": "did you mean 'cosine'?",
    "--corruption nois": "did you mean 'noise'?",
    "--penalty weight-decoy": "did you mean 'weight-decay'?",
    "--device tpu": "device 'tpu' is unknown",
    "--precision fp8": "precision 'fp8' is unknown",
    "--max-time soon": "a time must be positive",
    "--freeze encoder": "--init",
    "--beta 2": "--beta does not apply to model 'autoencoder'",
    "--set k": "--set must be NAME=VALUE",
    "--set hiden=(4,)": "model 'autoencoder' has no parameter 'hiden'; did you mean 'hidden'?",
    "--set random_state=3": "--set does not give 'random_state'; use --seed",
    "--set trainer__validaton=0.2": "did you mean 'trainer__validation'?",
    "--set trainer__validation=2": "validation must be a share",
    "--set n_components=0": "n_components must be an int of at least 1",
    "--optimizer lbfgs --batch-size 32": "batch_size must be 'full' for optimizer 'lbfgs'",
    "--task clasify": "did you mean 'classify'?",
    "--task classify": "model 'classifier' learns from labels, and rows.npy has none",
    "--model conditional-vae": "name their column (or their array in an NPZ file) with --target",
    "--model classifier --task regress": "contradict each other",
    "--task classify --model adversarial": "learns from labels itself",
    "--latent 3 --set n_components=3": "give the same parameter",
    "--as pixels": "modality 'pixels' is unknown",
    "--size big": "size must be a height and width",
    "--target label": "--target does not apply",
    "--key id": "--key does not apply",
}


def _split(words: str) -> list[str]:
    """Options and their values; a value may hold blanks."""
    return [part for pair in re.findall(r"(--\S+) ((?:(?! --).)+)", words) for part in pair]


@pytest.mark.parametrize("words", WRONG_USE)
def test_wrong_use_is_told(fails: Run, data: Path, tmp_path: Path, words: str) -> None:
    message = fails(2, "fit", data / "rows.npy", "--out", tmp_path / "m", *_split(words))
    assert WRONG_USE[words] in message
    assert not (tmp_path / "m").exists()


@pytest.mark.parametrize(
    ("text", "code", "message"),
    [
        ("latnet = 3", 2, "did you mean 'latent'?"),
        ("latent = ", 2, "is no TOML"),
        ("latent = 0", 2, "--latent must be"),
        ('seed = "abc"', 2, "'seed' in c.toml must be a whole number"),
        ("seed = true", 2, "must be a text or number"),
        ('strict = "yes"', 2, "must be true or false"),
        ("[latent]\na = 1", 2, "must be a text, number or list"),
        ("resume = true", 2, "option in c.toml: 'resume' is unknown"),
        (None, 1, "No such file"),
    ],
)
def test_bad_configurations(fails: Run, data: Path, tmp_path: Path, text: str | None, code: int, message: str) -> None:
    if text is not None:
        (tmp_path / "c.toml").write_text(text)
    assert message in fails(code, "fit", data / "rows.npy", "--out", tmp_path / "m", "--config", tmp_path / "c.toml")


def _rows(*lines: str) -> str:
    return "\n".join(["a,b", *(f"{n},{n * 2}" for n in range(40)), *lines]) + "\n"


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("empty.csv", "", "empty.csv is empty"),
        ("head.csv", "a,b\n", "has a header ('a', 'b') but no rows"),
        ("one.csv", "a,b\n1,2\n", "at least 2 rows; got 1"),
        ("text.csv", _rows("x,3"), "'a' contains text where the other cells are numbers: 'x' at row 40 (line 42)"),
        ("inf.csv", _rows("inf,3"), "'a' contains infinity at row 40 (line 42)"),
        ("none.npy", np.empty((0, 3)), "0 sample(s)"),
        ("single.npy", np.ones((1, 3)), "at least 2 rows; got 1"),
        ("nan.npy", np.array([[1.0, 2.0], [3.0, np.nan]]), "nan.npy contains NaN at row 1, column 1"),
        ("inf.npy", np.array([[1.0, np.inf], [3.0, 4.0]]), "inf.npy contains infinity at row 0, column 1"),
        ("flat.npy", np.ones(5), "has shape (5,)"),
        ("cut.npy", b"\x93NUMPY\x01\x00", "damaged or cut short"),
        ("noise.gz", b"\x1f\x8bnothing", "cannot be read"),
        ("text.docx", b"PK nothing of ours", "of no kind that can be read"),
        ("words.txt", "these are words\n", "at least 2 rows; got 1"),
    ],
)
def test_data_that_cannot_be_used(fails: Run, tmp_path: Path, name: str, content: object, message: str) -> None:
    file = tmp_path / name
    if isinstance(content, np.ndarray):
        np.save(file, content)
    else:
        file.write_bytes(content if isinstance(content, bytes) else str(content).encode())
    code = 2 if name == "text.docx" else 1
    assert message in fails(code, "fit", file, "--out", tmp_path / "m", "--epochs", 1)
    assert not (tmp_path / "m").exists()


def test_a_missing_file_names_the_nearest(fails: Run, data: Path, tmp_path: Path) -> None:
    assert "did you mean 'rows.npy'?" in fails(1, "fit", data / "row.npy", "--out", tmp_path / "m")


def test_label_like_columns_stop(fails: Run, data: Path, tmp_path: Path) -> None:
    assert "--target label" in fails(2, "fit", data / "train.csv", "--out", tmp_path / "m")
    assert "did you mean 'label'?" in fails(2, "fit", data / "train.csv", "--target", "lable", "--out", tmp_path / "m")


def test_missing_columns_are_named(fails: Run, data: Path, models: Path, tmp_path: Path) -> None:
    pd.read_csv(data / "test.csv").drop(columns=["city"]).to_csv(tmp_path / "t.csv", index=False)
    message = fails(1, "encode", models / "table", tmp_path / "t.csv", "--out", tmp_path / "c.csv")
    assert "t.csv: column 'city' missing" in message and not (tmp_path / "c.csv").exists()


def test_data_of_another_kind_than_the_model(fails: Run, data: Path, models: Path, tmp_path: Path) -> None:
    out = ("--out", tmp_path / "c.npy")
    assert "was trained on rows of 6 columns" in fails(1, "encode", models / "table", data / "rows.npy", *out)
    words = ("encode", models / "array", data / "train.csv", "--exclude", "label", *out)
    assert "was trained on rows of 6 values" in fails(1, *words)
    np.save(tmp_path / "wide.npy", np.ones((3, 7)))
    assert "wide.npy has 7 values a row; the model was trained on rows of 6 values" in fails(
        1, "encode", models / "array", tmp_path / "wide.npy", *out
    )


def test_pictures_of_unequal_size(run: Run, fails: Run, tmp_path: Path) -> None:
    from PIL import Image

    for place in range(6):
        Image.new("L", (8 + (place == 0), 8), 10 * place).save(tmp_path / f"{place}.png")
    assert "--strict" in fails(1, "fit", tmp_path, "--strict", "--out", tmp_path / "m")
    result = run("fit", tmp_path, "--out", tmp_path / "m", "--epochs", 1)
    assert result.exit_code == 0 and "0.png (9x8): resized" in result.stderr


@pytest.mark.parametrize(("broken", "code"), [(1, 0), (4, 1)])
def test_damaged_pictures_are_skipped_up_to_a_tenth(run: Run, tmp_path: Path, broken: int, code: int) -> None:
    from PIL import Image

    (tmp_path / "p").mkdir()
    for place in range(20):
        file = tmp_path / "p" / f"{place:02d}.png"
        Image.new("L", (8, 8), 10 * place).save(file)
        if place < broken:
            file.write_bytes(file.read_bytes()[:40])
    result = run("fit", tmp_path / "p", "--out", tmp_path / "m", "--epochs", 1)
    assert result.exit_code == code, result.output
    told = "1 damaged picture skipped: 00.png" if code == 0 else "4 of 20 pictures cannot be read, more than a tenth"
    assert told in result.stderr


def _edit(model: Path, **values: object) -> None:
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps({**config, **values}))


def test_damaged_models(fails: Run, model: Path, data: Path) -> None:
    weights, config = model / "model.safetensors", model / "config.json"
    whole, text = weights.read_bytes(), config.read_text()
    flipped = bytearray(whole)
    flipped[-3] ^= 1
    for content in (whole[:-10], bytes(flipped), b""):
        weights.write_bytes(content)
        assert "checksum does not match" in fails(1, "info", model)
    weights.unlink()
    assert "lacks model.safetensors" in fails(1, "info", model)
    weights.write_bytes(whole)
    config.write_text(text[: len(text) // 2])
    assert "is damaged" in fails(1, "encode", model, data / "rows.npy", "--out", model / "c.npy")
    config.write_text(text)
    _edit(model, n_components=9)
    assert "altered" in fails(1, "info", model)
    _edit(model, diabolo=99)
    assert "has format 99" in fails(1, "info", model) and "Upgrade" in fails(1, "info", model)


def test_what_is_no_model(fails: Run, data: Path, tmp_path: Path) -> None:
    assert "is not a model" in fails(1, "info", tmp_path)
    assert "is not a model" in fails(1, "info", data / "rows.npy")
    assert "is not a model" in fails(1, "info", tmp_path / "nowhere")
    assert "is not a model" in fails(1, "fit", data / "rows.npy", "--init", tmp_path, "--out", tmp_path / "m")


def test_what_exists_is_kept_without_force(run: Run, fails: Run, data: Path, model: Path, tmp_path: Path) -> None:
    before = (model / "config.json").read_bytes()
    words = ("fit", data / "rows.npy", "--epochs", 1, "--out", model)
    assert "--force" in fails(2, *words)
    assert (model / "config.json").read_bytes() == before
    assert run(*words, "--force").exit_code == 0 and (model / "config.json").read_bytes() != before
    for words in (("encode", model, data / "rows.npy"), ("score", model, data / "rows.npy")):
        (tmp_path / "c.npy").write_bytes(b"precious")
        assert "--force" in fails(2, *words, "--out", tmp_path / "c.npy")
        assert (tmp_path / "c.npy").read_bytes() == b"precious"
        assert run(*words, "--out", tmp_path / "c.npy", "--force").exit_code == 0


def test_force_never_takes_what_is_no_model(fails: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years")
    assert "not part of a model" in fails(2, "fit", data / "rows.npy", "--out", tmp_path, "--force")
    assert "is a file" in fails(2, "fit", data / "rows.npy", "--out", tmp_path / "thesis.txt", "--force")
    assert (tmp_path / "thesis.txt").read_text() == "years"


def test_bad_data_leave_the_old_model_under_force(fails: Run, model: Path, tmp_path: Path) -> None:
    np.save(tmp_path / "one.npy", np.ones((1, 3)))
    before = {p.name: p.read_bytes() for p in model.iterdir()}
    fails(1, "fit", tmp_path / "one.npy", "--out", model, "--force")
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before


@pytest.mark.parametrize("suffix", [".npy", ".csv", ".parquet"])
def test_codes_that_do_not_fit(fails: Run, models: Path, tmp_path: Path, suffix: str) -> None:
    values, file = np.ones((4, 5)), tmp_path / f"c{suffix}"
    frame = pd.DataFrame({"name": list("abcd"), "z7": 1.0})
    np.save(file, values) if suffix == ".npy" else frame.to_csv(file) if suffix == ".csv" else frame.to_parquet(file)
    message = fails(1, "decode", models / "array", file, "--out", tmp_path / "r.npy")
    assert ("must have shape (N, 2)" if suffix == ".npy" else "'z0', 'z1'") in message


def test_codes_that_are_no_numbers(fails: Run, models: Path, tmp_path: Path) -> None:
    for cell, told in (("x", "z0"), ("", "'z0' has no number at row 1"), ("inf", "z0")):
        (tmp_path / "c.csv").write_text(f"z0,z1\n1,2\n{cell},3\n4,5\n")
        assert told in fails(1, "decode", models / "array", tmp_path / "c.csv", "--out", tmp_path / "r.npy")


@pytest.mark.parametrize(("verb", "out"), [("encode", "c.html"), ("score", "c"), ("report", "r.txt"), ("encode", "c")])
def test_the_form_of_the_result_is_checked_first(
    fails: Run, data: Path, models: Path, tmp_path: Path, verb: str, out: str
) -> None:
    assert "Known: " in fails(2, verb, models / "array", data / "rows.npy", "--out", tmp_path / out)


def test_a_missing_folder_for_the_result(fails: Run, data: Path, models: Path, tmp_path: Path) -> None:
    words = ("encode", models / "array", data / "rows.npy", "--out", tmp_path / "no" / "c.npy")
    assert "does not exist; make it first" in fails(2, *words)


def test_unknown_axis(fails: Run) -> None:
    assert "did you mean 'loss'?" in fails(2, "parts", "losss")


def test_an_unknown_option_is_wrong_use(run: Run, data: Path) -> None:
    result = run("fit", data / "rows.npy", "--out", "x", "--latnet", 3)
    assert result.exit_code == 2 and "--latent" in result.stderr


def _full(*args: object, **options: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_full_disk_loses_nothing(
    fails: Run, data: Path, model: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before = {p.name: p.read_bytes() for p in model.iterdir()}
    monkeypatch.setattr("os.fsync", _full)
    for words in (
        ("encode", model, data / "rows.npy", "--out", tmp_path / "c.csv"),
        ("report", model, data / "rows.npy", "--out", tmp_path / "r.html"),
        ("fit", data / "rows.npy", "--epochs", 1, "--out", model, "--force"),
        ("fit", data / "rows.npy", "--epochs", 1, "--out", tmp_path / "new"),
    ):
        message = fails(1, *words)
        assert "No space left on device" in message and "nothing was changed" in message
    assert {p.name: p.read_bytes() for p in model.iterdir()} == before
    assert [p.name for p in tmp_path.iterdir()] == ["model"]


def test_a_really_full_disk(data: Path, tmp_path: Path) -> None:
    """On a file system of 64 kB, where this user may mount one."""
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(small)]
    try:
        mounted = os.geteuid() == 0 and subprocess.run(mount, capture_output=True).returncode == 0
    except OSError:
        mounted = False
    if not mounted:
        pytest.skip("mounting a file system needs privileges that are not there")
    try:
        fit = ["fit", str(data / "rows.npy"), "--hidden", "400,400", "--epochs", "1", "--out", str(small / "m")]
        done = subprocess.run([sys.executable, "-m", "diabolo", *fit], capture_output=True, text=True)
        assert done.returncode == 1 and "not foreseen" not in done.stderr, done.stderr
        assert "No space left" in done.stderr and "nothing was changed" in done.stderr, done.stderr
        assert not (small / "m").exists()
    finally:
        subprocess.run(["umount", str(small)], check=False)


def test_a_folder_is_no_table(fails: Run, data: Path, tmp_path: Path) -> None:
    said = fails(2, "fit", data / "pictures", "--as", "table", "--out", tmp_path / "m")
    assert "pictures is a folder of files, no table; give one file of it, or leave out --as" in said


def test_a_parameter_that_neither_task_nor_model_has(fails: Run, data: Path, tmp_path: Path) -> None:
    words = ("fit", data / "rows.npy", "--task", "detect", "--out", tmp_path / "m", "--set")
    said = fails(2, *words, "alfa=0.1")
    assert "did you mean 'alpha'?" in said and "'detect' takes: contamination, alpha" in said
    assert "at least 1" in fails(2, *words, "neighbors=0")
