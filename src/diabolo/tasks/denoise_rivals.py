"""Simple ways to take noise out of a picture, which a denoiser is held against."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import numpy as np
import torch
from numpy import ndarray

from ..losses.structural import Structural
from .noise_level import noise_std

Filter = Callable[[ndarray], ndarray]
PATCH, CUT = 8, 3.0
"""Side of a patch; coefficients below so many standard deviations of the noise are taken for noise."""


def gaussian(picture: ndarray) -> ndarray:
    """A Gaussian filter, wider where more noise is estimated."""
    from scipy.ndimage import gaussian_filter

    width = float(np.clip(8 * noise_std(picture), 0.3, 2.0))
    return np.asarray(gaussian_filter(picture, (width, width, 0)))


def median(picture: ndarray) -> ndarray:
    """The median of nine pixels."""
    from scipy.ndimage import median_filter

    return np.asarray(median_filter(picture, (3, 3, 1)))


def shrunk_cosines(picture: ndarray, std: float | None = None) -> ndarray:
    """Small cosine coefficients of all patches set to zero; the mean of all patches that hold a pixel.

        x̂ = mean over patches of DCT⁻¹( c where |c| > 3 σ, else 0 ),    c = DCT(patch);  the mean of a patch is kept

    picture : (H, W, C). std : of the noise; None: as estimated.

    Reference: Yu & Sapiro (2011), "DCT image denoising: a simple and effective image denoising algorithm".

    >>> flat = np.full((16, 16, 1), 0.5)
    >>> noisy = flat + np.random.default_rng(0).normal(0, 0.1, flat.shape)
    >>> float(np.abs(shrunk_cosines(noisy, 0.1) - flat).max()) < 0.06
    True
    """
    from scipy.fft import dctn, idctn

    sides = tuple(min(PATCH, side) for side in picture.shape[:2])
    cut = CUT * (noise_std(picture) if std is None else std)
    found, times = np.zeros(picture.shape), np.zeros((*picture.shape[:2], 1))
    room = tuple(side - patch + 1 for side, patch in zip(picture.shape, sides, strict=False))
    patches = np.lib.stride_tricks.sliding_window_view(picture, sides, (0, 1))  # type: ignore[call-overload]
    cosines = dctn(patches, axes=(-2, -1), norm="ortho")
    kept = np.abs(cosines) > cut
    kept[..., 0, 0] = True
    back = idctn(cosines * kept, axes=(-2, -1), norm="ortho")
    for top in range(sides[0]):
        for left in range(sides[1]):
            spot = (slice(top, top + room[0]), slice(left, left + room[1]))
            found[spot] += back[..., top, left]
            times[spot] += 1
    return np.asarray(found / times, picture.dtype)


RIVALS: Mapping[str, Filter] = {
    "nothing done": lambda seen: seen,
    "Gaussian filter": gaussian,
    "median filter": median,
    "cosines shrunk": shrunk_cosines,
}


def ssim(truth: ndarray, said: ndarray) -> float:
    """Structural similarity of pictures (H, W, C) with values in [0, 1]; 1 for equal ones.

    >>> ssim(np.eye(12)[..., None], np.eye(12)[..., None])
    1.0
    """
    rows = (torch.from_numpy(np.array(picture, np.float32))[None] for picture in (said, truth))
    return 1 - float(Structural()(*rows))
