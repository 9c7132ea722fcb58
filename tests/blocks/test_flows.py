"""Every flow: the log-determinant is autograd's, the inverse inverts, densities integrate to one."""

from __future__ import annotations

import math

import pytest
import torch
from torch import Tensor, nn
from torch.distributions import Independent, Normal

from diabolo.blocks.flows import (
    Autoregressive,
    Coupling,
    Flow,
    Normalised,
    Planar,
    Planars,
    Shift,
    Stack,
    Transported,
    stacked,
)
from diabolo.core.errors import UsageError

CONTEXT = 3


def randomised(flow: Flow) -> Flow:
    """In double precision and away from the identity."""
    flow = flow.double()
    with torch.no_grad():
        for p in flow.parameters():
            p.add_(0.5 * torch.randn_like(p))
    return flow


def cases(features: int) -> dict[str, tuple[Flow, int]]:
    return {
        "shift": (Shift(features), 0),
        "coupling": (Coupling(features, (8,)), 0),
        "coupling, told": (Coupling(features, (8,), CONTEXT), CONTEXT),
        "autoregressive": (Autoregressive(features, (8, 7)), 0),
        "autoregressive, told": (Autoregressive(features, (8,), CONTEXT), CONTEXT),
        "autoregressive, no hidden layer": (Autoregressive(features, (), CONTEXT), CONTEXT),
        "planar": (Planar(features), 2 * features + 1),
        "two planar maps": (Planars(features, 2), 2 * (2 * features + 1)),
        "stack of couplings": (stacked("coupling", features, 3, (8,)), 0),
        "stack of autoregressive maps": (stacked("autoregressive", features, 2, (8,), CONTEXT), CONTEXT),
    }


NAMES = list(cases(1))


@pytest.mark.parametrize("features", [1, 2, 5])
@pytest.mark.parametrize("name", NAMES)
def test_the_log_determinant_is_that_of_the_jacobian_and_the_inverse_inverts(name: str, features: int) -> None:
    flow, told = cases(features)[name]
    flow = randomised(flow)
    x = torch.randn(6, features, dtype=torch.float64)
    context = torch.randn(6, told, dtype=torch.float64) if told else None
    y, log_det = flow(x, context)
    for i in range(len(x)):
        one = None if context is None else context[i]
        jacobian = torch.autograd.functional.jacobian(lambda v, c=one: flow(v, c)[0], x[i])
        torch.testing.assert_close(log_det[i], torch.linalg.slogdet(jacobian).logabsdet, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(flow.inverse(y, context), x, rtol=1e-8, atol=1e-8)


def test_an_autoregressive_map_sees_only_what_stands_before() -> None:
    flow = randomised(Autoregressive(4, (16, 16)))
    jacobian = torch.autograd.functional.jacobian(lambda v: flow(v)[0], torch.randn(4, dtype=torch.float64))
    assert torch.equal(jacobian.triu(1), torch.zeros(4, 4, dtype=torch.float64))
    assert jacobian.tril(-1).ne(0).sum() == 6


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
def test_maps_start_as_the_identity_up_to_order(kind: str) -> None:
    x = torch.randn(4, 6)
    y, log_det = stacked(kind, 6, 2, (8,))(x)
    torch.testing.assert_close(y, x)
    assert log_det.eq(0).all()


def test_a_shift_standardises_the_rows_it_starts_from() -> None:
    rows = 3 * torch.randn(500, 4) + 7
    shift = Shift(4)
    shift.standardise(rows)
    y, log_det = shift(rows)
    torch.testing.assert_close(y.mean(0), torch.zeros(4), rtol=0, atol=1e-4)
    torch.testing.assert_close(y.std(0), torch.ones(4))
    torch.testing.assert_close(log_det, -rows.std(0).log().sum().expand(500))


@pytest.mark.parametrize("kind", ["coupling", "autoregressive"])
def test_a_normalised_density_integrates_to_one_and_samples_follow_it(kind: str) -> None:
    flow = randomised(stacked(kind, 2, 2, (8,)))
    density = Normalised(flow, 2, torch.zeros(0, dtype=torch.float64))
    edges = torch.linspace(-30, 30, 601, dtype=torch.float64)
    grid = torch.cartesian_prod(edges, edges)
    mass = density.log_prob(grid).detach().exp()
    cell = float(edges[1] - edges[0]) ** 2
    assert float(mass.sum()) * cell == pytest.approx(1, abs=2e-2)
    drawn = density.sample(torch.Size([20_000]))
    for axis in (0, 1):
        share = float(mass[grid[:, axis] > 0.55].sum()) * cell
        assert float((drawn[:, axis] > 0.55).double().mean()) == pytest.approx(share, abs=2e-2)


@pytest.mark.parametrize("name", ["autoregressive, told", "planar"])
def test_the_density_at_a_draw_is_that_found_by_inverting(name: str) -> None:
    flow, told = cases(3)[name]
    context = torch.randn(5, told, dtype=torch.float64)
    base = Independent(Normal(torch.zeros(5, 3, dtype=torch.float64), 0.7), 1)
    q = Transported(base, randomised(flow), context)
    z = q.rsample()
    torch.testing.assert_close(q.log_prob(z), q.log_prob(z.clone()), rtol=1e-8, atol=1e-8)
    many = q.sample(torch.Size([4]))
    assert many.shape == (4, 5, 3) and q.log_prob(many.clone()).shape == (4, 5)


def test_a_transported_gaussian_under_a_shift_is_the_gaussian_of_the_closed_form() -> None:
    flow = randomised(Shift(3))
    base = Independent(Normal(torch.zeros(3, dtype=torch.float64), torch.ones(3, dtype=torch.float64)), 1)
    z = Transported(base, flow).sample(torch.Size([7]))
    scale = flow.log_scale.exp()
    expected = Independent(Normal(flow.shift * scale, scale), 1).log_prob(z)
    torch.testing.assert_close(Transported(base, flow).log_prob(z), expected)


def test_the_gradient_of_a_draw_reaches_flow_context_and_base() -> None:
    flow = randomised(Autoregressive(3, (8,), CONTEXT)).float()
    mean, context = torch.zeros(5, 3, requires_grad=True), torch.randn(5, CONTEXT, requires_grad=True)
    q = Transported(Independent(Normal(mean, 1.0), 1), flow, context)
    z = q.rsample()
    (z.square().sum() + q.log_prob(z).sum()).backward()
    assert all(t.grad.ne(0).any() for t in (mean, context, *flow.parameters()))


def test_names_and_sizes_are_checked() -> None:
    with pytest.raises(UsageError, match="kind must be 'coupling' or 'autoregressive'; got 'planr'"):
        stacked("planr", 2, 1, (4,))
    with pytest.raises(UsageError, match="steps must be an int of at least 1; got 0"):
        stacked("coupling", 2, 0, (4,))


def standard_normal(z: Tensor) -> Tensor:
    return -0.5 * (z.square() + math.log(2 * math.pi)).sum(-1)


def test_a_stack_of_nothing_is_the_standard_normal() -> None:
    z = torch.randn(4, 2)
    density = Normalised(Stack([]), 2, z)
    torch.testing.assert_close(density.log_prob(z), standard_normal(z))
    assert isinstance(density.flow, nn.Module)
