"""Critics: whose gradient goes where, what the games are worth at their optimum, and what is blank to them."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.blocks.critic import GAMES, Critic, Game, squared_slope
from diabolo.core import AutoencoderModule, Batch, Objective, Output, make
from diabolo.core.errors import UsageError
from diabolo.networks.dense import Dense
from diabolo.penalties.adversarial import Adversarial, DataCritic, FeatureMatching
from diabolo.penalties.known_label import KnownLabel
from diabolo.train import Stage, Trainer
from diabolo.train.loop import Loop

B, WIDTH, CODE = 16, 5, 2


@pytest.fixture
def module() -> AutoencoderModule:
    torch.manual_seed(0)
    neck = make("bottleneck", "gaussian", features=CODE)
    encoder, decoder = Dense(hidden=(7,)).build((WIDTH,), neck.in_features, CODE, (WIDTH,))
    return AutoencoderModule(encoder, neck, decoder, make("prior", "normal", features=CODE))


@pytest.fixture
def batch() -> Batch:
    x = torch.randn(B, WIDTH, generator=torch.Generator().manual_seed(1))
    return Batch(x, x)


class Same(nn.Module):
    """Encoder or decoder that changes nothing."""

    def forward(self, x: Tensor, *beside: Any) -> Tensor:
        return x


def touched(loss: Tensor, parts: dict[str, nn.Module]) -> set[str]:
    """The parts a loss has a gradient for; a part is either touched in a weight or in none."""
    found = set()
    for name, part in parts.items():
        gradients = torch.autograd.grad(loss, list(part.parameters()), retain_graph=True, allow_unused=True)
        if any(g is not None and bool(g.ne(0).any()) for g in gradients):
            found.add(name)
    return found


# ── who is moved by what ──────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("name", "moved"),
    [("adversarial", {"encoder"}), ("data-critic", {"decoder"}), ("feature-matching", {"encoder", "decoder"})],
)
def test_a_term_moves_what_it_should_and_nothing_else(
    name: str, moved: set[str], module: AutoencoderModule, batch: Batch
) -> None:
    penalty = make("penalty", name, features=CODE, shape=(WIDTH,))
    parts = {"encoder": module.encoder, "decoder": module.decoder}
    assert touched(penalty(module, batch, module(batch)).mean(), parts) == moved


@pytest.mark.parametrize("cls", [Adversarial, DataCritic])
def test_the_critics_loss_moves_the_critic_alone(cls: Any, module: AutoencoderModule, batch: Batch) -> None:
    penalty = cls(CODE) if cls is Adversarial else cls((WIDTH,))
    loss = penalty.own_loss(module, batch, module(batch).detach())
    parts = {"encoder": module.encoder, "decoder": module.decoder, "critic": penalty.critic}
    assert touched(loss, parts) == {"critic"}


PENALTIES = {
    "one critic": ["adversarial(weight=2.0, hidden=(6,))"],
    "three players": ["kl", "data-critic(hidden=(6,))", "feature-matching", "adversarial(hidden=(6,))"],
}


@pytest.mark.parametrize("names", PENALTIES.values(), ids=PENALTIES.keys())
def test_players_gradients_never_cross(names: list[str], module: AutoencoderModule, batch: Batch) -> None:
    """Each player's step in the loop against its own loss's gradient, written out, with the others standing still."""
    terms: list[Any] = []
    for name in names:
        terms.append(make("penalty", name, features=CODE, shape=(WIDTH,), beside=tuple(terms)))
    objective = Objective(make("loss", "squared"), terms)
    players = [term for term in terms if isinstance(term, Adversarial | DataCritic)]
    for player in players:
        player.optimizer, player.lr = "sgd(momentum=0.0)", 0.1
    main = list(module.parameters())
    sets = [main, *(list(player.own_parameters()) for player in players)]
    torch.manual_seed(5)
    out = module(batch)
    expected = [torch.autograd.grad(objective(module, batch, out)[0], main)]
    before = [[p.detach().clone() for p in group] for group in sets]
    # the critics see the codes and outputs from before the step, but the decoder after it
    after_main = [p - 0.1 * g for p, g in zip(before[0], expected[0], strict=True)]
    with torch.no_grad():
        for p, new in zip(main, after_main, strict=True):
            p.copy_(new)
    for player in players:
        loss = player.own_loss(module, batch, out.detach())
        expected.append(torch.autograd.grad(loss, list(player.own_parameters())))
    with torch.no_grad():
        for p, old in zip(main, before[0], strict=True):
            p.copy_(old)
    trainer = Trainer(epochs=1, batch_size=B, optimizer="sgd(momentum=0.0)", lr=0.1, schedule="constant")
    feed = _Once(batch)
    loop = Loop(trainer, [Stage(module, objective)], feed, None, 0)
    loop.begin()
    torch.manual_seed(5)
    loop.train_step(batch)
    for group, old, gradients in zip(sets, before, expected, strict=True):
        for p, was, gradient in zip(group, old, gradients, strict=True):
            torch.testing.assert_close(p.detach() - was, -0.1 * gradient, rtol=1e-4, atol=1e-7)


class _Once:
    """A feed of one batch."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch

    def __len__(self) -> int:
        return len(self.batch)


