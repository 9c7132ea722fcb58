"""A detector on data as a whole: where anomalies begin, what to say of them, and how good it is on rows kept aside."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score

from ..core.errors import require
from ..core.metrics import Interval
from ..data import Source, is_frame
from ..data.process_log_mel import LogMelProcessor
from ..estimators.from_disk import pieces
from . import conformal, principal, sound_faults
from .base import Assessment
from .held_out import taken
from .maps import strangest_places
from .neighbours import nearest
from .reasons import mixed

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

NEIGHBOURS, DRAWS = 5, 200


def bound(detector: AutoencoderDetector, source: Source, alpha: float | None, contamination: float | None) -> float:
    """The score below which rows of DATA are anomalies.

    contamination : a share of DATA's rows, the strangest; 0: those stranger than all rows held out
    alpha : rate of false discoveries among all rows of DATA; None: the model's, or its own contamination where it
        was given one
    """
    if contamination == 0:
        return -math.log(detector.n_calibration_ + 1)
    if contamination is None and alpha is None and detector.contamination != "auto":
        return detector.offset_
    found = [detector.judge(piece) for piece in pieces(source)]
    scores, p = (np.concatenate(part) for part in zip(*found, strict=True))
    if contamination is not None:
        return float(np.sort(scores)[min(len(scores) - 1, round(contamination * len(scores)))])
    cut = conformal.cutoff(p, detector.alpha if alpha is None else alpha)
    return math.log(cut) if cut else -math.inf


def reasons(detector: AutoencoderDetector, X: Any, index: ndarray, count: int) -> ndarray:
    """The reasons of the rows (or windows) at ``index`` as texts (len(index), count); of pictures and
    windows of clips where they are strangest (len(index), 1); none for kinds without any."""
    if len(index) and {"pixels", "features"} & set(detector.facts_["measures"]):
        return strangest_places(detector, X, index)
    if not len(index) or "neighbours" not in detector.facts_["measures"]:
        return np.empty((len(index), count if len(index) == 0 else 0), dtype=object)
    if _rows_are_judged(X):
        return detector.explain(taken(X, index)).texts(count)
    return detector.explain(X).texts(count)[index]


def _rows_are_judged(X: Any) -> bool:
    """Whether one row is judged as one, and not cut into windows."""
    return not isinstance(X, Source) or X.modality not in ("series", "audio", "video")


# on rows kept aside -------------------------------------------------------------------------------------------


def assess(detector: AutoencoderDetector, learn: Source, held: Source, seed: int) -> Assessment | None:
    """How well made anomalies (columns taken from other rows) or a rare class are told from held-out rows, beside
    simple methods; and how many normal rows are called anomalies. Of sounds by clip. None: rows are neither."""
    if isinstance(detector.processor_, LogMelProcessor):
        return sound_faults.assess(detector, learn, held, seed)
    if not is_frame(held.rows) and np.ndim(held.rows) != 2:
        return None
    rows, strange, what = _with_anomalies(held, seed)
    known, tried = (_encoded(detector, part) for part in (learn.rows, rows))
    scores = {
        "this model": -detector.score_samples(rows),
        f"{NEIGHBOURS} nearest neighbours": far(tried, known),
        "isolation forest": -IsolationForest(random_state=seed).fit(known).score_samples(tried),
        "PCA residual": _residual(tried, known),
    }
    alarms = float((detector.p_values(_like(held, rows, ~strange)) <= detector.alpha).mean())
    lines = []
    for name, score in scores.items():
        area = interval(strange, score, seed)
        own = f"{100 * alarms:.2g} %" if name == "this model" else ""
        lines.append((name, f"{area.value:.3f}", f"{area.low:.3f} to {area.high:.3f}", own))
    best = max(list(scores)[1:], key=lambda name: roc_auc_score(strange, scores[name]))
    return Assessment(
        f"{what}, among {int((~strange).sum()):,} held-out rows",
        ("", "AUROC", "95 % interval", f"false alarms, nominal {100 * detector.alpha:g} %"),
        tuple(lines),
        verdict(strange, scores["this model"], scores[best], best, seed),
    )


def _with_anomalies(held: Source, seed: int) -> tuple[Any, ndarray, str]:
    """Rows, which of them are anomalies, and what these are: the rarer of two classes, or rows mixed up by column."""
    labels = None if held.target is None else np.asarray(held.target)
    if labels is not None:
        classes, counts = np.unique(labels.astype(str), return_counts=True)
        if len(classes) == 2 and counts.min() >= 2:
            rare = classes[counts.argmin()]
            return held.rows, labels.astype(str) == rare, f"Rows of class {str(rare)!r}"
    random, n = np.random.default_rng(seed), len(held.rows)
    width = held.rows.shape[1]
    made = held.rows
    for column in range(width):
        mask = np.zeros((n, width), bool)
        mask[:, column] = True
        made = mixed(made, taken(held.rows, random.permutation(n)), mask)
    if is_frame(made):
        both = require("pandas", "table", "a table").concat([held.rows, made], ignore_index=True)
    else:
        both = np.concatenate([held.rows, made])
    return both, np.arange(2 * n) >= n, "Rows mixed up column by column"


def _like(held: Source, rows: Any, index: ndarray) -> Source:
    return Source(taken(rows, np.flatnonzero(index)), held.modality, columns=held.columns)


def _encoded(detector: AutoencoderDetector, rows: Any) -> ndarray:
    processor = detector.processor_
    return processor.collate(processor.encode(rows)).target.flatten(1).numpy()


def far(rows: ndarray, known: ndarray) -> ndarray:
    return nearest(torch.from_numpy(rows), torch.from_numpy(known), NEIGHBOURS)[0][:, -1].numpy()


def _residual(rows: ndarray, known: ndarray) -> ndarray:
    """Squared distance from the components that hold 90 % of the variance."""
    values = np.linalg.eigvalsh(np.cov(known.T).reshape(known.shape[1], -1))[::-1]
    share = np.cumsum(values) / max(float(values.sum()), 1e-30)
    linear = principal.fit(lambda: iter([known.astype(np.float64)]), int((share < 0.9).sum()) + 1)
    return np.square(rows - linear.reconstruct(rows.astype(np.float64))).sum(1)


def interval(strange: ndarray, score: ndarray, seed: int, other: ndarray | None = None) -> Interval:
    """AUROC (or its lead over another score's) with a bootstrap interval over rows."""

    def area(index: Any) -> float:
        found = roc_auc_score(strange[index], score[index])
        return float(found if other is None else found - roc_auc_score(strange[index], other[index]))

    random = np.random.default_rng(seed)
    sides = np.flatnonzero(strange), np.flatnonzero(~strange)
    draws = [area(np.concatenate([random.choice(side, len(side)) for side in sides])) for _ in range(DRAWS)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return Interval(area(np.arange(len(score))), float(low), float(high))


def verdict(strange: ndarray, ours: ndarray, rival: ndarray, name: str, seed: int) -> str:
    lead = interval(strange, ours, seed, rival)
    who = "better than" if lead.low > 0 else "no better than" if lead.high < 0 else "a tie with"
    return f"{who} {name}, the best of the simple methods: AUROC {lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}]"
