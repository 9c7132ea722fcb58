"""One step is one move per player; a stage trains what it names; a seed decides everything."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from diabolo.core import AutoencoderModule, Batch, Output, Penalty, StepHook
from diabolo.core.errors import UsageError
from diabolo.train import Callback, Device, Stage, Trainer
from diabolo.train.loop import Loop


def sgd(**knobs: Any) -> Trainer:
    return Trainer(epochs=1, batch_size=8, optimizer="sgd(momentum=0.0)", lr=0.1, schedule="constant", **knobs)


def gradients(loss: Tensor, params: list[nn.Parameter]) -> list[Tensor]:
    return list(torch.autograd.grad(loss, params))


def one_step(stage: Stage, feed: Any, seed: int = 5) -> None:
    loop = Loop(sgd(), [stage], feed, None, seed)
    loop.begin()
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        loop.train_step(next(feed.batches(8)))


# ── two players ───────────────────────────────────────────────────────────────────────────────────


def test_each_player_gets_the_gradient_of_its_own_loss_alone(house: Any) -> None:
    stage, feed = house.compose("plain", penalties=[house.Critic()]), house.feed()
    critic: Any = stage.objective.penalties[0]
    main = list(stage.module.parameters())
    own = list(critic.own_parameters())
    before = [p.detach().clone() for p in [*main, *own]]
    batch = next(feed.batches(8))
    out = stage.module(batch)
    main_gradients = gradients(stage.objective(stage.module, batch, out)[0], main)
    main_after = [p.detach() - 0.1 * g for p, g in zip(main, main_gradients, strict=True)]
    # Adam's first step has the size of its rate in the direction of the sign
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(5)
        own_gradients = gradients(critic.own_loss(stage.module, batch, out.detach()), own)
    own_after = [p.detach() - 1e-3 * g / (g.abs() + 1e-8) for p, g in zip(own, own_gradients, strict=True)]
    one_step(stage, feed)
    for p, expected in zip([*main, *own], [*main_after, *own_after], strict=True):
        torch.testing.assert_close(p.detach(), expected, rtol=1e-5, atol=1e-6)
    assert all(not torch.equal(p, b) for p, b in zip([*main, *own], before, strict=True))


def test_the_critic_moves_as_often_as_it_asks(house: Any) -> None:
    moved = []
    for steps in (1, 3):
        stage = house.compose("plain", penalties=[house.Critic(steps=steps)])
        own = [p.detach().clone() for p in stage.objective.penalties[0].own_parameters()]
        one_step(stage, house.feed())
        after = stage.objective.penalties[0].own_parameters()
        moved.append(max(float((a - b).detach().abs().max()) for a, b in zip(after, own, strict=True)))
    assert moved[0] == pytest.approx(1e-3, rel=1e-2) and 2e-3 < moved[1] < 3.2e-3


def test_after_a_step_everything_may_be_trained_again(house: Any) -> None:
    stage = house.compose("players")
    one_step(stage, house.feed())
    assert all(p.requires_grad for p in stage.parts().parameters())


def test_without_weight_the_critic_does_not_touch_the_autoencoder(house: Any) -> None:
    alone, watched = house.compose("plain"), house.compose("plain", penalties=[house.Critic(weight=0.0)])
    for stage in (alone, watched):  # by the graph both: the closed form of the plain one rounds otherwise on some CPUs
        house.quick(device=Device(shortcuts=False)).fit([stage], house.feed(), seed=1)
    assert house.same(house.weights(alone), house.weights(watched)[: len(house.weights(alone))])


# ── stages and hooks ──────────────────────────────────────────────────────────────────────────────


def test_a_stage_trains_only_what_it_names(house: Any) -> None:
    stage = house.compose("noisy")
    stage.trainable = lambda name: name.startswith("decoder.")
    before = {name: p.detach().clone() for name, p in stage.module.named_parameters()}
    house.quick().fit([stage], house.feed(), seed=1)
    for name, p in stage.module.named_parameters():
        assert torch.equal(p, before[name]) == name.startswith("encoder."), name
        assert p.grad is None, name


def test_stages_run_in_order_each_for_its_own_epochs(house: Any) -> None:
    stage = house.compose()
    first = Stage(stage.module, stage.objective, trainable=lambda name: name.startswith("decoder."), epochs=2)
    second = Stage(stage.module, stage.objective, epochs=3)
    history = house.quick().fit([first, second], house.feed(), seed=1)
    assert [(record["stage"], record["epoch"]) for record in history] == [(0, 1), (0, 2), (1, 1), (1, 2), (1, 3)]


def test_inputs_are_what_a_stage_sees_and_gives_back(house: Any) -> None:
    stage = house.compose()
    stage.inputs = lambda x: 2 * x
    batch = stage.prepare(next(house.feed().batches(4)))
    plain = next(house.feed().batches(4))
    assert torch.equal(batch.x, 2 * plain.x) and torch.equal(batch.target, 2 * plain.x)


class UnitNorm(Penalty, StepHook):
    """Keeps the decoder's last weight at unit norm and counts the steps."""

    def __init__(self, weight: nn.Parameter) -> None:
        super().__init__(0.0)
        self.kept, self.seen = [weight], []

    def forward(self, module: AutoencoderModule, batch: Batch, out: Output) -> Tensor:
        return out.recon.new_zeros(())

    def after_step(self, step: int, total: int) -> None:
        self.seen.append(step)
        with torch.no_grad():
            self.kept[0].div_(self.kept[0].norm())


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
def test_a_step_hook_acts_after_every_step_on_the_real_weights(house: Any, optimizer: str) -> None:
    stage = house.compose()
    weight = stage.module.decoder.body.last.weight
    hook = UnitNorm(weight)
    stage.objective.penalties.append(hook)
    house.quick(epochs=2, optimizer=optimizer).fit([stage], house.feed(), seed=1)
    assert hook.seen == list(range(14))
    assert float(weight.detach().norm()) == pytest.approx(1.0, abs=1e-6)


