"""Trainer: how long, how fast and with what; the same for every autoencoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from sklearn.base import BaseEstimator

from ..core import Feed, make
from ..core.errors import UsageError, out_of_range
from .callbacks import Callback
from .device import Device
from .loop import Loop
from .stage import Stage


class Trainer(BaseEstimator):
    """Training knobs, and the loop behind them.

    Parameters
    ----------
    epochs : int >= 1, or "auto" (chosen from the number of rows).
    batch_size : int >= 1, "full" (all rows at once), or "auto".
    lr : float > 0, or "auto" (the optimiser's own).
    optimizer : sgd, adam, adamw, muon, lbfgs, or "auto" (muon unless layers are wide); a name, a text such as
        "adamw(weight_decay=0.1)" or a Spec.
    schedule : of the learning rate: one-cycle, constant, cosine, linear, steps, exponential.
    clip : largest gradient norm, or None.
    validation : share of the rows held out to stop early and to keep the best state, in [0, 1).
    patience : epochs without improvement before stopping, counted once the learning rate has fallen to half
        its peak; "auto": a tenth of the epochs, at least 5; None: never.
    device : auto, cpu, cuda, mps, or a Device (precision, threads, compile).
    callbacks : what watches (Progress, TimeLimit, TensorBoard, Checkpoint).

    >>> Trainer(epochs=3).rate()
    0.02
    """

    def __init__(
        self,
        *,
        epochs: int | str = "auto",
        batch_size: int | str = "auto",
        lr: float | str = "auto",
        optimizer: Any = "auto",
        schedule: Any = "one-cycle",
        clip: float | None = None,
        validation: float = 0.1,
        patience: int | str | None = "auto",
        device: Any = "auto",
        callbacks: Sequence[Callback] = (),
    ) -> None:
        self.epochs, self.batch_size, self.lr, self.optimizer = epochs, batch_size, lr, optimizer
        self.schedule, self.clip, self.validation, self.patience = schedule, clip, validation, patience
        self.device, self.callbacks = device, callbacks

    def check(self, *, online: bool = False) -> None:
        """Raise `UsageError` for any parameter out of range; ``online``: for rows that come a few at a time."""
        whole = (("epochs", self.epochs, ()), ("batch_size", self.batch_size, ("full",)))
        for name, value, words in whole:
            if value not in ("auto", *words) and not (isinstance(value, int) and value >= 1):
                raise out_of_range(name, " or ".join(["an int of at least 1", *map(repr, ("auto", *words))]), value)
        if self.lr != "auto" and not (isinstance(self.lr, int | float) and self.lr > 0):
            raise out_of_range("lr", "a positive number or 'auto'", self.lr)
        if not 0 <= self.validation < 1:
            raise out_of_range("validation", "a share in [0, 1)", self.validation)
        if self.clip is not None and not self.clip > 0:
            raise out_of_range("clip", "a positive number or None", self.clip)
        if make("optimizer", self.optimiser()).closure and (online or self.batch_size not in ("auto", "full")):
            online_hint = "; for partial_fit take sgd or adam" if online else ""
            needed = f"'full' for optimizer {str(self.optimizer)!r}: its line search needs the same rows at every try"
            raise out_of_range(
                "batch_size", needed + online_hint, "a few rows at a time" if online else self.batch_size
            )
        make("schedule", self.schedule)
        Device.of(self.device).torch  # noqa: B018

    def rate(self) -> float:
        """The peak learning rate in use."""
        return float(make("optimizer", self.optimiser()).lr if self.lr == "auto" else self.lr)

    def optimiser(self) -> Any:
        """The optimiser in use; estimators decide "auto" by the network, alone it is muon."""
        return "muon" if self.optimizer == "auto" else self.optimizer

    def patience_for(self, epochs: int) -> int | None:
        """Epochs to wait for an improvement."""
        return max(5, epochs // 10) if self.patience == "auto" else self.patience  # type: ignore[return-value]

    def fit(
        self, stages: Sequence[Stage], feed: Feed, validation: Feed | None = None, *, seed: int = 0
    ) -> list[dict[str, Any]]:
        """Run the stages; returns the history, one record an epoch.

        A record: ``stage, epoch, train {loss, terms…}, validation {…} | None, lr, seconds``. Randomness comes
        from ``seed`` alone; torch's global generator is left as it was.
        """
        self.check()
        if self.epochs == "auto" or self.batch_size == "auto":
            raise UsageError("epochs and batch_size must be numbers here; an estimator chooses them from the data.")
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed)
            return Loop(self, stages, feed, validation, seed).run()
