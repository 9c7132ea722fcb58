"""Reconstruction losses against closed forms, SciPy's densities, and one another."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from scipy import stats

from diabolo.core import Spec, make
from diabolo.core.errors import UsageError
from diabolo.losses.bernoulli import Bernoulli
from diabolo.losses.categorical import Categorical
from diabolo.losses.gaussian import Gaussian
from diabolo.losses.huber import Huber
from diabolo.losses.location import squared_norm
from diabolo.losses.mixed import Mixed
from diabolo.losses.squared import Squared

RECON, TARGET = torch.randn(2, 7, 4, generator=torch.Generator().manual_seed(3), dtype=torch.float64)


@pytest.mark.parametrize("scale", [0.1, 1.0, 3.0])
def test_gaussian_is_scipys_log_density(scale: float) -> None:
    cost = Gaussian(scale=scale).double().elementwise(RECON, TARGET)
    np.testing.assert_allclose(cost, -stats.norm(RECON, scale).logpdf(TARGET), rtol=1e-6)


def test_gaussian_density_integrates_to_one() -> None:
    x = torch.linspace(-30, 30, 20001, dtype=torch.float64)[:, None]
    density = torch.exp(-Gaussian(scale=2.0).double()(torch.full_like(x, 1.5), x))
    assert torch.trapezoid(density, x[:, 0]).item() == pytest.approx(1.0, abs=1e-8)


def test_bernoulli_is_scipys_log_mass() -> None:
    heads = (TARGET > 0).double()
    expected = -stats.bernoulli(torch.sigmoid(RECON).numpy()).logpmf(heads.numpy())
    np.testing.assert_allclose(Bernoulli().elementwise(RECON, heads), expected, rtol=1e-9)


def test_bernoulli_of_a_grey_level_is_at_least_its_entropy() -> None:
    grey = torch.tensor([[0.3]], dtype=torch.float64)
    entropy = stats.bernoulli(0.3).entropy()
    assert Bernoulli()(torch.logit(grey), grey).item() == pytest.approx(float(entropy), rel=1e-9)


@pytest.mark.parametrize("logit", [-90.0, 90.0])
def test_bernoulli_of_certain_logits(logit: float) -> None:
    right, wrong = torch.tensor([[float(logit > 0)]]), torch.tensor([[float(logit < 0)]])
    recon = torch.tensor([[logit]])
    assert Bernoulli()(recon, right).item() == pytest.approx(0.0, abs=1e-30)
    assert Bernoulli()(recon, wrong).item() == 90.0


def test_categorical_of_two_classes_is_bernoulli() -> None:
    heads = TARGET > 0
    two = torch.stack([torch.zeros_like(RECON), RECON], -1)
    torch.testing.assert_close(Categorical(2)(two, heads.long()), Bernoulli()(RECON, heads.double()))


def test_learned_scale_settles_at_the_root_mean_squared_error() -> None:
    loss = Gaussian().double()
    rmse = (RECON - TARGET).square().mean().sqrt()
    with torch.no_grad():  # the inverse of the soft floor
        loss.raw_scale.copy_(loss.floor + torch.log(torch.expm1(rmse.log() - loss.floor)))
    assert loss.log_scale().exp().item() == pytest.approx(rmse.item(), rel=1e-9)
    (slope,) = torch.autograd.grad(loss(RECON, TARGET).sum(), loss.raw_scale)
    assert slope.abs().item() < 1e-9
    with torch.no_grad():
        loss.raw_scale.add_(0.1)
    (above,) = torch.autograd.grad(loss(RECON, TARGET).sum(), loss.raw_scale)
    assert above.item() > 0.1


def test_one_scale_an_entry_learns_the_spread_of_each() -> None:
    spread = torch.tensor([0.1, 1.0, 5.0])
    target = spread * torch.randn(4000, 3, generator=torch.Generator().manual_seed(0))
    loss = Gaussian(scale="entry", shape=(3,))
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=50)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = loss(torch.zeros_like(target), target).mean()
        cost.backward()
        return cost

    optimiser.step(closure)
    torch.testing.assert_close(loss.log_scale().exp().detach(), spread, rtol=0.05, atol=0)


def test_the_scale_has_a_floor_and_a_way_back() -> None:
    loss = Gaussian().double()
    with torch.no_grad():
        loss.raw_scale.fill_(-9.0)
    assert loss.log_scale().item() > -7.0
    (slope,) = torch.autograd.grad(loss(RECON, TARGET).sum(), loss.raw_scale)
    assert slope.item() < 0


def test_squared_is_a_gaussian_of_variance_one_half() -> None:
    constant = RECON[0].numel() * 0.5 * math.log(math.pi)
    likelihood = Gaussian(scale=math.sqrt(0.5)).double()(RECON, TARGET)
    torch.testing.assert_close(Squared()(RECON, TARGET) + constant, likelihood, rtol=1e-6, atol=0)


def test_huber_lies_between_its_two_limits() -> None:
    near, far = Huber(delta=1e3).elementwise(RECON, TARGET), Huber(delta=1e-6).elementwise(RECON, TARGET)
    torch.testing.assert_close(2 * near, Squared().elementwise(RECON, TARGET))
    torch.testing.assert_close(far / 1e-6, (RECON - TARGET).abs(), rtol=1e-4, atol=1e-5)


def test_squared_norm_can_be_differentiated_twice_and_mapped() -> None:
    x = RECON.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(squared_norm(x).sum(), x, create_graph=True)
    (second,) = torch.autograd.grad(gradient.sum(), x)
    torch.testing.assert_close(gradient, 2 * x)
    torch.testing.assert_close(second, torch.full_like(x, 2.0))
    mapped = torch.func.vmap(torch.func.grad(lambda row: squared_norm(row[None])[0]))(RECON)
    torch.testing.assert_close(mapped, 2 * RECON)


@pytest.mark.parametrize("name", ["squared", "absolute", "huber", "gaussian"])
def test_bounded_reconstructions_stay_in_bounds(name: str) -> None:
    loss = make("loss", Spec(name, low=-1.0, high=3.0))
    link = loss.link(torch.tensor([-50.0, 0.0, 50.0]))
    torch.testing.assert_close(link, torch.tensor([-1.0, 1.0, 3.0]))
    edges = loss.link(loss.start(torch.tensor([-1.0, 3.0])))  # 1 % of the range inside
    torch.testing.assert_close(edges, torch.tensor([-0.96, 2.96]))


class TestMixed:
    columns = [["categorical", 3], ["numeric", 1], ["boolean", 1], ["categorical", 2], ["numeric", 1]]
    recon = torch.randn(6, 8, generator=torch.Generator().manual_seed(4))
    target = torch.cat(
        [
            torch.eye(3)[torch.tensor([0, 1, 2, 0, 1, 2])],
            torch.randn(6, 1, generator=torch.Generator().manual_seed(5)),
            torch.tensor([[0.0, 1.0, 1.0, 0.0, 1.0, 0.0]]).T,
            torch.eye(2)[torch.tensor([0, 1, 1, 0, 0, 1])],
            torch.randn(6, 1, generator=torch.Generator().manual_seed(6)),
        ],
        1,
    )

    def test_is_the_sum_of_the_separate_losses_in_the_tables_order(self) -> None:
        loss = Mixed(self.columns)
        with torch.no_grad():
            loss.raw_scale.copy_(torch.tensor([0.5, -1.0]))
        scales = loss.log_scale().exp().tolist()
        parts = [
            Categorical(3)(self.recon[:, None, :3], self.target[:, :3].argmax(1, keepdim=True)),
            Gaussian(scale=scales[0])(self.recon[:, 3:4], self.target[:, 3:4]),
            Bernoulli()(self.recon[:, 4:5], self.target[:, 4:5]),
            Categorical(2)(self.recon[:, None, 5:7], self.target[:, 5:7].argmax(1, keepdim=True)),
            Gaussian(scale=scales[1])(self.recon[:, 7:], self.target[:, 7:]),
        ]
        torch.testing.assert_close(loss.elementwise(self.recon, self.target), torch.stack(parts, 1))
        torch.testing.assert_close(loss(self.recon, self.target), torch.stack(parts).sum(0))

    def test_link_gives_means_and_probabilities(self) -> None:
        data = Mixed(self.columns).link(self.recon)
        assert torch.equal(data[:, [3, 7]], self.recon[:, [3, 7]])
        torch.testing.assert_close(data[:, 4], torch.sigmoid(self.recon[:, 4]))
        torch.testing.assert_close(data[:, :3].sum(1), torch.ones(6))
        torch.testing.assert_close(data[:, 5:7].sum(1), torch.ones(6))

    def test_a_missing_category_costs_nothing(self) -> None:
        target = self.target.clone()
        target[:, :3] = 0
        assert Mixed(self.columns).elementwise(self.recon, target)[:, 0].eq(0).all()

    def test_a_constant_column_cannot_outweigh_the_rest(self) -> None:
        loss = Mixed([["numeric", 1]])
        with torch.no_grad():
            loss.raw_scale.fill_(-1e4)
        least = loss(torch.zeros(1, 1), torch.zeros(1, 1)).item()
        assert least == pytest.approx(math.log(0.05) + 0.5 * math.log(2 * math.pi), rel=1e-6)

    @pytest.mark.parametrize("kind", ["numeric", "boolean", "categorical"])
    def test_one_kind_alone(self, kind: str) -> None:
        loss = Mixed([[kind, 1], [kind, 1]])
        assert loss.elementwise(torch.zeros(3, 2), torch.zeros(3, 2)).shape == (3, 2)
        assert loss.link(torch.zeros(3, 2)).shape == (3, 2)

    @pytest.mark.parametrize(
        ("columns", "message"),
        [
            ([], "at least one"),
            ([["numerc", 1]], "did you mean 'numeric'"),
            ([["boolean", 2]], "width of a boolean column must be 1"),
            ([["categorical", 0]], "at least 1"),
            ([["categorical"]], r"\[kind, width\]"),
        ],
    )
    def test_wrong_columns_are_refused(self, columns: list, message: str) -> None:
        with pytest.raises(UsageError, match=message):
            Mixed(columns)

    def test_a_target_of_another_width_is_refused(self) -> None:
        with pytest.raises(UsageError, match=r"fill 8 entries; the target has shape \(9,\)"):
            Mixed(self.columns).recon_shape((9,))

    def test_a_spec_of_plain_values_builds_it(self) -> None:
        spec = Spec.parse(str(Spec("mixed", columns=self.columns)))
        assert make("loss", spec).n_features == 8


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("squared(low=0.0)", "together"),
        ("squared(low=1.0, high=0.0)", "low < high"),
        ("huber(delta=0.0)", "delta must be a finite number above 0; got 0.0"),
        ("gaussian(scale=-1.0)", "scale must be"),
        ("gaussian(scale='each')", "'shared', 'entry'"),
        ("gaussian(scale='entry')", "shape="),
        ("categorical(classes=1)", "at least 2"),
    ],
)
def test_parameters_out_of_range_are_refused(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("loss", spec)