# ── randomness ────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("optimizer", ["adam", "muon"])
@pytest.mark.parametrize("kind", ["plain", "noisy", "vae", "players"])
def test_one_seed_gives_the_same_weights_to_the_bit(house: Any, kind: str, optimizer: str) -> None:
    def run(seed: int) -> tuple[list[Tensor], list[dict[str, Any]]]:
        stage = house.compose(kind)
        history = house.quick(optimizer=optimizer).fit([stage], house.feed(), house.feed(20, seed=9), seed=seed)
        return house.weights(stage), house.records(history)

    (weights, history), (again, same), (other, _) = run(1), run(1), run(2)
    assert house.same(weights, again) and history == same
    assert not house.same(weights, other)


def test_validation_draws_no_number_from_the_training_stream(house: Any) -> None:
    results = []
    for validation in (None, house.feed(20, seed=9)):
        stage = house.compose("vae")
        trainer = house.quick(patience=None)
        loop = Loop(trainer, [stage], house.feed(), validation, 1)
        loop._remember = lambda loss: None  # the weights of the last step, not of the best epoch
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(1)
            loop.run()
        results.append(house.weights(stage))
    assert house.same(*results)


def test_validation_is_the_same_number_whenever_it_is_asked(house: Any) -> None:
    loop = Loop(house.quick(), [house.compose("vae")], house.feed(), None, 1)
    loop.begin()
    state = torch.get_rng_state()
    values = [loop.evaluate(house.feed(20, seed=9)) for _ in range(2)]
    assert values[0] == values[1] and torch.equal(torch.get_rng_state(), state)
    assert values[0]["loss"] == pytest.approx(values[0]["reconstruction"] + values[0]["kl"], rel=1e-5)


