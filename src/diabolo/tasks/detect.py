"""Anomalies: how strange a row is, how sure one can be, and why."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy import ndarray
from scipy.sparse import issparse
from sklearn.base import OutlierMixin
from sklearn.utils.validation import check_is_fitted

from ..core import register
from ..core.errors import UsageError, out_of_range, unknown
from ..data import Source, Stored, TableProcessor, align, is_frame, kind_of, processor_for
from ..data import open as open_source
from ..estimators.base import BaseAutoencoder
from ..estimators.rows import bare, read_rows
from ..train import Trainer
from . import conformal
from .anomalies import assess
from .base import Assessment, TaskModel
from .defects import of_pictures
from .evidence import Witness
from .exhibit import Exhibit
from .held_out import count_of, pairs, same_windows, taken
from .maps import exhibits, maps, see_usual
from .panel import Panel, calibrated, log_shares, together
from .places import LEVELS, Fit
from .pyod import PyODAdapter
from .reasons import Reasons, by_column, by_replacing, column_names, nearest_normal, shared, weighed
from .suspects import least_similar
from .usual import short, usual

KEPT = ("measured", "held", "frames", "frames_held")
"""Arrays of a fold that are calibration."""
MOST_COLUMNS = 256
"""Rows of more columns are not explained by replacing one after the other."""


@register("task", "detect")
class AutoencoderDetector(OutlierMixin, TaskModel):
    """Anomaly detector: an autoencoder, its training rows, and rows that neither has seen, which say what is usual.

        rows ──fold──▶ learn ──▶ autoencoder ──▶ reconstruction, neighbours, crowding ──▶ log of each one's tail, mean
                └────▶ held out ─────────────────────────▶ how often a normal row is as strange: p-value

    Each measure of strangeness is turned into the share of held-out rows that exceed it, and the logs of the shares
    are averaged (Fisher's combination): no label, no weight and no unit enters. From 1,000 rows on a quarter is held
    out once, and p-values are exact for rows exchangeable with these; fewer rows are held out in turn (cross-conformal:
    P(p <= t) <= 2 t is proven, t is what is measured).

    Parameters
    ----------
    autoencoder : any autoencoder that learns without labels; it is judged by its own objective beside neighbours.
        None: a denoising one (an overcomplete code, noise of half a standard deviation), 300 steps on large batches,
        shared among the folds; of windows and pictures the usual one.
    contamination : "auto": a row is an anomaly if p <= alpha, which needs no guess. A share in [0, 0.5): as many of
        the training rows are called anomalies; 0: only what is stranger than every row held out.
    alpha : in (0, 1), share of normal rows that may be called anomalies.
    trim : in [0, 0.5), share of the training rows left out as suspect: those least similar to random samples of the
        others. For training data that are known to be contaminated; p-values are then too small, for the
        strangest normal rows are left out with the suspects.
    neighbors : int >= 1, k of the k nearest training rows.
    folds : int >= 1, or "auto": 1 from 1,000 rows on, else 3.
    trainer, random_state : of the autoencoders.

    Attributes: ``offset_`` (decision_function = score_samples - offset_), ``n_calibration_`` (rows held out).

    ``fit`` takes float arrays (N, F), whose columns are standardised, and (N, *S); DataFrames with mixed columns and
    missing cells; series and sounds, whose windows are judged one by one; whatever `data.open` gives.

    Reference: Bates, Candès, Lei, Romano & Sesia (2023), "Testing for outliers with conformal p-values"; Vovk (2015),
    "Cross-conformal predictors"; Pang, Ting & Albrecht (2015), "LeSiNN: detecting anomalies by identifying least
    similar nearest neighbours" (trim).

    >>> import numpy as np
    >>> from diabolo import AutoencoderDetector, Trainer
    >>> X = np.random.default_rng(0).normal(size=(60, 3)).astype("float32")
    >>> model = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(X)
    >>> model.predict(np.array([[0.0, 0.0, 0.0], [9.0, 9.0, 9.0]], "float32")).tolist()
    [1, -1]
    """

    def __init__(
        self,
        autoencoder: BaseAutoencoder | None = None,
        *,
        contamination: float | str = "auto",
        alpha: float = 0.05,
        trim: float = 0.0,
        neighbors: int = 3,
        folds: int | str = "auto",
        level: str = "both",
        trainer: Trainer | None = None,
        random_state: Any = None,
    ) -> None:
        self.autoencoder, self.contamination, self.alpha, self.trim = autoencoder, contamination, alpha, trim
        self.neighbors, self.folds, self.level = neighbors, folds, level
        self.trainer, self.random_state = trainer, random_state

    # fitting ------------------------------------------------------------------------------------------------

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn what is usual from rows; y is not looked at.

        Raises `DataError` for fewer than 4 rows and for rows on disk, `UsageError` for parameters out of range.
        """
        self._begin()
        self._check()
        rows = self._source(X)
        seed = self._seed_now()
        self._learn(self._without_suspects(rows, seed) if self.trim else rows, seed)
        self._decide(X)
        return self

    def _check(self) -> None:
        for name, value, allowed in (
            ("alpha", self.alpha, "a number in (0, 1)"),
            ("trim", self.trim, "a share in [0, 0.5)"),
            ("contamination", self.contamination, "'auto' or a share in [0, 0.5)"),
        ):
            if name == "contamination" and value == "auto":
                continue
            fine = isinstance(value, int | float) and (0 < value < 1 if name == "alpha" else 0 <= value < 0.5)
            if not fine:
                raise out_of_range(name, allowed, value)
        for name, number in (("neighbors", self.neighbors), ("folds", self.folds)):
            if not (name == "folds" and number == "auto") and not (isinstance(number, int) and number >= 1):
                raise out_of_range(name, "an int of at least 1" + (" or 'auto'" * (name == "folds")), number)
        if self.level not in LEVELS:
            raise unknown("level", self.level, LEVELS)
        if self.autoencoder is not None and self.autoencoder._label_role == "cond":
            raise out_of_range("autoencoder", "one that is told no labels, or None", self.autoencoder)

    def _source(self, X: Any) -> Any:
        """The rows, checked; plain numbers are asked to be standardised column by column."""
        X = self._opened(X)
        if isinstance(bare(X), Stored):
            raise UsageError(
                "a detector keeps training rows as neighbours, so they must lie in memory: give more with --memory, "
                "or fewer rows."
            )
        rows = read_rows(self, X, fitting=True)
        if isinstance(rows, Source):
            return rows
        if isinstance(X, Source):
            rows = Source(rows, X.modality, columns=X.columns)
        plain = not is_frame(bare(rows)) and kind_of(bare(rows)) is None and np.ndim(bare(rows)) == 2
        if plain and (not isinstance(rows, Source) or rows.modality == "array"):
            return Source(np.asarray(bare(rows)), "array", columns=getattr(X, "columns", ()), processor="standardised")
        return rows

    def _learn(self, rows: Any, seed: int) -> None:
        """One autoencoder and its witness a fold."""
        parts = pairs(same_windows(rows), self.folds, seed)
        self.facts_ = {"rows": count_of(bare(rows)), "folds": len(parts)}
        for place, (learn, kept) in enumerate(parts):
            model = self._member(f"fold-{place}", self._made(learn, seed + place), learn)
            panel = Panel.hear(
                model, learn, self._of_places(place, seed + place), self.trainer, k=self.neighbors, level=self.level,
                told=self.autoencoder is not None, doubtful=self.trim > 0, seed=seed + place,
            )  # fmt: skip
            self._keep(place, panel, panel.strangeness(kept))
            if panel.places is not None:
                see_usual(self, place, panel, kept)

    def _of_places(self, place: int, seed: int) -> Fit:
        """Fits an autoencoder of patches or of features, which is a member like any other."""

        def fit(name: str, model: BaseAutoencoder, X: ndarray) -> BaseAutoencoder:
            model.random_state, columns = seed, self.n_features_in_
            made = self._member(f"{name}-{place}", model, X)
            self.n_features_in_ = columns  # of the rows, not of their patches
            return made

        return fit

    def _made(self, rows: Any, seed: int) -> BaseAutoencoder:
        """The autoencoder of one fold, with steps for so many rows where nothing was asked for."""
        self._looked_at = rows
        made = self._base()
        if self.autoencoder is None:
            made.trainer = short(made, rows, self.facts_["folds"])
        if self.autoencoder is None or self.autoencoder.random_state is None:
            made.random_state = seed
        return made

    def _default(self) -> BaseAutoencoder:
        return usual(bare(vars(self).get("_looked_at")))

    def _keep(self, place: int, panel: Panel, found: ndarray) -> None:
        """What a fold adds: its panel, the measures of its held-out rows, and how strange these are together."""
        self.facts_["measures"] = list(panel.names)
        for name, value in panel.arrays.items():
            self.arrays_[f"{place}.{name}"] = value.numpy()
        self.arrays_[f"{place}.measured"], self.arrays_[f"{place}.held"] = calibrated(found, panel.names)

    def _without_suspects(self, rows: Any, seed: int) -> Any:
        """The rows but for the share ``trim`` that is least similar to all others."""
        held = bare(rows)
        if kind_of(held) not in (None, "interactions"):
            raise UsageError("trim leaves out whole rows, but these are cut into windows or are texts; set trim=0.")
        processor = processor_for(rows).fit(held)
        encoded = processor.collate(processor.encode(held)).dense().target.flatten(1).float()
        kept = np.argsort(least_similar(encoded, seed), kind="stable")[: math.ceil((1 - self.trim) * len(encoded))]
        return taken(rows, np.sort(kept))

    def _decide(self, X: Any) -> None:
        """Where anomalies begin, as a score: log of the share of normal rows that are so strange."""
        n, share = self.n_calibration_, self.contamination
        if share == "auto":
            steps = math.floor(self.alpha * (n + 1) + 1e-9)
            offset = math.log(steps / (n + 1)) if steps else -math.inf
            if not steps:
                self.facts_["notice"] = (
                    f"{n} rows held out cannot tell a share of {self.alpha:g}: at least "
                    f"{math.ceil(1 / self.alpha) - 1} are needed; no row is called an anomaly"
                )
        elif share == 0:
            offset = -math.log(n + 1)
        else:
            offset = float(np.percentile(self.score_samples(X), 100 * float(share)))
        self.facts_["offset"] = offset if math.isfinite(offset) else None

    def assess(self, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
        """Beside simple methods, on rows kept aside: see `anomalies.assess`."""
        return (of_pictures if self.processor_.part_name == "image" else assess)(self, learn, held, seed)  # type: ignore[attr-defined]

    # judging ------------------------------------------------------------------------------------------------

    @property
    def n_calibration_(self) -> int:
        """How many rows were held out, in all folds."""
        return sum(len(held) for name, held in self.arrays_.items() if name.endswith(".held"))

    @property
    def offset_(self) -> float:
        """The score below which a row is an anomaly; minus infinity: no row is."""
        check_is_fitted(self, "models_")
        return -math.inf if self.facts_["offset"] is None else float(self.facts_["offset"])

    def _panels(self) -> list[Panel]:
        check_is_fitted(self, "models_")
        names = tuple(self.facts_["measures"])
        return [
            Panel.restored(self.models_, place, names, self._of_fold(place), k=self.neighbors, level=self.level)
            for place in range(self.facts_["folds"])
        ]

    def _witnesses(self) -> list[Witness]:
        """The witnesses of whole rows, where there are any."""
        return [panel.whole for panel in self._panels() if panel.whole is not None]

    def _of_fold(self, place: int) -> dict[str, torch.Tensor]:
        start = f"{place}."
        own = {name.removeprefix(start): value for name, value in self.arrays_.items() if name.startswith(start)}
        return {name: torch.from_numpy(value) for name, value in own.items() if name not in KEPT}

    def _strangeness(self, X: Any) -> list[ndarray]:
        """How strange every row is to each fold (N,): minus the mean log share over its measures."""
        rows = self._again(X)
        return [self._fused(place, panel.strangeness(rows)) for place, panel in enumerate(self._panels())]

    def _fused(self, place: int, found: ndarray) -> ndarray:
        return -together(self._logs(place, found), self.facts_["measures"])

    def _logs(self, place: int, found: ndarray) -> ndarray:
        """Log share of the rows held out that exceed each measure (measures, N)."""
        return log_shares(self.arrays_[f"{place}.measured"], found)

    def _again(self, X: Any) -> Any:
        """Rows like those at fit, read once for all folds."""
        check_is_fitted(self, "models_")
        return self._opened(X)

    @staticmethod
    def _opened(X: Any) -> Any:
        X = open_source(X) if isinstance(X, str | Path) else X
        return X.tocsr() if issparse(X) else X

    def _shares(self, X: Any) -> tuple[ndarray, ndarray]:
        """Over all folds: held-out rows at least as strange (N,), and the log of the part of a step beyond (N,)."""
        count: Any = 0
        beyond: list[ndarray] = []
        for place, strange in enumerate(self._strangeness(X)):
            held = np.sort(self.arrays_[f"{place}.held"])
            above = conformal.at_least(held, strange)
            smooth = conformal.log_tail(held, strange) + math.log(len(held) + 1)
            part = np.where(above == 0, smooth, np.log(np.maximum(np.exp(np.minimum(smooth, 50)) - above, 1e-12)))
            count, beyond = count + above, [*beyond, part]
        return count, np.logaddexp.reduce(beyond, 0) - math.log(len(beyond))

    def judge(self, X: Any) -> tuple[ndarray, ndarray]:
        """`score_samples` and `p_values` of every row at once, (N,) each."""
        count, beyond = self._shares(X)
        with np.errstate(divide="ignore"):
            whole = np.logaddexp(np.log(count), beyond)
        total = self.n_calibration_ + 1
        return np.asarray(whole - math.log(total), dtype=np.float64), (1 + count) / total

    def score_samples(self, X: Any) -> ndarray:
        """Log of the share of normal rows as strange as each row (N,): lower is more abnormal, without an end.

        Windows of series and sounds are rows here, in the order of `processor_`'s ``places``.
        """
        return self.judge(X)[0]

    def p_values(self, X: Any) -> ndarray:
        """Conformal p-value of every row (N,): the share of normal rows at least as strange, the row itself counted."""
        return self.judge(X)[1]

    def decision_function(self, X: Any) -> ndarray:
        """`score_samples` minus ``offset_``: below 0 for anomalies."""
        return self.score_samples(X) - self.offset_

    def predict(self, X: Any) -> ndarray:
        """-1 for anomalies, 1 for all others (N,)."""
        return np.where(self.decision_function(X) < 0, -1, 1)

    def discoveries(self, X: Any, level: float | None = None) -> ndarray:
        """Which of these rows are anomalies, judged together: of those named at most ``level`` are none, on average.

        bool (N,); ``level``: alpha, where none is given. Benjamini and Hochberg's rule on the p-values.
        """
        return conformal.discoveries(self.p_values(X), self.alpha if level is None else level)

    def maps(self, X: Any) -> Any:
        """How strange every pixel of pictures (N, H, W) or of every frame of clips is (an object array of (T, H, W)).

        In standard deviations of what the training pictures lack at that place, mean over the levels; float32. Raises
        `UsageError` for other rows, `DataError` for pictures of another size.
        """
        return maps(self, self._again(X))

    def exhibits(self, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
        """The strangest pictures, or frames, beside their maps."""
        return exhibits(self, source)

    # why ----------------------------------------------------------------------------------------------------

    def explain(self, X: Any) -> Reasons:
        """What every column contributes to the strangeness of each row, and the nearest normal version of the row.

        Tables: how much less strange the row would be with the column replaced by what the others say of it. Windows,
        pictures and rows of more than 256 columns: how the distances split over their entries.
        Raises `UsageError` for kinds of rows whose values have no distance (texts, interactions).
        """
        rows = self._again(X)
        if "neighbours" not in vars(self).get("facts_", {}).get("measures", ["neighbours"]):
            raise UsageError("only rows whose values have a distance are explained: tables, arrays, pictures, series.")
        witnesses, given = self._witnesses(), bare(rows)
        if isinstance(self.processor_, TableProcessor):
            given = align(Source(given, "table"), self.processor_.columns).rows
        names = column_names(self.processor_, vars(self).get("feature_names_in_", getattr(rows, "columns", None)))
        table = (is_frame(given) or np.ndim(given) == 2) and kind_of(given) is None and len(names) <= MOST_COLUMNS
        split = self._split(rows, witnesses)
        if not table:
            normal = witnesses[0].model.reconstruct(rows)
            return Reasons(names, shared(split), given, normal, np.ones(split.shape, bool))
        given, first = given if is_frame(given) else np.asarray(given), witnesses[0]
        usual = first.usual(split.shape[0])
        gains = by_replacing(given, usual, len(names), first.model.reconstruct, self.score_samples)
        gains = np.where(gains.sum(1, keepdims=True) > 0, gains, split)
        bound = math.log(max(self.alpha, 1 / (self.n_calibration_ + 1)))
        normal, replaced = nearest_normal(
            given, usual, first.neighbour(given), gains, first.model.reconstruct,
            lambda trial: self.score_samples(trial) > bound,
        )  # fmt: skip
        return Reasons(names, shared(gains), given, normal, replaced)

    def _split(self, rows: Any, witnesses: list[Witness]) -> ndarray:
        """How the distances of every row split over its columns (N, columns), in nats, mean over the folds."""
        parts = []
        for place, (panel, witness) in enumerate(zip(self._panels(), witnesses, strict=True)):
            logs = self._logs(place, panel.strangeness(rows))
            measures = dict(zip(self.facts_["measures"], -logs, strict=True))
            parts.append(weighed(measures, witness.shares(rows)))
        return by_column(self.processor_, np.mean(parts, 0))

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = tags.input_tags.allow_nan = True
        return tags

    def as_pyod(self) -> PyODAdapter:
        """This detector with PyOD's signs and attributes: higher is stranger, 1 is an outlier."""
        return PyODAdapter(self)
