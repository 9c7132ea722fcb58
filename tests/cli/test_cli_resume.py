"""Killed or interrupted anywhere, a resumed fit ends with the weights of one that was left alone."""

from __future__ import annotations

import hashlib
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

Run = Start = Callable[..., Any]
CHECKPOINT = "training.safetensors"


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 rows of 20 values on a curved surface."""
    draw = np.random.default_rng(0)
    file = tmp_path_factory.mktemp("rows") / "rows.npy"
    hidden = np.tanh(draw.normal(size=(2000, 3)) @ draw.normal(size=(3, 20)))
    np.save(file, (hidden + 0.05 * draw.normal(size=hidden.shape)).astype(np.float32))
    return file


@pytest.fixture(scope="module")
def alone(start: Start, rows: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The model of a fit of 80 epochs that was left alone."""
    out = tmp_path_factory.mktemp("alone") / "m"
    finish(start(*words(rows, out, 80)))
    return out


def words(rows: Path, out: Path, epochs: int) -> list[Any]:
    """A fit of a few seconds, with everything in it that draws numbers."""
    return ["fit", rows, "--out", out, "--epochs", epochs, "--patience", "none", "--corruption", "noise(std=0.1)",
            "--network", "dense(dropout=0.1)"]  # fmt: skip


def fingerprint(model: Path) -> str:
    return hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()


def wait_for(file: Path, process: Any, seconds: float = 60) -> None:
    """Until the file is there, or the process has ended."""
    end = time.monotonic() + seconds
    while not file.exists() and process.poll() is None and time.monotonic() < end:
        time.sleep(0.02)


def finish(process: Any) -> str:
    """What it said on standard error; it must end well."""
    err: str = process.communicate()[1]
    assert process.returncode == 0, err
    return err


def test_ctrl_c_then_resume_gives_the_same_weights(
    start: Start, fails: Run, rows: Path, alone: Path, tmp_path: Path
) -> None:
    cut = tmp_path / "cut"
    process = start(*words(rows, cut, 80))
    wait_for(cut / CHECKPOINT, process)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate()
    assert process.returncode == 130, err
    assert f"The state is in {cut}; go on with the same command and --resume." in err
    assert "Traceback" not in err and "interrupted in epoch" in err
    assert [p.name for p in cut.iterdir()] == [CHECKPOINT]

    assert "unfinished training: go on with --resume" in fails(2, *words(rows, cut, 80))
    assert "other data or other parameters" in fails(1, *words(rows, cut, 81), "--resume")
    assert "from step" in finish(start(*words(rows, cut, 80), "--resume"))
    assert fingerprint(cut) == fingerprint(alone)
    assert (cut / "config.json").read_bytes() == (alone / "config.json").read_bytes()
    assert sorted(p.name for p in cut.iterdir()) == ["config.json", "model.safetensors"]


def test_resume_of_nothing_starts_and_of_a_finished_run_says_so(run: Run, data: Path, tmp_path: Path) -> None:
    words = ("fit", data / "rows.npy", "--epochs", 1, "--out", tmp_path / "m", "--resume")
    assert run(*words).exit_code == 0
    before = fingerprint(tmp_path / "m")
    result = run(*words)
    assert result.exit_code == 0 and "is finished: nothing to resume" in result.stderr
    assert fingerprint(tmp_path / "m") == before


def test_ctrl_c_before_training_says_that_nothing_was_written(
    fails: Run, data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def stop(*given: Any, **named: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("diabolo.data.open", stop)
    assert fails(130, "fit", data / "rows.npy", "--out", tmp_path / "m") == "diabolo: interrupted."
    monkeypatch.undo()
    monkeypatch.setattr("diabolo.cli.job.compare", stop)
    message = fails(130, "fit", data / "rows.npy", "--epochs", 1, "--out", tmp_path / "m")
    assert "Nothing was written yet" in message and not (tmp_path / "m").exists()


def test_an_interrupted_fit_under_force_goes_on_and_keeps_the_old_model_till_then(
    run: Run, start: Start, rows: Path, tmp_path: Path
) -> None:
    out = tmp_path / "m"
    assert run("fit", rows, "--epochs", 1, "--out", out).exit_code == 0
    old = fingerprint(out)
    process = start(*words(rows, out, 80), "--force")
    wait_for(out / CHECKPOINT, process)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert fingerprint(out) == old and (out / CHECKPOINT).exists()
    result = run(*words(rows, out, 80), "--resume", "--force")
    assert result.exit_code == 0 and "from step" in result.stderr and fingerprint(out) != old


def _kill_often(start: Start, rows: Path, cut: Path, alone: Path, kills: int, epochs: int) -> None:
    """SIGKILL at random moments; every time the next one resumes."""
    moments, killed = random.Random(0), 0
    while killed < kills:
        process = start(*words(rows, cut, epochs), "--resume")
        wait_for(cut, process)
        time.sleep(moments.uniform(0, 1.5))
        over = process.poll() is not None
        process.send_signal(signal.SIGKILL)
        process.communicate()
        if over:
            break
        killed += 1
    assert killed == kills, f"the run was over after {killed} kills; give it more epochs"
    finish(start(*words(rows, cut, epochs), "--resume"))
    assert fingerprint(cut) == fingerprint(alone)
    assert sorted(p.name for p in cut.iterdir()) == ["config.json", "model.safetensors"]


def test_two_kills_change_nothing(start: Start, rows: Path, alone: Path, tmp_path: Path) -> None:
    _kill_often(start, rows, tmp_path / "cut", alone, kills=2, epochs=80)


@pytest.mark.slow
def test_ten_kills_change_nothing(start: Start, rows: Path, tmp_path: Path) -> None:
    finish(start(*words(rows, tmp_path / "alone", 500)))
    _kill_often(start, rows, tmp_path / "cut", tmp_path / "alone", kills=10, epochs=500)
