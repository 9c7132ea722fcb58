"""Sparse bottlenecks do what their papers say: who stays, who gets the gradient, who counts as dead."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.bottlenecks.sparse import KSparse, Matryoshka, TopK
from diabolo.bottlenecks.threshold import BatchTopK, JumpReLU
from diabolo.core.errors import UsageError

D = 16


def test_top_k_keeps_the_largest_positive_ones() -> None:
    h = torch.randn(50, D)
    z = TopK(D, k=4)(h).z
    ordered = h.relu().sort(1, descending=True).values
    torch.testing.assert_close(z.sort(1, descending=True).values[:, :4], ordered[:, :4])
    assert (z[:, :] != 0).sum(1).max() <= 4


def test_gradients_flow_through_kept_units_only() -> None:
    h = torch.randn(8, D, requires_grad=True)
    z = KSparse(D, k=3, start=3)(h).z
    z.sum().backward()
    assert torch.equal(h.grad, (z != 0).float()) and int(h.grad.sum()) == 8 * 3


def test_k_falls_in_a_straight_line_and_then_stays() -> None:
    bottleneck = KSparse(100, k=25, start=100, share=0.5)
    levels = []
    for step in range(20):
        bottleneck.after_step(step, 20)
        levels.append(int(bottleneck.level))
    assert levels[:10] == [round(100 - 75 * (i + 1) / 10) for i in range(10)] and set(levels[10:]) == {25}
    h = torch.randn(4, 100)
    bottleneck.level.fill_(60)
    assert (bottleneck(h).z != 0).sum(1).tolist() == [60] * 4
    assert (bottleneck.eval()(h).z != 0).sum(1).tolist() == [25] * 4


def test_alpha_widens_the_code_and_nothing_else() -> None:
    bottleneck = KSparse(D, k=3, alpha=2.0).eval()
    latent = bottleneck(torch.randn(5, D))
    assert (latent.z != 0).sum(1).tolist() == [3] * 5 and (latent.code != 0).sum(1).tolist() == [6] * 5


def test_batch_top_k_keeps_k_a_row_on_average_and_remembers_the_threshold() -> None:
    bottleneck = BatchTopK(D, k=2, decay=0.5)
    smallest = []
    for _ in range(3):
        z = bottleneck(torch.randn(64, D)).z
        assert int((z > 0).sum()) == 2 * 64
        smallest.append(float(z[z > 0].min()))
    expected = 0.5 * (0.5 * smallest[0] + 0.5 * smallest[1]) + 0.5 * smallest[2]
    assert float(bottleneck.threshold) == pytest.approx(expected, rel=1e-6)
    bottleneck.eval()
    h = torch.randn(4000, D)
    kept = bottleneck(h).z
    assert torch.equal(kept, torch.where(h > bottleneck.threshold, h, 0.0))
    assert abs(float((kept > 0).sum(1).float().mean()) - 2) < 0.4


def test_padding_takes_no_place_in_a_batchs_largest() -> None:
    h = torch.rand(4, 5, D)
    mask = torch.arange(5) < torch.tensor([[5], [3], [1], [4]])
    h[~mask] = 100.0
    bottleneck = BatchTopK(D, k=2)
    z = bottleneck(h, mask).z
    assert int((z[mask] > 0).sum()) == 2 * int(mask.sum()) and not z[~mask].any()
    assert bottleneck.threshold < 1


def test_the_thresholds_gradient_is_that_of_the_expected_cost() -> None:
    """d/dθ E[λ H(h − θ) + (h H(h − θ) − x)²] for h ~ N(0, 1), against the integral's derivative."""
    theta, lam, x = 0.3, 0.7, 0.5
    bottleneck = JumpReLU(1, sparsity=lam, threshold=theta, bandwidth=0.05)
    h = torch.randn(400_000, 1)
    latent = bottleneck(h)
    cost = (latent.z - x).square().sum(1) + latent.losses["sparsity"]
    cost.mean().backward()
    density = math.exp(-(theta**2) / 2) / math.sqrt(2 * math.pi)
    known = density * (x**2 - (theta - x) ** 2 - lam) * theta  # by log θ
    assert float(bottleneck.log_threshold.grad) == pytest.approx(known, abs=0.01)


