"""What the literature says of vector quantisers: gradients, running means, revival, masks, residuals."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.blocks.codebook import Codebook, decompose, passed, rotated
from diabolo.blocks.kmeans import kmeans, nearest
from diabolo.bottlenecks.quantized import VQ, ResidualVQ
from diabolo.core import AutoencoderModule, Batch
from diabolo.core.errors import UsageError


def trained(**params: Any) -> VQ:
    return VQ(**{"features": 4, "codes": 5, "revive": 0.0, **params}).train()


LATE = 10_000
"""A step after the warm-up of the running means."""


def step(bottleneck: Any, h: Tensor, mask: Tensor | None = None, number: int = LATE) -> Any:
    """One training step of the bottleneck alone, without an optimiser."""
    latent = bottleneck(h.requires_grad_(), mask)
    bottleneck.after_step(number, 1)
    return latent


def book(bottleneck: Any) -> Codebook:
    return bottleneck.books[0]


# ── the nearest code ──────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("groups", [1, 2, 4])
def test_the_code_is_the_nearest_of_all_written_out(groups: int) -> None:
    bottleneck = trained(groups=groups)
    h = torch.randn(7, 3, 4) * 0.3
    latent = bottleneck(h)
    table, width = book(bottleneck).table, 4 // groups
    for row in range(7):
        for position in range(3):
            for group in range(groups):
                part = h[row, position, group * width : (group + 1) * width]
                best = (table[group] - part).square().sum(1).argmin()
                index = latent.indices[row, position] if groups == 1 else latent.indices[row, position, group]
                assert index == best
                assert torch.equal(latent.code[row, position, group * width : (group + 1) * width], table[group, best])


def test_with_the_cosine_length_does_not_matter() -> None:
    bottleneck = trained(cosine=True, groups=2)
    h = torch.randn(6, 4)
    assert torch.equal(bottleneck.indices(h), bottleneck.indices(3 * h))
    torch.testing.assert_close(bottleneck.code(h).view(6, 2, 2).norm(dim=-1), torch.ones(6, 2))
    step(bottleneck, h)
    torch.testing.assert_close(book(bottleneck).table.norm(dim=-1), torch.ones(2, 5))


@pytest.mark.parametrize("kind", ["vq", "groups", "residual"])
def test_indices_and_codes_are_each_others_inverse(kind: str) -> None:
    made = {"vq": VQ(4, 16), "groups": VQ(4, 16, groups=2), "residual": ResidualVQ(4, 16, levels=3, groups=2)}[kind]
    for level, each in enumerate(made.books):
        each.start(torch.randn(400, 4) / 2**level)
    indices = made.indices(torch.randn(50, 2, 4))
    assert indices.shape == (50, 2) + ((len(made.sizes),) if len(made.sizes) > 1 else ())
    codes = made.indices_to_codes(indices)
    assert codes.shape == (50, 2, 4)
    torch.testing.assert_close(made.indices_to_codes(made.codes_to_indices(codes)), codes)
    assert torch.equal(made.codes_to_indices(codes), indices)


def test_a_sum_of_codes_is_taken_apart_where_greedy_search_fails() -> None:
    books = [Codebook(1, 2, 1, 0.99, True, 0.0, False) for _ in range(2)]
    books[0].codes.copy_(torch.tensor([[[0.0], [1.0]]]))
    books[1].codes.copy_(torch.tensor([[[0.9], [-0.2]]]))
    target = torch.tensor([[0.9]])  # 0 + 0.9, though 1 is the nearest first code
    assert decompose(books, target).tolist() == [[[0], [0]]]


# ── gradients ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("gradient", ["straight-through", "rotation"])
def test_the_value_that_passes_is_the_code_to_the_bit(gradient: str) -> None:
    h, q = torch.randn(20, 4, requires_grad=True), torch.randn(20, 4)
    assert torch.equal(passed(h, q, gradient), q)
    h = torch.randn(8, 4, requires_grad=True)
    latent = trained(gradient=gradient)(h)
    assert torch.equal(latent.z, latent.code)


def test_the_straight_through_gradient_is_the_identity() -> None:
    h = torch.randn(6, 4, requires_grad=True)
    slope = torch.randn(6, 4)
    (gradient,) = torch.autograd.grad((trained(gradient="straight-through")(h).z * slope).sum(), h)
    assert torch.equal(gradient, slope)


def test_the_rotation_maps_the_features_to_the_code() -> None:
    h, q = torch.randn(50, 5), torch.randn(50, 5)
    torch.testing.assert_close(rotated(h, q), q, atol=1e-5, rtol=1e-4)


def test_the_rotation_keeps_the_angle_between_gradient_and_vector() -> None:
    h, q, slope = torch.randn(50, 5, requires_grad=True), torch.randn(50, 5), torch.randn(50, 5)
    (gradient,) = torch.autograd.grad((passed(h, q, "rotation") * slope).sum(), h)
    cosine = nn.CosineSimilarity(-1)
    torch.testing.assert_close(cosine(gradient, h.detach()), cosine(slope, q), atol=1e-5, rtol=1e-4)
    gain = q.norm(dim=1) / h.detach().norm(dim=1)
    torch.testing.assert_close(gradient.norm(dim=1), gain * slope.norm(dim=1), atol=1e-5, rtol=1e-4)


def test_at_zero_the_gradient_passes_as_it_is_and_opposite_vectors_are_mirrored() -> None:
    slope, q = torch.tensor([[1.0, -2.0, 3.0]]), torch.tensor([[-1.0, -2.0, 1.0]])
    for h, expected in ((torch.zeros(1, 3), slope), (-q, slope - 2 * (slope @ q.T) * q / 6)):
        h.requires_grad_()
        (gradient,) = torch.autograd.grad((passed(h, q, "rotation") * slope).sum(), h)
        torch.testing.assert_close(gradient, expected)


@pytest.mark.parametrize("ema", [True, False])
def test_the_gradient_into_the_codebook(ema: bool) -> None:
    """None with running means; without, the gradient of ‖sg[h] − e‖² written out."""
    bottleneck = trained(ema=ema)
    h = torch.randn(6, 4)
    latent = bottleneck(h)
    assert bool(list(bottleneck.parameters())) is not ema
    if ema:
        assert not latent.code.requires_grad and set(latent.losses) == {"commitment"}
        return
    latent.losses["codebook"].sum().backward()
    table = book(bottleneck).table.detach()[0]
    expected = torch.zeros(5, 4)
    for vector, index in zip(h, latent.indices, strict=True):
        expected[index] += 2 * (table[index] - vector)
    torch.testing.assert_close(book(bottleneck).codes.grad.view(5, 4), expected)


def test_commitment_is_the_squared_distance_to_the_code_summed_over_the_sample() -> None:
    bottleneck = trained(commitment=0.7)
    h = torch.randn(6, 3, 4, requires_grad=True)
    latent = bottleneck(h)
    by_hand = torch.stack([0.7 * (h[i] - latent.code[i]).square().sum() for i in range(6)])
    torch.testing.assert_close(latent.losses["commitment"], by_hand)
    (gradient,) = torch.autograd.grad(latent.losses["commitment"].sum(), h)
    torch.testing.assert_close(gradient, 1.4 * (h - latent.code).detach())


# ── running means ─────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("groups", [1, 2])
def test_codes_are_the_running_means_of_what_chose_them(groups: int) -> None:
    """m ← γ m + (1 − γ) s, N ← γ N + (1 − γ) n, e = m / N, written out."""
    width = 4 // groups
    bottleneck = trained(groups=groups, decay=0.9)
    book(bottleneck).start(torch.randn(30, 4))
    count = book(bottleneck).share.clone()
    total = book(bottleneck).table * count.unsqueeze(2)
    for number in range(100):
        decay = min(0.9, (1 + number) / (10 + number))
        h = torch.randn(8, 3, 4)
        index = step(bottleneck, h, number=number).indices.reshape(24, groups)
        parts = h.detach().reshape(24, groups, width)
        for group in range(groups):
            for code in range(5):
                mine = parts[index[:, group] == code, group]
                count[group, code] = decay * count[group, code] + (1 - decay) * len(mine) / 24
                total[group, code] = decay * total[group, code] + (1 - decay) * mine.sum(0) / 24
        torch.testing.assert_close(book(bottleneck).share, count)
        torch.testing.assert_close(book(bottleneck).table, total / count.unsqueeze(2), atol=1e-5, rtol=1e-4)


def test_with_decay_zero_the_codes_are_the_means_of_the_last_step() -> None:
    bottleneck = trained(decay=0.0)
    book(bottleneck).start(torch.randn(30, 4))
    before = book(bottleneck).table[0].clone()
    h = torch.randn(40, 4)
    index = step(bottleneck, h).indices
    for code in range(5):
        mine = h.detach()[index == code]
        expected = mine.mean(0) if len(mine) else before[code]
        torch.testing.assert_close(book(bottleneck).table[0, code], expected, atol=1e-5, rtol=1e-5)


def test_a_code_that_nothing_chose_stays_where_it_is_to_the_bit() -> None:
    bottleneck = trained()
    far = torch.full((4,), 50.0)
    book(bottleneck).codes[0, 2] = far
    step(bottleneck, torch.randn(9, 4))
    assert torch.equal(book(bottleneck).codes[0, 2], far)


@pytest.mark.parametrize("how", ["evaluation", "frozen encoder", "no step"])
def test_nothing_moves_unless_the_encoder_trains(how: str) -> None:
    bottleneck = trained(revive=0.5).train(how != "evaluation")
    before = [buffer.clone() for buffer in bottleneck.buffers()]
    bottleneck(torch.randn(9, 4, requires_grad=how != "frozen encoder"))
    if how != "no step":
        bottleneck.after_step(LATE, 1)
        assert all(torch.equal(now, then) for now, then in zip(bottleneck.buffers(), before, strict=True))
    assert torch.equal(book(bottleneck).codes, before[0])


# ── revival ───────────────────────────────────────────────────────────────────────────────────────


def test_revival_replaces_exactly_the_dead() -> None:
    bottleneck = trained(features=2, codes=4, revive=0.5, decay=0.9)
    held = book(bottleneck)
    held.codes.copy_(torch.tensor([[[0.0, 0.0], [1.0, 1.0], [9.0, 9.0], [-9.0, 9.0]]]))
    held.share.copy_(torch.tensor([[0.4, 0.4, 0.13, 0.2]]))  # dead below 0.125: the third after one step, at 0.117
    h = torch.tensor([[0.1, 0.0], [1.1, 1.0]]).repeat(10, 1)
    step(bottleneck, h)
    torch.testing.assert_close(held.share[0], torch.tensor([0.41, 0.41, 0.25, 0.18]))
    assert (held.codes[0, 2] == h.detach()).all(1).any()  # one of the step's vectors
    assert torch.equal(held.codes[0, 3], torch.tensor([-9.0, 9.0]))
    torch.testing.assert_close(held.codes[0, 0, 0].item(), 0.1 * 0.5 * 0.1 / 0.41)
    assert nearest(h.detach(), held.codes[0]).unique().numel() >= 2


@pytest.mark.parametrize("ema", [True, False])
def test_every_code_comes_into_use_with_revival_and_few_without(ema: bool) -> None:
    h = torch.randn(400, 2) + 3
    used = {}
    for revive in (0.0, 0.1):
        torch.manual_seed(0)
        bottleneck = VQ(2, 32, revive=revive, ema=ema, decay=0.8).train()
        for number in range(60):
            latent = step(bottleneck, h, number=number)
        used[revive] = latent.indices.unique().numel()
    assert used[0.0] <= 8 and used[0.1] >= 28


# ── where the codes start ─────────────────────────────────────────────────────────────────────────


class Linear(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.layer = nn.Linear(4, 4)

    def forward(self, x: Tensor, mask: Tensor | None = None, cond: Tensor | None = None) -> Tensor:
        return self.layer(x)


def begun(bottleneck: Any, x: Tensor, mask: Tensor | None = None) -> Any:
    torch.manual_seed(0)
    module = AutoencoderModule(Linear(), bottleneck, nn.Identity())
    bottleneck.begin(module, Batch(x, x, mask))
    return bottleneck, module.features(x).detach()


def distortion(bottleneck: Any, h: Tensor) -> float:
    return float((h - bottleneck.code(h)).square().sum(-1).mean())


def test_k_means_starts_nearer_to_the_features_than_chance() -> None:
    x = torch.randn(600, 4)
    started, h = begun(VQ(4, 16), x)
    random, _ = begun(VQ(4, 16, start="random"), x)
    drawn = VQ(4, 16)
    book(drawn).codes.copy_(h[:16].unsqueeze(0))
    assert distortion(started, h) < 0.9 * distortion(drawn, h) < 0.5 * distortion(random, h)
    torch.testing.assert_close(book(started).share.sum(), torch.tensor(1.0))


def test_lloyds_iterations_only_lower_the_distortion() -> None:
    vectors = torch.randn(300, 3)

    def cost(iterations: int) -> float:
        torch.manual_seed(0)
        centres, share = kmeans(vectors, 8, iterations)
        assert share.sum().item() == pytest.approx(1)
        return float((vectors - centres[nearest(vectors, centres)]).square().sum(1).mean())

    costs = [cost(n) for n in (0, 1, 2, 5, 20)]
    assert costs == sorted(costs, reverse=True)


def test_fewer_features_than_codes_are_jittered_apart() -> None:
    started, h = begun(VQ(4, 64), torch.randn(10, 4))
    codes = book(started).codes[0]
    assert codes.isfinite().all() and codes.unique(dim=0).shape[0] == 64
    assert distortion(started, h) < 0.1 * float((h - h.mean(0)).square().sum(1).mean())


def test_the_error_of_residual_quantisation_falls_with_every_level() -> None:
    bottleneck, h = begun(ResidualVQ(4, 8, levels=5), torch.randn(500, 4))
    rest, errors = h, [float(h.square().sum(1).mean())]
    for each in bottleneck.books:
        rest = rest - each.look_up(each.find(rest))
        errors.append(float(rest.square().sum(1).mean()))
    assert errors == sorted(errors, reverse=True) and errors[-1] < 0.05 * errors[0]
    torch.testing.assert_close(h - rest, bottleneck.code(h))
    latent = bottleneck(h)
    parts = sum(torch.tensor(errors[1:])) * bottleneck.commitment
    torch.testing.assert_close(latent.losses["commitment"].mean(), parts, rtol=1e-4, atol=1e-5)


def test_one_level_of_residual_quantisation_is_plain_quantisation() -> None:
    x = torch.randn(200, 4)
    (plain, h), (residual, _) = begun(VQ(4, 8), x), begun(ResidualVQ(4, 8, levels=1), x)
    assert torch.equal(plain.code(h), residual.code(h)) and torch.equal(plain.indices(h), residual.indices(h))


def test_quantiser_dropout_gives_every_sample_its_first_levels() -> None:
    bottleneck, h = begun(ResidualVQ(4, 8, levels=3, dropout=True), torch.randn(300, 4))
    bottleneck.train()
    codes = bottleneck(h.requires_grad_()).code
    each = [book.look_up(part) for book, part in zip(bottleneck.books, bottleneck.indices(h).split(1, -1), strict=True)]
    sums = torch.stack(each).cumsum(0)
    kept = [(codes - partial).abs().amax(1) < 1e-5 for partial in sums]
    assert torch.stack(kept).any(0).all() and all(some.float().mean() > 0.2 for some in kept)
    assert torch.equal(bottleneck.eval()(h).code, bottleneck.code(h))


# ── padding ───────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("kind", ["vq", "ema off", "residual", "dropout"])
def test_padded_positions_neither_pay_nor_move_a_code(kind: str) -> None:
    mask = torch.arange(5) < torch.tensor([[5], [3], [1]])
    h = torch.randn(3, 5, 4)
    other = torch.where(mask.unsqueeze(2), h, 77.0)
    made = []
    for features in (h, other):
        torch.manual_seed(1)
        bottleneck: Any = {
            "vq": lambda: VQ(4, 6, revive=0.3),
            "ema off": lambda: VQ(4, 6, ema=False, revive=0.3),
            "residual": lambda: ResidualVQ(4, 6, levels=2, revive=0.3),
            "dropout": lambda: ResidualVQ(4, 6, levels=3, dropout=True),
        }[kind]()
        latent = step(bottleneck.train(), features.clone(), mask)
        made.append((bottleneck.state_dict(), latent.losses))
    (state, losses), (other_state, other_losses) = made
    assert all(torch.equal(state[name], other_state[name]) for name in state)
    assert all(torch.equal(losses[name], other_losses[name]) for name in losses)


def test_codes_start_from_real_positions_alone() -> None:
    mask = torch.arange(5) < torch.randint(1, 6, (80, 1))
    x = torch.where(mask.unsqueeze(2), torch.randn(80, 5, 4), 1e4)
    bottleneck, _ = begun(VQ(4, 8), x, mask)
    assert book(bottleneck).codes.abs().max() < 100


def test_a_batch_of_padding_changes_nothing() -> None:
    bottleneck = trained(revive=0.5)
    before = book(bottleneck).codes.clone()
    step(bottleneck, torch.randn(2, 3, 4), torch.zeros(2, 3, dtype=torch.bool))
    assert torch.equal(book(bottleneck).codes, before)


# ── use ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"features": 0}, "features must be an int of at least 1; got 0"),
        ({"codes": 1}, "codes must be an int of at least 2; got 1"),
        ({"groups": 3}, "groups must be a divisor of the 4 features; got 3"),
        ({"commitment": -1}, "commitment must be at least 0; got -1"),
        ({"decay": 1.0}, r"decay must be in \[0, 1\); got 1.0"),
        ({"revive": 1.5}, r"revive must be in \[0, 1\); got 1.5"),
        ({"gradient": "rotate"}, "gradient 'rotate' is unknown; did you mean 'rotation'"),
        ({"start": "k-means"}, "start 'k-means' is unknown; did you mean 'kmeans'"),
    ],
)
def test_parameters_out_of_range(params: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        trained(**params)


def test_a_residual_quantiser_needs_a_level() -> None:
    with pytest.raises(UsageError, match="levels must be an int of at least 1; got 0"):
        ResidualVQ(4, levels=0)
