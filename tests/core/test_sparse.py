"""Sparse rows give what dense rows give: values, gradients, and every record operation."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from torch import Tensor

from diabolo.core import Batch, make
from diabolo.core.sparse import csr, is_sparse, rows_at
from diabolo.networks.dense import Dense

WIDE = 11


def some(rows: int = 7, seed: int = 0) -> tuple[Tensor, Tensor]:
    """The same rows sparse and dense, float64; one of them empty."""
    draw = torch.Generator().manual_seed(seed)
    dense = torch.rand(rows, WIDE, generator=draw, dtype=torch.float64)
    dense[torch.rand(rows, WIDE, generator=draw) < 0.7] = 0
    dense[2] = 0
    held = dense.nonzero()
    offsets = torch.cat([torch.zeros(1, dtype=torch.long), dense.count_nonzero(1).cumsum(0)])
    return csr(offsets, held[:, 1], dense[dense != 0], WIDE), dense


def gradients(loss: Tensor, parameters: list[Tensor]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, parameters))


def close(one: Tensor, other: Tensor) -> bool:
    return torch.allclose(one, other, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize("options", [{}, {"norm": "batch", "dropout": 0.5}, {"hidden": ()}])
def test_dense_encoder_takes_sparse_rows_with_the_same_output_and_gradients(options: dict[str, object]) -> None:
    sparse, dense = some()
    encoder, _ = Dense(**{"hidden": (5,), **options}).build((WIDE,), 3, 3, (WIDE,))  # type: ignore[arg-type]
    encoder.double()
    found = []
    for x in (sparse, dense):
        torch.manual_seed(0)
        out = encoder(x)
        found.append((out, gradients(out.square().sum(), list(encoder.parameters()))))
    assert close(found[0][0], found[1][0])
    assert all(close(a, b) for a, b in zip(found[0][1], found[1][1], strict=True))


def test_input_dropout_keeps_the_mean_and_hides_entries_only_in_training() -> None:
    sparse, dense = some(rows=400)
    encoder, _ = Dense(hidden=(), hides=0.5).build((WIDE,), 3, 3, (WIDE,))
    encoder.double()
    torch.manual_seed(0)
    noisy = [encoder(x).mean(0) for x in (sparse, dense)]
    assert torch.allclose(noisy[0], noisy[1], atol=0.05) and not close(noisy[0], noisy[1])
    encoder.eval()
    assert close(encoder(sparse), encoder(dense))


@pytest.mark.parametrize("name", ["multinomial", "squared", "absolute", "huber", "gaussian", "bernoulli", "poisson"])
@pytest.mark.parametrize("observed", [False, True])
def test_losses_of_sparse_targets_are_those_of_dense_ones(name: str, observed: bool) -> None:
    sparse, dense = some()
    loss = make("loss", name, shape=(WIDE,)).double()
    recon = torch.randn(*loss.recon_shape((7, WIDE)), dtype=torch.float64, requires_grad=True)
    there = dense != 0
    scored = csr(sparse.crow_indices(), sparse.col_indices(), there[there], WIDE) if observed else None
    found = [(cost := loss(recon, target, mask), gradients(cost.sum(), [recon])[0])
             for target, mask in ((sparse, scored), (dense, there if observed else None))]  # fmt: skip
    assert close(found[0][0], found[1][0]) and close(found[0][1], found[1][1])


def test_multinomial_measures_sparse_rows_as_dense_ones() -> None:
    sparse, dense = some()
    one, other = make("loss", "multinomial").double(), make("loss", "multinomial").double()
    one.measure(sparse)
    other.measure(dense)
    assert close(one.total, other.total)


def test_masking_hides_entries_and_leaves_the_target() -> None:
    sparse, dense = some(rows=500)
    batch = make("corruption", "masking(share=0.25)")(Batch(sparse, sparse), torch.Generator().manual_seed(0))
    assert is_sparse(batch.x) and close(batch.target.to_dense(), dense)
    kept = batch.x.to_dense()
    assert bool(((kept == 0) | (kept == dense)).all())
    assert abs(float((kept != 0).sum() / (dense != 0).sum()) - 0.75) < 0.04


def test_a_batch_of_sparse_rows_repeats_detaches_and_is_made_dense() -> None:
    sparse, dense = some()
    batch = Batch(sparse, sparse)
    assert len(batch) == 7
    assert close(batch.repeat(3).x.to_dense(), dense.repeat_interleave(3, 0))
    assert close(batch.detach().dense().x, dense) and close(batch.map(lambda t: t.to("cpu")).x.to_dense(), dense)
    assert close(rows_at(sparse, torch.tensor([3, 3, 0])).to_dense(), dense[[3, 3, 0]])
    assert dataclasses.replace(batch, x=dense).dense().x is dense