def test_the_count_moves_thresholds_only() -> None:
    h = torch.randn(64, D, requires_grad=True)
    bottleneck = JumpReLU(D, bandwidth=0.5)
    bottleneck(h).losses["sparsity"].sum().backward()
    assert h.grad is None or not h.grad.any()
    assert bottleneck.log_threshold.grad.lt(0).all()  # a higher threshold lowers the count


def test_prefixes_are_nested_and_the_whole_code_is_used_later() -> None:
    bottleneck = Matryoshka(D, k=D, prefixes=(0.25, 0.5, 1.0))
    h = torch.rand(3, 5, D) + 0.1
    latent = bottleneck(h)
    z = latent.z.view(3, 3, 5, D)
    for place, size in enumerate((4, 8, 16)):
        torch.testing.assert_close(z[:, place, :, :size], h[..., :size])
        assert not z[:, place, :, size:].any()
    later = bottleneck.eval()(h)
    assert later.draws == 1 and torch.equal(later.z, h)


@pytest.mark.parametrize("kind", [TopK, BatchTopK, KSparse, JumpReLU])
def test_units_are_dead_when_they_were_silent_for_long(kind: Any) -> None:
    given = {JumpReLU: {}, KSparse: {"k": 1, "start": 1}}.get(kind, {"k": 1})
    bottleneck = kind(2, patience=10, **given)
    h = torch.tensor([[1.0, -1.0]]).expand(4, 2)
    for seen in (4, 8):
        bottleneck(h)
        assert bottleneck.idle.tolist() == [0, seen] and not bottleneck.dead().any()
    bottleneck(h)
    assert bottleneck.dead().tolist() == [False, True]
    bottleneck.eval()(h)
    assert bottleneck.idle.tolist() == [0, 12]
    bottleneck.train()(h.flip(1))
    assert bottleneck.idle.tolist() == [4, 0]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: TopK(4, k=5), r"k must be an int in \[1, 4\]"),
        (lambda: KSparse(4, k=2, start=1), "start must be at least k, 2; got 1"),
        (lambda: KSparse(4, k=2, alpha=0.5), "alpha must be at least 1"),
        (lambda: KSparse(4, share=0.0), r"share must be in \(0, 1\]"),
        (lambda: BatchTopK(4, decay=1.0), r"decay must be in \[0, 1\)"),
        (lambda: JumpReLU(4, bandwidth=0.0), "bandwidth must be a finite number above 0"),
        (lambda: JumpReLU(4, sparsity=-1.0), "sparsity must be a finite number of at least 0"),
        (lambda: Matryoshka(4, prefixes=(0.5,)), "prefixes must be rising shares"),
        (lambda: TopK(0), "features must be an int of at least 1"),
        (lambda: TopK(4, patience=0), "patience must be an int of at least 1"),
    ],
)
def test_numbers_out_of_range_are_named(make: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def overlap(atoms: np.ndarray, found: Tensor) -> float:
    """Mean over the true atoms of the cosine to the nearest one found."""
    directions = (found / found.norm(dim=0)).numpy()
    return float((atoms @ directions).max(1).mean())


@pytest.mark.slow
def test_a_dictionary_is_found_again() -> None:
    from diabolo import TopKAutoencoder, Trainer

    random = np.random.default_rng(0)
    atoms = random.normal(size=(32, 16))
    atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
    which = np.argsort(random.random((20_000, 32)), 1)[:, :2]
    size = 0.5 + random.random((20_000, 2))
    X = (size[:, :, None] * atoms[which]).sum(1) + 0.01 * random.normal(size=(20_000, 16))
    trainer = Trainer(epochs=30, batch_size=256, optimizer="adam", lr=3e-3, validation=0.0)
    model = TopKAutoencoder(32, k=2, patience=2000, loss="squared", trainer=trainer, random_state=0).fit(
        X.astype("float32")
    )
    assert overlap(atoms, model.module_.decoder.body.last.weight.detach()) > 0.95