def test_wide_rows_are_looked_at_a_few_at_a_time_with_the_same_result(
    house: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes bound the batch, 1,024 rows and the training batch too; a mean over rows does not know of batches."""
    stage, feed, sizes = house.compose(), house.feed(200, seed=9), []
    loop = Loop(house.quick(batch_size=16), [stage], house.feed(), None, 1)
    loop.begin()
    stage.module.register_forward_pre_hook(lambda module, given: sizes.append(len(given[0])))
    results = []
    width = next(feed.batches(1)).x.numel()
    for rows in (2000, 60, 3):
        monkeypatch.setattr("diabolo.train.loop.LOOK_BYTES", rows * 4 * width)
        results.append(loop.evaluate(feed)["loss"])
    assert sizes == [200] + [60, 60, 60, 20] + 12 * [16] + [8]
    assert results == pytest.approx([results[0]] * 3, rel=1e-6)


def test_fitting_leaves_the_global_generator_as_it_was(house: Any) -> None:
    stage = house.compose("vae")
    state = torch.get_rng_state()
    house.quick().fit([stage], house.feed(), seed=1)
    assert torch.equal(torch.get_rng_state(), state)


# ── schedule and history ──────────────────────────────────────────────────────────────────────────


class Rates(Callback):
    """Notes the learning rate of every step."""

    def __init__(self) -> None:
        self.rates: list[float] = []

    def on_step(self, loop: Loop) -> None:
        self.rates.append(loop._players[0][1].optimizers[0].param_groups[0]["lr"])


def test_the_schedule_scales_the_rate_of_every_step(house: Any) -> None:
    rates = Rates()
    house.quick(epochs=2, schedule="linear(start=1.0, end=0.0)", callbacks=[rates]).fit(
        [house.compose()], house.feed(), seed=1
    )
    assert rates.rates == pytest.approx([1e-2 * (1 - step / 14) for step in range(14)])


def test_a_record_holds_every_term_as_a_mean_over_rows(house: Any) -> None:
    stage = house.compose("vae")
    (record, *_) = house.quick(lr=1e-12, optimizer="sgd").fit([stage], house.feed(), house.feed(), seed=1)
    assert record["train"].keys() == record["validation"].keys() == {"loss", "reconstruction", "kl"}
    for part in ("train", "validation"):
        terms = record[part]
        assert terms["loss"] == pytest.approx(terms["reconstruction"] + terms["kl"], rel=1e-5)
    assert record["train"]["loss"] == pytest.approx(record["validation"]["loss"], rel=0.1)


@pytest.mark.parametrize(
    ("knobs", "message"),
    [
        ({"epochs": 0}, r"epochs must be an int of at least 1 .*got 0"),
        ({"batch_size": 0}, r"batch_size must be .*'full'.*got 0"),
        ({"lr": -1.0}, r"lr must be a positive number or 'auto'; got -1.0"),
        ({"validation": 1.0}, r"validation must be a share in \[0, 1\); got 1.0"),
        ({"clip": 0.0}, r"clip must be a positive number or None; got 0.0"),
        ({"optimizer": "adm"}, r"optimizer 'adm' is unknown; did you mean 'adam'\?"),
        ({"schedule": "cosin"}, r"schedule 'cosin' is unknown; did you mean 'cosine'\?"),
        ({"device": "gpu"}, r"device 'gpu' is unknown"),
        ({"epochs": "auto"}, r"epochs and batch_size must be numbers here"),
    ],
)
def test_knobs_out_of_range_are_named(house: Any, knobs: dict[str, Any], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        house.quick(**knobs).fit([house.compose()], house.feed(), seed=1)


def test_early_stopping_restores_the_best_validation_state(house: Any) -> None:
    kept: list[tuple[float, list[Tensor]]] = []

    class Keep(Callback):
        def on_epoch(self, loop: Loop) -> None:
            kept.append((loop.validation_loss, house.weights(loop.stage)))

    stage = house.compose(hidden=(32,))
    trainer = house.quick(epochs=300, lr=3e-2, schedule="constant", patience=5, callbacks=[Keep()])
    history = trainer.fit([stage], house.feed(10), house.feed(40, seed=9), seed=1)
    best = min(range(len(kept)), key=lambda i: kept[i][0])
    assert len(history) == best + 1 + 5 < 300
    assert house.same(house.weights(stage), kept[best][1])


def test_lbfgs_on_full_batches_reaches_the_pca_optimum(house: Any) -> None:
    feed = house.feed(200)
    x = feed.tensors["x"].double()
    centred = x - x.mean(0)
    values = torch.linalg.eigvalsh(centred.T @ centred / len(x)).flip(0)
    optimum = float(values[house.CODE :].sum())
    stage = house.compose(hidden=())
    trainer = Trainer(epochs=15, batch_size="full", optimizer="lbfgs", schedule="constant")
    trainer.fit([stage], feed, seed=1)
    with torch.no_grad():
        recon = stage.module(Batch(x.float(), x.float())).recon
    error = float((recon - x).square().sum(1).mean())
    assert optimum * (1 - 1e-6) <= error <= optimum * (1 + 1e-4)
