"""What a report shows of made pictures: samples beside the real ones nearest to them, and paths between two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DiaboloError
from ..data import Source
from ..estimators.base import BaseAutoencoder
from ..priors.normal import StandardNormal
from .exhibit import Exhibit, Strip
from .latent_paths import interpolate, remark
from .warped import are_pictures

SHOWN, PATHS, STEPS = 12, 3, 11
FAR = 1.5
"""Root mean square of a value of the codes from which on N(0, I) is said to miss them."""
MOST = 5000
"""Real pictures among which the nearest is looked for."""


def of_autoencoder(model: BaseAutoencoder, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
    """Samples, where the model can draw them, and paths between pictures; () for rows that are no pictures."""
    if not are_pictures(source.rows) or len(source.rows) < 2:
        return ()
    rows = source.rows
    return [*_samples(model, rows, seed), _paths(model, rows, seed)]


def _samples(model: Any, rows: ndarray, seed: int) -> list[Exhibit]:
    try:
        made = np.asarray(model.sample(SHOWN, random_state=seed))
    except DiaboloError:
        return []  # no prior, or none that its codes were brought to
    near = nearest(made, rows[:MOST])
    strips = (
        Strip("Samples", tuple(unit(made, rows))),
        Strip("The real picture nearest to each", tuple(unit(near, rows))),
    )
    text = "Drawn from the prior. A sample that equals the picture under it would be a copy, not a new picture."
    return [Exhibit("Samples", text + beyond(model, rows[:MOST]), strips)]


def beyond(model: Any, rows: ndarray) -> str:
    """A remark where codes lie far outside of N(0, I), so that draws from it miss them; else ''."""
    if not isinstance(model.module_.prior, StandardNormal):
        return ""
    codes = model.transform(rows)
    reach = float(np.sqrt(np.square(codes.reshape(-1, codes.shape[-1])).mean(0)).max())
    if reach <= FAR:
        return ""
    return (
        f" Codes of these rows spread {reach:.1f} times as far as the prior N(0, I), so its draws miss them: "
        "fit a density to the codes (fit_prior from Python, or --model rae), or raise beta."
    )


def _paths(model: Any, rows: ndarray, seed: int) -> Exhibit:
    ends = np.random.default_rng(seed).permutation(len(rows))[: 2 * PATHS]
    pairs = list(zip(ends[::2], ends[1::2], strict=False))
    strips = []
    for first, last in pairs:
        between = np.asarray(interpolate(model, rows[first : first + 1], rows[last : last + 1], STEPS))
        strips.append(Strip(f"Row {first} to row {last}", tuple(unit(between, rows))))
    return Exhibit("Paths between pictures", remark(model) or "Through the codes, step by step.", tuple(strips))


def nearest(made: ndarray, rows: ndarray) -> ndarray:
    """The row of least squared distance to each made one."""
    flat, all_rows = (part.reshape(len(part), -1).astype(np.float64) for part in (made, rows))
    away = np.square(all_rows).sum(1) - 2 * flat @ all_rows.T
    found: ndarray = rows[away.argmin(1)]
    return found


def unit(pictures: ndarray, rows: ndarray) -> ndarray:
    """Pictures as a report takes them: uint8, or floats in [0, 1] on the scale of the rows."""
    if rows.dtype == np.uint8:
        return pictures.astype(np.uint8)
    low, high = min(0.0, float(rows.min())), max(1.0, float(rows.max()))
    found: ndarray = ((pictures - low) / (high - low)).clip(0, 1)
    return found


def of_sampler(model: Any, source: Source, *, seed: int = 0) -> Sequence[Exhibit]:
    """Of each class that has fewer rows than the largest: real pictures, and made ones; () for other rows."""
    if not are_pictures(source.rows) or source.target is None:
        return ()
    counts = model.facts_["counts"]
    rare = [place for place in np.argsort(counts, kind="stable") if counts[place] < max(counts)]
    target, strips = np.asarray(source.target).astype(str), []
    for place in rare:
        value = model.classes_[place]
        real = source.rows[target == str(value)][:SHOWN]
        made = model.sample(SHOWN, y=value, random_state=seed)
        if len(real):
            strips.append(Strip(f"Class {value}, {counts[place]} rows: real", tuple(unit(real, source.rows))))
        strips.append(Strip(f"Class {value}: made ({model.how})", tuple(unit(made, source.rows))))
    text = "Made pictures have been given to no classifier yet; whether they help one is the verdict above."
    return [Exhibit("Pictures made of rare classes", text, tuple(strips))] if strips else ()