def test_feature_matching_shares_the_critic_before_it_and_the_objective_holds_it_once() -> None:
    critic = DataCritic((WIDTH,))
    shared, alone = FeatureMatching((WIDTH,), beside=(critic,)), FeatureMatching((WIDTH,))
    assert shared.watcher is critic and not list(shared.parameters())
    assert alone.watcher is alone.own and len(list(alone.parameters())) == len(list(critic.parameters()))


# ── the games ─────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(("name", "worth"), [("nonsaturating", 2 * math.log(2)), ("hinge", 2.0), ("wasserstein", 0.0)])
def test_two_equal_distributions_cannot_be_told_apart(name: str, worth: float) -> None:
    torch.manual_seed(0)
    critic, game = Critic((2,), hidden=(16,)), Game(name, smooth=10.0 if name == "wasserstein" else 0.1)
    optimizer = torch.optim.Adam(critic.parameters(), 3e-3)
    for step in range(400):
        optimizer.param_groups[0]["lr"] = 3e-3 * (1 - step / 400)
        optimizer.zero_grad()
        game.loss(critic, torch.randn(256, 2), [torch.randn(256, 2)]).backward()
        optimizer.step()
    real, fake = critic(torch.randn(4000, 2)), critic(torch.randn(4000, 2))
    assert game.tell_apart(real, fake).mean().item() == pytest.approx(worth, abs=0.05)
    if name == "nonsaturating":
        assert real.abs().mean().item() < 0.15
        assert game.deceive(fake).mean().item() == pytest.approx(math.log(2), abs=0.05)


def test_the_best_critic_is_the_log_ratio_of_densities() -> None:
    """Two unit Gaussians d apart: D(x) = log p(x)/q(x) = −d x + d²/2, so a linear critic finds it."""
    torch.manual_seed(0)
    critic, game, d = Critic((1,), hidden=()), Game(), 1.0
    real, fake = torch.randn(20_000, 1), torch.randn(20_000, 1) + d
    optimizer = torch.optim.LBFGS(critic.parameters(), max_iter=50, line_search_fn="strong_wolfe")

    def closure() -> Tensor:
        optimizer.zero_grad()
        loss = game.loss(critic, real, [fake])
        loss.backward()
        return loss

    optimizer.step(closure)
    assert critic.body.last.weight.item() == pytest.approx(-d, abs=0.05)
    assert critic.body.last.bias.item() == pytest.approx(d**2 / 2, abs=0.05)


