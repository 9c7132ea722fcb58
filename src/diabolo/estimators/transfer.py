"""Starting from another model's weights."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from ..core.errors import UsageError
from ..train import Stage
from .recipe import Choice, Recipe

if TYPE_CHECKING:
    from .base import BaseAutoencoder


def choices(params: dict[str, Any], model: BaseAutoencoder) -> list[Choice]:
    """What is automatic here, as it was decided or given there."""
    there = {**model.get_params(deep=False), **model._resolved}
    names = [name for name, value in params.items() if isinstance(value, str) and value == "auto" and name in there]
    return [Choice(name, there[name], "as in the model it starts from") for name in names]


def take(recipe: Recipe, model: BaseAutoencoder, freeze: str | None) -> None:
    """Copy the weights into a recipe, and keep one side as it is.

    Raises `UsageError` naming the first weight that does not fit.
    """
    there, here = model.module_.state_dict(), recipe.module.state_dict()
    wrong = [name for name in here if name not in there or there[name].shape != here[name].shape]
    if wrong:
        theirs = list(there[wrong[0]].shape) if wrong[0] in there else "nothing"
        raise UsageError(
            f"the model to start from has {theirs} at {wrong[0]!r} where this one has {list(here[wrong[0]].shape)}; "
            "leave network, hidden and latent on 'auto' to take its own."
        )
    shift = model.module_.shift
    if shift is not None:
        recipe.module.standardise(shift.clone(), model.module_.scale, model.module_.scales_output)
    known = recipe.module.state_dict()
    recipe.module.load_state_dict({name: there[name] for name in known})
    if freeze is not None:
        recipe.stages = [Stage(recipe.module, recipe.objective, recipe.corruption, partial(_lies_outside, freeze))]


def _lies_outside(side: str, name: str) -> bool:
    return not name.startswith(f"{side}.")
