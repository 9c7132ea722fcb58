"""A corruption that defines the task is there in validation too, drawn alike every time."""

from __future__ import annotations

from dataclasses import replace

import torch

from diabolo.blocks.identity import Identity
from diabolo.core import AutoencoderModule, Batch, Corruption, Objective, make
from diabolo.data import MemoryFeed
from diabolo.losses.squared import Squared
from diabolo.train import Stage, Trainer
from diabolo.train.loop import Loop


class Half(Corruption):
    """Scores a random half of the entries."""

    def __call__(self, batch: Batch, generator: torch.Generator | None = None) -> Batch:
        return replace(batch, scored=torch.rand(batch.x.shape, generator=generator) < 0.5)


class Always(Half):
    defines_task = True


def losses(corruption: Corruption) -> list[float]:
    encoder, decoder = make("network", "dense(hidden=())").build((50,), 2, 2, (50,))
    stage = Stage(AutoencoderModule(encoder, Identity(2), decoder), Objective(Squared()), corruption)
    feed = MemoryFeed({"x": torch.ones(40, 50)}, lambda tensors: Batch(tensors["x"], tensors["x"]))
    loop = Loop(Trainer(epochs=1, batch_size=20), [stage], feed, feed, 0)
    loop.begin()
    with torch.no_grad():
        for parameter in stage.module.parameters():
            parameter.zero_()
    return [loop.evaluate(feed)["loss"] for _ in range(2)]


def test_validation_is_clean_unless_the_corruption_defines_the_task() -> None:
    assert losses(Half()) == [50.0, 50.0]
    first, again = losses(Always())
    assert first == again and 20 < first < 30
