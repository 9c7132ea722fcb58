"""What a detector takes where no autoencoder and no trainer were asked for: small networks, few steps."""

from __future__ import annotations

import math
from math import prod
from typing import Any

import numpy as np
from numpy import ndarray

from ..core import Windowed
from ..data import is_frame, kind_of
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.denoising import DenoisingAutoencoder
from ..estimators.rows import bare
from ..train import Trainer

STEPS, BATCH = 300, 256
"""Of training, where no trainer was given: small networks on large batches."""
NOISE, GRAIN = 0.5, 0.2
WIDEST, MIDDLE, WIDE = 64, 32, 200
"""Most values of a code; rows of more columns keep to two layers of 128 and 64; of still more: to plain steps."""
MOST_VALUES, FEW_STEPS, SMALL_BATCH = 4096, 100, 16
"""Of a picture, for a dense network; larger ones, and clips, take fewer steps on smaller batches."""


def usual(rows: Any) -> BaseAutoencoder:
    """Denoising with room for every column, for tables, and of small pictures; convolutions of large ones and of
    windows of clips; for all other kinds what `Autoencoder` chooses."""
    if is_frame(rows) or (isinstance(rows, ndarray) and rows.ndim == 2):
        size = max(2, min(WIDEST, rows.shape[1]))
        hidden: Any = (2 * WIDEST, WIDEST) if rows.shape[1] > MIDDLE else "auto"
        return DenoisingAutoencoder(size, corruption=f"noise(std={NOISE})", hidden=hidden)
    if kind_of(rows) == "video":
        return Autoencoder(64, network="conv(dims=3, channels=(8, 16, 32))")
    if _are_pictures(rows):
        size = min(WIDEST, max(2, len(rows) // 2))
        if prod(rows.shape[1:]) <= MOST_VALUES:
            return DenoisingAutoencoder(size, corruption=f"noise(std={GRAIN})", network="dense", hidden=(2 * WIDEST,))
        return Autoencoder(size, network="conv(channels=(16, 32, 64), kernel=(5, 3, 3), stride=(4, 2, 2))")
    return Autoencoder()


def _learnt_from(model: BaseAutoencoder, rows: Any, folds: int) -> tuple[int, ...]:
    """Folds that share the steps, rows that a model will see, values of each: windows have steps of their own."""
    reader, held = model._reader(rows), bare(rows)
    if isinstance(reader, Windowed):
        reader.fit(held)
        return 1, len(reader.places(held)[0]), math.prod(reader.shape)
    if _are_pictures(held):
        return folds, len(held), prod(held.shape[1:])
    return folds, *np.shape(held)[:2]


def short(model: BaseAutoencoder, rows: Any, folds: int) -> Trainer:
    """The trainer of a model, with steps for so many rows where nothing was asked for."""
    heavy = kind_of(bare(rows)) == "video" or (_are_pictures(bare(rows)) and prod(bare(rows).shape[1:]) > MOST_VALUES)
    size = (SMALL_BATCH, FEW_STEPS) if heavy else (BATCH, STEPS)
    return _few_steps(model.trainer, *size, *_learnt_from(model, rows, folds))


def _few_steps(given: Trainer | None, most: int, total: int, folds: int, rows: int, columns: int = 0) -> Trainer:
    """A trainer of few steps on large batches, for what was not asked for; wide layers take plain steps."""
    made = Trainer(**(given or Trainer(validation=0.0)).get_params(deep=False))
    batch = min(most, rows) if made.batch_size == "auto" else made.batch_size
    steps = 1 if batch == "full" else math.ceil(rows / int(batch))
    total = max(total // 5, total // folds)
    epochs = math.ceil(total / steps) if made.epochs == "auto" else made.epochs
    if columns > WIDE and made.optimizer == "auto":
        made.set_params(optimizer="adam", lr=3e-3 if made.lr == "auto" else made.lr)
    return made.set_params(batch_size=batch, epochs=epochs)


def _are_pictures(rows: Any) -> bool:
    return isinstance(rows, ndarray) and rows.dtype == np.uint8 and rows.ndim > 2
