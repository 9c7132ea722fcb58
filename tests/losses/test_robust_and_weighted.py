"""Robust densities against SciPy; weights on entries and borders against sums written out."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy import stats

from diabolo.core import Spec, make
from diabolo.core.errors import UsageError
from diabolo.losses.boundary import Boundary
from diabolo.losses.gaussian import Gaussian
from diabolo.losses.laplace import Laplace
from diabolo.losses.log_cosh import LogCosh
from diabolo.losses.squared import Squared
from diabolo.losses.student import Student
from diabolo.losses.weighted import Weighted

RECON, TARGET = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize(("dof", "scale"), [(1.0, 1.0), (3.0, 0.2), (30.0, 5.0)])
def test_student_is_scipys_log_density(dof: float, scale: float) -> None:
    cost = Student(dof, scale).double().elementwise(RECON, TARGET)
    np.testing.assert_allclose(cost, -stats.t(dof, RECON, scale).logpdf(TARGET), rtol=1e-6)


def test_student_of_many_degrees_is_a_gaussian() -> None:
    many, gaussian = Student(1e6, 0.7).double(), Gaussian(0.7).double()
    torch.testing.assert_close(many(RECON, TARGET), gaussian(RECON, TARGET), rtol=1e-4, atol=1e-4)


def test_students_pull_falls_beyond_the_root_of_its_degrees() -> None:
    error = torch.tensor([[0.5], [2.0], [20.0]], dtype=torch.float64, requires_grad=True)
    (pull,) = torch.autograd.grad(Student(4.0, 1.0).double()(error, torch.zeros(3, 1)).sum(), error)
    assert pull[1] > pull[0] > pull[2] > 0


def test_learned_degrees_and_scale_find_those_the_data_were_drawn_with() -> None:
    drawn = torch.from_numpy(stats.t(3.0, 0.0, 2.0).rvs((20_000, 1), random_state=0)).float()
    loss = Student("learned")
    loss.measure(drawn)
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=60)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = loss(torch.zeros_like(drawn), drawn).mean()
        cost.backward()
        return cost

    optimiser.step(closure)
    assert loss.degrees().item() == pytest.approx(3.0, rel=0.1)
    assert loss.log_scale().exp().item() == pytest.approx(2.0, rel=0.05)


def test_laplace_is_scipys_log_density() -> None:
    cost = Laplace(0.6).double().elementwise(RECON, TARGET)
    np.testing.assert_allclose(cost, -stats.laplace(RECON, 0.6).logpdf(TARGET), rtol=1e-6)


def test_log_cosh_is_what_it_says_and_never_overflows() -> None:
    np.testing.assert_allclose(
        LogCosh().elementwise(RECON, TARGET), np.log(np.cosh((RECON - TARGET).numpy())), atol=1e-12
    )
    for far in (-1e4, 1e4):
        assert LogCosh()(torch.tensor([[far]]), torch.zeros(1, 1)).item() == pytest.approx(1e4 - np.log(2))


def test_weights_multiply_the_cost_of_each_column() -> None:
    weights = torch.tensor([1.0, 0.0, 2.5, 0.5])
    by_hand = (weights * (RECON - TARGET) ** 2).sum(1)
    torch.testing.assert_close(Weighted(weights.tolist()).double()(RECON, TARGET), by_hand)


def test_a_weight_of_two_is_the_column_twice() -> None:
    twice = torch.tensor([0, 1, 1, 2, 3])
    gaussian = Gaussian(0.7).double()
    weighted = Weighted([1.0, 2.0, 1.0, 1.0], gaussian).double()
    torch.testing.assert_close(weighted(RECON, TARGET), gaussian(RECON[:, twice], TARGET[:, twice]))


def test_weights_reach_into_tables_and_their_masks() -> None:
    mixed = Spec("mixed", columns=[["numeric", 1], ["categorical", 3]])
    loss = make("loss", Spec("weighted", weights=[0.0, 3.0], loss=mixed), shape=(4,)).double()
    target = torch.eye(4, dtype=torch.float64)[[1, 2]]
    plain = make("loss", mixed).double().elementwise(RECON[:2], target)
    torch.testing.assert_close(loss(RECON[:2], target), 3 * plain[:, 1])
    assert loss(RECON[:2], target, torch.tensor([[True, False]] * 2)).eq(0).all()


def test_weights_of_channels_broadcast_over_positions() -> None:
    x, y = RECON[:6].reshape(2, 3, 4), TARGET[:6].reshape(2, 3, 4)
    by_hand = (torch.tensor([1.0, 2.0, 0.0, 0.0]) * (x - y) ** 2).sum((1, 2))
    torch.testing.assert_close(Weighted([1.0, 2.0, 0.0, 0.0]).double()(x, y), by_hand)


def test_border_is_weighted_and_the_inside_is_not() -> None:
    x, y = torch.rand(2, 5, 6), torch.rand(2, 5, 6)
    error = (x - y).square()
    inside = error[:, 2:-2, 2:-2].sum((1, 2))
    total = error.sum((1, 2))
    torch.testing.assert_close(Boundary(width=2, weight=3.0)(x, y), 3 * total - 2 * inside)
    torch.testing.assert_close(Boundary(width=2, weight=0.0)(x, y), inside)
    torch.testing.assert_close(Boundary(width=2, weight=1.0)(x, y), Squared()(x, y))


def test_flattened_pictures_channels_and_series_have_borders_too() -> None:
    x, y = torch.rand(2, 5, 6, 3), torch.rand(2, 5, 6, 3)
    expected = Boundary(width=1, weight=3.0)(x, y)
    flat = Boundary(width=1, weight=3.0, image=(5, 6, 3))(x.flatten(1), y.flatten(1))
    torch.testing.assert_close(flat, expected)
    series = Boundary(width=1, weight=0.0, dims=1)(x[:, 0], y[:, 0])
    torch.testing.assert_close(series, (x - y)[:, 0, 1:-1].square().flatten(1).sum(1))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        ("student(dof=0.5)", "dof must be 'learned' or"),
        ("laplace(scale=-1)", "scale must be"),
        ("weighted(weights=[0.0, 0.0])", "weights must be"),
        ("weighted(weights=[-1.0, 2.0])", "weights must be"),
        ("weighted(weights=[1.0], loss='multinomial')", "no sum over entries"),
        ("weighted(weights=[1.0], loss='structural')", "no sum over entries"),
        ("boundary(width=0)", "width must be"),
        ("boundary(weight=-1)", "weight must be"),
        ("boundary(dims=4)", "dims must be"),
    ],
)
def test_parameters_out_of_range(spec: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        make("loss", spec)


def test_weights_and_borders_that_do_not_fit_the_data() -> None:
    with pytest.raises(UsageError, match=r"weights of shape \(3,\) do not fit"):
        Weighted([1.0, 1.0, 1.0])(RECON, TARGET)
    with pytest.raises(UsageError, match="leaves nothing inside"):
        Boundary(width=2, weight=0.0)(torch.zeros(1, 4, 8), torch.zeros(1, 4, 8))
    with pytest.raises(UsageError, match=r"image=\(3, 3\) has 9 values"):
        make("loss", "boundary(image=(3, 3))", shape=(8,))
