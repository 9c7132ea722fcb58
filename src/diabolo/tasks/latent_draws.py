"""New codes of a class: between codes, around them, or from a model's prior."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from numpy import ndarray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from ..core.errors import DataError, ModelError
from ..estimators.base import BaseAutoencoder
from ..estimators.generator import GeneratorModule
from ..estimators.told import ClassTold
from .oversample import interpolated

DRAWS, MOST_DRAWS = 50, 100_000
"""Draws from a prior for every row that is wanted of a class, and at most."""


def between(codes: ndarray, own: ndarray, n: int, k: int, random: np.random.Generator) -> tuple[ndarray, ndarray]:
    """n codes between those of a class (SMOTE in codes), and the row each starts from.

        z = z_i + u (z_j - z_i),   z_j one of the k nearest of the class, distances in units of the codes' spread

    Reference: Dablain, Krawczyk & Chawla (2022), "DeepSMOTE: fusing deep learning and SMOTE for imbalanced data".
    """
    spread = codes.std(0)
    base, other, share = interpolated(codes[own] / np.where(spread > 0, spread, 1.0), n, k, random)
    start = codes[own[base]]
    return start + share[:, None] * (codes[own[other]] - start), own[base]


def around(
    codes: ndarray, places: ndarray, own: ndarray, n: int, random: np.random.Generator
) -> tuple[ndarray, ndarray]:
    """n codes from a kernel density of a class, and the row each starts from.

        z = m + a (z_i - m) + h e,   e ~ N(0, S),   h = rows^(-1 / (D + 4)),   a^2 = 1 - h^2

    The kernels shrink towards the mean m of the class, so that the draws spread as S does: the class's covariance,
    drawn towards the one that all classes share within themselves, the more the fewer rows the class has. One row is
    enough: its class then varies as the others do.

    Reference: West (1993), "Approximating posterior distributions by mixtures", section 2 (shrinking kernels);
    Menardi & Torelli (2014), "Training and assessing classification rules with imbalanced data" (ROSE).
    """
    rows, width = len(own), codes.shape[1]
    middle = np.stack([codes[places == place].mean(0) for place in np.unique(places)])
    within = codes - middle[np.searchsorted(np.unique(places), places)]
    shared = within.T @ within / max(1, len(codes) - len(middle))
    mean = codes[own].mean(0)
    away = codes[own] - mean
    weight = (rows - 1) / (rows - 1 + width)
    spread = (1 - weight) * shared + weight * (away.T @ away) / max(1, rows - 1)
    h = rows ** (-1 / (width + 4))
    base = random.integers(rows, size=n)
    noise = random.normal(size=(n, width)) @ _root(spread).T
    return mean + np.sqrt(1 - h**2) * away[base] + h * noise, own[base]


def told(model: BaseAutoencoder, place: int, n: int, seed: int) -> ndarray:
    """n rows of a class as data values (n, *S), drawn from the prior of a model that is told the class."""
    if not isinstance(model, ClassTold):
        raise ModelError(
            "way 'conditional' needs a model that is told the class; fit with how='conditional' or ConditionalVAE()."
        )
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        cond = model.labels_.one_hot(torch.full((n,), place))
        data: ndarray = model.objective_.loss.link(model._draw_told(cond)).numpy()
        return data


def from_generator(model: BaseAutoencoder, codes: ndarray, places: ndarray, place: int, n: int, seed: int) -> ndarray:
    """n codes (n, D) of a class from a generator that knows no classes: those drawn that a classifier gives to it.

        p(z | y) ~ p(z) p(y | z),   p(z) the generator, p(y | z) a linear discriminant on the codes of the rows

    Raises `DataError` if the generator makes hardly any such code, `ModelError` for a model without a generator of
    codes.
    """
    module: Any = model.module_
    if not isinstance(module, GeneratorModule) or module.form != "codes":
        raise ModelError("way 'ae-gan' draws from a generator of codes; fit with how='ae-gan', or AEGAN(form='codes').")
    count = min(MOST_DRAWS, max(2000, DRAWS * n))
    with torch.random.fork_rng(devices=[]), torch.inference_mode():
        torch.manual_seed(seed)
        drawn: ndarray = module.make(count).numpy().astype(np.float64)
    known = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto").fit(codes, places)
    odds = known.predict_proba(drawn)[:, np.searchsorted(known.classes_, place)]
    if odds.sum() < 1:
        raise DataError(
            f"of {count} codes the generator made, hardly one is of the class (it has {int((places == place).sum())} "
            "rows); take how='density' or how='interpolation' for so rare a class."
        )
    chosen: ndarray = drawn[np.random.default_rng(seed).choice(count, n, p=odds / odds.sum())]
    return chosen


def _root(covariance: ndarray) -> ndarray:
    """R with R R' = covariance, also where it is singular."""
    values, vectors = np.linalg.eigh(covariance)
    root: ndarray = vectors * np.sqrt(values.clip(min=0))
    return root
