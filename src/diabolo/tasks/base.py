"""What every model of a task shares: autoencoders it fits, what it learns beside them, one folder on disk."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Self

import numpy as np
import torch
from sklearn.base import BaseEstimator, clone
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ..core import Processor
from ..core.errors import out_of_range
from ..data import Source
from ..estimators import saving
from ..estimators.base import BaseAutoencoder
from ..estimators.recipe import Choice
from ..train import Trainer
from ..train.checkpoint import Checkpoint
from .exhibit import Exhibit


@dataclass(frozen=True)
class Assessment:
    """How good a model of a task is on rows it has not seen, beside the simple methods one would use instead.

    ``rows``: one line a method, cells in the order of ``columns``, the model first; ``verdict``: one sentence.
    """

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


class TaskModel(BaseEstimator, ABC):
    """Base of the models that do more with autoencoders than make codes.

    A subclass writes ``__init__(self, autoencoder=None, *, …, trainer=None, random_state=None)`` and ``fit``, which
    fits autoencoders by `_member` and keeps what else it learns in ``arrays_`` (arrays) and ``facts_`` (plain values
    for JSON). What it keeps there, and nothing else, is saved with the models.

    Attributes after ``fit``: ``models_`` (name -> fitted autoencoder; the first is the one that ``processor_`` and
    ``choices_`` speak of), ``arrays_``, ``facts_``, ``metrics_``, ``n_features_in_``.
    """

    part_name: ClassVar[str]
    _label_role: ClassVar[str | None] = None
    """"label": `fit` needs y (a source's target column); None: y is not looked at."""
    _any_size: ClassVar[bool] = False
    """Whether it takes pictures as they are, whatever the size its autoencoders learnt from."""
    _optional_labels: ClassVar[bool] = False
    _numeric_labels: ClassVar[bool] = False

    autoencoder: BaseAutoencoder | None
    trainer: Trainer | None
    random_state: Any
    models_: dict[str, BaseAutoencoder]
    arrays_: dict[str, np.ndarray]
    facts_: dict[str, Any]
    metrics_: dict[str, Any]

    @abstractmethod
    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows."""

    def plan(self, X: Any, y: Any = None) -> Self:
        """Decide everything of the first autoencoder and build it, but do not train: what `fit` would begin with."""
        self._begin()
        X, y = self._laid_out(X, y)
        self._shown = self._base().plan(X, y)
        self.models_["autoencoder"] = self._shown
        return self

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Hold the fitted model against the simple methods, on rows it has not seen; None: there is nothing to say."""
        return None

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """What a report shows of this model at work on rows; () for nothing but the autoencoder's own sections."""
        return ()

    def inner_rows(self, source: Source) -> Source:
        """What a report shows the first autoencoder of rows: they themselves, or parts of the size it takes."""
        return source

    def _laid_out(self, X: Any, y: Any) -> tuple[Any, Any]:
        """What the first autoencoder is fitted to; a subclass that puts the rows another way says so here."""
        return X, y

    # members ------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        """Forget what an earlier fit left."""
        self.models_, self.arrays_, self.facts_, self.metrics_ = {}, {}, {}, {}
        if not isinstance(self.autoencoder, BaseAutoencoder | None):
            raise out_of_range("autoencoder", "an autoencoder, or None", self.autoencoder)
        if self.autoencoder is not None and self.autoencoder._label_role == "label":
            raise out_of_range("autoencoder", "one that learns without labels, or None", self.autoencoder)

    def _base(self) -> BaseAutoencoder:
        """The autoencoder that was asked for, not fitted, with this model's trainer and seed where it has none."""
        made: BaseAutoencoder = clone(self.autoencoder) if self.autoencoder is not None else self._default()
        if made.trainer is None:
            made.trainer = self.trainer
        if made.random_state is None:
            made.random_state = self._seed_now()
        return made

    def _default(self) -> BaseAutoencoder:
        """The autoencoder where none was asked for."""
        from ..estimators.composed import Autoencoder

        return Autoencoder()

    def _seed_now(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _member(self, name: str, model: BaseAutoencoder, X: Any, y: Any = None) -> BaseAutoencoder:
        """Fit one more autoencoder and keep it under a name; its checkpoint, where there is one, is its own."""
        given, model.trainer, self._shown = model.trainer, of_member(model.trainer or Trainer(), name), model
        try:
            self.models_[name] = model.fit(X, y)
        finally:
            model.trainer = given
        self.n_features_in_ = vars(model).get("n_features_in_")
        if "feature_names_in_" in vars(model):
            self.feature_names_in_ = model.feature_names_in_
        return model

    @property
    def autoencoder_(self) -> BaseAutoencoder:
        """The autoencoder that speaks for all: the first that was fitted, or the one at work."""
        return next(iter(self.models_.values())) if self.models_ else self._shown

    @property
    def processor_(self) -> Processor:
        """How rows become tensors."""
        return self.autoencoder_.processor_

    @property
    def choices_(self) -> list[Choice]:
        """What was decided of the first model, and why."""
        return self.autoencoder_.choices_

    @property
    def _trainer(self) -> Trainer:
        return self.autoencoder_._trainer

    # on disk ------------------------------------------------------------------------------------------------

    def describe(self) -> dict[str, Any]:
        """What `diabolo info` prints: the first autoencoder, this model's name and parameters, all members."""
        check_is_fitted(self, "models_")
        inner = self.autoencoder_.describe()
        own = {name: str(value) for name, value in self.get_params(deep=False).items()}
        return {
            **inner, "name": self.part_name, "parameters": {**inner["parameters"], **own},
            "members": {name: model.part_name for name, model in self.models_.items()},  # type: ignore[attr-defined]
            "parameter_count": sum(p.numel() for model in self.models_.values() for p in model.module_.parameters()),
            "facts": self.facts_, "rows": self.metrics_.get("rows"), "metrics": self.metrics_,
        }  # fmt: skip

    def save(self, path: str | Path, *, force: bool = False) -> None:
        """Write ``config.json`` and ``model.safetensors`` into a folder, all models in the two files.

        Raises `ModelError` if the folder holds something already, unless ``force``.
        """
        check_is_fitted(self, "models_")
        tensors = {
            f"{place}.{name}": tensor
            for place, model in enumerate(self.models_.values())
            for name, tensor in saving.tensors_of(model).items()
        }
        kept = {f"array.{name}": torch.from_numpy(np.ascontiguousarray(held)) for name, held in self.arrays_.items()}
        config = {
            "task": self.part_name,
            "params": {name: saving.plain(name, value) for name, value in self.get_params(deep=False).items()},
            "models": [{"name": name, **saving.config_of(model)} for name, model in self.models_.items()],
            "facts": self.facts_,
            "metrics": self.metrics_,
            "n_features_in": vars(self).get("n_features_in_"),
            "feature_names": [str(name) for name in vars(self).get("feature_names_in_", ())],
        }
        saving.write(Path(path), {**tensors, **kept}, config, force=force)

    @classmethod
    def restored(cls, config: dict[str, Any], tensors: saving.Tensors) -> Self:
        """The model that `save` wrote."""
        made = cls(**{name: saving.restored(value) for name, value in config["params"].items()})
        made._begin()
        for place, held in enumerate(config["models"]):
            made.models_[held["name"]] = saving.rebuild(held, tensors.under(f"{place}."))
        own = tensors.under("array.")
        made.arrays_ = {name: own.get(name).numpy() for name in own.names()}
        made.facts_, made.metrics_ = config["facts"], config["metrics"]
        made.n_features_in_ = config["n_features_in"]
        if config["feature_names"]:
            made.feature_names_in_ = np.asarray(config["feature_names"], dtype=object)
        return made


def of_member(trainer: Trainer, name: str) -> Trainer:
    """A copy of a trainer whose checkpoint lies beside the others, under a name of its own."""
    made = Trainer(**trainer.get_params(deep=False))
    made.callbacks = tuple(_named(callback, name) for callback in made.callbacks)
    return made


def _named(callback: Any, name: str) -> Any:
    if not isinstance(callback, Checkpoint):
        return callback
    path = callback.path.with_name(f"{callback.path.stem}-{name}{callback.path.suffix}")
    return Checkpoint(path, resume=callback.resume, every=callback.every)
