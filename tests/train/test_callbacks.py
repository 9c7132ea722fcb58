"""What watches training: it sees everything, changes nothing, and brings a run back from NaN."""

from __future__ import annotations

import io
import math
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from diabolo import Autoencoder, Trainer
from diabolo.core.errors import MissingExtra, TrainingError, UsageError
from diabolo.train import Callback, Progress, TimeLimit
from diabolo.train.callbacks import parse_duration
from diabolo.train.loop import Loop
from diabolo.train.tensorboard import TensorBoard


class Poison(Callback):
    """Makes a weight NaN, as an overflow would, ``times`` times; keeps what is told."""

    def __init__(self, when: int, times: int = 1, at_epoch_end: bool = False) -> None:
        self.when, self.times, self.at_epoch_end = when, times, at_epoch_end
        self.messages: list[str] = []
        self.rates: list[float] = []

    def poison(self, loop: Loop, now: int) -> None:
        if now == self.when and self.times:
            self.times -= 1
            with torch.no_grad():
                next(loop.stage.module.parameters()).fill_(math.nan)

    def on_step(self, loop: Loop) -> None:
        self.rates.append(loop._players[0][1].optimizers[0].param_groups[0]["lr"])
        if not self.at_epoch_end:
            self.poison(loop, loop.step)

    def on_epoch(self, loop: Loop) -> None:
        if self.at_epoch_end:
            self.poison(loop, loop.epoch)

    def on_message(self, loop: Loop, text: str) -> None:
        self.messages.append(text)


# ── NaN ───────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("step", [1, 9, 13, 20])
def test_one_nan_goes_back_halves_the_rate_and_finishes(house: Any, step: int) -> None:
    poison = Poison(step)
    stage = house.compose()
    history = house.quick(schedule="constant", callbacks=[poison]).fit([stage], house.feed(), seed=1)
    assert len(history) == 4 and all(math.isfinite(record["train"]["loss"]) for record in history)
    assert all(bool(tensor.isfinite().all()) for tensor in house.weights(stage))
    assert poison.rates[0] == pytest.approx(1e-2) and poison.rates[-1] == pytest.approx(5e-3)
    (message,) = poison.messages
    assert f"not finite in epoch {(step - 1) // 7 + 1}" in message and "2 times smaller (attempt 1 of 3)" in message


def test_the_weights_go_back_to_where_the_epoch_began(house: Any) -> None:
    seen: list[Any] = []

    class Watch(Poison):
        def on_epoch(self, loop: Loop) -> None:
            seen.append(house.weights(loop.stage))

        def on_message(self, loop: Loop, text: str) -> None:
            assert house.same(house.weights(loop.stage), seen[-1])
            super().on_message(loop, text)

    watch = Watch(10)
    house.quick(callbacks=[watch]).fit([house.compose()], house.feed(), seed=1)
    assert len(watch.messages) == 1


@pytest.mark.parametrize("poison", [Poison(28), Poison(14)], ids=["in the last step", "in the last step of an epoch"])
def test_a_nan_that_no_later_loss_shows_is_found_too(house: Any, poison: Poison) -> None:
    stage = house.compose()
    house.quick(callbacks=[poison]).fit([stage], house.feed(), seed=1)
    assert all(bool(tensor.isfinite().all()) for tensor in house.weights(stage)) and len(poison.messages) == 1


def test_a_loss_that_stays_nan_is_an_error_that_says_what_to_try(house: Any) -> None:
    poison = Poison(9, times=99)
    with pytest.raises(TrainingError, match=r"epoch 2, 3 smaller steps did not help; try a smaller lr, clip=1.0"):
        house.quick(callbacks=[poison]).fit([house.compose()], house.feed(), seed=1)
    assert len(poison.messages) == 3 and "8 times smaller (attempt 3 of 3)" in poison.messages[-1]


def test_a_rate_far_too_high_is_brought_down(house: Any) -> None:
    stage = house.compose(hidden=())
    watch = Poison(-1)
    trainer = house.quick(optimizer="sgd(momentum=0.0)", lr=0.4, schedule="constant", epochs=60, callbacks=[watch])
    trainer.fit([stage], house.feed(200), seed=1)
    assert watch.messages
    assert all(bool(tensor.isfinite().all()) for tensor in house.weights(stage))


# ── stopping in time ──────────────────────────────────────────────────────────────────────────────


class Slow(Callback):
    """A machine on which a step takes 5 ms."""

    def on_step(self, loop: Loop) -> None:
        time.sleep(0.005)


def test_a_time_limit_stops_between_steps_with_a_usable_model(house: Any) -> None:
    stage = house.compose()
    began = time.monotonic()
    trainer = house.quick(epochs=10_000, patience=None, callbacks=[Slow(), TimeLimit(0.3)])
    history = trainer.fit([stage], house.feed(), house.feed(20, seed=9), seed=1)
    assert time.monotonic() - began < 5 and 0 < len(history) < 100
    best = min(record["validation"]["loss"] for record in history)
    loop = Loop(trainer, [stage], house.feed(), None, 1)
    loop.begin()
    assert loop.evaluate(house.feed(20, seed=9))["loss"] <= best * (1 + 1e-6)


