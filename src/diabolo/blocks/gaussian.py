"""A Gaussian learnt from rows with missing entries: what the known ones say of the others."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property

import torch
from jaxtyping import Bool, Float
from torch import Tensor

DENSE = 128
"""Up to this width the covariance is a full matrix; beyond it, `FACTORS` factors and a noise of each entry."""
FACTORS = 48
WIDEST = 2048
"""Wider rows are not looked at together: their entries are taken as independent."""
ENTRIES = 2**22
MOST_ROWS = 20_000
FLOOR = 1e-4
"""Least share of an entry's variance that the others never explain."""


@dataclass
class Gaussian:
    """x ~ N(mean, axes axesᵀ + diag(noise)) over rows of F entries, any of which may be missing.

        E[x_m | x_o] = mean_m - P_mm⁻¹ P_mo (x_o - mean_o),    P = covariance⁻¹

    With few axes it is factor analysis, a linear autoencoder whose code is the posterior mean of the factors.

    ``mean`` (F,), ``axes`` (F, K), ``noise`` (F,), float64.

    Reference: Little & Rubin (2002), "Statistical analysis with missing data", section 11.2; Rubin & Thayer (1982),
    "EM algorithms for ML factor analysis".

    >>> mean, axes, noise = (torch.tensor(values).double() for values in ([0, 0], [[1], [1]], [0, 1]))
    >>> known = torch.tensor([[True, False], [False, True]])
    >>> Gaussian(mean, axes, noise).fill(torch.tensor([[2.0, 9.0], [9.0, 2.0]]).double(), known).round()
    tensor([[2., 2.],
            [1., 2.]], dtype=torch.float64)
    """

    mean: Tensor
    axes: Tensor
    noise: Tensor

    @property
    def width(self) -> int:
        """Entries of a row."""
        return len(self.mean)

    @cached_property
    def _rough(self) -> Gaussian:
        """The same in float32."""
        made = Gaussian(self.mean.float(), self.axes.float(), self.noise.float())
        vars(made)["_precision"], vars(made)["_rough"] = self._precision.float(), made
        return made

    @cached_property
    def _precision(self) -> Tensor:
        covariance = self.axes @ self.axes.T + torch.diag(self.noise)
        return torch.linalg.inv(covariance + 1e-9 * torch.eye(self.width, dtype=torch.float64))

    @cached_property
    def _products(self) -> Tensor:
        """Every axis times every other (F, K²), over the noise."""
        scaled = self.axes / self.noise[:, None]
        return (scaled[:, :, None] * self.axes[:, None, :]).flatten(1)

    def fill(self, rows: Float[Tensor, "n f"], known: Bool[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Rows with the entries that are not known at their conditional mean; what stands there is not looked at.

        Float32 rows are reckoned in float32: faster, and good enough to learn from.
        """
        parts = [self._filled(rows[part], known[part]) for part in self._parts(len(rows))]
        return torch.cat(parts) if parts else rows

    def spread(self, known: Bool[Tensor, "n f"]) -> Float[Tensor, "n f"]:
        """Conditional standard deviation of the entries that are not known; 0 at the others."""
        parts = [self._variance(known[part]).clamp_min(0).sqrt() for part in self._parts(len(known))]
        return torch.cat(parts) if parts else known.double()

    def noise_of(self, known: Bool[Tensor, "n f"], generator: torch.Generator) -> Float[Tensor, "n f"]:
        """Draws of x_m - E[x_m | x_o]: a whole row is drawn, and what its known part says is taken off."""
        factors = torch.randn(len(known), self.axes.shape[1], generator=generator, dtype=torch.float64)
        own = torch.randn(len(known), self.width, generator=generator, dtype=torch.float64)
        whole = self.mean + factors @ self.axes.T + own * self.noise.sqrt()
        return whole - self.fill(whole, known)

    def _parts(self, rows: int) -> Iterator[slice]:
        wide = min(self.width, self.axes.shape[1])
        size = max(1, ENTRIES // (wide * wide))
        return (slice(begin, begin + size) for begin in range(0, rows, size))

    def _filled(self, rows: Tensor, known: Tensor) -> Tensor:
        if rows.dtype != self.mean.dtype:
            return self._rough._filled(rows, known)
        away = (rows - self.mean) * known
        if self.width <= DENSE:
            lower, place, real = self._hidden(known)
            pull = (away @ self._precision).gather(1, place) * real
            solved = torch.cholesky_solve(-pull[..., None], lower)[..., 0]
            said = torch.zeros_like(rows).scatter_(1, place, solved)
        else:
            code = torch.cholesky_solve((away / self.noise @ self.axes)[..., None], self._posterior(known))[..., 0]
            said = code @ self.axes.T
        return torch.where(known, rows, self.mean + said)

    def _variance(self, known: Tensor) -> Tensor:
        if self.width <= DENSE:
            lower, place, real = self._hidden(known)
            variances = torch.cholesky_inverse(lower).diagonal(dim1=1, dim2=2) * real
            return torch.zeros_like(known, dtype=self.mean.dtype).scatter_(1, place, variances)
        inverse = torch.cholesky_inverse(self._posterior(known))
        return torch.where(known, 0, torch.einsum("fk,nkl,fl->nf", self.axes, inverse, self.axes) + self.noise)

    def _hidden(self, known: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """The precision of the missing entries of each row, as its Cholesky factor (n, m, m), and which they are.

        m is the most that any row lacks; ``place`` (n, m): the missing entries first, then others to fill up, which
        ``real`` (n, m) marks with 0 and the precision with the identity.
        """
        most = max(1, int((~known).sum(1).max()))
        place = known.to(torch.uint8).argsort(dim=1, stable=True)[:, :most]
        real = (~known).gather(1, place).to(self.mean.dtype)
        block = self._precision[place].gather(2, place[:, None, :].expand(-1, most, -1))
        block *= real[:, :, None]
        block *= real[:, None, :]
        block.diagonal(dim1=1, dim2=2).add_(1 - real)
        return torch.linalg.cholesky(block), place, real

    def _posterior(self, known: Tensor) -> Tensor:
        """The precision (n, K, K) of the factors, told the known entries, as its Cholesky factor."""
        size = self.axes.shape[1]
        told = (known.to(self.mean.dtype) @ self._products).unflatten(1, (size, size))
        return torch.linalg.cholesky(told + torch.eye(size, dtype=self.mean.dtype))


def fit(rows: Tensor, known: Tensor, *, prior: float = 1.0, iterations: int = 12, tolerance: float = 2e-3) -> Gaussian:
    """Expectation-maximisation over rows (N, F), of which ``known`` (N, F) says what counts.

    ``prior``: how many rows the belief weighs that entries have nothing to do with each other, a row for each entry;
    it keeps the covariance of few rows sound. At most 20,000 rows are looked at.

    >>> line = torch.linspace(-1, 1, 50)[:, None] * torch.tensor([1.0, 2.0])
    >>> found = fit(line, torch.ones(50, 2).bool(), prior=0.0)
    >>> found.fill(torch.tensor([[0.5, 0.0]]).double(), torch.tensor([[True, False]])).round(decimals=2)
    tensor([[0.5000, 1.0000]], dtype=torch.float64)
    """
    if len(rows) > MOST_ROWS:
        some = torch.linspace(0, len(rows) - 1, MOST_ROWS).long()
        rows, known = rows[some], known[some]
    x = torch.where(known, rows.double(), 0)
    count = known.sum(0).clamp_min(1)
    mean = x.sum(0) / count
    spread = torch.where(known, x - mean, 0).square().sum(0) / count
    spread = torch.where(spread > 0, spread, 1e-6)
    if rows.shape[1] > WIDEST:
        return Gaussian(mean, torch.zeros(len(mean), 1, dtype=torch.float64), spread)
    now = _factored(mean, _available(torch.where(known, x - mean, 0), known, spread), spread)
    for _ in range(iterations):
        before, now = now, _step(now, x, known, spread, prior)
        moved = (now.mean - before.mean).abs().max() + _moved(now, before, spread)
        if moved < tolerance:
            break
    return now


def _available(away: Tensor, known: Tensor, spread: Tensor) -> Tensor:
    """Covariance (F, F) from the pairs of entries that are known together, made positive."""
    seen = known.double()
    pairs = seen.T @ seen
    covariance = (away.T @ away) / pairs.clamp_min(1) * (pairs / (pairs + 5))
    scale = spread.sqrt()
    values, vectors = torch.linalg.eigh(covariance / scale[:, None] / scale)
    return (vectors * values.clamp_min(1e-2)) @ vectors.T * scale[:, None] * scale


def _step(now: Gaussian, x: Tensor, known: Tensor, spread: Tensor, prior: float) -> Gaussian:
    """One step of expectation-maximisation."""
    width = now.width
    total, summed = torch.zeros(width, dtype=torch.float64), torch.zeros(width, width, dtype=torch.float64)
    for part in now._parts(len(x)):
        away = now._filled(x[part], known[part]) - now.mean
        total += away.sum(0)
        summed += away.T @ away + _uncertain(now, known[part])
    shift, weight = total / len(x), prior * width
    covariance = summed - len(x) * torch.outer(shift, shift)
    return _factored(now.mean + shift, (covariance + weight * torch.diag(spread)) / (len(x) + weight), spread)


def _uncertain(now: Gaussian, known: Tensor) -> Tensor:
    """Sum over rows (F, F) of the conditional covariance of what is missing."""
    if now.width <= DENSE:
        lower, place, real = now._hidden(known)
        inverse = torch.cholesky_inverse(lower) * real[:, :, None] * real[:, None, :]
        total = torch.zeros(now.width, now.width, dtype=torch.float64)
        return total.index_put_((place[:, :, None], place[:, None, :]), inverse, accumulate=True)
    missing = (~known).double()
    usual = now.axes @ torch.cholesky_inverse(now._posterior(known)).mean(0) @ now.axes.T
    return (missing.T @ missing) * usual + torch.diag(missing.sum(0) * now.noise)


def _factored(mean: Tensor, covariance: Tensor, spread: Tensor) -> Gaussian:
    """A covariance as axes and noise; of a wide one the leading axes of the correlation."""
    scale = spread.sqrt()
    values, vectors = torch.linalg.eigh(covariance / scale[:, None] / scale)
    if len(mean) > DENSE:
        values, vectors = values[-FACTORS:], vectors[:, -FACTORS:]
    least = float(values[0]) if len(mean) > DENSE else 0.0
    axes = vectors * (values - max(least, FLOOR)).clamp_min(0).sqrt() * scale[:, None]
    noise = torch.full_like(spread, FLOOR) * spread
    if len(mean) > DENSE:
        noise = torch.maximum(noise, covariance.diagonal() - axes.square().sum(1))
    return Gaussian(mean, axes, noise)


def _moved(now: Gaussian, before: Gaussian, spread: Tensor) -> Tensor:
    change = now.axes @ now.axes.T - before.axes @ before.axes.T
    return (change.abs() / spread.sqrt() / spread.sqrt()[:, None]).max()
