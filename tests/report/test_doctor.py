"""The doctor names each disease where it was given to a model, and says nothing of healthy ones."""

from __future__ import annotations

import copy
import json
import pickle
from functools import cache
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.datasets import load_digits
from torch import nn

from diabolo import VAE, VQVAE, Autoencoder, Trainer, load
from diabolo.core.errors import DataError
from diabolo.data import open as open_source
from diabolo.estimators.stacked import ActiveCode
from diabolo.report.doctor import Finding, examine


@cache
def digits() -> tuple[np.ndarray, np.ndarray]:
    """Rows to learn from, and rows for the doctor, in random order: the files are sorted by writer."""
    order = np.random.default_rng(0).permutation(1797)
    X = (load_digits().data[order] / 16).astype("float32")
    return X[:1200], X[1200:]


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 3, "batch_size": 64, "patience": None, **knobs})


@cache
def healthy(kind: Any) -> Any:
    return kind(8, trainer=Trainer(epochs=25), random_state=0).fit(digits()[0])


def ill(model: Any) -> Any:
    """A copy to do harm to."""
    return pickle.loads(pickle.dumps(model))


def found(model: Any, X: Any = None, **known: Any) -> dict[str, Finding]:
    findings = examine(model, digits()[1] if X is None else X, **known)
    for finding in findings:
        assert any(c.isdigit() for c in finding.evidence) or finding.name in ("constant code", "an untrained part")
        assert finding.fix and finding.severity in ("serious", "warning", "note")
    order = [("serious", "warning", "note").index(finding.severity) for finding in findings]
    assert order == sorted(order)
    return {finding.name: finding for finding in findings}


@pytest.mark.parametrize("kind", [Autoencoder, VAE])
def test_a_healthy_model_has_nothing(kind: Any) -> None:
    assert found(healthy(kind)) == {}


def test_looking_changes_nothing() -> None:
    model = healthy(VAE)
    before = copy.deepcopy(model.module_.state_dict())
    torch.manual_seed(1)
    state = torch.get_rng_state()
    examine(model, digits()[1])
    assert all(torch.equal(before[name], t) for name, t in model.module_.state_dict().items())
    assert torch.equal(torch.get_rng_state(), state) and not model.module_.training
    assert all(p.grad is None for p in model.module_.parameters())


def test_a_loaded_model_is_found_as_healthy(tmp_path: Any) -> None:
    healthy(VAE).save(tmp_path / "m")
    assert found(load(tmp_path / "m")) == {}


# ── the code ──────────────────────────────────────────────────────────────────────────────────────


def test_posterior_collapse() -> None:
    model = VAE(8, beta=1000.0, trainer=quick(epochs=8), random_state=0).fit(digits()[0])
    finding = found(model)["posterior collapse"]
    assert finding.severity == "serious" and "0 of 8 units" in finding.evidence and "beta=1" in finding.fix


def test_exploding_kl() -> None:
    model = VAE(8, beta=0.0, trainer=quick(epochs=8), random_state=0).fit(digits()[0])
    finding = found(model)["exploding KL"]
    assert "beta=1" in finding.fix and "nats" in finding.evidence


def test_inactive_units() -> None:
    model = ill(healthy(VAE))
    with torch.no_grad():
        list(model.module_.encoder.parameters())[-2][:6] = 0.0  # means of units 0 to 5
    finding = found(model)["inactive units"]
    assert "2 of 8 units" in finding.evidence and "n_components=2" in finding.fix


def test_values_of_a_plain_code_at_rest() -> None:
    model = ill(healthy(Autoencoder))
    with torch.no_grad():
        list(model.module_.encoder.parameters())[-2][:5] = 0.0
    assert "3 of 8 values" in found(model)["inactive units"].evidence


def test_a_constant_code() -> None:
    model = ill(healthy(Autoencoder))
    with torch.no_grad():
        list(model.module_.encoder.parameters())[-2][:] = 0.0
    assert found(model)["constant code"].severity == "serious"


def test_units_that_are_zero_for_every_row() -> None:
    model = ill(Autoencoder(16, trainer=quick(), random_state=0).fit(digits()[0]))
    model.module_.bottleneck = ActiveCode(16, nn.ReLU())
    with torch.no_grad():
        weight, bias = list(model.module_.encoder.parameters())[-2:]
        weight[:9], bias[:9] = 0.0, -1.0
    finding = found(model)["dead units"]
    assert finding.severity == "serious" and "9 of 16 units" in finding.evidence and "n_components=7" in finding.fix


def test_a_collapsed_codebook() -> None:
    model = VQVAE(8, codes=32, trainer=quick(), random_state=0).fit(digits()[0])
    assert "unused codes" not in found(model)
    worse = ill(model)
    with torch.no_grad():
        for p in worse.module_.encoder.parameters():
            p.mul_(1e-3)
        list(worse.module_.encoder.parameters())[-1].add_(0.3)
    finding = found(worse)["unused codes"]
    assert "of 32 codes are used (perplexity 1" in finding.evidence and "codes=" in finding.fix


# ── training ──────────────────────────────────────────────────────────────────────────────────────


def test_weights_that_are_no_numbers_and_nothing_else_is_asked() -> None:
    model = ill(healthy(Autoencoder))
    with torch.no_grad():
        next(model.module_.decoder.parameters())[0, 0] = float("nan")
    assert list(found(model)) == ["weights that are no numbers"]


