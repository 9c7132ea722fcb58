"""Every named model from the command line, on digits: train, encode, reconstruct, score, show, report."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from diabolo import load
from diabolo.core import lookup, names

Run = Callable[..., Any]
OPTIONS: dict[str, tuple[str, ...]] = {}
"""Model -> what it needs to be told beyond its name."""


@pytest.fixture(scope="module")
def few(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """120 digits with their classes, as an NPZ file."""
    from sklearn.datasets import load_digits

    digits = load_digits()
    path = tmp_path_factory.mktemp("digits") / "digits.npz"
    np.savez(path, X=digits.data[:120].astype("float32"), y=digits.target[:120])
    return path


@pytest.mark.parametrize("name", names("model"))
def test_every_model_does_every_verb(run: Run, few: Path, tmp_path: Path, name: str) -> None:
    model = tmp_path / "m"
    result = run("fit", few, "--model", name, "--epochs", 2, "--out", model, *OPTIONS.get(name, ()))
    assert result.exit_code == 0, result.output
    assert "held-out rows" in result.stdout and type(load(model)).part_name == name
    for verb, shape in (("encode", load(model).code_shape_), ("reconstruct", (64,)), ("score", ())):
        out = tmp_path / f"{verb}.npy"
        done = run(verb, model, few, "--out", out)
        assert done.exit_code == 0, done.output
        assert np.load(out).shape == (120, *shape) and np.isfinite(np.load(out)).all()
    for words in (("info", model), ("doctor", model, few), ("report", model, few, "--out", tmp_path / "r.html")):
        done = run(*words)
        assert done.exit_code == 0, done.output
    assert name in run("info", model).stdout and "What the doctor found" in (tmp_path / "r.html").read_text()


@pytest.mark.parametrize("name", [name for name in names("model") if lookup("model", name)._label_role is not None])
def test_models_of_labels_predict_them(run: Run, few: Path, tmp_path: Path, name: str) -> None:
    result = run("fit", few, "--model", name, "--epochs", 3, "--out", tmp_path / "m", *OPTIONS.get(name, ()))
    assert f"model {name!r} learns from the labels" in result.stderr
    assert "on the raw rows" in result.stdout and "12 held-out rows" in result.stdout
    assert run("predict", tmp_path / "m", few, "--out", tmp_path / "p.csv").exit_code == 0
    frame = pd.read_csv(tmp_path / "p.csv")
    assert frame["prediction"].notna().all() and len(frame) == 120
    model = load(tmp_path / "m")
    if not model._numeric_labels:
        assert list(frame) == ["prediction", *(f"p_{digit}" for digit in range(10))]
        assert set(frame["prediction"]) <= set(range(10))
        np.testing.assert_allclose(frame.iloc[:, 1:].to_numpy().sum(1), 1, rtol=1e-4)
    assert "on the raw rows" in run("info", tmp_path / "m").stdout


# ── labels ────────────────────────────────────────────────────────────────────────────────────────


def test_a_task_puts_a_head_on_a_named_model(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "train.csv", "--target", "label", "--task", "classify", "--model", "vae", "--latent", 3,
                 "--set", "hidden=(8,)", "--set", "freeze=True", "--epochs", 2, "--out", tmp_path / "m")  # fmt: skip
    assert result.exit_code == 0, result.output
    model = load(tmp_path / "m")
    assert model.part_name == "classifier" and model.autoencoder.part_name == "vae"
    assert (model.autoencoder.n_components, model.hidden, model.freeze) == (3, (8,), True)
    assert "PCA, " in result.stdout, "its decoder still follows its encoder"
    run("predict", tmp_path / "m", data / "test.csv", "--out", tmp_path / "p.parquet")
    assert list(pd.read_parquet(tmp_path / "p.parquet")) == ["customer_id", "prediction", "p_0", "p_1"]


def test_regression_and_a_number_for_every_row(run: Run, data: Path, tmp_path: Path) -> None:
    result = run("fit", data / "train.csv", "--target", "age", "--exclude", "label", "--task", "regress", "--epochs", 2,
                 "--out", tmp_path / "m")  # fmt: skip
    assert "ridge regression on the raw rows" in result.stdout and "learns from the labels, as numbers" in result.stderr
    run("predict", tmp_path / "m", data / "test.csv", "--out", tmp_path / "p.npy")
    assert np.load(tmp_path / "p.npy").shape == (40,)


def test_a_head_on_a_trained_model(run: Run, few: Path, tmp_path: Path) -> None:
    run("fit", few, "--latent", 4, "--epochs", 2, "--out", tmp_path / "base")
    result = run("fit", few, "--task", "classify", "--init", tmp_path / "base", "--freeze", "encoder", "--epochs", 2,
                 "--out", tmp_path / "m")  # fmt: skip
    assert result.exit_code == 0, result.output
    run("encode", tmp_path / "base", few, "--out", tmp_path / "a.npy")
    run("encode", tmp_path / "m", few, "--out", tmp_path / "b.npy")
    np.testing.assert_allclose(np.load(tmp_path / "a.npy"), np.load(tmp_path / "b.npy"), rtol=1e-6)


def test_labels_that_may_be_left_out(run: Run, few: Path, tmp_path: Path) -> None:
    result = run("fit", few, "--model", "adversarial", "--target", "none", "--array", "X", "--epochs", 2, "--out",
                 tmp_path / "m")  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "learns from the labels" not in result.stderr and "PCA" in result.stdout


def test_what_has_learnt_no_labels_predicts_none(fails: Run, models: Path, data: Path, tmp_path: Path) -> None:
    message = fails(1, "predict", models / "array", data / "rows.npy", "--out", tmp_path / "p.npy")
    assert "has learnt no labels" in message and "--task classify" in message


# ── samples ───────────────────────────────────────────────────────────────────────────────────────


def test_samples_are_rows_of_the_kind_and_depend_on_the_seed_alone(run: Run, fails: Run, tmp_path: Path) -> None:
    run("fit", "digits", "--model", "vae", "--latent", 3, "--hidden", "16", "--epochs", 1, "--out", tmp_path / "m")
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        assert run("sample", tmp_path / "m", 4, "--seed", seed, "--out", tmp_path / f"{name}.npy").exit_code == 0
    a, b, c = (np.load(tmp_path / f"{name}.npy") for name in "abc")
    assert a.shape == (4, 8, 8) and np.array_equal(a, b) and not np.array_equal(a, c)
    run("sample", tmp_path / "m", 3, "--out", tmp_path / "pictures")
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 3
    assert "--class does not apply" in fails(2, "sample", tmp_path / "m", 3, "--class", 1, "--out", tmp_path / "d.npy")


def test_samples_of_a_class(run: Run, fails: Run, few: Path, tmp_path: Path) -> None:
    run("fit", few, "--model", "conditional-vae", "--epochs", 2, "--out", tmp_path / "m")
    assert run("sample", tmp_path / "m", 3, "--class", 7, "--out", tmp_path / "s.npy").exit_code == 0
    assert np.load(tmp_path / "s.npy").shape == (3, 64)
    assert "class '17' is unknown" in fails(2, "sample", tmp_path / "m", 3, "--class", 17, "--out", tmp_path / "t.npy")


def test_what_has_no_prior_is_not_sampled(fails: Run, models: Path, tmp_path: Path) -> None:
    assert "fit_prior" in fails(1, "sample", models / "array", 3, "--out", tmp_path / "s.npy")


# ── parameters and the doctor ─────────────────────────────────────────────────────────────────────


def test_any_parameter_can_be_set(run: Run, data: Path, tmp_path: Path) -> None:
    given = ("beta=linear(share=0.5)", "hidden=(8, 4)", "n_components=2", "trainer__validation=0.3")
    sets = [word for text in given for word in ("--set", text)]
    result = run("fit", data / "rows.npy", "--out", tmp_path / "m", "--model", "vae", "--epochs", 2, *sets)
    assert result.exit_code == 0, result.output
    model = load(tmp_path / "m")
    assert (model.beta, model.hidden, model.n_components) == ("linear(share=0.5)", (8, 4), 2)
    assert model.trainer.validation == 0.3


def test_parameters_from_a_configuration(run: Run, data: Path, tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text('model = "vae"\nset = ["hidden=(8, 4)", "beta=0.5"]\nepochs = 1\n')
    run("fit", data / "rows.npy", "--out", tmp_path / "m", "--config", tmp_path / "c.toml")
    assert (load(tmp_path / "m").hidden, load(tmp_path / "m").beta) == ((8, 4), 0.5)


def test_a_full_batch_for_a_line_search(run: Run, data: Path, tmp_path: Path) -> None:
    for batch in ("full", "auto"):
        linear = ("--hidden", "", "--latent", 2, "--optimizer", "lbfgs", "--batch-size", batch)
        result = run("fit", data / "rows.npy", *linear, "--epochs", 5, "--out", tmp_path / batch)
        assert result.exit_code == 0, result.output
    assert "a tie with PCA" in result.stdout or "better than PCA" in result.stdout


def test_the_doctor_tells_what_it_finds(run: Run, few: Path, tmp_path: Path) -> None:
    run("fit", few, "--model", "vae", "--beta", 1000, "--epochs", 6, "--out", tmp_path / "m")
    result = run("doctor", tmp_path / "m", few)
    assert result.exit_code == 0 and "posterior collapse" in result.stdout and "try beta=1" in result.stdout
    assert "\x1b" not in result.stdout
    listed = json.loads(run("doctor", tmp_path / "m", few, "--json").stdout)
    assert listed[0]["name"] == "posterior collapse" and listed[0]["severity"] == "serious"


def test_a_model_that_cannot_be_compared_is_saved_all_the_same(
    run: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from diabolo.core.errors import ModelError

    def refuse(*given: Any, **named: Any) -> None:
        raise ModelError("the reconstruction has another shape")

    monkeypatch.setattr("diabolo.cli.job.compare", refuse)
    result = run("fit", data / "rows.npy", "--epochs", 1, "--out", tmp_path / "m")
    assert result.exit_code == 0 and "no comparison with PCA: the reconstruction has another shape" in result.stderr
    assert "comparison" not in load(tmp_path / "m").metrics_
