"""The closed form of dense gradients is the graph's, and training by it gives the same weights."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from diabolo.core import Batch, Spec
from diabolo.data import MemoryFeed
from diabolo.estimators.composed import compose
from diabolo.train import Device, Stage, Trainer
from diabolo.train.closed_form import ACTIVATIONS, closed_form

ROWS = torch.rand(70, 6, generator=torch.Generator().manual_seed(0))


def stage_of(activation: str = "silu", hidden: tuple[int, ...] = (5, 4), **given: Any) -> Stage:
    torch.manual_seed(0)
    network = Spec("dense", activation=activation, **given.pop("network", {}))
    loss = given.pop("loss", Spec("squared", low=-0.5, high=1.5))
    recipe = compose((6,), (6,), n_components=2, network=network, hidden=hidden, loss=loss, **given)
    return recipe.plan()[0]


@pytest.mark.parametrize("activation", ["relu", "tanh", "sigmoid", "silu", "gelu"])
@pytest.mark.parametrize("loss", ["squared", "squared(low=0.0, high=1.0)", "squared(low=-0.5, high=1.5)"])
@pytest.mark.parametrize("scale", [None, 1.0, 3.0])
def test_gradients_are_those_of_the_graph(activation: str, loss: str, scale: float | None) -> None:
    stage = stage_of(activation, loss=loss)
    if scale is not None:
        stage.module.standardise(ROWS.mean(0), scale, stage.objective.loss.linear)
    batch = Batch(ROWS + 0.1, ROWS)
    total, _ = stage.objective(stage.module, batch, stage.module(batch))
    total.backward()
    expected = [p.grad.clone() for p in stage.module.parameters()]
    for p in stage.module.parameters():
        p.grad = None
    closed = closed_form(stage)
    assert closed is not None
    torch.testing.assert_close(closed(batch), total.detach(), rtol=1e-6, atol=1e-6)
    for p, gradient in zip(stage.module.parameters(), expected, strict=True):
        assert float((p.grad - gradient).abs().max()) <= 1e-5 * float(gradient.abs().max())


@pytest.mark.parametrize("optimizer", ["adam", "muon(weight_decay=0.3)", "sgd"])
def test_training_by_it_gives_the_same_weights(optimizer: str) -> None:
    weights = []
    for shortcuts in (True, False):
        stage = stage_of("relu")
        trainer = Trainer(
            epochs=5, batch_size=16, optimizer=optimizer, lr=5e-3, device=Device("cpu", shortcuts=shortcuts)
        )
        history = trainer.fit([stage], MemoryFeed({"x": ROWS}, lambda t: Batch(t["x"], t["x"])), seed=1)
        weights.append([*(p.detach() for p in stage.module.parameters()), torch.tensor(history[-1]["train"]["loss"])])
    for one, other in zip(*weights, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize(
    "given",
    [
        {"network": {"dropout": 0.1}},
        {"network": {"norm": "batch"}},
        {"network": {"tied": True}},
        {"activation": "elu"},
        {"loss": "huber"},
        {"penalties": ["weight-decay"]},
        {"bottleneck": "gaussian"},
    ],
    ids=str,
)
def test_anything_else_takes_the_usual_way(given: dict[str, Any]) -> None:
    assert closed_form(stage_of(**given)) is None


def test_frozen_layers_take_the_usual_way() -> None:
    stage = stage_of()
    stage.trainable = lambda name: name.startswith("decoder.")
    stage.freeze()
    assert closed_form(stage) is None


def test_unscored_entries_take_the_usual_way() -> None:
    weights = []
    for shortcuts in (True, False):
        stage = stage_of("relu")
        known = ROWS > 0.2
        feed = MemoryFeed({"x": ROWS, "k": known}, lambda t: Batch(t["x"], t["x"], scored=t["k"]))
        Trainer(epochs=1, batch_size=16, device=Device("cpu", shortcuts=shortcuts)).fit([stage], feed, seed=1)
        weights.append(torch.cat([p.detach().flatten() for p in stage.module.parameters()]))
    assert torch.equal(*weights)


def test_every_activation_listed_is_one_that_can_be_asked_for() -> None:
    assert {kind.__name__ for kind in ACTIVATIONS} == {"ReLU", "Tanh", "Sigmoid", "SiLU", "GELU"}