def test_a_decoder_left_as_it_was_drawn() -> None:
    model, start = ill(healthy(VAE)), healthy(VAE)
    drawn = VAE(8, trainer=Trainer(epochs=25), random_state=0).plan(digits()[0])
    model.module_.decoder.load_state_dict(drawn.module_.decoder.state_dict())
    finding = found(model)["an untrained part"]
    assert finding.severity == "serious" and "decoder." in finding.evidence
    assert "an untrained part" not in found(start)


def test_a_model_that_was_only_planned() -> None:
    assert list(found(Autoencoder(2, random_state=0).plan(digits()[0]))) == ["an untrained part"]


def test_a_part_without_gradient() -> None:
    model = ill(Autoencoder(8, network="dense(activation='relu')", trainer=quick(), random_state=0).fit(digits()[0]))
    with torch.no_grad():
        list(model.module_.encoder.parameters())[1].fill_(-100.0)  # every unit of the first layer is dead
    finding = found(model)["a part without gradient"]
    assert "encoder" in finding.evidence


def test_constant_scores() -> None:
    model = ill(healthy(Autoencoder))
    row = digits()[1][:1]
    assert "constant scores" in found(model, np.repeat(row, 20, 0))


def test_a_penalty_out_of_scale() -> None:
    model = Autoencoder(8, penalties=["weight-decay(weight=1e6)"], trainer=quick(), random_state=0).fit(digits()[0])
    finding = found(model)["a term out of scale"]
    assert "'weight-decay'" in finding.evidence and "times that of the reconstruction" in finding.evidence


def test_over_fitting() -> None:
    learn = digits()[0][:40]
    trainer = Trainer(epochs=300, batch_size=40, optimizer="adam", lr=3e-3, validation=0.0)
    model = Autoencoder(20, hidden=(256,), trainer=trainer, random_state=0).fit(learn)
    finding = found(model)["over-fitting"]
    assert "times that on training rows" in finding.evidence and "n_components=10" in finding.fix
    assert "over-fitting" not in found(model, learn)


def test_no_better_than_pca() -> None:
    trainer = Trainer(epochs=15, optimizer="lbfgs", schedule="constant")
    model = Autoencoder(8, network="dense", hidden=(), loss="squared", trainer=trainer, random_state=0).fit(digits()[0])
    assert "of PCA" in found(model)["no better than PCA"].evidence


def test_a_code_as_wide_as_the_data_is_not_held_against_pca() -> None:
    model = Autoencoder(64, corruption="noise(std=0.3)", trainer=quick(), random_state=0).fit(digits()[0])
    assert "no better than PCA" not in found(model)


def test_worse_than_the_mean() -> None:
    model = ill(healthy(Autoencoder))
    with torch.no_grad():
        list(model.module_.encoder.parameters())[-2].mul_(-3.0)
    assert found(model)["worse than the mean"].severity == "serious"


def test_too_few_epochs() -> None:
    model = Autoencoder(8, trainer=quick(epochs=2), random_state=0).fit(digits()[0])
    finding = found(model)["too few epochs"]
    assert "epochs=6 (now 2)" in finding.fix


def test_a_learning_rate_too_high() -> None:
    model = ill(healthy(Autoencoder))
    for place, record in enumerate(model.history_):
        record["train"]["loss"] = 1.0 + 5.0 * (place % 3 == 0) / (1 + place / 10)
    finding = found(model)["learning rate too high"]
    assert "rose again" in finding.evidence and "lr=0.002" in finding.fix


# ── the data ──────────────────────────────────────────────────────────────────────────────────────


def rows(n: int = 300, width: int = 6) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(n, 2)) @ random.normal(size=(2, width)) + 0.1 * random.normal(size=(n, width))).astype(
        "float32"
    )


def small(X: Any) -> Any:
    return Autoencoder(2, trainer=quick(), random_state=0).fit(X)


@pytest.mark.parametrize(
    ("name", "X"),
    [
        ("repeated rows", np.repeat(rows(100), 3, 0)),
        ("repeated columns", np.concatenate([rows(), rows()[:, 2:3]], 1)),
        ("constant columns", np.concatenate([rows(), np.ones((300, 8), "float32")], 1)),
        ("columns of unequal scale", rows() * np.array([1, 1, 1, 1, 1, 1e4], "float32")),
    ],
)
def test_data_that_are_not_as_they_should_be(name: str, X: np.ndarray) -> None:
    assert name in found(small(X), X)
    assert name not in found(small(rows()), rows())


def test_data_far_from_unit_scale_that_nothing_standardises() -> None:
    model = small(rows())
    model.module_.shift, model.module_.scale, model.module_.scales_output = None, 1.0, False
    assert "far from unit scale" in found(model, rows() * 1e4)
    assert "far from unit scale" not in found(small(rows() * 1e4), rows() * 1e4)


def test_rows_that_are_all_the_same() -> None:
    X = np.ones((30, 4), "float32")
    assert found(small(X), X)["constant rows"].severity == "serious"


def test_a_table_and_a_source_are_examined_too() -> None:
    frame = pd.DataFrame({"a": np.arange(80.0), "b": np.tile(["x", "y"], 40), "c": np.random.default_rng(0).random(80)})
    assert isinstance(examine(small(frame), frame), list)
    source = open_source("digits")
    model = Autoencoder(4, trainer=quick(), random_state=0).fit(source)
    assert isinstance(examine(model, source), list)
    with pytest.raises(DataError, match="no rows"):
        examine(model, source.rows[:0])


def test_a_finding_is_plain_values_for_json() -> None:
    finding = Finding("a", "note", "b", "c")
    assert json.loads(json.dumps(finding.as_dict())) == {"name": "a", "severity": "note", "evidence": "b", "fix": "c"}