@pytest.mark.parametrize("name", GAMES)
def test_a_certain_critic_costs_a_finite_amount_and_its_gradient_stays(name: str) -> None:
    logits = torch.tensor([-200.0], requires_grad=True)
    game = Game(name)
    cost = game.deceive(logits) + game.tell_apart(torch.tensor([200.0]), torch.tensor([-200.0]))
    (gradient,) = torch.autograd.grad(cost.sum(), logits)
    assert cost.isfinite().all() and gradient.item() == pytest.approx(-1.0)


def test_slopes_of_a_linear_critic_and_what_they_cost() -> None:
    critic = Critic((3,), hidden=())
    with torch.no_grad():
        critic.body.last.weight.copy_(torch.tensor([[2.0, 0.0, 1.0]]))
    x = torch.randn(8, 3)
    assert squared_slope(critic, x).tolist() == pytest.approx([5.0] * 8)
    plain, r1 = (Game(smooth=weight).loss(critic, x, [x]) for weight in (None, 4.0))
    assert (r1 - plain).item() == pytest.approx(0.5 * 4 * 5, rel=1e-5)
    wasserstein = Game("wasserstein", smooth=3.0).loss(critic, x, [x.flip(0)])
    assert wasserstein.item() == pytest.approx(3 * (math.sqrt(5) - 1) ** 2, rel=1e-4)


def test_several_kinds_of_fakes_count_by_equal_parts() -> None:
    critic, game = Critic((2,)), Game()
    real, a, b = (torch.randn(6, 2) for _ in range(3))
    parts = [game.loss(critic, real, [fake]).item() for fake in (a, b)]
    assert game.loss(critic, real, [a, b]).item() == pytest.approx(sum(parts) / 2, rel=1e-6)


# ── what a critic sees ────────────────────────────────────────────────────────────────────────────


def test_a_picture_goes_through_convolutions_and_a_flat_one_may_say_its_sides() -> None:
    convolved = [Critic((12, 12)), Critic((9, 8, 3)), Critic((144,), image=(12, 12))]
    assert all(any(isinstance(part, nn.Conv2d) for part in critic.modules()) for critic in convolved)
    assert convolved[2](torch.zeros(2, 144)).shape == (2,)
    assert not any(isinstance(part, nn.Conv2d) for part in Critic((6, 3)).modules())
    with pytest.raises(UsageError, match=r"image=\(3, 3\) has 9 values, a row has 8"):
        Critic((8,), image=(3, 3))


def test_padding_neither_costs_nor_moves() -> None:
    torch.manual_seed(0)
    neck = make("bottleneck", "identity", features=CODE)
    module = AutoencoderModule(Same(), neck, Same(), make("prior", "normal", features=CODE))
    mask = torch.tensor([[True, True, False], [True, False, False]])
    z = torch.randn(2, 3, CODE)
    z = torch.where(mask[..., None], z, 0.0)
    other = torch.where(mask[..., None], z, 99.0)
    penalty, data = Adversarial(CODE), DataCritic((3, CODE))
    data.eval()
    for part in (penalty, data):
        terms, losses = [], []
        for codes in (z, other):
            batch = Batch(codes, codes, mask=mask)
            out = module(batch)
            terms.append(part(module, batch, out))
            torch.manual_seed(1)
            losses.append(part.own_loss(module, batch, out))
        torch.testing.assert_close(terms[0], terms[1])
        torch.testing.assert_close(losses[0], losses[1])


def test_missing_cells_are_blank_in_data_and_in_what_is_made(module: AutoencoderModule, batch: Batch) -> None:
    critic = DataCritic((WIDTH,))
    critic.begin(module, batch)
    scored = torch.ones(B, WIDTH, dtype=torch.bool)
    scored[:, 0] = False
    hidden = Batch(batch.x, batch.target, scored=scored)
    assert critic.seen(batch.target, hidden)[:, 0].eq(0).all()
    x = critic.seen(batch.target, batch)
    assert float(x.mean().abs()) < 1e-6 and float(x.square().mean()) == pytest.approx(1.0, rel=1e-5)


