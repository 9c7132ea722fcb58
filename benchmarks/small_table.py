"""Small tables, 1,000 x 20: seconds of a whole `fit` with defaults, and PyOD's error at equal code size.

    python -m benchmarks.small_table

Three kinds, each low-rank plus noise: linear, curved (tanh of the factors), long-tailed (log-normal columns). The bar
of 2 s is for `Autoencoder().fit` on the array and on a DataFrame. Against PyOD: both see the columns standardised
by the training rows and give back rows on that scale; the error is the mean over the values of 1,000 fresh rows. PyOD's
reconstruction is that of its own network, in evaluation mode.
Both have fitted once before (lazy imports cost neither). Its hidden layers are [64, k], the code k; once with its
defaults, once without dropout and 50 epochs. Ours runs by default and, where that takes longer than PyOD, again with
as many epochs as fit into PyOD's time. The first of our rows is the first fit of the process.

Reference: bars of issue 2.
"""

from __future__ import annotations

import argparse
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import torch

from diabolo import Autoencoder, Trainer

from .common import head, mse, row, seconds

ROWS, COLUMNS, RANK = 1000, 20, 4
KINDS = ("linear", "curved", "long-tailed")
RIVALS: dict[str, dict[str, Any]] = {"defaults": {}, "no dropout, 50 epochs": {"dropout_rate": 0.0, "epoch_num": 50}}


def table(kind: str, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Training and fresh rows float32 (1000, 20), standardised by the training rows."""
    random = np.random.default_rng([seed, KINDS.index(kind)])
    factors = random.normal(size=(2 * ROWS, RANK))
    x = factors @ random.normal(size=(RANK, COLUMNS)) / np.sqrt(RANK)
    if kind == "curved":
        x = np.tanh(2 * x) + 0.5 * np.sin(factors @ random.normal(size=(RANK, COLUMNS)))
    x = x + 0.1 * random.normal(size=x.shape)
    x = np.exp(x) if kind == "long-tailed" else x
    train = x[:ROWS]
    x = ((x - train.mean(0)) / train.std(0)).astype(np.float32)
    return x[:ROWS], x[ROWS:]


def pyod(train: np.ndarray, fresh: np.ndarray, seed: int, settings: dict[str, Any]) -> tuple[float, float]:
    """Seconds of fit, and the error on fresh rows."""
    from pyod.models.auto_encoder import AutoEncoder

    rival = AutoEncoder(hidden_neuron_list=[64, RANK], random_state=seed, verbose=0, **settings)
    spent, _ = seconds(lambda: rival.fit(train))
    rival.model.eval()
    with torch.inference_mode():
        scaled = torch.from_numpy(((fresh - rival.X_mean) / (rival.X_std + 1e-8)).astype(np.float32))
        recon = rival.model(scaled).numpy() * (rival.X_std + 1e-8) + rival.X_mean
    return spent, mse(fresh, recon)


def ours(train: np.ndarray, fresh: np.ndarray, seed: int, epochs: int | str = "auto") -> tuple[float, float, int]:
    """Seconds of fit, the error on fresh rows, and the epochs planned."""
    model = Autoencoder(RANK, trainer=Trainer(epochs=epochs), random_state=seed)
    spent, _ = seconds(lambda: model.fit(train))
    planned = {choice.name: choice.value for choice in model.choices_}.get("epochs", epochs)
    return spent, mse(fresh, model.reconstruct(fresh)), int(planned)


def main() -> None:
    """Print every kind."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    head(f"Tables of {ROWS:,} x {COLUMNS}")
    for kind in KINDS:
        train, fresh = table(kind, args.seed)
        frame = pd.DataFrame(train, columns=[f"x{i}" for i in range(COLUMNS)])
        for what, rows in (("array", train), ("DataFrame", frame)):
            spent, _ = seconds(partial(Autoencoder(random_state=args.seed).fit, rows))
            row(f"{kind}: fit with defaults, {what}: s", spent, bar="ours <= 2")
    try:
        pyod(*table("linear", args.seed), args.seed, {"epoch_num": 1})
    except ImportError as error:
        row(f"PyOD is not installed ({error})", "–")
        return
    for kind in KINDS:
        train, fresh = table(kind, args.seed)
        for name, settings in RIVALS.items():
            _against(f"{kind}, PyOD {name}", train, fresh, args.seed, settings)


def _against(what: str, train: np.ndarray, fresh: np.ndarray, seed: int, settings: dict[str, Any]) -> None:
    limit, error = pyod(train, fresh, seed, settings)
    spent, mine, epochs = ours(train, fresh, seed)
    row(f"{what}: error by default", mine, error)
    row(f"{what}: s by default ({epochs} epochs)", spent, limit)
    while spent > limit and epochs > 1:
        epochs = max(1, min(epochs - 1, int(0.9 * epochs * limit / spent)))
        spent, mine, _ = ours(train, fresh, seed, epochs)
    row(f"{what}: error in no more than its time ({epochs} epochs)", mine, error, "ratio <= 1")
    row(f"{what}: s", spent, limit, "ratio <= 1")


if __name__ == "__main__":
    main()
