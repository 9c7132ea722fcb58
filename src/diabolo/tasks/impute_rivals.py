"""The simple methods an imputer is held against, and how far each is from the truth."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.exceptions import ConvergenceWarning
from sklearn.impute import KNNImputer, SimpleImputer

from ..core.metrics import Interval, bootstrap_mean
from ..data import Source, TableProcessor
from . import holes
from .base import Assessment

if TYPE_CHECKING:
    from .impute import AutoencoderImputer

SHARE = 0.2
"""Known cells that are hidden for the assessment."""
AFFORDABLE = 2e8
"""Rows by squared columns up to which the iterative imputer is tried; rows by rows by columns for neighbours."""
MOST_LEARNT = 5000
Filler = Callable[[ndarray, ndarray], ndarray]


@dataclass(frozen=True)
class Errors:
    """Errors on hidden cells, a value a row of the table (NaN: the row has none): squared, in units of the columns'
    variance, and the share of wrong categories."""

    squared: ndarray
    wrong: ndarray

    @property
    def rmse(self) -> float:
        """Root of the mean over cells."""
        return float(np.sqrt(np.nanmean(self.squared))) if np.isfinite(self.squared).any() else float("nan")

    @property
    def accuracy(self) -> float:
        """Share of right categories and truth values."""
        return float(1 - np.nanmean(self.wrong)) if np.isfinite(self.wrong).any() else float("nan")


def encoded(table: TableProcessor, frame: Any) -> ndarray:
    """A table (N, F) of standardised numbers and one-hot categories, NaN where a cell is missing."""
    tensors = TableProcessor.encode(table, frame)
    width = table.target_shape[0]
    known = tensors.get("scored", torch.ones(len(frame), len(table.codecs), dtype=torch.bool))
    entries = known.repeat_interleave(torch.tensor([codec.width for codec in table.codecs]), dim=1)
    return torch.where(entries, tensors["x"][:, :width], torch.nan).double().numpy()


def simple(train: ndarray, rows: ndarray) -> ndarray:
    """The mean of each column; of categories the shares, of which the largest is the mode."""
    return np.asarray(SimpleImputer(keep_empty_features=True).fit(train).transform(rows))


def neighbours(train: ndarray, rows: ndarray) -> ndarray:
    """The mean of the five nearest rows, by the columns both have."""
    return np.asarray(KNNImputer(keep_empty_features=True).fit(train).transform(rows))


def iterative(train: ndarray, rows: ndarray) -> ndarray:
    """Bayesian ridge regression of each column on the others, ten rounds."""
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        made = IterativeImputer(random_state=0, keep_empty_features=True).fit(train)
        return np.asarray(made.transform(rows))


RIVALS: Mapping[str, Filler] = {
    "mean or mode": simple,
    "k-NN imputer (5)": neighbours,
    "iterative ridge": iterative,
}


def errors(table: TableProcessor, truth: ndarray, said: ndarray, hidden: ndarray) -> Errors:
    """Errors of what is ``said`` (N, F) on ``hidden`` cells (N, columns); the true values are encoded as `encoded`."""
    squared, wrong = np.full(hidden.shape, np.nan), np.full(hidden.shape, np.nan)
    for place, (codec, span) in enumerate(zip(table.codecs, table.slices.values(), strict=True)):
        rows = hidden[:, place]
        true, guess = truth[rows][:, span], said[rows][:, span]
        if codec.loss_kind == "numeric":
            squared[rows, place] = np.square(true - guess)[:, 0]
        elif codec.loss_kind == "boolean":
            wrong[rows, place] = ((guess >= 0.5) != (true >= 0.5))[:, 0]
        else:
            wrong[rows, place] = guess.argmax(1) != true.argmax(1)
    return Errors(squared, wrong)


def assessment(model: AutoencoderImputer, learn: Source, held: Source, *, seed: int = 0) -> Assessment | None:
    """Hide a fifth of the known cells of held-out rows; the model and the simple methods fill them."""
    frame = holes.as_frame(model, held, holes.given_rows(held), fitting=False)
    table = model.processor_
    truth = encoded(table, frame)  # type: ignore[arg-type]
    starts = [span.start for span in table.slices.values()]  # type: ignore[attr-defined]
    known = ~np.isnan(truth[:, starts])
    hidden = known & (np.random.default_rng(seed).random(known.shape) < SHARE)
    if not hidden.any():
        return None
    rows = holes.given_rows(learn)
    train = encoded(table, holes.as_frame(model, learn, rows, fitting=False).head(MOST_LEARNT))  # type: ignore[arg-type]
    seen = np.where(table.spread_over(torch.from_numpy(hidden)).numpy(), np.nan, truth)  # type: ignore[attr-defined]
    said = {"this model": model.encoded(frame.mask(_as_frame(hidden, frame))).double().numpy()}
    for name, fill in RIVALS.items():
        if _affordable(name, train, seen):
            said[name] = fill(train, seen)
    found = {name: errors(table, truth, guess, hidden) for name, guess in said.items()}  # type: ignore[arg-type]
    return _table(found, int(hidden.sum()), len(frame), seed)


def _as_frame(hidden: ndarray, frame: Any) -> Any:
    return type(frame)(hidden, index=frame.index, columns=frame.columns)


def _affordable(name: str, train: ndarray, rows: ndarray) -> bool:
    width = train.shape[1]
    work = {"k-NN imputer (5)": len(train) * len(rows) * width, "iterative ridge": len(train) * width**2 * 10}
    return work.get(name, 0) <= AFFORDABLE


def _table(found: dict[str, Errors], count: int, rows: int, seed: int) -> Assessment:
    numbers = np.isfinite(next(iter(found.values())).squared).any()
    classes = np.isfinite(next(iter(found.values())).wrong).any()
    columns = ("", *(["error"] if numbers else []), *(["accuracy"] if classes else []))
    lines = tuple(
        (name, *([f"{one.rmse:.4g}"] if numbers else []), *([f"{one.accuracy:.4g}"] if classes else []))
        for name, one in found.items()
    )
    title = f"{count:,} hidden cells of {rows:,} held-out rows (error: root mean square, in the column's deviations)"
    said = [_verdict(found, "squared", seed)] if numbers else []
    said += [_verdict(found, "wrong", seed)] if classes else []
    return Assessment(title, columns, lines, "; ".join(said))


def _verdict(found: dict[str, Errors], what: str, seed: int) -> str:
    """Against the best of the others, by a bootstrap over rows of the difference."""
    mine, *others = found.values()
    names = list(found)[1:]
    costs = [float(np.nanmean(getattr(one, what))) for one in others]
    best = int(np.argmin(costs))
    rival = getattr(others[best], what)
    kept = np.isfinite(rival).any(1)
    gain: Interval = bootstrap_mean(np.nansum((rival - getattr(mine, what))[kept], 1), seed=seed)
    who = "better than" if gain.low > 0 else "no better than" if gain.high < 0 else "a tie with"
    if what == "squared":
        return f"numbers: {who} {names[best]}, error {mine.rmse:.3g} against {others[best].rmse:.3g}"
    return f"categories: {who} {names[best]}, accuracy {mine.accuracy:.3g} against {others[best].accuracy:.3g}"
