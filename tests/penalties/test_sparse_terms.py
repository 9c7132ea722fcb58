"""Terms that make codes sparse, against sums written out."""

from __future__ import annotations

import math

import pytest
import torch

from diabolo.bottlenecks.sparse import TopK
from diabolo.core import AutoencoderModule, Batch, Latent, Output, make
from diabolo.core.errors import UsageError
from diabolo.networks.dense import Dense
from diabolo.penalties.dead_units import DeadUnits
from diabolo.penalties.sparsity import L1, Sparsity

B, WIDTH, D = 6, 5, 4


def output(z: torch.Tensor) -> Output:
    return Output(Latent(z, z), z)


def test_the_divergence_is_of_the_batch_mean_not_of_rows() -> None:
    z, rho = torch.rand(B, D), 0.2
    batch = Batch(z, z)
    mean = z.mean(0)
    known = sum(rho * math.log(rho / float(m)) + (1 - rho) * math.log((1 - rho) / (1 - float(m))) for m in mean)
    assert float(Sparsity(rho)(None, batch, output(z))) == pytest.approx(known, rel=1e-5)
    even = torch.full((B, D), rho)
    assert float(Sparsity(rho)(None, batch, output(even))) == pytest.approx(0.0, abs=1e-6)


def test_padding_is_no_part_of_the_mean_and_costs_nothing() -> None:
    z = torch.rand(2, 3, D)
    mask = torch.tensor([[True, True, False], [True, False, False]])
    other = torch.where(mask[..., None], z, 0.9)
    batch = Batch(z, z, mask=mask)
    for penalty in (Sparsity(0.2), L1()):
        torch.testing.assert_close(penalty(None, batch, output(z)), penalty(None, batch, output(other)))
    assert float(L1()(None, batch, output(z)).sum()) == pytest.approx(float(z[mask].abs().sum()), rel=1e-5)


def test_codes_outside_the_unit_interval_are_refused() -> None:
    z = torch.full((B, D), 2.0)
    with pytest.raises(UsageError, match=r"activated\(activation='sigmoid'\)"):
        Sparsity()(None, Batch(z, z), output(z))
    with pytest.raises(UsageError, match=r"rho must be in \(0, 1\)"):
        Sparsity(rho=0.0)


def dictionary() -> tuple[AutoencoderModule, Batch]:
    torch.manual_seed(0)
    neck = TopK(D, k=1, patience=5)
    encoder, decoder = Dense(hidden=(), atoms=True).build((WIDTH,), D, D, (WIDTH,))
    x = torch.randn(B, WIDTH)
    return AutoencoderModule(encoder, neck, decoder), Batch(x, x)


def test_dead_units_rebuild_what_is_missed_and_only_they_move() -> None:
    module, batch = dictionary()
    out = module(batch)
    module.bottleneck.idle.copy_(torch.tensor([0, 0, 9, 9]))
    term = DeadUnits(k=2)(module, batch, out)
    h = module.features(batch.x)[:, 2:].relu()
    rebuilt = h @ module.decoder.body.last.weight[:, 2:].T
    missed = (batch.target - out.recon).detach()
    torch.testing.assert_close(term, (missed - rebuilt).square().sum(1))
    term.sum().backward()
    moved = module.encoder.body.first.weight.grad.ne(0).any(1)
    assert moved.tolist() == [False, False, True, True]
    assert not module.decoder.body.last.weight.grad[:, :2].any()


def test_nothing_is_paid_while_no_unit_is_dead_or_in_evaluation() -> None:
    module, batch = dictionary()
    module.bottleneck.patience = 100
    assert not DeadUnits()(module, batch, module(batch)).any()
    module.bottleneck.idle.fill_(999)
    assert not DeadUnits()(module.eval(), batch, module(batch)).any()
    module.bottleneck = make("bottleneck", "identity", features=D)
    with pytest.raises(UsageError, match="needs a sparse bottleneck"):
        DeadUnits()(module, batch, None)


def test_atoms_keep_norm_one_while_the_rest_trains() -> None:
    from diabolo import TopKAutoencoder, Trainer

    X = torch.randn(200, WIDTH).numpy()
    for optimizer in ("adam", "muon"):
        trainer = Trainer(epochs=3, batch_size=16, optimizer=optimizer, lr=1e-2)
        model = TopKAutoencoder(12, k=2, trainer=trainer, random_state=0).fit(X)
        torch.testing.assert_close(model.module_.decoder.body.last.weight.norm(dim=0), torch.ones(12))


def test_a_linear_encoder_starts_as_the_dictionarys_transpose() -> None:
    encoder, decoder = Dense(hidden=(), atoms=True).build((WIDTH,), D, D, (WIDTH,))
    assert torch.equal(encoder.body.first.weight, decoder.body.first.weight.T)
    with pytest.raises(UsageError, match="exclude each other"):
        Dense(tied=True, atoms=True)
