"""Small compositions to train: plain, with dropout and noise, variational, and with two players."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Objective, Output, Penalty, SelfTrained, Spec, make
from diabolo.data import MemoryFeed
from diabolo.train import Stage, Trainer

ROWS, WIDTH, CODE = 50, 6, 3


class Critic(Penalty, SelfTrained):
    """A tiny adversary: tells codes from normal noise; the autoencoder is paid for fooling it."""

    def __init__(self, weight: float = 0.5, steps: int = 1) -> None:
        super().__init__(weight)
        self.net = nn.Sequential(nn.Linear(CODE, 4), nn.Tanh(), nn.Linear(4, 1))
        self.steps = steps

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        return nn.functional.softplus(-self.net(out.latent.code)).squeeze(1)

    def own_parameters(self) -> Iterable[nn.Parameter]:
        return self.net.parameters()

    def own_loss(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        real = torch.randn_like(out.latent.code)
        fake = out.latent.code
        return (nn.functional.softplus(-self.net(real)) + nn.functional.softplus(self.net(fake))).mean()


def compose(
    kind: str = "plain", *, hidden: tuple[int, ...] = (5,), penalties: Iterable[Penalty] = (), seed: int = 0
) -> Stage:
    """One stage. ``kind``: plain, noisy (dropout and noise), vae (with dropout and noise), players."""
    torch.manual_seed(seed)
    random, gaussian = kind in ("noisy", "vae", "players"), kind == "vae"
    dropout = 0.2 if random else 0.0
    neck = make("bottleneck", "gaussian" if gaussian else "identity", features=CODE)
    network = make("network", Spec("dense", hidden=hidden, dropout=dropout))
    encoder, decoder = network.build((WIDTH,), neck.in_features, CODE, (WIDTH,))
    module = AutoencoderModule(encoder, neck, decoder, make("prior", "normal", features=CODE) if gaussian else None)
    kl = [make("penalty", "kl(weight=0.1)")] if gaussian else []
    critic = [Critic()] if kind == "players" else []
    objective = Objective(make("loss", "gaussian" if gaussian else "squared"), [*kl, *critic, *penalties])
    return Stage(module, objective, make("corruption", "noise(std=0.1)") if random else None)


def feed_of(rows: int = ROWS, seed: int = 0) -> MemoryFeed:
    x = np.random.default_rng(seed).normal(size=(rows, WIDTH)) * np.geomspace(2, 0.1, WIDTH)
    return MemoryFeed({"x": torch.from_numpy(x.astype("float32"))}, lambda t: Batch(t["x"], t["x"]))


def quick(**knobs: Any) -> Trainer:
    return Trainer(**{"epochs": 4, "batch_size": 8, "optimizer": "adam", "lr": 1e-2, **knobs})


def weights_of(stage: Stage) -> list[Tensor]:
    return [tensor.detach().clone() for tensor in [*stage.parts().parameters(), *stage.parts().buffers()]]


def records_of(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{key: value for key, value in record.items() if key != "seconds"} for record in history]


class House:
    """The helpers above, for tests that ask for the fixture."""

    ROWS, WIDTH, CODE = ROWS, WIDTH, CODE
    Critic = Critic
    compose: Callable[..., Stage] = staticmethod(compose)
    feed: Callable[..., MemoryFeed] = staticmethod(feed_of)
    quick: Callable[..., Trainer] = staticmethod(quick)
    weights: Callable[[Stage], list[Tensor]] = staticmethod(weights_of)
    records: Callable[[list[dict[str, Any]]], list[dict[str, Any]]] = staticmethod(records_of)

    @staticmethod
    def same(a: list[Tensor], b: list[Tensor]) -> bool:
        return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


@pytest.fixture
def house() -> type[House]:
    return House
