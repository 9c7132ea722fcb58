"""The Gaussian of rows with missing entries: conditional laws in closed form, and what is learnt of it."""

from __future__ import annotations

import torch
from torch import Tensor

from diabolo.blocks import gaussian
from diabolo.blocks.gaussian import Gaussian


def law(width: int, factors: int, seed: int = 0) -> tuple[Gaussian, Tensor]:
    """A Gaussian and its covariance."""
    random = torch.Generator().manual_seed(seed)
    axes = torch.randn(width, factors, generator=random, dtype=torch.float64)
    noise = 0.2 + torch.rand(width, generator=random, dtype=torch.float64)
    mean = torch.randn(width, generator=random, dtype=torch.float64)
    return Gaussian(mean, axes, noise), axes @ axes.T + torch.diag(noise)


def holed(width: int, rows: int = 6, seed: int = 1) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(seed)
    known = torch.rand(rows, width, generator=random) < 0.6
    known[0], known[1] = True, False
    return torch.randn(rows, width, generator=random, dtype=torch.float64), known


def by_hand(one: Gaussian, covariance: Tensor, row: Tensor, known: Tensor) -> tuple[Tensor, Tensor]:
    """Conditional mean and covariance of what is missing, from the covariance's blocks."""
    missing = ~known
    across = covariance[missing][:, known] @ torch.linalg.inv(covariance[known][:, known])
    mean = one.mean[missing] + across @ (row - one.mean)[known]
    return mean, covariance[missing][:, missing] - across @ covariance[known][:, missing]


def test_filling_is_the_conditional_mean_and_spread_its_deviation() -> None:
    for width in (5, gaussian.DENSE + 12):
        one, covariance = law(width, 3)
        rows, known = holed(width)
        filled, spread = one.fill(rows, known), one.spread(known)
        assert torch.equal(filled[known], rows[known]) and not spread[known].any()
        for row, seen, full, deviation in zip(rows, known, filled, spread, strict=True):
            mean, variance = by_hand(one, covariance, row, seen)
            torch.testing.assert_close(full[~seen], mean, rtol=1e-6, atol=1e-6)
            torch.testing.assert_close(deviation[~seen], variance.diagonal().sqrt(), rtol=1e-6, atol=1e-6)


def test_what_stands_at_missing_entries_is_not_looked_at() -> None:
    one, _ = law(5, 2)
    rows, known = holed(5)
    other = torch.where(known, rows, 1e6)
    torch.testing.assert_close(one.fill(rows, known), one.fill(other, known))


def test_float32_is_the_same_but_for_rounding() -> None:
    one, _ = law(5, 2)
    rows, known = holed(5)
    rough = one.fill(rows.float(), known)
    assert rough.dtype == torch.float32
    torch.testing.assert_close(rough.double(), one.fill(rows, known), rtol=1e-4, atol=1e-4)


def test_draws_have_the_conditional_covariance() -> None:
    one, covariance = law(4, 2)
    known = torch.tensor([True, False, True, False]).expand(40_000, 4)
    noise = one.noise_of(known, torch.Generator().manual_seed(0))[:, [1, 3]]
    _, wanted = by_hand(one, covariance, torch.zeros(4).double(), known[0])
    torch.testing.assert_close(noise.T @ noise / len(noise), wanted, rtol=0.05, atol=0.02)
    assert float(noise.mean(0).abs().max()) < 0.02


def drawn(one: Gaussian, rows: int, share: float) -> tuple[Tensor, Tensor]:
    """Rows of a law, and which of their entries are known."""
    random = torch.Generator().manual_seed(3)
    whole = one.noise_of(torch.zeros(rows, one.width, dtype=torch.bool), random) + one.mean
    return whole, torch.rand(whole.shape, generator=random) >= share


def test_expectation_maximisation_finds_the_law_with_a_third_of_the_cells_gone() -> None:
    one, covariance = law(5, 2)
    rows, known = drawn(one, 20_000, 0.33)
    found = gaussian.fit(torch.where(known, rows, 99.0), known, prior=0.0, iterations=50, tolerance=1e-4)
    got = found.axes @ found.axes.T + torch.diag(found.noise)
    scale = covariance.diagonal().sqrt()
    assert float(((got - covariance) / scale / scale[:, None]).abs().max()) < 0.04
    assert float(((found.mean - one.mean) / scale).abs().max()) < 0.03


def test_a_wide_law_fills_nearly_as_well_as_the_true_one() -> None:
    one, _ = law(gaussian.DENSE + 22, 4)
    rows, known = drawn(one, 600, 0.2)
    found = gaussian.fit(rows, known)
    errors = [float((each.fill(rows, known) - rows)[~known].square().mean()) for each in (one, found)]
    plain = float((rows - rows.mean(0))[~known].square().mean())
    assert errors[0] <= errors[1] < 1.35 * errors[0] < 0.5 * plain


def test_few_rows_constant_columns_and_empty_ones_do_no_harm() -> None:
    rows = torch.tensor([[1.0, 5.0, 0.0], [2.0, 5.0, 0.0]])
    known = torch.tensor([[True, True, False], [True, True, False]])
    found = gaussian.fit(rows, known)
    filled = found.fill(torch.zeros(1, 3).double(), torch.tensor([[False, False, False]]))
    torch.testing.assert_close(filled, torch.tensor([[1.5, 5.0, 0.0]]).double(), atol=1e-3, rtol=0)


def test_rows_too_wide_to_look_at_together_are_filled_with_the_means() -> None:
    rows = torch.randn(6, gaussian.WIDEST + 1)
    known = torch.rand(rows.shape) > 0.3
    known[0] = True
    found = gaussian.fit(rows, known)
    means = torch.where(known, rows, 0).double().sum(0) / known.sum(0)
    torch.testing.assert_close(found.fill(rows.double(), known), torch.where(known, rows.double(), means))
