"""The scikit-learn face of a composition: fit, transform, reconstruct, score, sample, save."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from math import prod
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Batch, Feed, Output, Processor, Restored, Spec, Windowed
from ..core.errors import DataError, ModelError, out_of_range
from ..core.interfaces import Shape
from ..data import MemoryFeed, Source, processor_for
from ..train import Trainer
from ..train.device import threads_for
from . import after, again, choose, from_disk, saving, start, transfer
from .labels import Labels, beside
from .recipe import Choice, Recipe
from .rows import (
    CHUNK,
    at_least_two,
    bare,
    chunk_for,
    of_windows,
    read_rows,
    rows_in,
    whole_lanes,
    without_padding,
)


class BaseAutoencoder(TransformerMixin, BaseEstimator, ABC):
    """Base of every autoencoder. A subclass writes ``__init__`` and ``build(shape, target_shape) -> Recipe``.

    ``build`` is called on a copy in which everything automatic has been decided, so it reads plain values.

    Attributes after ``fit``: ``module_`` and ``objective_`` (torch modules), ``processor_``, ``choices_`` (what was
    chosen and why), ``history_`` (one record an epoch), ``n_components_`` (values of one code), ``n_features_in_``.
    """

    trainer: Trainer | None
    random_state: Any
    labels_: Labels
    _label_role: ClassVar[str | None] = None
    """What y is for: "cond" (both sides are told the class), "label" (it is learnt), None (nothing)."""
    _numeric_labels: ClassVar[bool] = False
    _optional_labels: ClassVar[bool] = False
    """Whether `fit` without y is a model of its own, which learns from the data alone."""

    @abstractmethod
    def build(self, shape: Shape, target_shape: Shape) -> Recipe:
        """Compose the parts for rows of ``shape``."""

    def set_params(self, **params: Any) -> Self:
        """scikit-learn's, and ``trainer__…`` makes a `Trainer` where there is none yet."""
        if self.trainer is None and any(key.startswith("trainer__") for key in params):
            self.trainer = Trainer()
        super().set_params(**params)
        return self

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows.

        X : float array (N, F) or (N, *S), taken as it is; uint8 pictures (N, H, W[, C]); a DataFrame (mixed
            columns, missing cells); a path, or what `diabolo.data.open` gives.
        y : classes or numbers, one a row, for the models that learn from labels too; ignored by all others.

        Raises `DataError` for rows that cannot be used, `UsageError` for parameters out of range.
        """
        train, validation = self._split(self._learn(X, y))
        recipe = self._compose(train)
        history = self._trainer.fit(recipe.plan(), train, validation, seed=self._seed)
        return self._finish(recipe, history)

    def plan(self, X: Any, y: Any = None) -> Self:
        """Decide everything and build the network, but do not train: ``choices_`` says what `fit` would do."""
        return self._finish(self._compose(self._split(self._learn(X, y))[0]), [])

    def _learn(self, X: Any, y: Any) -> Feed:
        """What is given, as rows to train on; the processor learns what it must know."""
        rows = self._rows(X, fitting=True)
        if from_disk.on_disk(rows):
            return from_disk.learn(self, rows)
        tensors = self._prepare(rows)
        return self._feed({**tensors, **self._beside(X, y, rows_in(tensors), fitting=True)})

    def _feed(self, tensors: dict[str, Tensor]) -> MemoryFeed:
        return MemoryFeed(tensors, self.processor_.collate)

    def _beside(self, X: Any, y: Any, rows: int, fitting: bool) -> dict[str, Tensor]:
        """What stands beside the data in a batch, made of y (or of a source's target column)."""
        if self._label_role is None:
            return {}
        if y is None and isinstance(X, Source):
            y = X.target
        if self._optional_labels and y is None:
            if fitting and "labels_" in vars(self):
                del self.labels_
            return {}
        y = y if y is None else of_windows(self.processor_, X, self._checked(y), rows)
        if fitting and y is not None:
            self.labels_ = self._learn_labels(y)
        return beside(vars(self).get("labels_", Labels(self._numeric_labels)), self._label_role, y, rows)

    def _checked(self, y: Any) -> Any:
        """Labels as `Labels` takes them. Raises `DataError` for what cannot be learnt."""
        return np.asarray(y)

    def _learn_labels(self, y: Any) -> Labels:
        return Labels(self._numeric_labels).fit(y)

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """One pass over these rows as they come (online learning), from where a fit or the last call left off.

        On a model that is not fitted the first call decides all that is automatic.
        """
        fitted = "module_" in vars(self)
        rows = self._rows(X, fitting=not fitted)
        if not fitted:
            self._prepare(rows)
        tensors = self.processor_.encode(bare(rows))
        tensors.update(self._beside(X, y, rows_in(tensors), fitting=not fitted))
        if "_online" not in vars(self):
            self._online = again.begin_online(self, self._feed(tensors), fitted)
        self._online.online(self._feed(tensors))
        return self

    def _rows(self, X: Any, fitting: bool) -> Any:
        """The rows of whatever was given, checked as scikit-learn asks."""
        return read_rows(self, X, fitting)

    def start_from(self, model: BaseAutoencoder, freeze: str | None = None) -> Self:
        """Transfer: the next `fit` starts with another fitted model's weights and reads rows as that model does.

        ``freeze``: keep its encoder or its decoder as it is. What is automatic here is what was decided there.
        Raises `UsageError` at `fit` if the two do not fit together.
        """
        check_is_fitted(model)
        if freeze not in (None, "encoder", "decoder"):
            raise out_of_range("freeze", "'encoder', 'decoder' or None", freeze)
        self._start = (model, freeze)
        return self

    def _prepare(self, rows: Any) -> dict[str, Tensor]:
        """Fit the processor and encode the rows once."""
        at_least_two(rows)
        start, held = vars(self).get("_start"), bare(rows)
        self.processor_: Processor = start[0].processor_ if start is not None else self._reader(rows).fit(held)
        return self.processor_.encode(held)

    def _reader(self, rows: Any) -> Processor:
        """The processor (not yet fitted) for these rows."""
        return processor_for(rows)

    def _split(self, feed: Feed) -> tuple[Feed, Feed | None]:
        """Rows to learn from and rows for validation, drawn by the seed; too few of them: none."""
        trainer = self._chosen_trainer()
        trainer.check()
        self._seed = self._seed_now()
        return feed.split(trainer.validation, self._seed)

    def _seed_now(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _chosen_trainer(self) -> Trainer:
        given = self.trainer
        return given if given is not None else Trainer()

    def _compose(self, feed: Feed, trainer: Trainer | None = None) -> Recipe:
        """Decide what is automatic, then build; the weights depend on the seed alone."""
        for name in {"_online", "prior_"} & vars(self).keys():
            delattr(self, name)
        resolved, self.choices_ = self._resolve(feed)
        self._resolved = {choice.name: choice.value for choice in self.choices_}
        sample = from_disk.sample(feed)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(self._seed)
            recipe = resolved.build(self.processor_.shape, self.processor_.target_shape)
        if "_start" in vars(self):
            transfer.take(recipe, *self._start)
        else:
            start.centre(recipe, sample)
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(self._seed)
                start.from_data(recipe, sample, len(feed))
        recipe.redraw = start.redraw(self.processor_)
        picked = self._decide_training(recipe, feed, trainer)
        self.choices_ = [*self.choices_, *picked, *choose.warnings(recipe, prod(self.processor_.target_shape))]
        return recipe

    def _decide_training(self, recipe: Recipe, feed: Feed, trainer: Trainer | None) -> list[Choice]:
        base = trainer if trainer is not None else self._chosen_trainer()
        self._trainer = Trainer(**base.get_params(deep=False))
        asked = [choice for choice in recipe.training if getattr(self._trainer, choice.name) == "auto"]
        self._trainer.set_params(**{choice.name: choice.value for choice in asked})
        values = prod(self.processor_.target_shape)
        picked = choose.training(len(feed), values, start.matrices(recipe), self._trainer.get_params(deep=False))
        self._trainer.set_params(**{choice.name: choice.value for choice in picked})
        return [*asked, *picked]

    def _resolve(self, feed: Feed) -> tuple[Self, list[Choice]]:
        """A copy in which every automatic parameter has a value, and the reasons."""
        choices: list[Choice] = []
        params = self.get_params(deep=False)
        if "_start" in vars(self):
            choices = transfer.choices(params, self._start[0])
            params = {**params, **{choice.name: choice.value for choice in choices}}
        sample = from_disk.sample(feed, seed=0)
        if params.get("network") == "auto":
            choices.append(self._network_choice(choose.network(self.processor_)))
            params = {**params, "network": choices[-1].value}
        if params.get("n_components") == "auto":
            choices.append(self._code_choice(sample, params.get("network")))
        if params.get("loss") == "auto":
            choices.append(self._loss_choice())
        decided = {**params, **{choice.name: choice.value for choice in choices}}
        if params.get("hidden") == "auto":
            kind = decided["network"]
            name = Spec.of(kind).name if isinstance(kind, str | Spec) else "custom"
            choices.append(choose.hidden(name, self.processor_.shape, decided["n_components"]))
        return self._copy({**params, **{choice.name: choice.value for choice in choices}}), choices

    def _copy(self, params: dict[str, Any]) -> Self:
        """Another one with these parameters, for `build`, which may ask how many classes there are."""
        made = type(self)(**params)
        if "labels_" in vars(self):
            made.labels_ = self.labels_
        return made

    def _loss_choice(self) -> Choice:
        return choose.loss(self.processor_)

    def _network_choice(self, usual: Choice) -> Choice:
        return usual

    def _code_choice(self, sample: Batch, network: Any) -> Choice:
        return choose.code_size(sample)

    def _finish(self, recipe: Recipe, history: list[dict[str, Any]]) -> Self:
        self.module_, self.objective_, self.history_ = recipe.module.eval(), recipe.objective.eval(), history
        with torch.no_grad():
            probe = self.module_.code(torch.zeros(2, *self.processor_.shape), cond=self._no_cond(2))
        self.code_shape_ = tuple(probe.shape[1:])
        self.metrics_: dict[str, Any] = {}
        self._largest = saving.largest(self.module_)
        self.n_components_ = int(np.prod(self.code_shape_))
        return self

    def _no_cond(self, rows: int) -> Tensor | None:
        """A condition that says nothing, where the model wants one."""
        return torch.zeros(rows, self.labels_.size) if self._label_role == "cond" else None

    # using --------------------------------------------------------------------------------------------------

    def fit_prior(self, X: Any, prior: Any = "mixture(components=10)", *, trainer: Trainer | None = None) -> Self:
        """Fit p(z) to the codes of rows, after training, so that `sample` draws from where the codes lie.

        ``prior``: mixture (expectation-maximisation), flow or, for indices, autoregressive (by ``trainer``). ``prior_``
        (what was fitted) replaces the model's own in every measure and is saved; the next `fit` forgets it.
        Raises `UsageError` for a prior that has nothing to fit, or can only be trained together with the model.
        """
        check_is_fitted(self)
        after.fit_prior(self, X, prior, trainer)
        return self

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows: float32 (N, D), or (N, *P, D) where the network keeps positions. Deterministic."""
        return self._apply(X, lambda batch: self.module_.code(batch.x, batch.mask, batch.cond))

    def inverse_transform(self, Z: Any) -> Any:
        """Rows, of the kind given to ``fit``, from codes (N, D)."""
        return self._decoded(Z)

    def _decoded(self, Z: Any, cond: Tensor | None = None) -> Any:
        """Rows from codes, told a condition where there is one."""
        check_is_fitted(self)
        codes = np.ascontiguousarray(Z, dtype=np.float32)
        if codes.shape[1:] != self.code_shape_:
            raise DataError(f"codes must have shape (N, {', '.join(map(str, self.code_shape_))}); got {codes.shape}.")
        with torch.inference_mode():
            told = cond if cond is not None else self._no_cond(len(codes))
            parts = []
            for rows in torch.arange(len(codes)).split(CHUNK):
                z = torch.from_numpy(codes)[rows]
                batch = None if told is None else Batch(z, z, cond=told[rows])
                parts.append(self.objective_.loss.link(self.module_.decode(z, batch)))
        return self.processor_.invert(torch.cat(parts))

    def reconstruct(self, X: Any) -> Any:
        """Rows as they come back, of the kind given."""
        rows = self._rows(X, fitting=False)
        if from_disk.on_disk(rows):
            return from_disk.over(rows, self.reconstruct)
        data = torch.from_numpy(self._apply(rows, self._rebuilt))
        if isinstance(self.processor_, Restored):
            return self.processor_.restore(data, rows)
        windows = self.processor_.invert(data)
        return self.processor_.join(windows, rows) if isinstance(self.processor_, Windowed) else windows

    def _rebuilt(self, batch: Batch) -> Tensor:
        return without_padding(self.objective_.loss.link(self.module_.decoded(batch)), batch.mask)

    def score_samples(self, X: Any) -> np.ndarray:
        """Minus the objective of every row (N,): higher is more normal (the negative ELBO's negative, for a VAE)."""
        return self._apply(X, self._score)

    def score(self, X: Any, y: Any = None) -> float:
        """Mean of `score_samples`: higher is better, as in GridSearchCV."""
        return float(self.score_samples(X).mean())

    def sample(self, n_samples: int = 1, *, random_state: int | None = None) -> Any:
        """New rows from the prior.

        Raises `ModelError` if the model has no prior, or one that nothing in its training brought its codes to.
        """
        return self._sampled(lambda: self._draw(n_samples), random_state)

    def _sampled(self, draw: Callable[[], Tensor], random_state: int | None) -> Any:
        """Rows from decoder output that ``draw`` makes of the prior."""
        check_is_fitted(self)
        if self.module_.prior is not None and not ("prior_" in vars(self) or self.objective_.ties_prior):
            raise ModelError(
                "cannot sample: no term of this model's objective brought its codes to the prior, so draws from it "
                "would decode to nothing known; fit a prior to its codes first: fit_prior(X)."
            )
        with torch.random.fork_rng(devices=[]), torch.inference_mode():
            torch.manual_seed(check_random_state(random_state).randint(2**31 - 1))
            data = self.objective_.loss.link(draw())
        return self.processor_.invert(data)

    def _draw(self, n: int) -> Tensor:
        """Decoder output for n draws from the prior."""
        return self.module_.sample(n, self.code_shape_[:-1])

    def _score(self, batch: Batch) -> Tensor:
        whole = whole_lanes(batch)
        return -self.objective_.per_sample(self.module_, whole, self._recon(whole))[: len(batch)]

    def _recon(self, batch: Batch) -> Output:
        return self.module_.reconstruct(batch, told=True)

    def _apply(self, X: Any, function: Callable[[Batch], Tensor], y: Any = None) -> np.ndarray:
        """``function`` over all rows, chunk by chunk; ``y``: what is known of them, for models that are told."""
        if "module_" not in vars(self):
            check_is_fitted(self)
        rows = self._rows(X, fitting=False)
        if from_disk.on_disk(rows):
            return from_disk.over(rows, lambda piece: self._apply(piece, function))
        tensors = self.processor_.encode(rows)
        beside = {} if y is None else self._beside(X, y, rows_in(tensors), fitting=False)
        feed = self._feed({**tensors, **beside})
        rows = chunk_for(tensors, prod(self.processor_.target_shape))
        with torch.inference_mode(), threads_for(2.0 * self._largest * min(len(feed), rows)):
            parts = [function(batch) for batch in feed.batches(rows)]
            return (parts[0] if len(parts) == 1 else torch.cat(parts)).numpy()

    # describing and saving ----------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What the model is: parameters, choices with reasons, shapes of the layers, sizes."""
        check_is_fitted(self)
        return saving.describe(self)

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write ``config.json`` and ``model.safetensors`` into the folder ``path``; see `diabolo.load`."""
        check_is_fitted(self)
        saving.save(self, Path(path), force=force)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the code's columns: z0, z1 …"""
        check_is_fitted(self)
        return np.asarray([f"z{i}" for i in range(self.n_components_)], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float32"]
        tags.non_deterministic = False
        tags.input_tags.sparse = True
        return tags
