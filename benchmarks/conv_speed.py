"""Training speed of a convolutional autoencoder against a plain PyTorch loop of the same architecture.

    python -m benchmarks.conv_speed --data DIR

    28x28 ──4x4/2──▶ 32x14x14 ──4x4/2──▶ 64x7x7 ──3x3/2──▶ 128x4x4 ──▶ 16 ──▶ … mirrored … ──▶ 28x28

ReLU, sigmoid output, squared error, Adam at 1e-3, batch 128. The plain loop: contiguous NCHW, DataLoader, loss.item()
each step. Contenders train in turn for ``--epochs`` of ``--train-rows`` rows, the first epoch is warm-up.

Reference: Masci et al. (2011), "Stacked convolutional auto-encoders". Bar: issue 2.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch
from torch import nn

from diabolo import Autoencoder, Device, Spec, Trainer

from .common import Marks, head, interleave, median_ratio, mnist, parser, row
from .peers import LR, Result, Train, Trained, applied, fit_plainly, measure

BATCH, CODE = 128, 16
NETWORK = Spec("conv", channels=(32, 64, 128), kernel=(4, 4, 3), stride=2, activation="relu")


def plain_network() -> nn.Sequential:
    """The architecture in plain PyTorch; rows come and go flattened."""
    return nn.Sequential(
        nn.Unflatten(1, (1, 28, 28)),
        nn.Conv2d(1, 32, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(32, 64, 4, 2, 1), nn.ReLU(),
        nn.Conv2d(64, 128, 3, 2, 1), nn.ReLU(),
        nn.Flatten(), nn.Linear(128 * 4 * 4, CODE),
        nn.Linear(CODE, 128 * 4 * 4), nn.ReLU(), nn.Unflatten(1, (128, 4, 4)),
        nn.ConvTranspose2d(128, 64, 3, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(64, 32, 4, 2, 1), nn.ReLU(),
        nn.ConvTranspose2d(32, 1, 4, 2, 1), nn.Sigmoid(), nn.Flatten(),
    )  # fmt: skip


def plain(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
    """The plain loop."""
    torch.manual_seed(seed)
    net = plain_network()
    return fit_plainly(net, torch.from_numpy(x), batch, epochs), applied(net)


def ours(**device: Any) -> Train:
    """Diabolo with the same layers, loss, optimiser and constant rate."""

    def train(x: np.ndarray, batch: int, epochs: int, seed: int) -> Trained:
        marks = Marks()
        trainer = Trainer(epochs=epochs, batch_size=batch, lr=LR, optimizer="adam", schedule="constant",
                          validation=0.0, device=Device(**device), callbacks=[marks])  # fmt: skip
        model = Autoencoder(CODE, network=NETWORK, loss=Spec("squared", low=0.0, high=1.0), trainer=trainer,
                            random_state=seed).fit(x.reshape(-1, 28, 28))  # fmt: skip
        if sum(p.numel() for p in model.module_.parameters()) != sum(p.numel() for p in plain_network().parameters()):
            raise SystemExit("the two networks differ in size; the comparison would mean nothing.")
        return marks.times, lambda rows: model.reconstruct(rows.reshape(-1, 28, 28)).reshape(len(rows), -1)

    return train


CONTENDERS: dict[str, Train] = {
    "plain loop": plain,
    "diabolo": ours(),
    "diabolo compiled": ours(compile=True),
    "diabolo bf16": ours(precision="bf16"),
}


def main() -> None:
    """Print the table."""
    options = parser(__doc__)
    options.add_argument("--train-rows", type=int, default=12_800)
    options.add_argument("--epochs", type=int, default=3, help="of one training, at least 2")
    options.add_argument("--rounds", type=int, default=3)
    args = options.parse_args()
    x, test = mnist(args, "train")[: args.train_rows], mnist(args, "test")
    head(f"Training a convolutional autoencoder on {len(x):,} rows, batch {BATCH}")
    runs: dict[str, Callable[[int], Result]] = {
        name: partial(_run, train, x, test, args.epochs, args.seed) for name, train in CONTENDERS.items()
    }
    found = interleave(runs, args.rounds)
    rates = {name: [result.rate for result in results] for name, results in found.items()}
    slow = statistics.median(rates.pop("plain loop"))
    fast = {name: statistics.median(values) for name, values in rates.items()}
    best = max(("diabolo", "diabolo compiled"), key=fast.__getitem__)
    against = [result.rate for result in found["plain loop"]]
    for name, rate in fast.items():
        ratio, each = median_ratio(rates[name], against)
        row(f"{name}: samples/s (rounds: {each})", rate, slow, "ratio >= 1.3" if name == best else "", ratio)
        errors = [statistics.median(r.error for r in found[who]) for who in (name, "plain loop")]
        row(f"{name}: test MSE after {args.epochs} epochs", errors[0], errors[1], "ratio <= 1")


def _run(train: Train, x: np.ndarray, test: np.ndarray, epochs: int, seed: int, number: int) -> Result:
    return measure(train, x, test, BATCH, epochs, seed + number)


if __name__ == "__main__":
    main()
