"""What moves parameters: Muon against its definition and PyTorch's, flat buffers against plain ones, every name."""

from __future__ import annotations

import inspect
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from diabolo.core import Spec, make, names
from diabolo.core.errors import UsageError
from diabolo.train.muon import Muon, _by_gram, _direct, orthogonalise
from diabolo.train.optimisers import Player, flatten

FIVE = {"iterations": 5} if "iterations" in inspect.signature(orthogonalise).parameters else {}
RATES = {"sgd": 0.05, "adam": 0.05, "adamw": 0.05, "muon": 0.1, "lbfgs": 1.0}


def random(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


# ── Muon ──────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("shape", [(8, 8), (32, 8), (8, 32), (64, 48), (128, 784), (784, 128), (2, 3)])
def test_five_iterations_bring_every_singular_value_near_one(shape: tuple[int, int]) -> None:
    u, _, v = torch.linalg.svd(random(*shape), full_matrices=False)
    matrix = u @ torch.diag(torch.linspace(1.0, 0.05, len(v))) @ v
    values = torch.linalg.svdvals(orthogonalise(matrix, **FIVE))
    assert values.min() > 0.6 and values.max() < 1.3


@pytest.mark.parametrize("shape", [(8, 32), (32, 8), (40, 40)])
def test_orthogonalising_keeps_the_singular_vectors_and_ignores_the_scale(shape: tuple[int, int]) -> None:
    matrix = random(*shape)
    u, _, v = torch.linalg.svd(matrix, full_matrices=False)
    inside = u.T @ orthogonalise(matrix) @ v.T
    torch.testing.assert_close(inside, torch.diag(inside.diagonal()), rtol=0, atol=2e-4)
    torch.testing.assert_close(orthogonalise(1000 * matrix), orthogonalise(matrix), rtol=1e-3, atol=1e-4)


@pytest.mark.parametrize("rows", [2, 16, 64])
def test_the_gram_matrix_gives_what_the_direct_iteration_gives(rows: int) -> None:
    x = random(rows, 4 * rows)
    x = x / x.norm()
    torch.testing.assert_close(_by_gram(x, *FIVE.values()), _direct(x, *FIVE.values()), rtol=0, atol=1e-3)


@pytest.mark.parametrize("shape", [(32, 8), (8, 32), (24, 24)])
def test_a_step_goes_where_pytorchs_muon_goes(shape: tuple[int, int]) -> None:
    start = random(*shape)
    ours, theirs = nn.Parameter(start.clone()), nn.Parameter(start.clone())
    options: dict[str, Any] = {"lr": 0.1, "momentum": 0.95, "weight_decay": 0.0}
    mine = Muon([ours], **options, **FIVE)
    other = torch.optim.Muon([theirs], **options, adjust_lr_fn="match_rms_adamw")
    for step in range(4):
        gradient = random(*shape, seed=step + 1)
        before = ours.detach().clone(), theirs.detach().clone()
        ours.grad, theirs.grad = gradient.clone(), gradient.clone()
        mine.step()
        other.step()
        moved = [(p.detach() - b).flatten() for p, b in zip((ours, theirs), before, strict=True)]
        assert torch.cosine_similarity(*moved, dim=0) > 0.99
        assert moved[0].norm() == pytest.approx(float(moved[1].norm()), rel=0.05)


def test_weight_decay_is_decoupled_from_the_gradient() -> None:
    p = nn.Parameter(torch.ones(4, 6))
    p.grad = torch.zeros(4, 6)
    Muon([p], lr=0.1, weight_decay=0.5).step()
    torch.testing.assert_close(p.detach(), torch.full((4, 6), 1 - 0.1 * 0.5))


def test_kernels_move_as_matrices() -> None:
    kernel, matrix = nn.Parameter(random(4, 3, 2, 2)), nn.Parameter(random(4, 3, 2, 2).flatten(1))
    kernel.grad, matrix.grad = random(4, 3, 2, 2, seed=1), random(4, 3, 2, 2, seed=1).flatten(1)
    Muon([kernel]).step()
    Muon([matrix]).step()
    torch.testing.assert_close(kernel.flatten(1), matrix)


def test_a_closure_gives_the_loss_back_and_parameters_without_gradient_stay() -> None:
    p, idle = nn.Parameter(torch.ones(4, 6)), nn.Parameter(torch.ones(4, 6))

    def closure() -> Tensor:
        loss = p.square().sum()
        loss.backward()
        return loss.detach()

    assert Muon([p, idle]).step(closure) == 24 and torch.equal(idle, torch.ones(4, 6))


# ── flat buffers ──────────────────────────────────────────────────────────────────────────────────


def net() -> nn.Sequential:
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(5, 7), nn.Tanh(), nn.Linear(7, 5))


def play(player: Player, model: nn.Module, steps: int, rate: float = 1.0) -> list[float]:
    losses = []

    def closure() -> Tensor:
        x = random(16, 5, seed=len(losses) % 4)
        loss = (model(x) - x).square().sum(1).mean()
        loss.backward()
        losses.append(float(loss.detach()))
        return loss

    for _ in range(steps):
        player.move(closure, rate)
    return losses


