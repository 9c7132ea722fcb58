"""Stop anywhere, resume, and the final weights are those of the run that never stopped, to the bit."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from diabolo.core import make
from diabolo.core.errors import Interrupted, ModelError
from diabolo.train import Callback, Stage, Trainer
from diabolo.train.checkpoint import Checkpoint, read_state, write_state
from diabolo.train.loop import Loop

STEPS = 4 * 7
"""4 epochs of 50 rows in batches of 8."""


class Stop(Exception):
    """What the tests raise in place of a power cut."""


class CutAt(Callback):
    """Writes a checkpoint after step number ``at`` of the whole run and ends the process, so to say."""

    def __init__(self, at: int, checkpoint: Checkpoint) -> None:
        self.at, self.checkpoint, self.seen = at, checkpoint, 0

    def on_step(self, loop: Loop) -> None:
        self.seen += 1
        if self.seen == self.at:
            self.checkpoint.write(loop)
            raise Stop


Run = Callable[..., tuple[list[Tensor], list[dict[str, Any]]]]


@pytest.fixture
def run(house: Any) -> Run:
    """Train a composition from scratch; ``callbacks`` may stop it."""

    def go(kind: str, callbacks: Any = (), **knobs: Any) -> tuple[list[Tensor], list[dict[str, Any]]]:
        stage = house.compose(kind)
        trainer = house.quick(callbacks=callbacks, **knobs)
        history = trainer.fit([stage], house.feed(), house.feed(20, seed=9), seed=1)
        return house.weights(stage), house.records(history)

    return go


@pytest.mark.parametrize(
    ("kind", "knobs"),
    [
        ("plain", {}),
        ("plain", {"optimizer": "sgd"}),
        ("plain", {"optimizer": "adamw"}),
        ("plain", {"optimizer": "lbfgs(iterations=3)", "lr": 0.1, "batch_size": "full", "epochs": STEPS}),
        ("noisy", {}),
        ("noisy", {"optimizer": "muon", "clip": 0.5}),
        ("vae", {"optimizer": "muon"}),
        ("vae", {"schedule": "constant", "patience": 1, "lr": 0.2}),
        ("players", {}),
    ],
    ids=str,
)
def test_resuming_gives_the_uninterrupted_run_to_the_bit(
    house: Any, run: Run, tmp_path: Path, kind: str, knobs: dict[str, Any]
) -> None:
    weights, history = run(kind, **knobs)
    steps = 7 * len(history) if knobs.get("batch_size") != "full" else len(history)
    for at in (1, *np.random.default_rng(0).integers(2, steps, 4).tolist(), steps):
        file = tmp_path / f"{at}.checkpoint"
        with pytest.raises(Stop):
            run(kind, [CutAt(at, first := Checkpoint(file, every=1e9)), first][::-1], **knobs)
        again, same = run(kind, [Checkpoint(file, resume=True, every=1e9)], **knobs)
        assert house.same(weights, again), f"cut after step {at}"
        assert history == same, f"cut after step {at}"


def test_many_cuts_in_one_run_change_nothing(house: Any, run: Run, tmp_path: Path) -> None:
    weights, history = run("vae")
    file = tmp_path / "many.checkpoint"
    for _ in range(STEPS // 3):
        checkpoint = Checkpoint(file, resume=True, every=1e9)
        with pytest.raises(Stop):
            run("vae", [checkpoint, CutAt(3, checkpoint)])
    again, same = run("vae", [Checkpoint(file, resume=True, every=1e9)])
    assert house.same(weights, again) and history == same


def test_every_stage_is_taken_up_where_it_was(house: Any, tmp_path: Path) -> None:
    def go(callbacks: Any = ()) -> list[Tensor]:
        lower, upper = house.compose("noisy"), house.compose("vae", seed=1)
        encode = lower.module.code

        class Inputs:
            """Widens the codes of the frozen layers below to rows again."""

            def __call__(self, x: Tensor) -> Tensor:
                return torch.cat([encode(x), encode(-x)], 1)

        upper.inputs = Inputs()
        head = Stage(lower.module, lower.objective, trainable=lambda name: name.startswith("decoder."), epochs=2)
        stages = [lower, head, upper]
        house.quick(callbacks=callbacks).fit(stages, house.feed(), house.feed(20, seed=9), seed=1)
        return [tensor for stage in stages for tensor in house.weights(stage)]

    weights = go()
    for at in (5, 7 * 4, 7 * 4 + 9, 7 * 6 + 1, 7 * 6 + 10):
        file = tmp_path / f"{at}.checkpoint"
        checkpoint = Checkpoint(file, every=1e9)
        with pytest.raises(Stop):
            go([checkpoint, CutAt(at, checkpoint)])
        assert house.same(weights, go([Checkpoint(file, resume=True, every=1e9)])), f"cut after step {at}"


def test_ctrl_c_writes_a_checkpoint_and_resuming_changes_nothing(house: Any, run: Run, tmp_path: Path) -> None:
    class CtrlC(Callback):
        def on_step(self, loop: Loop) -> None:
            if loop.epoch == 1 and loop.position == 3:
                os.kill(os.getpid(), signal.SIGINT)

    before = signal.getsignal(signal.SIGINT)
    weights, history = run("vae")
    file = tmp_path / "state.checkpoint"
    with pytest.raises(Interrupted, match="interrupted in epoch 2 of 4"):
        run("vae", [CtrlC(), Checkpoint(file, every=1e9)])
    assert file.exists() and signal.getsignal(signal.SIGINT) is before
    again, same = run("vae", [Checkpoint(file, resume=True, every=1e9)])
    assert house.same(weights, again) and history == same


def test_a_second_ctrl_c_ends_at_once(house: Any, run: Run) -> None:
    class Twice(Callback):
        def on_step(self, loop: Loop) -> None:
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        run("plain", [Twice()])


def test_nothing_to_resume_starts(house: Any, run: Run, tmp_path: Path) -> None:
    weights, _ = run("plain")
    again, _ = run("plain", [Checkpoint(tmp_path / "none.checkpoint", resume=True)])
    assert house.same(weights, again)


# ── the file ──────────────────────────────────────────────────────────────────────────────────────


@pytest.fixture
def cut(run: Run, tmp_path: Path) -> Path:
    """The checkpoint of a run cut in the middle."""
    checkpoint = Checkpoint(tmp_path / "state.checkpoint", every=1e9)
    with pytest.raises(Stop):
        run("vae", [checkpoint, CutAt(10, checkpoint)])
    return checkpoint.path


@pytest.mark.parametrize("share", [0.0, 0.001, 0.3, 0.9, 0.999])
def test_a_truncated_file_is_refused(cut: Path, run: Run, share: float) -> None:
    whole = cut.read_bytes()
    cut.write_bytes(whole[: int(share * len(whole))])
    with pytest.raises(ModelError, match=r"state.checkpoint (is damaged|cannot be read).*train again"):
        run("vae", [Checkpoint(cut, resume=True)])


def test_a_file_of_something_else_is_refused(cut: Path, run: Run) -> None:
    for content in (b"hello", b"\xff" * 4096, b"{}" + b"\x00" * 100):
        cut.write_bytes(content)
        with pytest.raises(ModelError, match=r"state.checkpoint (is damaged|cannot be read)"):
            run("vae", [Checkpoint(cut, resume=True)])


def test_a_flipped_byte_among_the_weights_is_refused(cut: Path, run: Run) -> None:
    content = bytearray(cut.read_bytes())
    content[-5] ^= 0xFF
    cut.write_bytes(content)
    with pytest.raises(ModelError, match=r"state.checkpoint (is damaged|cannot be read)"):
        run("vae", [Checkpoint(cut, resume=True)])


def test_a_newer_version_is_refused(cut: Path, run: Run) -> None:
    content = cut.read_bytes()
    assert content.count(b'"diabolo":"1"') == 1
    cut.write_bytes(content.replace(b'"diabolo":"1"', b'"diabolo":"9"'))
    with pytest.raises(ModelError, match=r"newer version of diabolo; upgrade"):
        run("vae", [Checkpoint(cut, resume=True)])


def test_the_file_is_replaced_whole_and_nothing_lies_beside_it(cut: Path) -> None:
    state = read_state(cut)
    write_state(cut, state)
    assert [file.name for file in cut.parent.iterdir()] == [cut.name]
    again = read_state(cut)
    assert again["fingerprint"] == state["fingerprint"] and again["loop"]["step"] == 10
    assert all(torch.equal(a, b) for a, b in zip(again["loop"]["tensors"], state["loop"]["tensors"], strict=True))


def test_a_checkpoint_is_written_in_time_and_not_more_often(house: Any, run: Run, tmp_path: Path) -> None:
    written: list[int] = []

    class Counting(Checkpoint):
        def write(self, loop: Loop) -> None:
            written.append(loop.step)
            super().write(loop)

    run("plain", [Counting(tmp_path / "a", every=1e9)])
    assert written == []
    run("plain", [Counting(tmp_path / "a", every=0.0)], epochs=60)
    assert 0 < len(written) < 60 * 7  # fifty times its own duration lie between two


# ── another run ───────────────────────────────────────────────────────────────────────────────────


def other(house: Any, cut: Path, change: Callable[[Stage], None] | None = None, **given: Any) -> None:
    """Try to resume the run that was cut with one thing changed."""
    stage = house.compose("vae", hidden=given.pop("hidden", (5,)), seed=given.pop("weights", 0))
    if change is not None:
        change(stage)
    feed, validation = given.pop("feed", house.feed()), given.pop("validation", house.feed(20, seed=9))
    seed = given.pop("seed", 1)
    trainer: Trainer = house.quick(callbacks=[Checkpoint(cut, resume=True)], **given)
    trainer.fit([stage], feed, validation, seed=seed)


def test_the_same_run_is_resumed(house: Any, cut: Path) -> None:
    other(house, cut)


@pytest.mark.parametrize(
    "given",
    [
        {"lr": 2e-2},
        {"batch_size": 10},
        {"optimizer": "sgd"},
        {"epochs": 5},
        {"seed": 2},
        {"weights": 3},
        {"hidden": (6,)},
    ],
    ids=str,
)
def test_other_parameters_are_refused(house: Any, cut: Path, given: dict[str, Any]) -> None:
    with pytest.raises(ModelError, match=r"other data or other parameters"):
        other(house, cut, **given)


def test_other_rows_are_refused(house: Any, cut: Path) -> None:
    for rows in ({"feed": house.feed(seed=4)}, {"feed": house.feed(51)}, {"validation": house.feed(21, seed=9)}):
        with pytest.raises(ModelError, match=r"other data or other parameters"):
            other(house, cut, **rows)


def test_other_validation_rows_are_refused(house: Any, cut: Path) -> None:
    with pytest.raises(ModelError, match=r"other data or other parameters"):
        other(house, cut, validation=house.feed(20, seed=4))


def test_another_corruption_is_refused(house: Any, cut: Path) -> None:
    def change(stage: Stage) -> None:
        stage.corruption = make("corruption", "noise(std=0.2)")

    with pytest.raises(ModelError, match=r"other data or other parameters"):
        other(house, cut, change)


def test_another_weight_of_a_penalty_is_refused(house: Any, cut: Path) -> None:
    def change(stage: Stage) -> None:
        stage.objective.penalties[0].weight = 0.2

    with pytest.raises(ModelError, match=r"other data or other parameters"):
        other(house, cut, change)


def test_other_trainable_parameters_are_refused(house: Any, cut: Path) -> None:
    def change(stage: Stage) -> None:
        stage.trainable = lambda name: name.startswith("decoder.")

    with pytest.raises(ModelError, match=r"other data or other parameters"):
        other(house, cut, change)
