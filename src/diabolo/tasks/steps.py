"""Training by a number of steps, where what is learnt from is drawn anew in every epoch."""

from __future__ import annotations

import numpy as np

from ..train import Trainer


def in_steps(
    trainer: Trainer | None, rows: int, *, steps: int, fewest: int, most: int, batch: int, rate: float | None
) -> Trainer:
    """A copy of a trainer in which epochs "auto" are about ``steps`` steps, however many the rows.

    ``fewest``, ``most``: epochs; ``batch``: rows of a step where it says "auto"; ``rate``: also decide the optimiser
    (AdamW at this rate) and the batch size where they are "auto"; None: leave both.
    """
    made = Trainer(**(trainer or Trainer()).get_params(deep=False))
    if rate is not None and made.optimizer == "auto":
        made.optimizer = "adamw"
        made.lr = rate if made.lr == "auto" else made.lr
    if rate is not None and made.batch_size == "auto":
        made.batch_size = batch
    if made.epochs == "auto":
        size = made.batch_size if isinstance(made.batch_size, int) else batch
        made.epochs = int(np.clip(steps // max(1, -(-rows // size)), fewest, most))
    return made