def agree_after_twenty_steps(model: nn.Module, other: nn.Module, plain: torch.optim.Optimizer) -> None:
    """``other``, moved by torch's own optimiser, ends where ``model`` did."""
    for step in range(20):
        x = random(16, 5, seed=step % 4)
        plain.zero_grad()
        (other(x) - x).square().sum(1).mean().backward()
        plain.step()
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "reference"),
    [("adam", torch.optim.Adam), ("sgd", torch.optim.SGD)],
)
def test_a_flat_buffer_changes_no_number(name: str, reference: Any) -> None:
    model, other = net(), net()
    player = Player(list(model.parameters()), Spec(name, **({"momentum": 0.9} if name == "sgd" else {})), lr=1e-2)
    play(player, model, 20)
    options = {"momentum": 0.9} if name == "sgd" else {}
    plain = reference(other.parameters(), lr=1e-2, **options)
    agree_after_twenty_steps(model, other, plain)


def test_adamw_decays_matrices_and_spares_biases() -> None:
    model, other = net(), net()
    play(Player(list(model.parameters()), "adamw(weight_decay=0.1)", lr=1e-2), model, 20)
    groups = [
        {"params": [p for p in other.parameters() if p.ndim > 1], "weight_decay": 0.1},
        {"params": [p for p in other.parameters() if p.ndim == 1], "weight_decay": 0.0},
    ]
    plain = torch.optim.AdamW(groups, lr=1e-2)
    agree_after_twenty_steps(model, other, plain)


def test_flattening_shares_storage_both_ways() -> None:
    model = net()
    flat = flatten(list(model.parameters()))
    flat.data.fill_(2.0)
    assert all(bool((p == 2).all()) for p in model.parameters())
    model(torch.ones(1, 5)).sum().backward()
    torch.testing.assert_close(flat.grad, torch.cat([p.grad.flatten() for p in model.parameters()]))


def test_released_parameters_own_their_storage_again() -> None:
    model = net()
    player = Player(list(model.parameters()), "adam", lr=1e-2)
    play(player, model, 2)
    values = [p.detach().clone() for p in model.parameters()]
    player.release()
    assert len({p.untyped_storage().data_ptr() for p in model.parameters()}) == 4
    assert all(torch.equal(p, value) and p.grad is None for p, value in zip(model.parameters(), values, strict=True))


# ── every name ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("name", names("optimizer"))
def test_every_optimiser_lowers_a_linear_autoencoders_error(name: str) -> None:
    model = nn.Sequential(nn.Linear(5, 2), nn.Linear(2, 5))
    player = Player(list(model.parameters()), name, lr=RATES[name])
    losses = play(player, model, 100)
    assert np.mean(losses[-4:]) < 0.75 * np.mean(losses[:4])


# L-BFGS draws as many batches as its line search asks for: tests/train/test_resume.py resumes a whole fit with it
@pytest.mark.parametrize("name", [name for name in names("optimizer") if name != "lbfgs"])
def test_every_optimiser_goes_on_exactly_from_its_state(name: str) -> None:
    straight, broken, fresh = net(), net(), net()
    play(Player(list(straight.parameters()), name, lr=RATES[name]), straight, 8)
    first = Player(list(broken.parameters()), name, lr=RATES[name])
    play(first, broken, 4)
    with torch.no_grad():
        for p, q in zip(fresh.parameters(), broken.parameters(), strict=True):
            p.copy_(q)
    second = Player(list(fresh.parameters()), name, lr=RATES[name])
    second.restore(first.state())
    play(second, fresh, 4)
    assert all(torch.equal(a, b) for a, b in zip(straight.parameters(), fresh.parameters(), strict=True))


@pytest.mark.parametrize("name", names("optimizer"))
def test_a_rate_of_zero_moves_nothing(name: str) -> None:
    model, other = net(), net()
    play(Player(list(model.parameters()), name, lr=RATES[name]), model, 2, rate=0.0)
    for a, b in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=0)


def test_muon_takes_matrices_and_adam_the_rest() -> None:
    model = nn.Sequential(nn.Linear(6, 4), nn.Linear(4, 1), nn.Conv1d(2, 3, 3))
    kind = make("optimizer", "muon")
    (_, _, matrices, _), (_, _, rest, _) = kind.choose(list(model.parameters()))
    assert [tuple(p.shape) for p in matrices] == [(4, 6), (3, 2, 3)]
    assert [tuple(p.shape) for p in rest] == [(4,), (1, 4), (1,), (3,)]


def test_clipping_bounds_the_norm_of_all_gradients_together() -> None:
    model = net()
    before = [p.detach().clone() for p in model.parameters()]
    player = Player(list(model.parameters()), "sgd(momentum=0.0)", lr=1.0, clip=0.01)
    play(player, model, 1)
    moved = torch.cat([(p.detach() - b).flatten() for p, b in zip(model.parameters(), before, strict=True)])
    assert float(moved.norm()) == pytest.approx(0.01, rel=1e-3)


@pytest.mark.parametrize("given", ["adam(beta1=2)", "adamw(weight_decay=-1)", "muon(momentum=1.5)", "adam(beta3=0.9)"])
def test_a_parameter_out_of_range_is_named(given: str) -> None:
    with pytest.raises(UsageError, match=r"beta1|weight_decay|momentum|beta3"):
        make("optimizer", given)


def test_every_optimiser_has_a_rate_here() -> None:
    assert RATES.keys() == set(names("optimizer"))
