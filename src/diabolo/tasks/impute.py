"""Missing values: what was not observed, from what was."""

from __future__ import annotations

from typing import Any, ClassVar, Self

import numpy as np
import torch
from numpy import ndarray
from sklearn.base import OneToOneFeatureMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted
from torch import Tensor

from ..core import Spec, register
from ..core.errors import out_of_range
from ..data import Source
from ..data.process_filled import FilledTable
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..train import Trainer
from . import draws, holes
from .base import Assessment, TaskModel
from .steps import in_steps

HIDDEN, MOST_CODE = (128, 128), 64
"""Of the default autoencoder: wide, for what it must not do, copy, is ruled out by hiding."""
STEPS, MOST_EPOCHS, BATCH, RATE = 1200, 1000, 128, 3e-3
"""Steps of training, where the trainer leaves it open: cells are hidden anew all the time, so more of it does good."""
SMALLEST = 20
"""Rows a fold; fewer rows make fewer members."""
TRIALS, MOST_REPEATS = 20_000, 8
"""Rows with hidden cells on which the members are weighed."""


@register("task", "impute")
class AutoencoderImputer(OneToOneFeatureMixin, TransformerMixin, TaskModel):
    """Fills the missing cells of a table by autoencoders that learnt to give hidden cells back.

        row ──linear guess (Gaussian, EM)──▶ [filled | missing?] ──▶ code ──▶ correction ──(+)──▶ filled row

    Each member hides known cells of its rows, anew in every epoch, fills them as a Gaussian would, and learns what
    that guess lacks. Each leaves a fold of the rows out, on which it is told, column by column, how far its correction
    is to be trusted:

        x̂ = linear + w (autoencoder - linear),    w in [0, 1] of least squared error on hidden cells of rows left out

    The members' mean fills a cell: a conditional mean for numbers and dates, the likeliest value of categories and
    truth values. Observed cells are not touched. `sample` draws instead (multiple imputation).

    X is a float array (NaN is missing), an array of objects, or a DataFrame; what comes back is of the same kind and
    dtypes. A column without a known cell at fit stays missing; a column of one value is filled with it; an unknown
    category counts as missing for the others and stays; a row with nothing known gets the usual values. Columns that
    were whole at fit may lack cells later.

    Parameters
    ----------
    autoencoder : any that learns without labels, told ``[filled | missing?]`` and asked for the hidden cells; None: a
        dense one that corrects the linear guess (network "residual").
    members : int >= 1, fewer with few rows (20 a fold).
    hide : share of the known cells that are hidden in training, in (0, 1).
    prior : weight of the belief that columns are independent, in rows a column, in the Gaussian.
    trainer, random_state : as in `Autoencoder`.

    Raises `DataError` for rows that are no table, or fewer than 2; `UsageError` for parameters out of range.

    Reference: Vincent et al. (2008), "Extracting and composing robust features with denoising autoencoders"; Gondara &
    Wang (2018), "MIDA: multiple imputation using denoising autoencoders"; Little & Rubin (2002), "Statistical
    analysis with missing data".

    >>> import numpy as np
    >>> from diabolo import AutoencoderImputer, Trainer
    >>> X = np.outer(np.linspace(-1, 1, 60), [1.0, -2.0, 3.0])
    >>> X[::7, 1] = np.nan
    >>> full = AutoencoderImputer(members=1, trainer=Trainer(epochs=5), random_state=0).fit_transform(X)
    >>> bool(np.isfinite(full).all()), float(np.abs(full[::7, 1] + 2 * full[::7, 0]).max()) < 0.1
    (True, True)
    """

    _takes_missing: ClassVar[bool] = True

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        members: int = 3,
        hide: float = 0.3,
        prior: float = 0.1,
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.members, self.hide, self.prior = autoencoder, members, hide, prior
        self.trainer, self.random_state = trainer, random_state

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn from rows with missing cells; y is not looked at."""
        self._begin()
        self._check()
        rows = holes.given_rows(X)
        frame = holes.as_frame(self, X, rows, fitting=True)
        names = vars(self).get("feature_names_in_")
        self._table = holes.columns_of(frame)
        seed = self._seed_now()
        count = max(1, min(self.members, len(frame) // SMALLEST))
        fold = np.random.default_rng(seed).permutation(len(frame)) % count
        for number in range(count):
            self._fit_member(number, frame[fold != number] if count > 1 else frame, seed)
        self.n_features_in_ = frame.shape[1]
        if names is not None:
            self.feature_names_in_ = names
        self.facts_["array"] = not holes.is_frame(rows)
        self._weigh(frame, fold, seed)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        self._begin()
        self._check()
        frame = holes.as_frame(self, X, holes.given_rows(X), fitting=True)
        self._table = holes.columns_of(frame)
        self._shown = self._base().plan(self._source(frame))
        self.models_["autoencoder"] = self._shown
        return self

    def _check(self) -> None:
        if not isinstance(self.members, int) or self.members < 1:
            raise out_of_range("members", "an int of at least 1", self.members)
        FilledTable(self.hide, self.prior)

    def _source(self, frame: Any) -> Source:
        """Rows for a member to learn from; its processor knows all columns already."""
        table = FilledTable(self.hide, self.prior).of(self._table)
        return Source(frame.reset_index(drop=True), "table", processor=table)

    def _fit_member(self, number: int, frame: Any, seed: int) -> None:
        model = self._base()
        model.random_state = (seed + number) % 2**31
        given = model.trainer
        model.trainer = self._longer(given, len(frame))
        self._member(f"member-{number}", model, self._source(frame))
        model.trainer = given

    def _default(self) -> BaseAutoencoder:
        columns = [[codec.loss_kind, codec.width] for codec in self._table.codecs]
        size = min(MOST_CODE, max(1, self._table.target_shape[0] - 1))
        return Autoencoder(size, network=Spec("residual", hidden=HIDDEN, columns=columns))

    def _longer(self, trainer: Trainer | None, rows: int) -> Trainer:
        """A copy of a trainer in which "auto" is what suits hidden cells: about `STEPS` steps, however few the rows."""
        rate = RATE if self.autoencoder is None else None
        return in_steps(trainer, rows, steps=STEPS, fewest=10, most=MOST_EPOCHS, batch=BATCH, rate=rate)

    # filling ------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        """The rows with every missing cell filled, as they were given."""
        check_is_fitted(self, "models_")
        rows = holes.given_rows(X)
        frame = holes.as_frame(self, X, rows, fitting=False)
        return holes.completed(rows, frame, self._inverted(self.encoded(frame)))

    def sample(self, X: Any, n_draws: int = 5, *, random_state: Any = None) -> list[Any]:
        """Several completed tables: missing cells drawn together from p(missing | observed).

        Categories and truth values are drawn one column after the other, each told those before it; then numbers and
        dates as the mean and a residual, with the Gaussian's correlation and the shape of the errors made on hidden
        cells. Draw i is of member i modulo their number, so that draws differ by what is not known of the model too.

        Reference: Rubin (1987), "Multiple imputation for nonresponse in surveys", chapter 4; van Buuren (2018),
        "Flexible imputation of missing data", section 3.4.
        """
        check_is_fitted(self, "models_")
        if not isinstance(n_draws, int) or n_draws < 1:
            raise out_of_range("n_draws", "an int of at least 1", n_draws)
        rows = holes.given_rows(X)
        frame = holes.as_frame(self, X, rows, fitting=False)
        generator = torch.Generator().manual_seed(int(check_random_state(random_state).randint(2**31 - 1)))
        models = list(self.models_.values())
        values, known = self.processor_.cells(frame)  # type: ignore[attr-defined]
        made = []
        for number in range(n_draws):
            teller = draws.Teller(models[number % len(models)], self.arrays_)
            drawn = draws.draw(teller, values, known, generator)
            made.append(holes.completed(rows, frame, self._inverted(drawn)))
        return made

    def encoded(self, frame: Any) -> Tensor:
        """A DataFrame of the model's columns with every cell at the mean of what the members say, encoded (N, F)."""
        values, known = self.processor_.cells(frame)  # type: ignore[attr-defined]
        total = torch.zeros_like(values)
        for model in self.models_.values():
            total += draws.Teller(model, self.arrays_).blended(values, known)
        return total / len(self.models_)

    def _inverted(self, values: Tensor) -> Any:
        return self.processor_.invert(values)

    # what members are worth ---------------------------------------------------------------------------------

    def _weigh(self, frame: Any, fold: ndarray, seed: int) -> None:
        """Hide cells of the rows each member has not seen; keep how far to trust it and how large its errors are."""
        trials: list[draws.Trial] = []
        repeats = int(np.clip(TRIALS // len(frame), 1, MOST_REPEATS))
        for number, model in enumerate(self.models_.values()):
            generator = torch.Generator().manual_seed((seed + number) % 2**31)
            held = frame[fold == number].reset_index(drop=True)
            trials += [draws.trial(model, held, self.hide, generator) for _ in range(repeats)]
        self.arrays_.update(draws.weighed(trials, self.processor_, repeats, len(self.models_)))  # type: ignore[arg-type]

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Hide a fifth of the known cells of held-out rows; fill them by this model and by simple methods."""
        from .impute_rivals import assessment

        return assessment(self, learn, held, seed=seed)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.input_tags.string = tags.input_tags.categorical = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
