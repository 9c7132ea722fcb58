"""Rows whose label is known: a feed of their own, or more often among the others."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.blocks.identity import Identity
from diabolo.core import AutoencoderModule, Batch, Objective, make
from diabolo.core.errors import UsageError
from diabolo.data import MemoryFeed
from diabolo.train import Stage, Trainer
from diabolo.train.loop import Loop


def feed(**beside: Tensor) -> MemoryFeed:
    rows = len(next(iter(beside.values()))) if beside else 6
    return MemoryFeed({"x": torch.arange(float(rows))[:, None], **beside}, lambda t: Batch(t["x"], t["x"]))


def xs(feed: Any) -> list[float]:
    return [float(value) for batch in feed.batches(4) for value in batch.x]


@pytest.mark.parametrize(
    "beside",
    [
        {"label": torch.tensor([-1, 0, -1, -1, 2, -1])},
        {"label": torch.tensor([[torch.nan], [0.0], [torch.nan], [torch.nan], [2.0], [torch.nan]])},
        {"cond": torch.eye(2)[[0, 0, 0, 0, 1, 0]] * torch.tensor([0, 1, 0, 0, 1, 0])[:, None]},
    ],
    ids=["class", "number", "condition"],
)
def test_known_rows_alone_or_repeated(beside: dict[str, Tensor]) -> None:
    made = feed(**beside)
    assert xs(made.labelled()) == [1.0, 4.0]
    assert made.times(0.5) == 2 and xs(made.balanced(0.5)) == [0, 1, 2, 3, 4, 5, 1, 4]
    assert made.balanced(0.1) is made


def test_all_known_none_known_and_nothing_said() -> None:
    assert xs(feed().labelled()) == xs(feed(label=torch.arange(6)).labelled()) == [0, 1, 2, 3, 4, 5]
    assert feed(label=torch.full((3,), -1)).labelled() is None
    assert xs(feed(label=torch.full((3,), -1)).balanced(0.5)) == [0, 1, 2]


def composed(**given: Any) -> Stage:
    encoder, decoder = make("network", "dense(hidden=())").build((1,), 2, 2, (3,))
    module = AutoencoderModule(encoder, Identity(2), decoder)
    return Stage(module, Objective(make("loss", "categorical", classes=3)), supervised=True, **given)


def test_a_supervised_stage_pays_the_cross_entropy_of_the_known_rows() -> None:
    label = torch.tensor([-1, 0, -1, -1, 2, -1])
    stage = composed()
    (record,) = Trainer(epochs=1, batch_size=6, lr=1e-9, optimizer="sgd").fit([stage], feed(label=label), seed=0)
    with torch.no_grad():
        logits = stage.module(Batch(torch.tensor([[1.0], [4.0]]), torch.zeros(2, 1))).recon
    by_hand = nn.functional.cross_entropy(logits, torch.tensor([0, 2]))
    assert record["train"]["loss"] == pytest.approx(float(by_hand), rel=1e-5)


def test_few_known_rows_held_out_choose_no_epoch() -> None:
    few = torch.tensor([0, 1, 2] + [-1] * 20)
    loop = Loop(Trainer(epochs=1, batch_size=4), [composed()], feed(label=torch.arange(6) % 3), feed(label=few), 0)
    loop.begin()
    assert loop.validation is None and len(loop.feed) == 6


def test_without_any_known_row_a_supervised_stage_says_so() -> None:
    with pytest.raises(UsageError, match="no row to train on has one"):
        Trainer(epochs=1, batch_size=4).fit([composed()], feed(label=torch.full((6,), -1)), seed=0)


def test_a_stage_has_its_own_optimiser() -> None:
    stage = composed(optimizer="sgd(momentum=0.0)", lr=0.5)
    before = {name: p.detach().clone() for name, p in stage.module.named_parameters()}
    data = feed(label=torch.arange(6) % 3)
    batch = stage.prepare(next(data.batches(6)))
    loss, _ = stage.objective(stage.module, batch, stage.module(batch))
    gradients = dict(zip(before, torch.autograd.grad(loss, list(stage.module.parameters())), strict=True))
    trainer = Trainer(epochs=1, batch_size=6, schedule="constant", optimizer="adam", lr=1e-3)
    trainer.fit([stage], data, seed=0)
    for name, p in stage.module.named_parameters():
        torch.testing.assert_close(p.detach(), before[name] - 0.5 * gradients[name], rtol=1e-4, atol=1e-6)
