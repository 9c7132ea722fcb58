"""Three distributions whose best reconstruction error is known: uniform, long-tailed, multi-modal with outliers.

    x = B f(t) + sigma eps,    eps ~ N(0, I_D),    B (D, m) with orthonormal columns

A code of k values can follow the k-dimensional surface B f(t), but not the noise orthogonal to it. That noise has D - k
directions of variance sigma^2, so the error that is left, summed over the D columns, is

    best = (D - k) sigma^2

For a flat surface (m = k, f linear) this is what PCA leaves, exactly: the covariance is B Cov(f) B' + sigma^2 I, and
its D - k smallest eigenvalues are sigma^2 wherever Cov(f) > 0. For a curved one it holds to first order in sigma over
the radius of curvature. It bounds decoders that are smooth on the scale of sigma; a curve that fills space could go
lower on paper, so a model below ``best`` on fresh rows has learnt something it should not know.

Reference: Tipping & Bishop (1999), "Probabilistic principal component analysis", section 3.2; Hastie & Stuetzle (1989),
"Principal curves", for the curved case.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy import ndarray
from numpy.random import Generator

D, K, SIGMA = 20, 3, 0.1
MODES, WIDTH, RADIUS = (0.0, 2.0, 4.0), 0.6, 1.0
OUTLIERS = 0.02


@dataclass(frozen=True)
class Known:
    """A distribution: the size ``k`` of its code, the ``best`` error, and ``linear``, what PCA of that size leaves."""

    name: str
    k: int
    best: float
    linear: float
    surface: Callable[[int, Generator], ndarray]
    outliers: float = 0.0

    def draw(self, n: int, seed: int, outliers: bool = False) -> ndarray:
        """n rows float32 (n, D); with ``outliers`` a share of them is broad noise N(0, 9 I), far from the surface."""
        random = np.random.default_rng(seed)
        points = self.surface(n, random)
        x = points @ basis(points.shape[1]).T + SIGMA * random.normal(size=(n, D))
        if outliers and self.outliers:
            stray = random.random(n) < self.outliers
            x[stray] = 3.0 * random.normal(size=(int(stray.sum()), D))
        return x.astype(np.float32)


def basis(m: int) -> ndarray:
    """(D, m) with orthonormal columns, always the same."""
    return np.linalg.qr(np.random.default_rng(12345).normal(size=(D, m)))[0]


def uniform() -> Known:
    """u ~ U(-1, 1)^k on a flat surface: Cov(u) = I / 3 > 0, so best = linear = (D - k) sigma^2."""
    error = (D - K) * SIGMA**2
    return Known("uniform", K, error, error, lambda n, random: random.uniform(-1, 1, (n, K)))


def long_tailed() -> Known:
    """exp(g), g ~ N(0, 1)^k, brought to mean 0 and variance 1, on a flat surface: best = linear = (D - k) sigma^2.

    Mean e^(1/2), variance (e - 1) e (Johnson, Kotz & Balakrishnan 1994, chapter 14).
    """
    error = (D - K) * SIGMA**2

    def surface(n: int, random: Generator) -> ndarray:
        return (np.exp(random.normal(size=(n, K))) - np.exp(0.5)) / np.sqrt((np.e - 1) * np.e)

    return Known("long-tailed", K, error, error, surface)


def multi_modal() -> Known:
    """Nine modes on a flat torus in four dimensions, a code of 2, and 2 % outliers among the training rows.

        f(s, t) = r (cos s, sin s, cos t, sin t),    s, t each uniform in one of three arcs of the circle

    The radii of curvature are r, so best = (D - 2) sigma^2 up to sigma^2 / r^2 of itself. PCA cannot bend: it leaves
    the D - 2 smallest eigenvalues of B Cov(f) B' + sigma^2 I, and Cov(f) follows from the moments of an arc.
    Errors are those of inliers.
    """

    def surface(n: int, random: Generator) -> ndarray:
        angles = random.choice(MODES, (n, 2)) + random.uniform(-WIDTH, WIDTH, (n, 2))
        return RADIUS * np.stack([np.cos(angles), np.sin(angles)], 2).reshape(n, 4)

    variances = np.zeros(D)
    variances[:4] = np.tile(np.linalg.eigvalsh(arc_covariance()), 2)
    linear = float(np.sort(variances + SIGMA**2)[: D - 2].sum())
    return Known("multi-modal, 2 % outliers", 2, (D - 2) * SIGMA**2, linear, surface, OUTLIERS)


def arc_covariance() -> ndarray:
    """Covariance (2, 2) of r (cos t, sin t) for t in the arcs.

    An arc with centre c and half-width w has E cos t = cos c sin(w)/w, E sin t = sin c sin(w)/w,
    E cos 2t = cos 2c sin(2w)/2w and E sin 2t = sin 2c sin(2w)/2w; the squares follow from the double angle.
    """
    centres = np.asarray(MODES)
    one, two = np.sin(WIDTH) / WIDTH, np.sin(2 * WIDTH) / (2 * WIDTH)
    cos1, sin1 = one * np.cos(centres).mean(), one * np.sin(centres).mean()
    cos2, sin2 = two * np.cos(2 * centres).mean(), two * np.sin(2 * centres).mean()
    second = np.array([[(1 + cos2) / 2, sin2 / 2], [sin2 / 2, (1 - cos2) / 2]])
    return RADIUS**2 * (second - np.outer([cos1, sin1], [cos1, sin1]))


KNOWN = (uniform, long_tailed, multi_modal)
