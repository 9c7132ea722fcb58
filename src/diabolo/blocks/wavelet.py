"""The discrete wavelet transform, differentiable, in one dimension or two.

    x ──low-pass, ↓2──▶ approximation ──low-pass, ↓2──▶ …
    └──high-pass, ↓2──▶ detail        └──high-pass, ↓2──▶ …

The signal is taken to be periodic, so that n values give n coefficients; with the orthogonal filters below the
transform is a rotation, and sums of squares are kept. An odd length is made even by repeating its last value. The
numbers are those of PyWavelets (mode "periodization"), which a test compares.

Reference: Mallat (1989), "A theory for multiresolution signal decomposition: the wavelet representation"; the
filters are of Daubechies (1988), "Orthonormal bases of compactly supported wavelets".
"""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional

from ..core.errors import UsageError, unknown

HALF = math.sqrt(0.5)
# fmt: off
FILTERS: dict[str, tuple[float, ...]] = {
    "haar": (HALF, HALF),
    "db2": (
        -0.12940952255126037, 0.2241438680420134, 0.8365163037378079, 0.48296291314453416,
    ),
    "db3": (
        0.03522629188570953, -0.08544127388202666, -0.13501102001025458, 0.45987750211849154,
        0.8068915093110925, 0.33267055295008263,
    ),
    "db4": (
        -0.010597401785069032, 0.0328830116668852, 0.030841381835560764, -0.18703481171909309,
        -0.027983769416859854, 0.6308807679298589, 0.7148465705529157, 0.2303778133088965,
    ),
    "db6": (
        -0.0010773010853084796, 0.004777257510945511, 0.0005538422011614961, -0.03158203931748603,
        0.027522865530305727, 0.09750160558732304, -0.12976686756726194, -0.22626469396543983,
        0.31525035170919763, 0.7511339080210954, 0.49462389039845306, 0.11154074335010947,
    ),
    "sym4": (
        -0.07576571478927333, -0.02963552764599851, 0.49761866763201545, 0.8037387518059161,
        0.29785779560527736, -0.09921954357684722, -0.012603967262037833, 0.0322231006040427,
    ),
    "sym5": (
        0.027333068345077982, 0.029519490925774643, -0.039134249302383094, 0.1993975339773936,
        0.7234076904024206, 0.6339789634582119, 0.01660210576452232, -0.17532808990845047,
        -0.021101834024758855, 0.019538882735286728,
    ),
    "sym8": (
        -0.0033824159510061256, -0.0005421323317911481, 0.03169508781149298, 0.007607487324917605,
        -0.1432942383508097, -0.061273359067658524, 0.4813596512583722, 0.7771857517005235,
        0.3644418948353314, -0.05194583810770904, -0.027219029917056003, 0.049137179673607506,
        0.003808752013890615, -0.01495225833704823, -0.0003029205147213668, 0.0018899503327594609,
    ),
    "coif1": (
        -0.015655728135791993, -0.07273261951252645, 0.3848648468648578, 0.8525720202116004,
        0.3378976624574818, -0.07273261951252645,
    ),
}
# fmt: on
"""Low-pass decomposition filters by the name of their wavelet; n taps see n values at once."""


def filters(wavelet: str, like: Tensor) -> tuple[Tensor, Tensor]:
    """Low-pass and high-pass filter (n,). Raises `UsageError` for an unknown wavelet.

    >>> low, high = filters("db2", torch.zeros(1, dtype=torch.float64))
    >>> round(float(low.square().sum()), 9), round(abs(float(low @ high)), 9)
    (1.0, 0.0)
    """
    if wavelet not in FILTERS:
        raise unknown("wavelet", wavelet, FILTERS)
    low = torch.tensor(FILTERS[wavelet], dtype=like.dtype, device=like.device)
    signs = torch.ones_like(low)
    signs[::2] = -1
    return low, signs * low.flip(0)


def split(x: Float[Tensor, "*s n"], wavelet: str) -> tuple[Float[Tensor, "*s m"], Float[Tensor, "*s m"]]:
    """One level along the last axis: approximation and detail, half as long.

    >>> split(torch.tensor([1.0, 1.0, 2.0, 0.0]), "haar")
    (tensor([1.4142, 1.4142]), tensor([0.0000, 1.4142]))
    """
    low, high = filters(wavelet, x)
    if x.shape[-1] % 2:
        x = torch.cat([x, x[..., -1:]], -1)
    n, taps = x.shape[-1], len(low)
    # coefficient i sees x[2i + taps/2 - j], whatever the length: short signals go round more than once
    around = torch.arange(1 - taps // 2, n - 1 + taps // 2, device=x.device) % n
    rows = x[..., around].reshape(-1, 1, len(around))
    kernel = torch.stack([low.flip(0), high.flip(0)]).unsqueeze(1)
    both = functional.conv1d(rows, kernel, stride=2).reshape(*x.shape[:-1], 2, n // 2)
    return both[..., 0, :], both[..., 1, :]


def levels_in(length: int) -> int:
    """How often a side can be halved.

    >>> levels_in(28), levels_in(8), levels_in(1)
    (4, 3, 0)
    """
    return max(0, length.bit_length() - 1)


def decompose(x: Float[Tensor, "b *p"], wavelet: str, levels: int, dims: int) -> list[Float[Tensor, "b k"]]:
    """Coefficients of the last ``dims`` axes, level by level: [approximation, coarsest detail, …, finest detail].

    Each is flattened to (B, k); in two dimensions a level holds its horizontal, vertical and diagonal details.

    Raises `UsageError` for an unknown wavelet, or more levels than the shortest side can be halved.

    >>> [len(level[0]) for level in decompose(torch.zeros(1, 8, 8), "haar", 2, 2)]
    [4, 12, 48]
    """
    sides = x.shape[-dims:]
    if not 1 <= levels <= min(levels_in(side) for side in sides):
        most = min(levels_in(side) for side in sides)
        raise UsageError(f"levels must be from 1 to {most} for {tuple(sides)} values; got {levels}.")
    details: list[Tensor] = []
    for _ in range(levels):
        approximation, *rest = _level(x, wavelet, dims)
        details.append(torch.cat([part.flatten(1) for part in rest], 1))
        x = approximation
    return [x.flatten(1), *reversed(details)]


def _level(x: Tensor, wavelet: str, dims: int) -> list[Tensor]:
    """All 2^dims bands of one level; the first is the approximation."""
    bands = [x]
    for axis in range(-dims, 0):
        bands = [half.movedim(-1, axis) for band in bands for half in split(band.movedim(axis, -1), wavelet)]
    return bands
