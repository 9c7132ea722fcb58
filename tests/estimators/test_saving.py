"""A model on disk: the same bytes, the same codes, and nothing in the file is trusted."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from torch import nn

from diabolo import VAE, Autoencoder, Device, Spec, Trainer, load
from diabolo.core.errors import ModelError
from diabolo.losses.huber import Huber

QUICK = Trainer(epochs=2, batch_size=16)


def rows(n: int = 40, width: int = 5) -> np.ndarray:
    return (np.random.default_rng(0).normal(size=(n, width)) * 20 + 7).astype("float32")


def pictures() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (20, 9, 7, 3), dtype=np.uint8)


def people() -> pd.DataFrame:
    random = np.random.default_rng(0)
    frame = pd.DataFrame({"age": random.integers(0, 90, 40), "city": random.choice(["Bonn", "Graz"], 40)})
    frame["income"] = random.normal(size=40)
    frame.loc[3, "income"] = np.nan
    return frame


MODELS: dict[str, tuple[Any, Any]] = {
    "autoencoder": (Autoencoder(2, trainer=QUICK, random_state=0), rows),
    "vae": (VAE(2, trainer=QUICK, random_state=0), rows),
    "everything given": (
        Autoencoder(
            3, network=Spec("dense", norm="batch", dropout=0.1), hidden=[8, 4], bottleneck="gaussian", prior="normal",
            loss=Spec("huber", delta=0.5), penalties=("kl(weight=0.1)", Spec("weight-decay", weight=1e-3)),
            corruption="noise(std=0.1)", random_state=0,
            trainer=Trainer(epochs=2, batch_size=16, optimizer=Spec("adamw", weight_decay=0.1), device=Device("cpu")),
        ),
        rows,
    ),
    "tied": (Autoencoder(2, network="dense(tied=True)", hidden=(4,), trainer=QUICK, random_state=0), rows),
    "conv": (Autoencoder(2, network="conv(channels=(3, 4))", trainer=QUICK, random_state=0), pictures),
    "positions": (Autoencoder(2, network="conv(channels=(3,), flat=False)", trainer=QUICK, random_state=0), pictures),
    "table": (Autoencoder(2, trainer=QUICK, random_state=0), people),
    "table, vae": (VAE(2, trainer=QUICK, random_state=0), people),
}  # fmt: skip


@pytest.fixture(scope="module", params=MODELS.values(), ids=MODELS.keys())
def saved(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, Any, Path]:
    model, make = request.param
    X = make()
    folder = tmp_path_factory.mktemp("saved") / "model"
    model.fit(X).save(folder)
    return model, X, folder


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A small saved model to damage."""
    Autoencoder(2, network="dense", hidden=(4,), trainer=QUICK, random_state=0).fit(rows()).save(tmp_path / "model")
    return tmp_path / "model"


def test_a_loaded_model_does_what_the_saved_one_did(saved: tuple[Any, Any, Path]) -> None:
    model, X, folder = saved
    again = load(folder)
    np.testing.assert_array_equal(again.transform(X), model.transform(X))
    np.testing.assert_array_equal(again.score_samples(X), model.score_samples(X))
    pd.testing.assert_frame_equal(pd.DataFrame(flat(again.reconstruct(X))), pd.DataFrame(flat(model.reconstruct(X))))
    assert again.n_components_ == model.n_components_ and again.code_shape_ == model.code_shape_
    assert again.get_params(deep=False).keys() == model.get_params(deep=False).keys()
    assert again.describe()["layers"] == model.describe()["layers"]
    assert [(c.name, str(c.value), c.why) for c in again.choices_] == [
        (c.name, str(c.value), c.why) for c in model.choices_
    ]


def flat(rows: Any) -> Any:
    return rows.reshape(len(rows), -1) if isinstance(rows, np.ndarray) else rows


def test_saving_what_was_loaded_gives_the_same_bytes(saved: tuple[Any, Any, Path], tmp_path: Path) -> None:
    model, _, folder = saved
    model.save(tmp_path / "twice")
    load(folder).save(tmp_path / "again")
    for name in ("config.json", "model.safetensors"):
        assert (folder / name).read_bytes() == (tmp_path / "twice" / name).read_bytes()
        assert (folder / name).read_bytes() == (tmp_path / "again" / name).read_bytes()


