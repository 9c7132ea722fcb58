"""A trained encoder as one step of a scikit-learn pipeline."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.utils.validation import check_is_fitted

from ..core.errors import UsageError, out_of_range
from ..train import Trainer
from .base import BaseAutoencoder
from .rows import read_rows
from .saving import load


class PretrainedEncoder(TransformerMixin, BaseEstimator):
    """The codes of an autoencoder that was trained elsewhere, as a transformer.

        rows ──trained encoder──▶ codes (N, D) ──▶ the next step

    An autoencoder in a pipeline is cloned and trained anew by every ``fit``; this step keeps what was learnt, as
    scikit-learn's FrozenEstimator does. With ``fine_tune`` each ``fit`` goes on training, on the pipeline's rows, from
    the weights of the model, which itself stays as it is.

    Parameters
    ----------
    model : a fitted autoencoder, a model of a task (its first autoencoder is taken), or the folder one was saved in.
    fine_tune : go on training in ``fit``.
    trainer : how ``fine_tune`` trains; None: as the model was trained.
    random_state : seed, for ``fine_tune``.

    Codes that keep positions (N, *P, D) are flattened. Raises `UsageError` for a model that is not fitted, or one that
    learns from labels with ``fine_tune``, `DataError` for rows of another kind than the model's.

    Reference: Hinton & Salakhutdinov (2006), "Reducing the dimensionality of data with neural networks".

    >>> from sklearn.datasets import load_digits
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from diabolo import Autoencoder, PretrainedEncoder, Trainer
    >>> X, y = load_digits(return_X_y=True)
    >>> encoder = Autoencoder(16, trainer=Trainer(epochs=2), random_state=0).fit(X)          # all rows, no labels
    >>> pipe = make_pipeline(PretrainedEncoder(encoder), LogisticRegression(max_iter=500)).fit(X[:100], y[:100])
    >>> bool(pipe.score(X[100:], y[100:]) > 0.5)
    True
    """

    def __init__(
        self,
        model: BaseAutoencoder | str | Path,
        *,
        fine_tune: bool = False,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.model, self.fine_tune, self.trainer, self.random_state = model, fine_tune, trainer, random_state

    def __sklearn_clone__(self) -> Self:
        """A clone holds the same trained model: nothing of it changes, so it can be shared."""
        params = self.get_params(deep=False)
        trainer = None if self.trainer is None else clone(self.trainer)
        return type(self)(**{**params, "trainer": trainer})

    def fit(self, X: Any, y: Any = None) -> Self:
        """Check that these rows are of the model's kind; with ``fine_tune`` go on training on them."""
        found = _trained(self.model)
        read_rows(found, X, fitting=False)  # refuses rows of another width or other columns
        if self.fine_tune:
            found = self._tuned(found, X)
        self.encoder_: BaseAutoencoder = found
        for name in ("n_features_in_", "feature_names_in_"):
            if name in vars(found):
                setattr(self, name, vars(found)[name])
        return self

    def _tuned(self, trained: BaseAutoencoder, X: Any) -> BaseAutoencoder:
        if trained._label_role is not None:
            name = trained.part_name  # type: ignore[attr-defined]
            raise UsageError(f"model {name!r} learns from labels: it cannot go on without; use fine_tune=False.")
        made: BaseAutoencoder = clone(trained)
        made.trainer = clone(self.trainer) if self.trainer is not None else made.trainer
        made.random_state = self.random_state
        made.start_from(trained)
        return made.fit(X)

    def transform(self, X: Any) -> np.ndarray:
        """Codes of rows (N, D)."""
        check_is_fitted(self, "encoder_")
        codes = self.encoder_.transform(X)
        return codes.reshape(len(codes), -1)

    def inverse_transform(self, X: Any) -> Any:
        """Rows from codes (N, D)."""
        check_is_fitted(self, "encoder_")
        return self.encoder_.inverse_transform(np.reshape(X, (len(X), *self.encoder_.code_shape_)))

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the code's columns: z0, z1 …"""
        check_is_fitted(self, "encoder_")
        return self.encoder_.get_feature_names_out()

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        return tags


def _trained(model: Any) -> BaseAutoencoder:
    """The fitted autoencoder that was given, or saved. Raises `UsageError` for anything else."""
    found = load(model) if isinstance(model, str | Path) else model
    if isinstance(found, BaseEstimator) and vars(found).get("models_"):
        found = next(iter(found.models_.values()))
    if not isinstance(found, BaseAutoencoder):
        raise out_of_range("model", "a fitted autoencoder, or the folder of a saved one", model)
    if "module_" not in vars(found):
        raise UsageError("the model is not fitted, so there is nothing to keep: fit it first, or put it in as it is.")
    return found
