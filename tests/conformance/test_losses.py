"""Laws every reconstruction loss obeys. A new loss is picked up by its name; one that needs parameters or
targets of its own adds an Example."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.nn import functional

from diabolo.core import ReconstructionLoss, Spec, lookup, make, names

B, SHAPE = 5, (2, 3)
MIXED = [["numeric", 1], ["categorical", 3], ["boolean", 1], ["numeric", 1], ["categorical", 2], ["categorical", 3]]
WIDTHS = torch.tensor([width for _, width in MIXED])
BOUNDS = {"low": -1.0, "high": 3.0}


def real_target(loss: Any, random: torch.Generator) -> Tensor:
    """Values inside the loss's support, away from its edges."""
    low, high = loss.support or (-0.5, 2.5)
    return low + (high - low) * (0.05 + 0.9 * torch.rand(B, *SHAPE, generator=random))


def class_target(loss: Any, random: torch.Generator) -> Tensor:
    return torch.randint(loss.classes, (B, *SHAPE), generator=random)


def mixed_target(loss: Any, random: torch.Generator) -> Tensor:
    def column(kind: str, width: int) -> Tensor:
        if kind == "categorical":
            return functional.one_hot(torch.randint(width, (B,), generator=random), width).float()
        values = torch.randn(B, 1, generator=random)
        return (values > 0).float() if kind == "boolean" else values

    return torch.cat([column(kind, width) for kind, width in loss.columns], 1)


def mixed_best(loss: Any, target: Tensor) -> Tensor:
    best = 60 * target - 30
    best[:, loss.numeric] = target[:, loss.numeric]
    return best


def count_target(loss: Any, random: torch.Generator) -> Tensor:
    return torch.poisson(torch.full((B, *SHAPE), 3.0), generator=random)


def share_target(loss: Any, random: torch.Generator) -> Tensor:
    counts = count_target(loss, random) + 0.5
    return counts / counts.sum(loss.axes(counts.ndim), keepdim=True)


def picture_target(loss: Any, random: torch.Generator) -> Tensor:
    return 0.1 + 0.8 * torch.rand(B, 8, 8, generator=random)


def features(x: Tensor) -> Tensor:
    """Of a network that is given: smooth, and blind to nothing here."""
    return torch.sin(x.flatten(1).cumsum(1)) + x.flatten(1)


def itself(loss: Any, target: Tensor) -> Tensor:
    return target


def log_counts(loss: Any, target: Tensor) -> Tensor:
    return torch.log(target.clamp(min=1e-8))


def no_surplus(loss: Any, target: Tensor) -> Tensor:
    return torch.stack([log_counts(loss, target), torch.full_like(target, -30.0)], -1)


@dataclass
class Example:
    """How a loss is tried.

    target  (loss, generator) -> targets (B, *T)
    best    (loss, target) -> the recon that costs least
    spread  a mask over the scored entries -> the same over the entries of recon
    """

    params: dict[str, Any] = field(default_factory=dict)
    target: Callable[[Any, torch.Generator], Tensor] = real_target
    best: Callable[[Any, Tensor], Tensor] = lambda loss, target: loss.start(target)
    spread: Callable[[Tensor], Tensor] = lambda scored: scored


EXAMPLES: dict[str, list[Example]] = {
    "squared": [Example(), Example(BOUNDS)],
    "absolute": [Example(), Example(BOUNDS)],
    "huber": [Example({"delta": 0.3}), Example(BOUNDS)],
    "gaussian": [Example(), Example({"scale": "entry", **BOUNDS}), Example({"scale": 0.7})],
    "log-cosh": [Example(), Example(BOUNDS)],
    "laplace": [Example(), Example({"scale": "entry", **BOUNDS}), Example({"scale": 0.7})],
    "student": [
        Example(),
        Example({"dof": "learned", "scale": "entry", **BOUNDS}),
        Example({"dof": 2.0, "scale": 0.7}),
    ],
    "poisson": [Example({}, count_target, log_counts)],
    "negative-binomial": [
        Example({}, count_target, log_counts),
        Example({"dispersion": "shared"}, count_target, log_counts),
        Example({"dispersion": 2.0, "zero_inflated": True}, count_target, no_surplus),
    ],
    "multinomial": [Example({}, count_target, log_counts), Example({"over": "last"}, share_target)],
    "divergence": [
        Example({"direction": direction, "over": over}, share_target, log_counts)
        for direction, over in (("forward", "row"), ("reverse", "last"), ("jensen-shannon", "row"))
    ],
    "weighted": [
        Example({"weights": [1.0, 0.5, 3.0]}),
        Example({"weights": [[1.0], [2.0]], "loss": "gaussian(scale='entry')"}),
    ],
    "boundary": [Example({"width": 1, "weight": 0.5}), Example({"loss": "huber(delta=0.3)", "image": [3, 2]})],
    "structural": [
        Example({"window": 5}, picture_target, itself),
        Example({"scales": 2, "low": 0.0, "high": 1.0, "window": 3}, picture_target),
    ],
    "perceptual": [Example({"features": features}), Example({"features": features, "pixels": 0.1, **BOUNDS})],
    "wavelet": [
        Example({"wavelet": "haar", "weights": [1.0, 2.0]}),
        Example({"wavelet": "db4", "norm": "absolute", "levels": 2}, picture_target),
    ],
    "categorical": [Example({"classes": 4}, class_target, lambda loss, target: 30.0 * functional.one_hot(target, 4))],
    "mixed": [
        Example({"columns": MIXED}, mixed_target, mixed_best, lambda scored: scored.repeat_interleave(WIDTHS, 1))
    ],
}
CASES = [
    pytest.param((name, example), id=f"{name}-{number}")
    for name in names("loss")
    for number, example in enumerate(EXAMPLES.get(name, [Example()]))
]