def test_a_file_is_little_more_than_its_parameters(saved: tuple[Any, Any, Path]) -> None:
    model, _, folder = saved
    assert sorted(file.name for file in folder.iterdir()) == ["config.json", "model.safetensors"]
    parameters = 4 * sum(p.numel() for p in model.module_.parameters())
    assert sum(file.stat().st_size for file in folder.iterdir()) < parameters + 1_000_000


def test_a_loaded_model_can_be_fitted_and_cloned(saved: tuple[Any, Any, Path]) -> None:
    model, X, folder = saved
    again = load(folder)
    codes = again.fit(X).transform(X)
    np.testing.assert_array_equal(codes, model.transform(X))


def test_a_fresh_process_gives_the_same_codes_to_the_bit(tmp_path: Path) -> None:
    X = rows()
    model = VAE(2, trainer=QUICK, random_state=0).fit(X)
    model.save(tmp_path / "model")
    np.save(tmp_path / "x.npy", X)
    code = (
        "import sys, numpy as np, hashlib; from diabolo import load; m = load(sys.argv[1]); X = np.load(sys.argv[2]);"
        "print(hashlib.sha256(m.transform(X).tobytes() + m.sample(3, random_state=0).tobytes()).hexdigest())"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "model"), str(tmp_path / "x.npy")],
        capture_output=True, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"},
    )  # fmt: skip
    here = hashlib.sha256(model.transform(X).tobytes() + model.sample(3, random_state=0).tobytes()).hexdigest()
    assert run.stdout.strip() == here, run.stderr[-2000:]


def test_training_goes_on_after_loading(folder: Path) -> None:
    X = rows(200)
    model = load(folder)
    before = float(np.square(model.reconstruct(X) - X).sum(1).mean())
    for _ in range(20):
        model.partial_fit(X)
    assert float(np.square(model.reconstruct(X) - X).sum(1).mean()) < before


# ── writing ───────────────────────────────────────────────────────────────────────────────────────


def test_nothing_is_overwritten_unless_asked(folder: Path) -> None:
    before = (folder / "config.json").read_bytes()
    other = Autoencoder(1, network="dense", hidden=(3,), trainer=QUICK, random_state=0).fit(rows())
    with pytest.raises(ModelError, match=r"'model' exists already and is not overwritten"):
        other.save(folder)
    assert (folder / "config.json").read_bytes() == before
    other.save(folder, force=True)
    assert load(folder).n_components_ == 1


