"""The work behind `AutoencoderClusterer`: how many clusters, and codes that move towards them."""

from __future__ import annotations

import warnings
from math import ceil
from typing import Any

import numpy as np
import torch
from sklearn.cluster import KMeans
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import silhouette_score
from torch import Tensor

from ..core import AutoencoderModule, Batch, Objective
from ..estimators import start
from ..estimators.after import Passing
from ..estimators.base import BaseAutoencoder
from ..estimators.recipe import Recipe
from ..estimators.rows import bare, rows_in
from ..penalties.clustering import Clustering
from ..train import Stage, Trainer
from ..train.callbacks import Callback
from .base import of_member

MOST, SOME = 12, 2000
"""Clusters that are tried, and rows they are judged by."""
STEPS, MOST_EPOCHS, REFRESH = 3000, 150, 140
"""Of the phase that moves codes towards clusters; targets are made anew about every 140 steps, as in the paper."""
RATE, WIDTH = 5e-4, 256
"""Of Adam, for layers of at most 256 units; of wider ones smaller by as much, because more weights move a unit."""


def best_count(codes: np.ndarray, seed: int) -> tuple[int, dict[int, float]]:
    """The number of clusters with the largest mean silhouette of k-means, and the silhouettes; 1 for equal rows.

    >>> rows = np.repeat([[0.0, 0], [9, 0], [0, 9]], 20, 0) + np.random.default_rng(0).normal(size=(60, 2))
    >>> best_count(rows, 0)[0]
    3
    """
    order = np.random.default_rng(seed).permutation(len(codes))[:SOME]
    some = codes[np.sort(order)]
    scores = {}
    for k in range(2, min(MOST, len(np.unique(some, axis=0)) - 1) + 1):
        labels = kmeans(some, k, seed, starts=4).labels_
        scores[k] = float(silhouette_score(some, labels))
    return (max(scores, key=lambda k: scores[k]) if scores else 1), scores


def kmeans(rows: np.ndarray, k: int, seed: int, starts: int = 10) -> KMeans:
    """k-means from some starts, the best of them; rows that are all alike are one cluster, and no warning."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return KMeans(k, n_init=starts, random_state=seed).fit(rows)


class Settled(Callback):
    """Ends the phase once few rows change their cluster between two targets."""

    def __init__(self, term: Clustering, tol: float) -> None:
        self.term, self.tol = term, tol

    def on_epoch(self, loop: Any) -> None:
        if float(self.term.changed) <= self.tol:
            loop.stop(f"at most {self.tol:g} of the rows changed their cluster")


def moved(
    model: BaseAutoencoder, X: Any, z: Tensor, term: Clustering, *, decoded: bool, epochs: Any, weight: Any,
    tol: float, seed: int,
) -> list[dict[str, Any]]:  # fmt: skip
    """Train encoder and centres by the divergence; ``decoded``: the decoder too, by the reconstruction."""
    feed, trainer = _again(model, X, epochs)
    trainer.callbacks = (*trainer.callbacks, Settled(term, tol))
    steps = -(-len(feed) // int(trainer.batch_size))
    with torch.no_grad():
        term.follow(term.assign(z), steps * ceil(REFRESH / steps))
    if decoded:
        term.weight = worth(model, X, z) if weight == "auto" else float(weight)
        held: Any = model.objective_
        objective = Objective(held.loss, [*held.penalties, term], held.importance, held.reconstruction)
        return _run(model, Stage(model.module_, objective), trainer, feed, seed)
    whole = model.module_
    module = AutoencoderModule(whole.encoder, whole.bottleneck, Passing())  # type: ignore[arg-type]
    module.shift, module.scale = whole.shift, whole.scale
    return _run(model, Stage(module, Objective(None, [term])), trainer, feed, seed)


def mixed(model: BaseAutoencoder, X: Any, *, epochs: Any, seed: int) -> list[dict[str, Any]]:
    """Train a variational model and the mixture that is its prior together."""
    feed, trainer = _again(model, X, epochs)
    prior: Any = model.module_.prior
    prior.requires_grad_(True)
    try:
        return _run(model, Stage(model.module_, model.objective_), trainer, feed, seed)
    finally:
        prior.requires_grad_(False)


def worth(model: BaseAutoencoder, X: Any, z: Tensor) -> float:
    """How much more a row costs if the mean code is decoded in place of its own; at least a little.

    It has the units of the reconstruction loss, whatever these are, and is 0 for a code that nobody listens to.
    """
    mean = z.mean(0).view(1, *model.code_shape_)

    def without(batch: Batch) -> Tensor:
        told = model.module_.decode(mean.expand(len(batch), *model.code_shape_), batch)
        return model.objective_.loss(told, batch.target, batch.scored)

    def with_it(batch: Batch) -> Tensor:
        return model.objective_.loss(model._recon(batch).recon, batch.target, batch.scored)

    costs = [float(model._apply(X, cost).mean()) for cost in (without, with_it)]
    return max(costs[0] - costs[1], 1e-3 * abs(costs[1]), 1e-6)


def _again(model: BaseAutoencoder, X: Any, epochs: Any) -> tuple[Any, Trainer]:
    """The rows with their numbers beside them, and the trainer of a second phase: all rows, a constant rate."""
    tensors = model.processor_.encode(bare(model._rows(X, fitting=False)))
    count = rows_in(tensors)
    trainer = of_member(Trainer(**model._trainer.get_params(deep=False)), "clusters")
    trainer.callbacks = of_member(model.trainer or Trainer(), "clusters").callbacks
    size = count if trainer.batch_size == "full" else min(int(trainer.batch_size), count)
    auto = min(MOST_EPOCHS, ceil(STEPS / ceil(count / size)))
    trainer.set_params(
        epochs=auto if epochs == "auto" else int(epochs), batch_size=size, schedule="constant", validation=0.0,
        patience=None,
    )  # fmt: skip
    return model._feed({**tensors, "label": torch.arange(count)}), trainer


def _run(model: BaseAutoencoder, stage: Stage, trainer: Trainer, feed: Any, seed: int) -> list[dict[str, Any]]:
    """Train, and write the epochs into the model's history as one more stage."""
    widest = max((short for short, _ in start.matrices(Recipe(stage.module, stage.objective))), default=1)
    stage.optimizer, stage.lr = "adam", RATE * min(1.0, WIDTH / widest)
    stage.redraw = start.redraw(model.processor_)
    last = max((record["stage"] for record in model.history_), default=-1)
    history = trainer.fit([stage], feed, None, seed=seed)
    model.module_.eval()
    model.history_ = [*model.history_, *({**record, "stage": last + 1} for record in history)]
    return history