def test_a_limit_within_the_first_epoch_still_gives_a_model(house: Any) -> None:
    stage = house.compose()
    before = house.weights(stage)
    trainer = house.quick(callbacks=[Slow(), TimeLimit(1e-6)])
    assert trainer.fit([stage], house.feed(), house.feed(20, seed=9), seed=1) == []
    assert not house.same(before, house.weights(stage))


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), (2.5, 2.5), ("1h1m1s", 3661)]
)
def test_durations(text: str | float, seconds: float) -> None:
    assert parse_duration(text) == seconds


@pytest.mark.parametrize("text", ["", "soon", "10x", "-5", 0, "0s", "m"])
def test_what_is_no_duration_is_refused(text: str | float) -> None:
    with pytest.raises(UsageError, match=r"a time must be positive, such as 90s, 10m or 1h30m"):
        parse_duration(text)


# ── watching ──────────────────────────────────────────────────────────────────────────────────────


def test_progress_is_silent_when_piped_but_for_messages(house: Any) -> None:
    stream = io.StringIO()
    house.quick(callbacks=[Progress(stream)]).fit([house.compose()], house.feed(), seed=1)
    assert stream.getvalue() == ""
    house.quick(callbacks=[Progress(stream), Poison(9)]).fit([house.compose()], house.feed(), seed=1)
    assert stream.getvalue().count("\n") == 1 and "learning rate" in stream.getvalue()


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_progress_on_a_terminal_shows_epoch_loss_and_rate(house: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "120")
    stream = Terminal()
    trainer = house.quick(callbacks=[Progress(stream, refresh=0.0), Slow()])
    trainer.fit([house.compose()], house.feed(), house.feed(20, seed=9), seed=1)
    text = stream.getvalue()
    assert "rows/s" in text and "loss" in text and "epoch" in text and "validation" in text


def test_watching_changes_no_number(house: Any) -> None:
    results = []
    for callbacks in ([], [Progress(io.StringIO()), Slow(), TimeLimit("1h")]):
        stage = house.compose("vae")
        house.quick(callbacks=callbacks).fit([stage], house.feed(), house.feed(20, seed=9), seed=1)
        results.append(house.weights(stage))
    assert house.same(*results)


def test_the_share_of_work_done_rises_to_one(house: Any) -> None:
    shares: list[float] = []

    class Share(Callback):
        def on_step(self, loop: Loop) -> None:
            shares.append(loop.progress)

    house.quick(callbacks=[Share()]).fit([house.compose(), house.compose(seed=1)], house.feed(), seed=1)
    assert shares == sorted(shares) and shares[-1] == pytest.approx(1.0)
    assert shares[27] == pytest.approx(0.5)


def test_on_end_is_called_even_when_training_fails(house: Any) -> None:
    ended: list[bool] = []

    class End(Callback):
        def on_end(self, loop: Loop) -> None:
            ended.append(True)

    with pytest.raises(TrainingError):
        house.quick(callbacks=[Poison(9, times=99), End()]).fit([house.compose()], house.feed(), seed=1)
    assert ended == [True]


# ── TensorBoard ───────────────────────────────────────────────────────────────────────────────────


def test_tensorboard_events_can_be_read_back(house: Any, tmp_path: Path) -> None:
    stage = house.compose("vae")
    trainer = house.quick(callbacks=[TensorBoard(tmp_path)])
    history = trainer.fit([stage], house.feed(), house.feed(20, seed=9), seed=1)
    read = EventAccumulator(str(tmp_path))
    read.Reload()
    scalars = set(read.Tags()["scalars"])
    terms = {f"{term}/{part}" for term in ("loss", "reconstruction", "kl") for part in ("train", "validation")}
    assert scalars == terms | {"learning rate", "rows per second"}
    for term, part in (("loss", "train"), ("kl", "validation")):
        points = read.Scalars(f"{term}/{part}")
        assert [point.step for point in points] == [1, 2, 3, 4]
        assert [point.value for point in points] == pytest.approx([record[part][term] for record in history], rel=1e-5)
    assert [point.value for point in read.Scalars("learning rate")] == pytest.approx([r["lr"] for r in history])
    (codes,) = tmp_path.rglob("tensors.tsv")
    lines = codes.read_text().splitlines()
    assert len(lines) == 20 and len(lines[0].split("\t")) == house.CODE


def test_tensorboard_shows_pictures_above_their_reconstructions(tmp_path: Path) -> None:
    for shape in ((6, 5), (6, 5, 3)):
        X = np.random.default_rng(0).integers(0, 256, (40, *shape), dtype=np.uint8)
        folder = tmp_path / str(len(shape))
        Autoencoder(3, trainer=Trainer(epochs=1, callbacks=[TensorBoard(folder)]), random_state=0).fit(X)
        read = EventAccumulator(str(folder))
        read.Reload()
        (tag,) = {name.rsplit("/", 1)[0] for name in read.Tags()["images"]}
        assert tag == "original above reconstruction"
        images = read.Images(read.Tags()["images"][0])
        assert (images[0].height, images[0].width) == (2 * 12, 8 * 5)  # 16 pictures in a grid


def test_without_tensorboard_the_message_names_what_to_install(
    house: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    with pytest.raises(MissingExtra, match=r"pip install 'diabolo\[tensorboard\]'"):
        house.quick(callbacks=[TensorBoard(tmp_path)]).fit([house.compose()], house.feed(), seed=1)
