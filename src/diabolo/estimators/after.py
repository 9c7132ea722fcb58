"""A prior fitted to a trained model's codes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from ..blocks.identity import Identity
from ..blocks.positions import real_rows
from ..core import AutoencoderModule, Batch, Bottleneck, Discrete, FromData, Objective, Prior, Spec, make
from ..core.errors import ModelError, UsageError
from ..data import MemoryFeed
from ..train import Stage, Trainer
from . import choose, start
from .recipe import Recipe

if TYPE_CHECKING:
    from .base import BaseAutoencoder

MIN_VALIDATION = 10


class Passing(nn.Module):
    """An encoder or decoder that changes nothing: what is autoencoded are codes."""

    def forward(self, x: Tensor, *rest: Any) -> Tensor:
        return x


class Indexed(Identity, Discrete):
    """The identity over codes that have indices, for priors over these."""

    def __init__(self, neck: Any) -> None:
        super().__init__(neck.out_features)
        self.sizes, self._neck = neck.sizes, (neck,)  # in a tuple: its parameters are not to train with the prior

    def indices(self, h: Tensor) -> Tensor:
        return self.codes_to_indices(h)

    def codes_to_indices(self, codes: Tensor) -> Tensor:
        found: Tensor = self._neck[0].codes_to_indices(codes)
        return found

    def indices_to_codes(self, indices: Tensor) -> Tensor:
        found: Tensor = self._neck[0].indices_to_codes(indices)
        return found


def _made(model: BaseAutoencoder, spec: Any, neck: Bottleneck, positions: tuple[int, ...]) -> Prior:
    """A prior for a model's codes; it learns of them what its constructor asks for."""
    sizes = neck.sizes if isinstance(neck, Discrete) else ()
    made: Prior = make(
        "prior", spec, features=neck.out_features, shape=model.processor_.shape, positions=positions, sizes=sizes
    )
    return made


def fit_prior(model: BaseAutoencoder, X: Any, prior: Any, trainer: Trainer | None) -> None:
    """Fit a prior to the codes of rows and put it into the model."""
    spec = prior if isinstance(prior, Prior) else Spec.of(prior)
    seed = model._seed_now()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        codes = _codes(model, X)
        made = _made(model, spec, model.module_.bottleneck, model.code_shape_[:-1])
        if not made.fit(codes, seed):
            _train(made, model.module_.bottleneck, codes, trainer, seed)
    model.module_.prior = made.eval().requires_grad_(False)
    model.prior_ = spec  # type: ignore[attr-defined]


def place(recipe: Recipe, model: BaseAutoencoder) -> Recipe:
    """The recipe with an empty prior of the kind that was fitted to the model, if one was."""
    if "prior_" in vars(model):
        prior = _made(model, model.prior_, recipe.module.bottleneck, model.code_shape_[:-1])  # type: ignore[attr-defined]
        recipe.module.prior = prior.requires_grad_(False)
    return recipe


def _codes(model: BaseAutoencoder, X: Any) -> Tensor:
    """Draws of z for every row (N, *P, D); of real positions alone (n, D), where there is padding."""

    def drawn(batch: Batch) -> Tensor:
        z = model.module_.encode(batch.x, batch.mask, batch.cond).z
        return z if batch.mask is None else real_rows(z, batch.mask)

    codes = torch.from_numpy(model._apply(X, drawn))
    if not codes.isfinite().all():
        raise ModelError("some codes are not finite; a prior cannot be fitted to them.")
    return codes


def _train(prior: Prior, bottleneck: Bottleneck, codes: Tensor, trainer: Trainer | None, seed: int) -> None:
    """Maximum likelihood by gradient, the one trainer's way."""
    feed = MemoryFeed({"x": codes}, lambda tensors: Batch(tensors["x"], tensors["x"]))
    neck = Indexed(bottleneck) if isinstance(bottleneck, Discrete) else Identity(codes.shape[-1])
    module = AutoencoderModule(Passing(), neck, Passing(), prior)  # type: ignore[arg-type]
    prior(module)  # one that needs the model's own networks says so here
    if not any(p.requires_grad for p in prior.parameters()):
        raise UsageError(f"prior {prior.part_name!r} has nothing to fit; take 'mixture' or 'flow'.")  # type: ignore[attr-defined]
    if isinstance(prior, FromData):
        with torch.no_grad():
            prior.begin(module, next(feed.batches(choose.SAMPLE, seed=seed)))
    objective = Objective(None, [make("penalty", "code-likelihood")])
    chosen = Trainer(**(trainer if trainer is not None else Trainer(optimizer="adam")).get_params(deep=False))
    sides = start.matrices(Recipe(module, objective))
    values = codes[0].numel()
    picked = choose.training(len(feed), values, sides, chosen.get_params(deep=False))
    chosen.set_params(**{choice.name: choice.value for choice in picked})
    held = int(len(feed) * chosen.validation)
    order = torch.randperm(len(feed))
    some = (feed, None) if held < MIN_VALIDATION else (feed.take(order[held:]), feed.take(order[:held]))
    chosen.fit([Stage(module, objective)], *some, seed=seed)
