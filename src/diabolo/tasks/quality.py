"""How good a synthetic table is: its columns, their pairs, what a classifier learns from it, and whether it copies."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.special import ndtr, ndtri
from scipy.stats import ks_2samp, rankdata
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from sklearn.metrics import balanced_accuracy_score, r2_score, roc_auc_score
from sklearn.model_selection import cross_val_predict

from ..core.errors import DataError, require, unknown
from ..data import TableProcessor
from ..data.columns import DateColumn
from .base import Assessment
from .closeness import MOST, Closeness, duplicates
from .table_rows import as_numbers, ordered

COPIED = 0.8
"""Rows closer to real ones than this share of what held-out rows are look like copies."""
CLASSES = 50


@dataclass(frozen=True)
class Quality:
    """A synthetic table held against the real one; NaN for what cannot be said.

    columns          name -> distance of the distributions, 0 to 1: Kolmogorov-Smirnov of numbers, total variation
                     of categories; a different share of missing cells counts
    column, worst    their mean, and the largest
    pair             mean absolute difference of the association of two columns: rank correlation of numbers, Cramer's
                     V of categories, correlation ratio of one of each
    measure          of the target, on held-out real rows: AUROC, balanced accuracy, or R2
    score, real      of a boosted forest taught by synthetic rows, and by the real ones
    detected         AUROC of a boosted forest that tells real from synthetic rows; 0.5: it cannot
    nearest          distance to the closest real row, in units of that of held-out real rows; below 0.8: copies
    duplicates       synthetic rows that are a real row, cell by cell; held_duplicates: held-out rows that are
    """

    rows: int
    columns: dict[str, float]
    column: float
    worst: str
    pair: float
    measure: str
    score: float
    real: float
    detected: float
    nearest: float
    duplicates: int
    held_duplicates: int
    verdict: str

    def as_dict(self) -> dict[str, Any]:
        """Plain values, for JSON."""
        return asdict(self)


def quality(real: Any, synthetic: Any, holdout: Any = None, target: Any = None, *, seed: int = 0) -> Quality:
    """Hold a synthetic table against the real one.

    real       DataFrame that the synthetic rows were learnt from
    synthetic  DataFrame with the same columns
    holdout    real rows that nobody learnt from: what teaching is measured on, and how far new rows are from real ones
    target     column that a forest is taught to say; with ``holdout``

    At most 10,000 rows of each are looked at, drawn by ``seed``. Raises `DataError` for columns that differ.

    >>> import pandas as pd
    >>> rows = pd.DataFrame({"a": np.arange(50.0), "b": np.arange(50) % 3})
    >>> found = quality(rows, rows)
    >>> found.column, found.nearest, found.duplicates
    (0.0, 0.0, 50)
    """
    read = _reader(real)
    real, synthetic, holdout = (
        None if rows is None else read(_some(rows, seed)) for rows in (real, synthetic, holdout)
    )
    apart = {str(name): difference(real[name], synthetic[name]) for name in real.columns}
    pair = float(np.abs(associations(real) - associations(synthetic))[np.triu_indices(len(apart), 1)].mean())
    measure, score, best = taught(real, synthetic, holdout, target, seed)
    nearest = Closeness(real, seed).ratio(synthetic, holdout)
    twice = duplicates(synthetic, real)
    found = Quality(
        rows=len(synthetic), columns=apart, column=float(np.mean(list(apart.values()))),
        worst=max(apart, key=lambda name: apart[name]), pair=pair if len(apart) > 1 else float("nan"),
        measure=measure, score=score, real=best, detected=detected(real, synthetic, seed), nearest=nearest,
        duplicates=twice, held_duplicates=0 if holdout is None else duplicates(holdout, real), verdict="",
    )  # fmt: skip
    return Quality(**{**asdict(found), "verdict": _verdict(found)})


def _reader(real: Any) -> Callable[[Any], Any]:
    """What gives tables the columns of the real one, texts that are dates as dates. Raises `DataError`."""
    dates = [codec for codec in TableProcessor().fit(real).codecs if isinstance(codec, DateColumn)]

    def read(rows: Any) -> Any:
        missing = [name for name in real.columns if name not in rows.columns]
        if missing:
            raise DataError(f"the tables differ: column {missing[0]!r} is in the real one alone.")
        return rows[list(real.columns)].assign(**{codec.name: codec.dates(rows[codec.name]) for codec in dates})

    return read


def _some(rows: Any, seed: int) -> Any:
    if len(rows) <= MOST:
        return rows
    return rows.iloc[np.sort(np.random.default_rng(seed).permutation(len(rows))[:MOST])]


def difference(real: Any, synthetic: Any) -> float:
    """Between the distributions of two columns, 0 to 1; see `Quality`.

    >>> import pandas as pd
    >>> difference(pd.Series(["a", "a", "b", "b"]), pd.Series(["a", "a", "a", "b"]))
    0.25
    """
    gaps = abs(float(real.isna().mean()) - float(synthetic.isna().mean()))
    real, synthetic = real.dropna(), synthetic.dropna()
    if not len(real) or not len(synthetic):
        return gaps
    if ordered(real):
        return max(gaps, float(ks_2samp(*(as_numbers(cells) for cells in (real, synthetic)), method="asymp").statistic))
    shares = [cells.astype(object).map(str).value_counts(normalize=True) for cells in (real, synthetic)]
    return max(gaps, float(shares[0].subtract(shares[1], fill_value=0).abs().sum() / 2))


def associations(rows: Any) -> ndarray:
    """How every two columns go together (C, C): signed for two columns of numbers, else 0 to 1; see `Quality`.

    All three are one product: of standardised ranks, and of indicators (1[x = k] - p_k) / sqrt(p_k).
    """
    numeric = [ordered(rows[name]) for name in rows.columns]
    features = [(_ranks if line else _indicators)(rows[name]) for name, line in zip(rows, numeric, strict=True)]
    sizes = [part.shape[1] for part in features]
    product = np.concatenate(features, 1)
    product = product.T @ product / len(rows)
    begin = np.cumsum([0, *sizes[:-1]])
    squares = np.add.reduceat(np.add.reduceat(product**2, begin, 0), begin, 1)
    least = np.maximum(1, np.minimum.outer(sizes, sizes) - 1)
    signed = np.outer(numeric, numeric)
    return np.where(signed, product[np.ix_(begin, begin)], np.sqrt(squares / least))


def _ranks(cells: Any) -> ndarray:
    ranks = rankdata(as_numbers(cells), nan_policy="omit")
    ranks = np.nan_to_num(ranks - np.nanmean(ranks)) if cells.notna().any() else np.zeros(len(cells))
    return np.asarray(ranks / max(float(ranks.std()), 1e-12))[:, None]


def _indicators(cells: Any) -> ndarray:
    codes = require("pandas", "table", "a table").factorize(cells.astype(object).map(str))[0]
    hot = np.eye(codes.max() + 1)[codes]
    share = hot.mean(0)
    return np.asarray((hot - share) / np.sqrt(share))


def taught(real: Any, synthetic: Any, holdout: Any, target: Any, seed: int) -> tuple[str, float, float]:
    """The measure, and what a boosted forest scores on held-out rows, taught by synthetic and by real rows."""
    if target is None or holdout is None:
        return "", float("nan"), float("nan")
    if target not in holdout.columns:
        raise unknown("target", target, map(str, holdout.columns))
    numeric = ordered(holdout[target]) and holdout[target].nunique() > CLASSES
    reader = TableProcessor().fit((synthetic if real is None else real).drop(columns=target))
    test = _learnable(holdout, reader, target, numeric)
    measure = "R2" if numeric else "AUROC" if len(np.unique(test[1])) == 2 else "balanced accuracy"
    found = [float("nan") if rows is None else _judged(_learnable(rows, reader, target, numeric), test, measure, seed)
             for rows in (synthetic, real)]  # fmt: skip
    return measure, found[0], found[1]


def _learnable(rows: Any, reader: TableProcessor, target: Any, numeric: bool) -> tuple[ndarray, ndarray]:
    rows = rows[rows[target].notna()]
    y = as_numbers(rows[target]) if numeric else rows[target].astype(object).map(str).to_numpy(object)
    return reader.encode(rows.drop(columns=target))["x"].numpy(), y


def _judged(learn: tuple[ndarray, ndarray], test: tuple[ndarray, ndarray], measure: str, seed: int) -> float:
    if measure == "R2":
        return float(r2_score(test[1], HistGradientBoostingRegressor(random_state=seed).fit(*learn).predict(test[0])))
    if len(np.unique(learn[1])) < 2:
        return 0.5 if measure == "AUROC" else 1 / len(np.unique(test[1]))
    forest = HistGradientBoostingClassifier(random_state=seed, early_stopping=False).fit(*learn)
    if measure == "AUROC":
        return float(roc_auc_score(test[1] == forest.classes_[1], forest.predict_proba(test[0])[:, 1]))
    return float(balanced_accuracy_score(test[1], forest.predict(test[0])))


def detected(real: Any, synthetic: Any, seed: int) -> float:
    """AUROC of telling real from synthetic rows, each row judged by a forest that has not seen it (3 folds)."""
    size = min(len(real), len(synthetic))
    draw = np.random.default_rng(seed)
    rows = [part.iloc[draw.permutation(len(part))[:size]] for part in (real, synthetic)]
    reader = TableProcessor().fit(real)
    X = np.concatenate([_seen(reader, part) for part in rows])
    y = np.repeat([0, 1], size)
    if size < 6:
        return float("nan")
    forest = HistGradientBoostingClassifier(random_state=seed, max_iter=50, early_stopping=False)
    return float(roc_auc_score(y, cross_val_predict(forest, X, y, cv=3, method="predict_proba")[:, 1]))


def _seen(reader: TableProcessor, rows: Any) -> ndarray:
    """Encoded rows, with what is missing told beside them."""
    gaps = rows.isna().to_numpy(np.float32)
    return np.concatenate([reader.encode(rows)["x"].numpy(), gaps], 1)


def _verdict(found: Quality) -> str:
    """One sentence: copies first, then use, then likeness."""
    if found.nearest < COPIED:
        close = f"{found.nearest:.2f} of the distance that other real rows have"
        return f"too close to real rows: the closest one is at {close}; {found.duplicates} rows are exact copies"
    like = f"columns differ by {found.column:.3f}, pairs by {found.pair:.3f}; no copies (nearest {found.nearest:.2f})"
    if not np.isfinite(found.score):
        return f"the rows are like the real ones: {like}" if found.column < 0.1 else f"the rows differ: {like}"
    share = f", {100 * found.score / found.real:.0f} % of it" if found.real > 0 else ""
    return (
        f"taught by these rows a forest scores {found.score:.3f} where real rows give {found.real:.3f}{share}; {like}"
    )


# ── beside the simple methods ─────────────────────────────────────────────────────────────────────


def compared_tables(
    real: Any, holdout: Any, made: Mapping[str, Any], *, target: Any = None, seed: int = 0
) -> Assessment:
    """The quality of tables by name, the model's first, beside a Gaussian copula and shuffled columns."""
    size = len(next(iter(made.values())))
    rivals = {"a Gaussian copula": copula(real, size, seed), "shuffled columns": shuffled(real, size, seed)}
    found = {name: quality(real, rows, holdout, target, seed=seed) for name, rows in {**made, **rivals}.items()}
    first = next(iter(found.values()))
    head = ("", "columns", "pairs", *([first.measure] if first.measure else []), "detected", "nearest", "copies")
    rows = [(name, *_cells(one)) for name, one in found.items()]
    if first.measure:
        rows.append(("the real rows", "", "", f"{first.real:.3f}", "", "", ""))
    title = f"New rows against {len(holdout):,} held-out ones (columns, pairs: 0 is best; detected: 0.5; nearest: 1)"
    return Assessment(title, head, tuple(rows), first.verdict + _against(found))