def test_no_path_and_no_time_stands_in_the_file(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    assert str(folder.parent) not in text and "seconds" not in text and "/" not in json.loads(text)["class"]


def test_a_part_given_as_an_object_cannot_be_saved_and_says_how_to(tmp_path: Path) -> None:
    model = Autoencoder(2, loss=Huber(), trainer=QUICK).fit(rows())
    with pytest.raises(ModelError, match=r"cannot save loss=Huber\(…\): .*Spec\('loss', …\)|Spec\("):
        model.save(tmp_path / "model")
    assert not (tmp_path / "model" / "config.json").exists()


# ── damage ────────────────────────────────────────────────────────────────────────────────────────


def edit(folder: Path, change: Any, *, sign: bool) -> None:
    """Change the configuration; ``sign`` it again as an attacker would."""
    config = json.loads((folder / "config.json").read_text())
    change(config)
    if sign:
        config.pop("config_sha256")
        text = json.dumps(config, sort_keys=True, ensure_ascii=False)
        config["config_sha256"] = hashlib.sha256(text.encode()).hexdigest()
    (folder / "config.json").write_text(json.dumps(config))


def resolved(name: str, value: Any) -> Any:
    def change(config: dict[str, Any]) -> None:
        config["params"][name] = value

    return change


@pytest.mark.parametrize("keep", [0, 7, 100, -1])
def test_truncated_weights(folder: Path, keep: int) -> None:
    content = (folder / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(content[:keep])
    with pytest.raises(ModelError, match=r"model.safetensors was altered or truncated"):
        load(folder)


def test_one_flipped_byte(folder: Path) -> None:
    content = bytearray((folder / "model.safetensors").read_bytes())
    content[len(content) // 2] ^= 1
    (folder / "model.safetensors").write_bytes(content)
    with pytest.raises(ModelError, match=r"altered or truncated: its checksum does not match"):
        load(folder)


def test_an_edited_configuration(folder: Path) -> None:
    edit(folder, resolved("random_state", 5), sign=False)
    with pytest.raises(ModelError, match=r"config.json was altered or truncated"):
        load(folder)


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"diabolo": "x"}', '{"a": 1}', "\x00\x01", "[" * 100_000])
def test_a_configuration_that_is_none(folder: Path, text: str) -> None:
    (folder / "config.json").write_text(text)
    with pytest.raises(ModelError, match=r"config.json is damaged or not ours"):
        load(folder)


def test_bytes_that_are_no_text(folder: Path) -> None:
    (folder / "config.json").write_bytes(b"\xff\xfe{}")
    with pytest.raises(ModelError, match=r"config.json is damaged or not ours"):
        load(folder)


def test_a_newer_format(folder: Path) -> None:
    edit(folder, lambda config: config.update(diabolo=99), sign=True)
    with pytest.raises(ModelError, match=r"has format 99; this diabolo reads up to 1. Upgrade: pip install -U diabolo"):
        load(folder)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update({"class": "autoencodr"}), r"model 'autoencodr' is unknown; did you mean 'autoencoder'"),
        (lambda c: c.update({"class": "os.system"}), r"model 'os.system' is unknown"),
        (lambda c: c["processor"].update(name="pickle"), r"processor 'pickle' is unknown"),
        (resolved("network", "evil"), r"network 'evil' is unknown"),
        (resolved("n_components", "many"), r"n_components must be"),
        (resolved("unheard", 1), r"cannot be rebuilt: .*unheard"),
        (resolved("hidden", {"tuple": [5]}), r"weights and configuration do not fit at '"),
        (lambda c: c.pop("params"), r"cannot be rebuilt|damaged|lacks"),
        (lambda c: c.pop("processor"), r"cannot be rebuilt|damaged|lacks"),
        (lambda c: c.update(params=[1, 2]), r"cannot be rebuilt|damaged|lacks"),
        (lambda c: c["processor"].update(state={}), r"cannot be rebuilt"),
        (lambda c: c["processor"]["state"].update(shape=[-3]), r"cannot be rebuilt|do not fit"),
        (lambda c: c.update(choices=[{"nome": 1}]), r"cannot be rebuilt|damaged"),
    ],
)
def test_a_signed_configuration_that_makes_no_sense(folder: Path, change: Any, message: str) -> None:
    edit(folder, change, sign=True)
    with pytest.raises(ModelError, match=message):
        load(folder)


def test_a_huge_layer_in_the_configuration_takes_no_memory(folder: Path) -> None:
    import resource

    edit(folder, resolved("hidden", {"tuple": [2_000_000, 2_000_000]}), sign=True)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(ModelError, match=r"weights and configuration do not fit"):
        load(folder)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # kB; the layer would take 16 TB


def test_weights_of_another_model(folder: Path, tmp_path: Path) -> None:
    Autoencoder(3, network="dense", hidden=(6,), trainer=QUICK).fit(rows()).save(tmp_path / "other")
    weights = (tmp_path / "other" / "model.safetensors").read_bytes()
    (folder / "model.safetensors").write_bytes(weights)
    digest = hashlib.sha256(weights).hexdigest()
    edit(folder, lambda config: config.update(weights_sha256=digest), sign=True)
    with pytest.raises(ModelError, match=r"weights and configuration do not fit at '"):
        load(folder)


def test_a_signed_file_of_weights_that_is_none(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"PK\x03\x04 not tensors")
    digest = hashlib.sha256(b"PK\x03\x04 not tensors").hexdigest()
    edit(folder, lambda config: config.update(weights_sha256=digest), sign=True)
    with pytest.raises(ModelError):
        load(folder)


def test_what_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"'nothing' is not a model: a model is a folder with config.json"):
        load(tmp_path / "nothing")
    (tmp_path / "file").write_text("hello")
    with pytest.raises(ModelError, match=r"'file' is not a model"):
        load(tmp_path / "file")


def test_weights_that_are_not_there(folder: Path) -> None:
    (folder / "model.safetensors").unlink()
    with pytest.raises(ModelError, match=r"lacks model.safetensors; copy the whole folder"):
        load(folder)


def test_loading_draws_no_random_number(folder: Path) -> None:
    state = torch.get_rng_state()
    load(folder)
    assert torch.equal(torch.get_rng_state(), state)
    assert isinstance(load(folder).module_, nn.Module)
