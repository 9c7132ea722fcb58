"""Going on with a fitted model: rows that come one by one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..core import Feed
from ..train import Trainer
from ..train.loop import Loop
from . import after, start, transfer
from .recipe import Recipe

if TYPE_CHECKING:
    from .base import BaseAutoencoder


def begin_online(estimator: BaseAutoencoder, feed: Feed, fitted: bool) -> Loop:
    """A loop without a plan of epochs, that starts where the estimator stands, or at its first rows."""
    estimator._seed = estimator._seed_now()
    given = estimator._chosen_trainer().get_params(deep=False)
    trainer = Trainer(**{**given, "schedule": "constant", "validation": 0.0})
    trainer.check(online=True)
    recipe = _as_fitted(estimator, feed, trainer) if fitted else estimator._compose(feed, trainer)
    estimator._finish(recipe, estimator.history_ if fitted else [])
    # what was trained first stays as it is: rows that come one by one move the last stage
    loop = Loop(estimator._trainer, recipe.plan()[-1:], feed, None, estimator._seed)
    loop.begin()
    return loop


def _as_fitted(estimator: BaseAutoencoder, feed: Feed, trainer: Trainer) -> Recipe:
    """The fitted model as a recipe, to go on with."""
    resolved = estimator._copy({**estimator.get_params(deep=False), **estimator._resolved})
    recipe = resolved.build(estimator.processor_.shape, estimator.processor_.target_shape)
    after.place(recipe, estimator)
    transfer.take(recipe, estimator, vars(estimator).get("_start", (None, None))[1])
    recipe.objective.load_state_dict(estimator.objective_.state_dict())
    recipe.redraw = start.redraw(estimator.processor_)
    estimator._decide_training(recipe, feed, trainer)
    return recipe
