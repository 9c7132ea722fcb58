"""All that one fold of a detector says of a row: of it as a whole, and of the places of a picture or a clip."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from jaxtyping import Float
from numpy import ndarray
from torch import Tensor

from ..core.errors import UsageError
from ..estimators.base import BaseAutoencoder
from ..train import Trainer
from . import conformal
from .evidence import Witness
from .places import LEVELS, LOCAL, Fit, Places, View, grid_of

PLACES = 0.1
"""Weight of the strangest place beside the picture as a whole."""
OF_FRAMES = ("neighbours", "crowding", "similarity")
"""Measures of spectra of sounds that explain, and do not count. Left out for faults made in normal recordings."""
OF_PLACES = "at."
"""Arrays of places are kept under names that begin so."""


@dataclass
class Panel:
    """The witness of whole rows, and that of places; one of them may be missing.

    Clips are judged by their places alone, unless an autoencoder was asked for: how a whole window differs from others
    says how many people walk through it.
    """

    model: BaseAutoencoder
    whole: Witness | None
    places: Places | None

    @classmethod
    def hear(
        cls, model: BaseAutoencoder, X: Any, fit: Fit, trainer: Trainer | None, *,
        k: int, level: str, told: bool, doubtful: bool, seed: int,
    ) -> Self:  # fmt: skip
        """Take training rows X as what is usual; ``told``: the autoencoder was asked for by name."""
        kind, whole, places = model.processor_.part_name, None, None  # type: ignore[attr-defined]
        if kind != "video" or told:
            whole = Witness.hear(model, X, k, own_objective=told or kind == "image", doubtful=doubtful, seed=seed)
        if kind in LOCAL:
            places = Places.learn(X, model.processor_, fit, trainer, k=k, level=level, seed=seed)
        return cls(model, whole, places)

    @classmethod
    def restored(
        cls, members: dict[str, BaseAutoencoder], place: int, names: tuple[str, ...], arrays: dict[str, Tensor], *,
        k: int, level: str,
    ) -> Self:  # fmt: skip
        """What a fold has kept, with the autoencoders that it fitted."""
        model = members[f"fold-{place}"]
        own = {name: value for name, value in arrays.items() if not name.startswith(OF_PLACES)}
        kept = {name.removeprefix(OF_PLACES): v for name, v in arrays.items() if name.startswith(OF_PLACES)}
        parts = {n: members[f"{n}-{place}"] for n in ("patches", "features") if f"{n}-{place}" in members}
        places = Places(parts, grid_of(model.processor_), k, level, kept) if kept else None
        whole = tuple(name for name in names if places is None or name not in places.names)
        return cls(model, Witness(model, k, whole, own) if whole else None, places)

    @property
    def names(self) -> tuple[str, ...]:
        """The measures, in order."""
        return (() if self.whole is None else self.whole.names) + (() if self.places is None else self.places.names)

    @property
    def arrays(self) -> dict[str, Tensor]:
        """What is kept."""
        own = {} if self.whole is None else self.whole.arrays
        at = {} if self.places is None else self.places.arrays
        return {**own, **{f"{OF_PLACES}{name}": value for name, value in at.items()}}

    def strangeness(self, X: Any) -> ndarray:
        """Every measure of every row (N, names), higher is stranger."""
        parts = [] if self.whole is None else [self.whole.strangeness(X)]
        if self.places is not None:
            parts.append(self.places.strangeness(self.model.processor_, X))
        return np.concatenate(parts, 1)

    def view(self, X: Any) -> tuple[Places, View]:
        """The places, and pictures or clips as they look at them. Raises `UsageError` for other rows."""
        if self.places is None:
            raise UsageError(
                "only pictures (uint8, or files) and clips have maps; series and sounds have steps: judged_steps."
            )
        return self.places, View(self.model.processor_, X, self.places.grid)


def together(logs: Float[ndarray, "m n"], names: Sequence[str]) -> Float[ndarray, " n"]:
    """Log shares of all measures as one (N,): their mean; that of places counts where it is far smaller.

        log (share of the whole⁻¹ + PLACES · share of places⁻¹)⁻¹

    Spectra of sounds are not judged by neighbours: frames of noise are far from each other, whatever the sound.
    A small defect is nothing to the picture as a whole, and a picture of another thing need have no strange place.

    Reference: Fisher (1932), "Statistical methods for research workers", section 21.1 (mean of logs); Wilson (2019),
    "The harmonic mean p-value for combining dependent tests".
    """
    if "peaks" in names:
        return np.asarray(logs[[name not in OF_FRAMES for name in names]].mean(0))
    local = np.array([name in LEVELS for name in names])
    if local.all() or not local.any():
        return np.asarray(logs.mean(0))
    return -np.logaddexp(-logs[~local].mean(0), math.log(PLACES) - logs[local].mean(0))


def log_shares(measured: Float[ndarray, "k m"], found: Float[ndarray, "n m"]) -> Float[ndarray, "m n"]:
    """Log of the share of calibration rows (each measure in rising order) that exceed each measure."""
    return np.stack([conformal.log_tail(*pair) for pair in zip(measured.T, found.T, strict=True)])


def calibrated(found: Float[ndarray, "k m"], names: Sequence[str]) -> tuple[ndarray, ndarray]:
    """Measures of held-out rows in rising order (k, m), and how strange each of these rows is among the others (k,)."""
    ordered, own = np.sort(found, 0), np.empty_like(found)
    for column in range(found.shape[1]):
        place_of = np.argsort(found[:, column], kind="stable")
        own[place_of, column] = conformal.log_tail_of_own(ordered[:, column])
    return ordered, -together(own.T, names)
