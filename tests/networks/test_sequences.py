"""Recurrent and transformer networks: what padding may do (nothing), and what a decoder may be told."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

from diabolo.blocks.identity import Identity
from diabolo.core import AutoencoderModule, Batch, Objective, make
from diabolo.core.errors import UsageError
from diabolo.losses.categorical import Categorical
from diabolo.losses.squared import Squared
from diabolo.networks.recurrent import Recurrent, lengths

T, C, D = 9, 2, 4
REAL = [
    "recurrent(width=8)",
    "recurrent(width=8, cell='lstm', layers=2, bidirectional=False)",
    "recurrent(width=8, reverse=True)",
    "transformer(width=8, heads=2)",
    "transformer(width=8, heads=2, pool='none')",
]
TOKENS = ["recurrent(width=8, vocabulary=5{})", "transformer(width=8, heads=2, vocabulary=5{})"]
LENGTHS = torch.tensor([T, 4, 1])


def autoencoder(network: str, steps: int = T, tokens: bool = False) -> AutoencoderModule:
    torch.manual_seed(0)
    shape = (steps,) if tokens else (steps, C)
    encoder, decoder = make("network", network).build(shape, D, D, (steps, 5) if tokens else shape)
    return AutoencoderModule(encoder, Identity(D), decoder).eval()


def batch(steps: int = T, fill: float = 0.0) -> Batch:
    x = torch.randn(3, T, C, generator=torch.Generator().manual_seed(1))
    x = torch.cat([x, torch.zeros(3, steps - T, C)], 1)
    mask = torch.arange(steps) < LENGTHS[:, None]
    x = torch.where(mask[..., None], x, fill)
    return Batch(x, x, mask=mask, scored=mask)


def words(steps: int = T) -> Batch:
    x = torch.randint(0, 5, (3, steps), generator=torch.Generator().manual_seed(1))
    mask = torch.arange(steps) < LENGTHS[:, None]
    return Batch(x, x, mask=mask, scored=mask)


@pytest.mark.parametrize("network", REAL)
@pytest.mark.parametrize("fill", [1e6, float("nan")])
def test_garbage_in_padding_changes_no_bit(network: str, fill: float) -> None:
    module, objective = autoencoder(network), Objective(Squared())
    clean, dirty = batch(), batch(fill=fill)
    first, second = module(clean), module(dirty)
    assert torch.equal(first.latent.code, second.latent.code)
    assert torch.equal(objective.per_sample(module, clean, first), objective.per_sample(module, dirty, second))


@pytest.mark.parametrize("network", REAL)
def test_gradients_pass_by_padding_of_nan(network: str) -> None:
    module, objective = autoencoder(network), Objective(Squared())
    found = []
    nan = batch(fill=float("nan"))
    for seen in (batch(), Batch(nan.x, batch(fill=1e6).target, mask=nan.mask, scored=nan.scored)):
        loss, _ = objective(module, seen, module(seen))
        found.append(torch.autograd.grad(loss, list(module.parameters())))
    for clean, dirty in zip(*found, strict=True):
        assert torch.equal(clean, dirty)


@pytest.mark.parametrize("network", REAL)
def test_more_padding_changes_neither_codes_nor_losses(network: str) -> None:
    module, longer = autoencoder(network), autoencoder(network, T + 5)
    longer.load_state_dict(module.state_dict())
    first, second = module(batch()), longer(batch(T + 5))
    torch.testing.assert_close(second.latent.code[:, :T] if first.latent.code.ndim == 3 else second.latent.code,
                               first.latent.code)  # fmt: skip
    costs = [Squared()(out.recon, b.target, b.scored) for out, b in ((first, batch()), (second, batch(T + 5)))]
    torch.testing.assert_close(*costs)


@pytest.mark.parametrize("network", REAL)
def test_a_row_is_what_it_is_without_its_padding(network: str) -> None:
    module, padded = autoencoder(network), batch()
    together = module(padded)
    for row, length in enumerate(LENGTHS.tolist()):
        short = autoencoder(network, length)
        short.load_state_dict(module.state_dict())
        x = padded.x[row : row + 1, :length]
        code, expected = short.code(x)[0], together.latent.code[row]
        torch.testing.assert_close(code, expected[:length] if expected.ndim == 2 else expected)
        torch.testing.assert_close(short(Batch(x, x)).recon[0], together.recon[row, :length])


@pytest.mark.parametrize("network", REAL)
def test_every_real_step_moves_the_code_and_the_loss_counts_it(network: str) -> None:
    module, seen = autoencoder(network), batch()
    x = seen.x.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(module.code(x, seen.mask).square().sum(), x)
    assert torch.equal(gradient.ne(0).any(-1), seen.mask)
    recon = torch.zeros_like(seen.x, requires_grad=True)
    Squared()(recon, seen.target + 1.0, seen.scored).sum().backward()
    assert torch.equal(recon.grad.ne(0).any(-1), seen.mask)  # type: ignore[union-attr]


@pytest.mark.parametrize("network", REAL)
def test_the_code_alone_says_what_is_reconstructed(network: str) -> None:
    module, seen = autoencoder(network), batch()
    recon = module.reconstruct(seen).recon
    told = replaced(seen, seen.target + 1.0)
    assert torch.equal(module.reconstruct(told).recon, recon) and torch.equal(module(told).recon, recon)
    if "reverse" not in network:
        alone = module.decode(module.code(seen.x, seen.mask))
        assert torch.equal(alone, recon)


def replaced(seen: Batch, target: Tensor) -> Batch:
    return Batch(seen.x, target, mask=seen.mask, scored=seen.scored)


def test_reverse_makes_the_last_step_first() -> None:
    forward, backward = (autoencoder(f"recurrent(width=8, reverse={flag})") for flag in (False, True))
    z, mask = torch.randn(3, D), batch().mask
    made = forward.decode(z)
    turned = backward.decode(z, Batch(z, z, mask=mask))
    for row, length in enumerate(LENGTHS.tolist()):
        assert torch.equal(turned[row, :length], made[row, :length].flip(0))
    assert torch.equal(backward.decode(z), made.flip(1))


def test_the_state_of_a_gru_after_the_last_real_step_is_the_feature() -> None:
    encoder, _ = Recurrent(width=8, bidirectional=False).build((T, C), D, D, (T, C))
    seen = batch()
    for row, length in enumerate(LENGTHS.tolist()):
        state = torch.zeros(8)
        cell = torch.nn.GRUCell(8, 8)
        cell.load_state_dict({name.removesuffix("_l0"): weight for name, weight in encoder.body.state_dict().items()})
        for step in range(length):
            state = cell(encoder.steps.body(seen.x[row, step]), state)
        torch.testing.assert_close(encoder(seen.x, seen.mask)[row], encoder.head(state))


def test_lengths_reach_to_the_last_real_step() -> None:
    assert lengths(torch.tensor([[True, False, True], [False, False, False]])).tolist() == [3, 1]


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("network", TOKENS)
def test_tokens_are_read_by_an_embedding_and_padding_says_nothing(network: str) -> None:
    module, seen = autoencoder(network.format(""), tokens=True), words()
    other = torch.where(seen.mask, seen.x, 3)
    assert torch.equal(module.code(seen.x, seen.mask), module.code(other, seen.mask))
    out = module(seen)
    assert out.recon.shape == (3, T, 5) and Categorical(5)(out.recon, seen.target, seen.scored).shape == (3,)


@pytest.mark.parametrize("network", TOKENS)
def test_a_told_step_knows_the_tokens_before_it_alone(network: str) -> None:
    module, seen = autoencoder(network.format(", teacher=True"), tokens=True), words()
    recon = module(seen).recon
    for step in range(T):
        other = seen.target.clone()
        other[:, step] = (other[:, step] + 1) % 5
        changed = (module(replaced(seen, other)).recon - recon).abs().amax((0, 2)) > 0
        assert not changed[: step + 1].any() and (step == T - 1 or changed[step + 1])


@pytest.mark.parametrize("network", TOKENS)
def test_reconstruction_is_told_its_own_choices_never_the_target(network: str) -> None:
    module, seen = autoencoder(network.format(", teacher=True"), tokens=True), words()
    recon = module.reconstruct(seen).recon
    assert torch.equal(module.reconstruct(replaced(seen, (seen.target + 1) % 5)).recon, recon)
    assert torch.equal(module.decode(module.code(seen.x, seen.mask)), recon)
    chosen = recon.argmax(-1)  # told what it chose, it says the same again
    torch.testing.assert_close(module.reconstruct(replaced(seen, chosen), told=True).recon, recon)


@pytest.mark.parametrize("network", TOKENS)
@pytest.mark.parametrize("teacher", ["", ", teacher=True"])
def test_every_parameter_of_a_network_over_tokens_learns(network: str, teacher: str) -> None:
    module, seen = autoencoder(network.format(teacher), tokens=True), words()
    loss, _ = Objective(Categorical(5))(module, seen, module(seen))
    loss.backward()
    assert not [name for name, p in module.named_parameters() if p.grad is None or not p.grad.ne(0).any()]


# ── misuse ────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("network", "shape", "message"),
    [
        ("recurrent(cell='rnn')", (7,), r"cell 'rnn' is unknown"),
        ("recurrent(width=0)", (7,), r"width must be an int of at least 1; got 0"),
        ("recurrent(teacher=True)", (7,), r"teacher must be False for real values"),
        ("recurrent(vocabulary=5)", (7, 2), r"tokens are rows of one index a step.*shape \(7, 2\)"),
        ("transformer(width=8, heads=3)", (7,), r"heads must be a divisor of the width \(8\); got 3"),
        ("transformer(pool='max')", (7,), r"pool 'max' is unknown"),
        ("transformer(positions='rotary')", (7,), r"positions 'rotary' is unknown"),
        ("transformer(depth=-1)", (7,), r"depth must be an int of at least 0; got -1"),
        ("recurrent", (), r"rows of shape \(T,\) or \(T, channels\)"),
    ],
)
def test_misuse_says_what_is_allowed(network: str, shape: Any, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make("network", network).build(shape, D, D, shape)


def test_a_mask_of_other_positions_is_refused() -> None:
    with pytest.raises(UsageError, match=r"the mask has 3 positions, the sequences 9 steps"):
        autoencoder(REAL[0]).code(torch.zeros(2, T, C), torch.ones(2, 3, dtype=torch.bool))
