"""Deep embedded clustering's divergence: closed forms, targets that stand still, frequencies."""

from __future__ import annotations

import pytest
import torch

from diabolo import Autoencoder, Trainer
from diabolo.core import AutoencoderModule, Batch, Latent, Output
from diabolo.core.errors import UsageError
from diabolo.penalties.clustering import Clustering, own_spread, sharpened


def term(centres: list[list[float]], spread: float = 1.0) -> Clustering:
    made = Clustering(len(centres[0]), len(centres))
    made.take(torch.tensor(centres), spread)
    return made


def paid(penalty: Clustering, z: torch.Tensor, rows: torch.Tensor | None = None) -> torch.Tensor:
    module: AutoencoderModule = None  # type: ignore[assignment]
    return penalty(module, Batch(z, z, label=rows), Output(Latent(z, z), z))


def test_assignments_are_student_s_t() -> None:
    q = term([[0.0, 0.0], [3.0, 4.0]], spread=5.0).assign(torch.tensor([[0.0, 0.0]]))
    torch.testing.assert_close(q, torch.tensor([[2 / 3, 1 / 3]]))  # 1 and 1 / (1 + 25 / 25)


def test_targets_are_sharper_and_even_out_clusters() -> None:
    q = torch.tensor([[0.6, 0.4], [0.9, 0.1]])
    p = sharpened(q, q.sum(0))
    torch.testing.assert_close(p[0], torch.tensor([0.36 / 1.5, 0.16 / 0.5]) / (0.36 / 1.5 + 0.16 / 0.5))
    assert p[1, 0] > 0.9  # a sure row becomes surer …
    assert p[0, 0] < 0.5  # … and a doubtful one goes to the smaller cluster


def test_the_divergence_and_its_gradient() -> None:
    penalty = term([[-1.0], [1.0]])
    z = torch.tensor([[0.2], [-2.0], [1.5]], requires_grad=True)
    cost = paid(penalty, z)
    q = penalty.assign(z)
    p = sharpened(q, penalty.frequencies).detach()
    torch.testing.assert_close(cost, (p * (p / q).log()).sum(1))
    cost.sum().backward()
    near = 1 / (1 + (z.detach() - penalty.centres.detach().T).square())
    closed = (2 * near * (p - q.detach()) * (z.detach() - penalty.centres.detach().T)).sum(1, keepdim=True)
    torch.testing.assert_close(z.grad, closed)  # equation 4 of the paper
    assert penalty.centres.grad is not None and penalty.centres.grad.ne(0).all()


def test_a_followed_target_stands_still_and_is_made_of_all_rows_when_its_time_has_come() -> None:
    penalty = term([[-1.0], [1.0]])
    codes = torch.tensor([[-0.5], [0.4], [2.0], [-3.0]])
    with torch.no_grad():
        penalty.follow(penalty.assign(codes), every=2)
    before = penalty.target.clone()
    moved = codes + 0.3
    for step, rows in enumerate((torch.tensor([3, 0]), torch.tensor([1, 2]))):
        torch.testing.assert_close(penalty.target, before)
        cost = paid(penalty, moved[rows], rows)
        q = penalty.assign(moved[rows])
        torch.testing.assert_close(cost, (before[rows] * (before[rows] / q).log()).sum(1))
        penalty.after_step(step, 10)
    q = penalty.assign(moved).detach()
    torch.testing.assert_close(penalty.target, sharpened(q, q.sum(0)))
    assert float(penalty.changed) == 0
    rows = torch.arange(4)
    for step in (2, 3):
        paid(penalty, -moved, rows)
        penalty.after_step(step, 10)
    assert float(penalty.changed) == 1


def test_frequencies_run_where_rows_are_not_numbered() -> None:
    penalty = term([[-1.0], [1.0]])
    z = torch.full((8, 1), -1.0)
    for step in range(60):
        paid(penalty, z)
        penalty.after_step(step, 60)
    torch.testing.assert_close(penalty.frequencies, penalty.assign(z)[0].detach(), atol=1e-2, rtol=0)


def test_positions_are_clustered_one_by_one_or_as_one_row() -> None:
    z = torch.randn(3, 4, 2, generator=torch.Generator().manual_seed(0))
    each, whole = Clustering(2, 3), Clustering(8, 3)
    assert paid(each, z).shape == paid(whole, z).shape == (3,)
    mask = torch.tensor([[True, True, False, False]]).expand(3, 4)
    module: AutoencoderModule = None  # type: ignore[assignment]
    short = each(module, Batch(z, z, mask=mask), Output(Latent(z, z), z))
    torch.testing.assert_close(short, paid(each, z[:, :2]))


def test_the_spread_is_the_codes_own() -> None:
    z = torch.tensor([[0.0], [2.0], [10.0], [12.0]])
    assert own_spread(z, torch.tensor([[1.0], [11.0]])) == pytest.approx(1.0)


def test_it_is_a_penalty_like_any_other() -> None:
    X = torch.randn(60, 4, generator=torch.Generator().manual_seed(0)).numpy()
    spec = "clustering(clusters=3, weight=0.5)"
    model = Autoencoder(2, penalties=[spec], trainer=Trainer(epochs=2), random_state=0).fit(X)
    assert model.history_[-1]["train"]["clustering"] > 0
    for wrong in ({"features": 0}, {"features": 2, "clusters": 0}):
        with pytest.raises(UsageError):
            Clustering(**wrong)