def test_in_evaluation_a_row_is_judged_by_its_reconstruction_alone(module: AutoencoderModule, batch: Batch) -> None:
    critic = DataCritic((WIDTH,)).eval()
    out = module.reconstruct(batch)
    assert torch.equal(critic(module, batch, out), critic(module, batch, out))
    by_hand = nn.functional.softplus(-critic.critic(out.recon))
    torch.testing.assert_close(critic(module, batch, out), by_hand)


def test_feature_matching_is_half_the_squared_distance_of_features_in_data_space(
    module: AutoencoderModule, batch: Batch
) -> None:
    penalty = FeatureMatching((WIDTH,), link=torch.sigmoid)
    out = module(batch)
    f = penalty.watcher.critic.features
    by_hand = 0.5 * (f(torch.sigmoid(out.recon)) - f(batch.target)).square().sum(1)
    torch.testing.assert_close(penalty(module, batch, out), by_hand)


# ── labels ────────────────────────────────────────────────────────────────────────────────────────


def test_the_known_label_pays_the_mean_cross_entropy_of_the_known_rows() -> None:
    torch.manual_seed(0)
    neck = make("bottleneck", "class-style(classes=3)", features=CODE)
    h, label = torch.randn(6, 3 + CODE), torch.tensor([0, -1, 2, -1, -1, 1])
    latent = neck(h)
    batch = Batch(h, h, label=label)
    term = KnownLabel(3)(AutoencoderModule(nn.Identity(), neck, nn.Identity()), batch, Output(latent, h))
    known = label >= 0
    by_hand = nn.functional.cross_entropy(h[known, :3], label[known])
    assert float(term.mean()) == pytest.approx(float(by_hand), rel=1e-5)
    assert term[~known].eq(0).all()
    nothing = Batch(h, h, label=torch.full((6,), -1))
    assert KnownLabel(3)(AutoencoderModule(nn.Identity(), neck, nn.Identity()), nothing, Output(latent, h)).eq(0).all()


def test_each_critic_sees_its_half_and_draws_are_one_hot_beside_normal() -> None:
    prior = make("prior", "class-style(classes=3)", features=3 + CODE)
    z = prior(None).sample(torch.Size([4000]))
    assert z[:, :3].sum(1).eq(1).all() and z[:, :3].max(1).values.eq(1).all()
    assert z[:, :3].mean(0).tolist() == pytest.approx([1 / 3] * 3, abs=0.03)
    torch.testing.assert_close(torch.cov(z[:, 3:].T), torch.eye(CODE), atol=0.1, rtol=0)
    by_hand = -math.log(3) + torch.distributions.Normal(0.0, 1.0).log_prob(z[:, 3:]).sum(1)
    torch.testing.assert_close(prior(None).log_prob(z), by_hand)
    assert Adversarial(3 + CODE, part=(0, 3)).critic.shape == (3,)
    assert Adversarial(3 + CODE, part=(3, None)).critic.shape == (CODE,)


# ── what is refused ───────────────────────────────────────────────────────────────────────────────


def test_what_cannot_be_played_is_said(batch: Batch) -> None:
    bare = AutoencoderModule(Same(), make("bottleneck", "identity", features=WIDTH), Same())
    with pytest.raises(UsageError, match="needs a prior to draw from"):
        Adversarial(WIDTH).own_loss(bare, batch, bare(batch).detach())
    with pytest.raises(UsageError, match="game 'hing' is unknown; did you mean 'hinge'"):
        Adversarial(CODE, game="hing")
    with pytest.raises(UsageError, match="smooth must be a number of at least 0"):
        Game(smooth=-1.0)
    with pytest.raises(UsageError, match="classes must be an int in"):
        make("prior", "class-style(classes=2)", features=2)
