"""Feature selection: a few columns from which all others can be rebuilt."""

from __future__ import annotations

from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from sklearn.feature_selection import SelectorMixin
from sklearn.utils.validation import check_is_fitted

from ..blocks.column_choice import by_column, correlations
from ..core import Batch, Spec, register
from ..core.errors import DataError, out_of_range, require, unknown
from ..data import Source, Stored, TableProcessor, is_frame
from ..data import open as open_source
from ..data.limits import check_finite
from ..estimators.base import BaseAutoencoder
from ..estimators.composed import Autoencoder
from ..estimators.from_disk import few
from ..estimators.rows import bare, read_rows
from ..train import Trainer
from . import columns as choice
from .base import Assessment, TaskModel
from .column_rows import (
    NEITHER,
    SAMPLE,
    Columns,
    at,
    collated,
    errors_of,
    fitted_processor,
    in_memory,
    recon_of,
    sampled,
    some,
)
from .columns import judged

WAYS = ("concrete", "group")
HELD, LEAST_HELD = 0.1, 20
"""Share of the rows kept for ``rebuilt_``, and the fewest that can be kept."""
STEPS = 3000
CARRIERS, WORTH = 3, 0.1
"""A left-out column names at most so many kept ones, each worth this share of the most telling one."""


@dataclass(frozen=True)
class Rebuilt:
    """How well a column that was left out is rebuilt on held-out rows (R²), and which kept columns carry it."""

    column: Any
    r2: float
    carried_by: tuple[Any, ...]