def _against(found: Mapping[str, Quality]) -> str:
    """Whether the first table teaches more than the best of the simple methods."""
    first, *others = found.values()
    if not first.measure:
        return ""
    name, score = max(zip(list(found)[1:], (one.score for one in others), strict=True), key=lambda pair: pair[1])
    who = "ahead of" if first.score > score else "behind" if first.score < score else "level with"
    return f"; {who} {name} ({score:.3f})"


def _cells(found: Quality) -> list[str]:
    score = [f"{found.score:.3f}"] if found.measure else []
    near = [f"{found.nearest:.2f}", str(found.duplicates)]
    return [f"{found.column:.3f}", f"{found.pair:.3f}", *score, f"{found.detected:.3f}", *near]


def copula(real: Any, n: int, seed: int = 0) -> Any:
    """``n`` rows with the columns' own distributions and the rank correlations of all of them.

    Reference: Patki, Wedge & Veeramachaneni (2016), "The synthetic data vault", section III.
    """
    draw = np.random.default_rng(seed)
    order = np.stack([np.argsort(np.lexsort((draw.random(len(real)), _sortable(real[c])))) for c in real.columns], 1)
    scores = ndtri((order + 0.5) / len(real))
    spread = np.atleast_2d(np.cov(scores, rowvar=False))
    new = ndtr(draw.multivariate_normal(np.zeros(len(spread)), spread, n, method="eigh"))
    rows = np.clip((new * len(real)).astype(int), 0, len(real) - 1)
    return _picked(real, np.take_along_axis(np.argsort(order, 0), rows, 0))


def shuffled(real: Any, n: int, seed: int = 0) -> Any:
    """``n`` rows with every cell from a row of its own: right columns, no pairs."""
    draw = np.random.default_rng(seed)
    return _picked(real, draw.integers(len(real), size=(n, real.shape[1])))


def _sortable(cells: Any) -> ndarray:
    if ordered(cells):
        return np.nan_to_num(as_numbers(cells), nan=-np.inf)
    return np.asarray(require("pandas", "table", "a table").factorize(cells.astype(object).map(str), sort=True)[0])


def _picked(real: Any, rows: ndarray) -> Any:
    columns = {name: real[name].iloc[rows[:, place]].reset_index(drop=True) for place, name in enumerate(real.columns)}
    return require("pandas", "table", "a table").DataFrame(columns)
