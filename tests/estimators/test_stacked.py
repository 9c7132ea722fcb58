"""Greedy pre-training: a stage moves its own layers alone, unfolding keeps them, resuming is exact."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits
from torch import Tensor

from diabolo import Autoencoder, Checkpoint, StackedAutoencoder, Trainer, load
from diabolo.core import Batch
from diabolo.core.errors import UsageError
from diabolo.losses.bernoulli import Bernoulli
from diabolo.networks.levels import levels
from diabolo.train import Callback

SIGMOID = "dense(activation='sigmoid')"


def rows(n: int = 60, width: int = 12) -> np.ndarray:
    random = np.random.default_rng(0)
    return (random.normal(size=(n, 3)) @ random.normal(size=(3, width)) / 3).astype("float32")


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 2, "batch_size": 16, "optimizer": "adam", "lr": 1e-2, **knobs})


def stacked(**given: Any) -> StackedAutoencoder:
    return StackedAutoencoder(
        **{"n_components": 3, "network": "dense", "hidden": (8, 6), "trainer": quick(), "random_state": 0, **given}
    )


class Watch(Callback):
    """The weights of the deep network at the end of every epoch."""

    def __init__(self) -> None:
        self.seen: list[tuple[int, dict[str, Tensor]]] = []

    def on_epoch(self, loop: Any) -> None:
        module = loop.stages[-1].module
        held = {name: p.detach().clone() for name, p in module.named_parameters()}
        self.seen.append((loop.stage_index, held))


@pytest.mark.parametrize("network", ["dense", SIGMOID, "conv(channels=(4, 6), image=(4, 3))"])
def test_a_stage_moves_its_own_layers_alone_and_the_last_one_all(network: str) -> None:
    watch = Watch()
    model = stacked(network=network, trainer=quick(validation=0.0, callbacks=[watch])).fit(rows())
    pile = levels(model.module_.encoder, model.module_.decoder)
    names = {id(p): name for name, p in model.module_.named_parameters()}
    own = [{names[id(p)] for p in [*level.down.parameters(), *level.up.parameters()]} for level in pile]
    for (stage, before), (then, after) in zip(watch.seen, watch.seen[1:], strict=False):
        if stage == then:
            moved = {name for name in before if not torch.equal(before[name], after[name])}
            assert moved == (own[stage] if stage < len(pile) else set(names.values()))
    assert [stage for stage, _ in watch.seen] == sorted([*range(len(pile) + 1)] * 2)


def test_unfolding_keeps_the_weights_of_the_layers() -> None:
    watch = Watch()
    tuned = stacked(trainer=quick(validation=0.0, callbacks=[watch])).fit(rows())
    plain = stacked(fine_tune=False, trainer=quick(validation=0.0)).fit(rows())
    layers = [held for stage, held in watch.seen if stage == 2][-1]
    for name, p in plain.module_.named_parameters():
        assert torch.equal(p, layers[name])
    assert [record["stage"] for record in plain.history_] == [0, 0, 1, 1, 2, 2]
    assert tuned.history_[-1]["stage"] == 3


@pytest.mark.parametrize("far", [1.0, 100.0])
def test_the_first_stage_pays_what_the_first_layer_gives_back_of_the_data(far: float) -> None:
    X = rows() * far + far
    model = stacked(trainer=quick(validation=0.0, epochs=1, lr=1e-12)).fit(X)
    level = levels(model.module_.encoder, model.module_.decoder)[0]
    shift = model.module_.shift if model.module_.shift is not None else torch.zeros(())
    x = (torch.from_numpy(X) - shift) / model.module_.scale
    out = level.up(level.down(x)) * (model.module_.scale if model.module_.scales_output else 1.0)
    by_hand = (
        (out + (shift if model.module_.scales_output else 0) - torch.from_numpy(X)).square().sum(1).mean().detach()
    )
    assert (model.module_.shift is not None) == (far > 1)
    assert model.history_[0]["train"]["loss"] == pytest.approx(float(by_hand), rel=1e-4)


def test_inner_layers_pay_what_fits_the_range_of_their_codes() -> None:
    kinds = {}
    for network in (SIGMOID, "dense(activation='tanh')"):
        model = stacked(network=network)
        recipe = model._copy({**model.get_params(deep=False), "loss": "squared"}).build((12,), (12,))
        x = torch.randn(7, 12)
        codes = recipe.stages[1].inputs(x)
        kinds[network] = recipe.stages[1].objective.loss
        assert codes.shape == (7, 8) and codes.min() > (0 if network == SIGMOID else -1) and codes.max() < 1
        out = recipe.stages[1].module(recipe.stages[1].prepare(Batch(x, x))).recon
        assert kinds[network].link(out).min() > (0 if network == SIGMOID else -1)
    assert isinstance(kinds[SIGMOID], Bernoulli) and not isinstance(kinds["dense(activation='tanh')"], Bernoulli)


def test_a_code_as_wide_as_the_layer_below_is_one_more_layer_of_features() -> None:
    wide = stacked(n_components=6, network=SIGMOID).fit(rows()).transform(rows())
    narrow = stacked(n_components=3, network=SIGMOID).fit(rows()).transform(rows())
    assert wide.min() > 0 and wide.max() < 1
    assert narrow.min() < 0


def test_corruptions_and_penalties_one_for_all_or_one_a_layer() -> None:
    model = stacked(corruption=["noise(std=0.5)", None, "masking"], penalties=[["weight-decay"], [], ["weight-decay"]])
    model.fit(rows())
    terms = [record["train"].keys() for record in model.history_ if record["epoch"] == 1]
    assert ["weight-decay" in names for names in terms] == [True, False, True, False]
    again = stacked(corruption="noise(std=0.5)", penalties=["weight-decay"]).fit(rows())
    assert all("weight-decay" in record["train"] for record in again.history_ if record["stage"] < 3)
    assert "weight-decay" not in again.history_[-1]["train"]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"corruption": ["noise"]}, r"corruption must be one for all layers or a list of 3.*got \['noise'\]"),
        ({"penalties": [["weight-decay"]]}, r"penalties must be .*list of 3"),
        ({"pretrain_epochs": 0}, r"pretrain_epochs must be an int of at least 1, or None; got 0"),
    ],
)
def test_lists_of_another_length_are_refused(given: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        stacked(**given).fit(rows())


def test_epochs_of_the_layers_are_their_own() -> None:
    model = stacked(pretrain_epochs=3, trainer=quick(epochs=1)).fit(rows())
    assert [record["stage"] for record in model.history_] == [0, 0, 0, 1, 1, 1, 2, 2, 2, 3]


class Stop(Exception):
    """What stands for a power cut."""


class CutAt(Callback):
    """Writes a checkpoint after a number of steps, and ends."""

    def __init__(self, at: int, checkpoint: Checkpoint) -> None:
        self.at, self.checkpoint, self.seen = at, checkpoint, 0

    def on_step(self, loop: Any) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.checkpoint.write(loop)
            raise Stop


@pytest.mark.parametrize("at", [3, 8, 15, 25, 31])
def test_resuming_across_stages_gives_the_same_bits(tmp_path: Path, at: int) -> None:
    """4 stages of 8 steps; dropout in the layers below must be off, also after resuming."""
    given = {"network": "dense(dropout=0.3)", "corruption": "noise(std=0.1)"}
    whole = stacked(**given, trainer=quick(validation=0.0)).fit(rows())
    file = tmp_path / "state"
    writing = Checkpoint(file, every=1e9)
    with pytest.raises(Stop):
        stacked(**given, trainer=quick(validation=0.0, callbacks=[writing, CutAt(at, writing)])).fit(rows())
    resumed = stacked(**given, trainer=quick(validation=0.0, callbacks=[Checkpoint(file, resume=True, every=1e9)])).fit(
        rows()
    )
    np.testing.assert_array_equal(resumed.transform(rows()), whole.transform(rows()))


def test_saved_and_loaded_to_the_same_bits(tmp_path: Path) -> None:
    model = stacked(network="conv(channels=(4, 6), image=(4, 3))", corruption=["noise", None, "masking"]).fit(rows())
    model.save(tmp_path / "model")
    again = load(tmp_path / "model")
    np.testing.assert_array_equal(again.transform(rows()), model.transform(rows()))
    assert again.get_params()["corruption"] == ["noise", None, "masking"]


def test_rows_that_come_one_by_one_move_the_whole() -> None:
    model = stacked().fit(rows())
    before = {name: p.detach().clone() for name, p in model.module_.named_parameters()}
    model.partial_fit(rows(8))
    assert all(not torch.equal(before[name], p) for name, p in model.module_.named_parameters())


def test_on_digits_it_is_as_good_as_training_at_once() -> None:
    X = (load_digits().data / 16).astype("float32")
    knobs = {"hidden": (64, 32), "trainer": Trainer(epochs=15), "random_state": 0}
    pile = StackedAutoencoder(8, network="dense", pretrain_epochs=5, **knobs).fit(X)
    plain = Autoencoder(8, network="dense", **knobs).fit(X)
    errors = [float(np.square(model.reconstruct(X) - X).sum(1).mean()) for model in (pile, plain)]
    assert errors[0] < 1.15 * errors[1] < 1.5
