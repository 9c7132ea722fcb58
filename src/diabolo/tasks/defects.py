"""How well a detector finds defects that were painted into pictures kept aside, beside simple methods."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from jaxtyping import Bool, UInt8
from numpy import ndarray
from sklearn.metrics import roc_auc_score

from ..data import Source
from . import anomalies, principal
from .base import Assessment

if TYPE_CHECKING:
    from .detect import AutoencoderDetector

MOST = 300
COMPONENTS, KNOWN = 32, 1000
"""Of the linear rival, and the pictures that it learns from."""


def pasted(pictures: UInt8[ndarray, "n h w *c"], seed: int = 0) -> tuple[ndarray, Bool[ndarray, "n h w"]]:
    """Pictures with a piece of another one pasted somewhere, and which pixels it covers.

    A piece is a tenth to a third of the side, taken from elsewhere, darker or lighter by up to a quarter.

    Reference: Li, Sohn, Yoon & Pfister (2021), "CutPaste: self-supervised learning for anomaly detection".
    """
    random, made = np.random.default_rng(seed), pictures.copy()
    (n, height, width), mask = pictures.shape[:3], np.zeros(pictures.shape[:3], bool)
    for place in range(n):
        h, w = (max(2, int(side * random.uniform(0.1, 0.33))) for side in (height, width))
        (top, left), (y, x) = (
            (int(random.integers(height - h + 1)), int(random.integers(width - w + 1))) for _ in range(2)
        )
        piece = pictures[random.integers(n), top : top + h, left : left + w].astype(np.float64)
        changed = np.clip(piece * random.uniform(0.75, 1.25), 0, 255).astype(np.uint8)
        made[place, y : y + h, x : x + w], mask[place, y : y + h, x : x + w] = changed, True
    return made, mask


def of_pictures(detector: AutoencoderDetector, learn: Source, held: Source, seed: int) -> Assessment | None:
    """AUROC of pictures with a piece pasted in against those without, and of their pixels; None: too few pictures."""
    normal = held.rows[:MOST]
    if len(normal) < 2 or min(normal.shape[1:3]) < 4:
        return None
    defective, mask = pasted(normal, seed)
    both, strange = np.concatenate([normal, defective]), np.arange(2 * len(normal)) >= len(normal)
    flat = [part.reshape(len(part), -1) / 255.0 for part in (learn.rows[:KNOWN], both)]
    linear = principal.fit(lambda: iter([flat[0]]), min(COMPONENTS, len(flat[0]) - 1, flat[0].shape[1]))
    away = np.square(flat[1] - linear.reconstruct(flat[1]))
    scores = {
        "this model": -detector.score_samples(both),
        f"{anomalies.NEIGHBOURS} nearest neighbours": anomalies.far(*(part.astype(np.float32) for part in flat[::-1])),
        "PCA residual": away.sum(1),
    }
    pixels = {
        "this model": detector.maps(defective),
        "PCA residual": away[len(normal) :].reshape(*defective.shape[:3], -1).sum(-1),
    }
    alarms = float((detector.p_values(normal) <= detector.alpha).mean())
    lines = []
    for name, score in scores.items():
        area = anomalies.interval(strange, score, seed)
        where = f"{roc_auc_score(mask.ravel(), pixels[name].ravel()):.3f}" if name in pixels else ""
        own = f"{100 * alarms:.2g} %" if name == "this model" else ""
        lines.append((name, f"{area.value:.3f}", f"{area.low:.3f} to {area.high:.3f}", where, own))
    best = max(list(scores)[1:], key=lambda name: roc_auc_score(strange, scores[name]))
    return Assessment(
        f"Pieces of other pictures pasted into {len(normal):,} held-out pictures",
        ("", "AUROC", "95 % interval", "AUROC of pixels", f"false alarms, nominal {100 * detector.alpha:g} %"),
        tuple(lines),
        anomalies.verdict(strange, scores["this model"], scores[best], best, seed),
    )