@register("task", "select")
class AutoencoderSelector(SelectorMixin, TaskModel):
    """Keeps the columns from which an autoencoder rebuilds all others; scikit-learn's selector interface.

        row ──the columns kept──▶ transform ──decoder──▶ inverse_transform: the whole row

    One network finds the columns; a second one, on these columns alone, learns to rebuild the row from them. It does so
    from the columns that linear correlations name, too; what rebuilds the validation rows better stays. Numbers
    count in units of their deviation, a categorical column as one feature. Of columns that say the same one is kept.

    Parameters
    ----------
    autoencoder : an `Autoencoder` whose ``hidden``, ``trainer`` and (for "group") ``n_components`` are taken, or None.
    n_features : int >= 1; a share in (0, 1] of the columns; "auto": as many as rebuild the rest but for 5 % of its
        variance linearly.
    how : "concrete": one relaxed choice for each column to keep (Balın et al. 2019), started at the most telling by
        their correlations; "group": a sparse first layer whose weakest columns are shut off (Han et al. 2018).
    trainer, random_state : as in `Autoencoder`; the trainer is that of both networks.

    ``transform``: the kept columns as they are, a DataFrame of a DataFrame. ``inverse_transform``: all columns, those
    left out by the decoder (scikit-learn's own selectors give zeros), the kept ones as given.

    Attributes after ``fit``: ``kept_names``; ``rebuilt_`` (for each column left out its R² on rows held out of all
    trainings, and the kept columns that carry it); ``autoencoder_`` (the network that rebuilds); ``facts_``
    ("found_by": what found the columns). Of rows on disk a sample is learnt from.

    Raises `DataError` for rows that are neither a table nor an array (N, F), `UsageError` for values out of range.

    Reference: Balın, Abid & Zou (2019), "Concrete autoencoders: differentiable feature selection and reconstruction";
    Han, Wang, Zhang, Li & Xu (2018), "Autoencoder inspired unsupervised feature selection".

    >>> import numpy as np
    >>> from diabolo import AutoencoderSelector, Trainer
    >>> two = np.random.default_rng(0).normal(size=(80, 2)).astype("float32")
    >>> X = np.hstack([two, 3 * two])                                    # columns 2 and 3 repeat 0 and 1
    >>> model = AutoencoderSelector(n_features=2, trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> kept = model.get_support(indices=True)
    >>> sorted((kept % 2).tolist()), bool(np.abs(model.inverse_transform(model.transform(X)) - X).max() < 0.1)
    ([0, 1], True)
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        n_features: int | float | str = "auto",
        how: str = "concrete",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.n_features, self.how = autoencoder, n_features, how
        self.trainer, self.random_state = trainer, random_state

    # learning -----------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Find the columns, then learn to rebuild all from them. X: array (N, F), DataFrame, path or source."""
        self._begin()
        if self.how not in WAYS:
            raise unknown("how", self.how, WAYS)
        learn, held = self._apart(self._table(X))
        seen = Columns(fitted_processor(learn), learn)
        products = correlations(seen.x, seen.owner)
        count, why = self._count(products, seen.owner)
        self.facts_.update(columns=seen.count, n_features=count, why=why, held=0 if held is None else len(held))
        model = self._settle(learn, seen, products, count)
        self._look(model, seen, learn if held is None else held)
        return self

    def plan(self, X: Any, y: Any = None) -> Self:
        """What `fit` begins with: the network that looks for columns."""
        self._begin()
        rows = self._table(X)
        seen = Columns(fitted_processor(rows), rows)
        count, _ = self._count(correlations(seen.x, seen.owner), seen.owner)
        self._shown = self._finder(seen, count).plan(rows)
        self.models_["finder"] = self._shown
        return self

    def _table(self, X: Any) -> Any:
        """The rows in memory: a DataFrame or an array (N, F); of rows on disk a sample."""
        X = open_source(X) if isinstance(X, str | Path) else X
        stored = bare(X)
        if isinstance(stored, Stored):
            X = stored.sample(min(SAMPLE, few(stored)))
            self.facts_["sample"] = len(X)
        rows = bare(read_rows(self, X, fitting=True))
        if not is_frame(rows) and not (isinstance(rows, np.ndarray) and rows.ndim == 2 and rows.dtype != object):
            raise DataError(NEITHER)
        return rows

    def _apart(self, rows: Any) -> tuple[Any, Any]:
        """Rows to learn from, and rows that neither network sees; None for too few."""
        held = int(HELD * len(rows))
        if held < LEAST_HELD:
            return rows, None
        order = np.random.default_rng(self._seed_now()).permutation(len(rows))
        return at(rows, np.sort(order[held:])), at(rows, np.sort(order[:held]))

    def _count(self, products: np.ndarray, owner: np.ndarray) -> tuple[int, str]:
        asked, columns = self.n_features, int(owner.max()) + 1
        if asked == "auto":
            count, left = choice.enough(products, owner)
            return count, f"{count} of {columns} columns leave {100 * left:.2g} % of the variance, linearly"
        if isinstance(asked, float) and 0 < asked <= 1:
            return max(1, round(asked * columns)), f"{asked:g} of {columns} columns"
        if isinstance(asked, int | np.integer) and not isinstance(asked, bool) and 1 <= asked <= columns:
            return int(asked), "as asked"
        allowed = f"an int from 1 to {columns} (the columns), a share in (0, 1] or 'auto'"
        raise out_of_range("n_features", allowed, asked)

    def _settle(self, learn: Any, seen: Columns, products: np.ndarray, count: int) -> BaseAutoencoder:
        """The network that rebuilds all columns best: from those that were learnt, or from those correlations name."""
        if count == seen.count:
            self.arrays_["kept"], self.facts_["found_by"] = np.arange(count), "nothing to choose"
            return self._member("rebuilder", self._rebuilder(seen, list(range(count))), learn)
        ranking = self._ranking(learn, seen, count)
        tried = {self.how: choice.settled(ranking, products, seen.owner, count),
                 "correlations": choice.greedy(products, seen.owner, count)}  # fmt: skip
        fitted: dict[str, BaseAutoencoder] = {}
        for name, columns in tried.items():
            if sorted(columns) not in [sorted(tried[other]) for other in fitted]:
                fitted[name] = self._member(name, self._rebuilder(seen, sorted(columns)), learn)
        best = min(fitted, key=lambda name: _validated(fitted[name]))
        self.arrays_["kept"], self.facts_["found_by"] = np.array(sorted(tried[best])), best
        self.models_ = {"rebuilder": fitted[best]}
        return fitted[best]

    def _ranking(self, learn: Any, seen: Columns, count: int) -> list[int]:
        """Columns that the first network picks, most certain first."""
        rows = sampled(learn)
        if rows is not learn:  # which may lack a rare category: the same columns, encoded otherwise
            seen = Columns(fitted_processor(rows), rows)
        model = self._member("finder", self._finder(seen, count), rows)
        encoder: Any = model.module_.encoder
        strengths = encoder.strengths().cpu().numpy()
        del self.models_["finder"]  # it has done its work
        order = np.argsort(-strengths, kind="stable")
        if self.how == "group":
            return [int(column) for column in order[:count]]
        picked = set(encoder.logits.argmax(1).tolist())
        return [int(column) for column in order if int(column) in picked]

    # networks -----------------------------------------------------------------------------------------------

    def _finder(self, seen: Columns, count: int) -> Autoencoder:
        """The network that finds columns."""
        given = self._asked()
        way = {"way": self.how, "keep": count} if self.how == "group" else {"way": self.how}
        made = self._network(given, seen, **way)
        made.n_components = count * seen.width
        if self.how == "group":
            made.n_components = count if given.n_components == "auto" else given.n_components
            weight = Spec("linear", start=0.0, end=0.03 * seen.count**0.5, share=0.3)
            known = {"columns": seen.kinds, "indicators": seen.indicators}
            made.penalties = (*given.penalties, Spec("column-sparsity", weight=weight, power=0.5, **known))
        trainer = made.trainer if made.trainer is not None else Trainer()
        usual = {"epochs": max(20, min(300, ceil(64 * STEPS / len(seen.x)))), "batch_size": 64, "optimizer": "adam",
                 "lr": 5e-3, "patience": None}  # fmt: skip
        asked = trainer.get_params(deep=False)
        made.trainer = Trainer(**{**asked, **{k: v for k, v in usual.items() if asked[k] == "auto"}})
        return made

    def _rebuilder(self, seen: Columns, kept: list[int]) -> Autoencoder:
        """The network that rebuilds all columns from those kept."""
        made = self._network(self._asked(), seen, way="kept", kept=kept)
        made.n_components = int(np.isin(seen.all_owners, kept).sum())
        return made

    def _asked(self) -> Autoencoder:
        made = self._base()
        if type(made) is not Autoencoder or made.network not in ("auto", "dense"):
            raise out_of_range("autoencoder", "an Autoencoder with a dense network, or None", self.autoencoder)
        return made

    def _network(self, given: Autoencoder, seen: Columns, **way: Any) -> Autoencoder:
        hidden = tuple(given.hidden) if given.hidden != "auto" else (min(256, max(64, 2 * seen.count)),)
        if given.hidden == "auto" and way["way"] == "group":
            hidden = ()  # norms of weights say more of a column where nothing follows them
        spec = Spec(
            "selective", **way, columns=seen.kinds, indicators=seen.indicators, scaled=seen.scaled, hidden=hidden
        )
        loss = seen.loss if given.loss == "auto" else given.loss
        return Autoencoder(network=spec, loss=loss, corruption=given.corruption, penalties=given.penalties,
                           trainer=given.trainer, random_state=given.random_state)  # fmt: skip

    # what was found -----------------------------------------------------------------------------------------

    def _look(self, model: BaseAutoencoder, seen: Columns, rows: Any) -> None:
        """How well each column is rebuilt, and by which of the kept ones: those whose cells, shuffled, do most harm."""
        batch = some(collated(model.processor_, rows), seen)
        known = None if batch.scored is None else batch.scored.numpy()
        target = batch.target.double().numpy()
        around = by_column(np.square(target - seen.x.mean(0)), seen.owner)
        whole = (around if known is None else np.where(known, around, 0)).sum(0)
        plain = errors_of(model, batch, seen, known)
        self.arrays_["r2"] = 1 - np.where(whole > 0, plain / np.where(whole > 0, whole, 1.0), 0.0)
        harm = np.stack([errors_of(model, shuffled, seen, known) - plain for shuffled in self._shuffled(batch, seen)])
        order = np.argsort(-harm, 0, kind="stable")[:CARRIERS]
        values = np.take_along_axis(harm, order, 0)
        telling = values > np.maximum(WORTH * values[0], 1e-3 * whole)
        self.arrays_["carriers"] = np.where(telling, self.arrays_["kept"][order], -1).T

    def _shuffled(self, batch: Batch, seen: Columns) -> Any:
        """The batch with the cells of one kept column after the other in another order."""
        order = torch.from_numpy(np.random.default_rng(0).permutation(len(batch)))
        for column in self.arrays_["kept"].tolist():
            at = torch.from_numpy(np.flatnonzero(seen.all_owners == column))
            x = batch.x.clone()
            x[:, at] = x[order][:, at]
            yield Batch(x, batch.target, scored=batch.scored)

    @property
    def rebuilt_(self) -> list[Rebuilt]:
        """What is rebuilt of every column left out, the best first."""
        check_is_fitted(self, "models_")
        names, mask = self._all_names(), self._get_support_mask()
        r2, carriers = self.arrays_["r2"], self.arrays_["carriers"]
        left = [column for column in np.argsort(-r2, kind="stable").tolist() if not mask[column]]
        return [Rebuilt(names[c], float(r2[c]), tuple(names[k] for k in carriers[c] if k >= 0)) for c in left]

    @property
    def kept_names(self) -> list[Any]:
        """Names of the columns kept."""
        names = self._all_names()
        return [names[column] for column in self.arrays_["kept"]]

    def _all_names(self) -> list[Any]:
        processor = self.processor_
        if isinstance(processor, TableProcessor):
            return processor.columns
        known = self.metrics_.get("data", {}).get("columns")
        return known or [f"x{column}" for column in range(self.facts_["columns"])]

    def _get_support_mask(self) -> np.ndarray:
        check_is_fitted(self, "models_")
        mask = np.zeros(self.facts_["columns"], bool)
        mask[self.arrays_["kept"]] = True
        return mask

    # using --------------------------------------------------------------------------------------------------

    def transform(self, X: Any) -> Any:
        """The kept columns of rows, as they are: an array of an array, a DataFrame of a DataFrame."""
        check_is_fitted(self, "models_")
        rows = bare(read_rows(self, open_source(X) if isinstance(X, str | Path) else X, fitting=False))
        if isinstance(rows, Stored):
            raise DataError("the rows stay on disk: select from them piece by piece, with 'diabolo select'.")
        kept = self.arrays_["kept"]
        if is_frame(rows):
            return rows[self.kept_names] if isinstance(self.processor_, TableProcessor) else rows.iloc[:, kept]
        check_finite(rows)
        return rows[:, kept]

    def inverse_transform(self, X: Any) -> Any:
        """All columns from the kept ones (N, n_features): those left out as the decoder rebuilds them."""
        check_is_fitted(self, "models_")
        kept, processor = self.arrays_["kept"], self.processor_
        given = X if is_frame(X) else np.asarray(X)
        if given.ndim != 2 or given.shape[1] != len(kept):
            raise DataError(f"rows of the {len(kept)} columns kept are needed; got shape {given.shape}.")
        if isinstance(processor, TableProcessor):
            return self._whole_table(given, [processor.columns[c] for c in kept], processor.columns)
        values = np.asarray(given, np.result_type(np.float32, np.asarray(given).dtype))
        whole = np.zeros((len(values), self.facts_["columns"]), values.dtype)
        whole[:, kept] = values
        found = self.autoencoder_.reconstruct(whole).astype(values.dtype)
        found[:, kept] = values
        return found

    def _whole_table(self, given: Any, names: list[Any], columns: list[Any]) -> Any:
        frame = given
        if not is_frame(given):
            frame = require("pandas", "table", "a table").DataFrame(given, columns=names)
        found = self.autoencoder_.reconstruct(frame.reindex(columns=columns)).set_axis(frame.index)
        for name in names:
            found[name] = frame[name]
        return found

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """What is lost of the columns left out, on held-out rows: these columns beside those of simple methods."""
        learn, held = (in_memory(part) for part in (learn, held))
        seen = Columns(self.processor_, bare(learn))
        batch = collated(self.processor_, bare(held))
        known = None if batch.scored is None else batch.scored.numpy()
        kept, target = self.arrays_["kept"].tolist(), batch.target.double().numpy()
        if len(kept) == seen.count:
            return None
        spread = choice.variances(seen.x, seen.owner)
        simple = choice.rankings(seen.raw, seen.owner, correlations(seen.x, seen.owner), len(kept), seed)
        methods = {f"these {len(kept)} columns": kept, **simple}
        found: dict[str, np.ndarray] = {}
        for name, columns in methods.items():
            weights = choice.ridge(seen.x, columns, seen.owner)
            recon = choice.rebuilt(target, columns, seen.owner, *weights)
            found[name] = choice.lost(target, recon, seen.owner, spread, known)
        ours = choice.lost(target, recon_of(self.autoencoder_, batch), seen.owner, spread, known)
        return judged(found, methods, np.where(self._get_support_mask(), 0.0, ours), seed)


def _validated(model: BaseAutoencoder) -> float:
    """The lowest loss on validation rows; without such rows all are alike."""
    found = [record["validation"]["loss"] for record in model.history_ if record["validation"] is not None]
    return min(found, default=0.0)