@dataclass
class Case:
    loss: ReconstructionLoss
    target: Tensor
    recon: Tensor
    example: Example
    random: torch.Generator

    def double(self) -> tuple[ReconstructionLoss, Tensor, Tensor]:
        """In float64, as finite differences need; class indices stay what they are."""
        target = self.target.double() if self.target.is_floating_point() else self.target
        return self.loss.double(), self.recon.double().requires_grad_(), target

    def scored(self) -> Tensor:
        entries = self.loss.elementwise(self.recon, self.target).shape
        return torch.rand(entries, generator=self.random) < 0.5


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> Case:
    name, example = request.param
    random = torch.Generator().manual_seed(0)
    loss = make("loss", Spec(name, **example.params), shape=SHAPE)
    target = example.target(loss, random)
    recon = torch.randn(B, *loss.recon_shape(tuple(target.shape[1:])), generator=random)
    return Case(loss, target, recon, example, random)


def test_finite_and_one_cost_a_sample(case: Case) -> None:
    for recon in (case.recon, 100 * case.recon):
        recon = recon.clone().requires_grad_()
        cost = case.loss(recon, case.target)
        (gradient,) = torch.autograd.grad(cost.sum(), recon)
        assert cost.shape == (B,)
        assert cost.isfinite().all() and gradient.isfinite().all()


def test_minimal_at_the_target(case: Case) -> None:
    best = case.example.best(case.loss, case.target)
    least = case.loss(best, case.target)
    others = [best + torch.randn(best.shape, generator=case.random) for _ in range(20)]
    others += [3 * torch.randn(best.shape, generator=case.random) for _ in range(20)]
    assert all((case.loss(other, case.target) >= least - 1e-5).all() for other in others)


def test_gradients_equal_finite_differences(case: Case) -> None:
    loss, recon, target = case.double()
    assert torch.autograd.gradcheck(lambda recon: loss(recon, target), recon)
    assert torch.autograd.gradgradcheck(lambda recon: loss(recon, target), recon)


def test_every_parameter_has_a_gradient(case: Case) -> None:
    parameters = [parameter for parameter in case.loss.parameters() if parameter.numel()]
    if parameters:
        gradients = torch.autograd.grad(case.loss(case.recon, case.target).sum(), parameters)
        assert all(gradient.abs().sum() > 0 for gradient in gradients)


def test_fused_path_agrees_with_elementwise(case: Case) -> None:
    loss, recon, target = case.double()
    fused = loss.per_sample(recon, target)
    plain = loss.elementwise(recon, target).flatten(1).sum(1)
    torch.testing.assert_close(fused, plain, rtol=1e-6, atol=1e-9)
    of = [recon, *(parameter for parameter in loss.parameters() if parameter.numel())]
    torch.testing.assert_close(torch.autograd.grad(fused.sum(), of), torch.autograd.grad(plain.sum(), of))


def test_scoring_all_is_scoring_nothing_away(case: Case) -> None:
    everything = torch.ones_like(case.scored())
    torch.testing.assert_close(
        case.loss(case.recon, case.target, everything), case.loss(case.recon, case.target), rtol=1e-5, atol=1e-6
    )


def test_unscored_entries_change_nothing(case: Case) -> None:
    scored = case.scored()
    live = case.example.spread(scored)
    recon = case.recon.clone().requires_grad_()
    cost = case.loss(recon, case.target, scored)
    (gradient,) = torch.autograd.grad(cost.sum(), recon)
    assert gradient[~live].eq(0).all() and gradient[live].ne(0).any()
    changed = case.recon.clone()
    changed[~live] += 1.0
    torch.testing.assert_close(case.loss(changed, case.target, scored), cost.detach())


def test_scored_may_be_a_prefix_of_the_target(case: Case) -> None:
    samples = torch.arange(B) % 2 == 0
    cost = case.loss(case.recon, case.target, samples)
    whole = case.loss(case.recon, case.target)
    torch.testing.assert_close(cost, torch.where(samples, whole, 0.0), rtol=1e-5, atol=1e-6)


def test_order_of_the_batch_is_irrelevant(case: Case) -> None:
    order = torch.randperm(B, generator=case.random)
    permuted = case.loss(case.recon[order], case.target[order])
    torch.testing.assert_close(permuted, case.loss(case.recon, case.target)[order])


def test_start_is_where_link_gives_the_mean(case: Case) -> None:
    mean = case.target.float().mean(0)
    case.loss.measure(case.target.float())
    start = case.loss.start(mean)
    if start is not None:
        assert start.shape == case.loss.recon_shape(tuple(mean.shape))
        torch.testing.assert_close(case.loss.link(start[None])[0], mean, rtol=1e-3, atol=0.01)


def test_save_and_load_keep_the_cost(case: Case) -> None:
    for parameter in case.loss.parameters():
        torch.nn.init.uniform_(parameter, generator=case.random)
    twin = make("loss", Spec(type(case.loss).part_name, **case.example.params), shape=SHAPE)
    twin.load_state_dict(case.loss.state_dict())
    assert torch.equal(twin(case.recon, case.target), case.loss(case.recon, case.target))


@pytest.mark.parametrize("name", names("loss"))
def test_docstring_names_its_reference_and_has_an_example(name: str) -> None:
    text = lookup("loss", name).__doc__ or ""
    assert re.search(r"Reference: .*\((19|20)\d\d\)", text, re.DOTALL) and ">>>" in text


def test_examples_name_registered_losses() -> None:
    assert EXAMPLES.keys() <= set(names("loss"))
