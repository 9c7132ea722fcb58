"""SIGKILL at random moments, resume each time: the final weights are those of the run that was left alone."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SCRIPT = """
import sys
import numpy as np
from diabolo import VAE, Checkpoint, Trainer
from diabolo.train import Callback
from time import sleep

class Slow(Callback):
    def on_step(self, loop):
        if loop.step == 1:
            print("training", flush=True)
        sleep(0.002)

folder, epochs = sys.argv[1], int(sys.argv[2])
callbacks = [Checkpoint(folder + "/state.checkpoint", resume=True, every=0.05), Slow()]
X = np.random.default_rng(0).normal(size=(300, 8)).astype("float32")
trainer = Trainer(epochs=epochs, batch_size=16, callbacks=callbacks)
model = VAE(2, network="dense(dropout=0.2)", hidden=(16,), trainer=trainer, random_state=0).fit(X)
model.save(folder + "/model")
"""


def start(folder: Path, epochs: int) -> subprocess.Popen[str]:
    folder.mkdir(exist_ok=True)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(
        [sys.executable, "-c", SCRIPT, str(folder), str(epochs)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> None:
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors[-2000:]


def digest(folder: Path) -> str:
    return hashlib.sha256(b"".join((folder / "model" / f).read_bytes() for f in MODEL)).hexdigest()


MODEL = ("config.json", "model.safetensors")


def kill_and_resume(tmp_path: Path, kills: int, epochs: int) -> None:
    """Kill ``kills`` processes a moment after their first step, then let one finish."""
    finish(start(tmp_path / "alone", epochs))
    killed, moments = tmp_path / "killed", random.Random(0)
    positions = []
    for _ in range(kills):
        process = start(killed, epochs)
        assert process.stdout is not None
        if not (killed / "state.checkpoint").exists():
            process.stdout.readline()
        deadline = time.monotonic() + 60
        before = stamp(killed)
        while stamp(killed) == before and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.01)
        time.sleep(moments.uniform(0, 0.1))
        assert process.poll() is None, "it finished before it could be killed: give the test more epochs"
        process.send_signal(signal.SIGKILL)
        process.communicate()
        positions.append(stamp(killed))
    assert len(set(positions)) == kills and not (killed / "model").exists()
    finish(start(killed, epochs))
    assert digest(killed) == digest(tmp_path / "alone")


def stamp(folder: Path) -> int:
    """When the checkpoint was last written; 0 if never."""
    file = folder / "state.checkpoint"
    return file.stat().st_mtime_ns if file.exists() else 0


def test_three_kills_change_no_bit(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=3, epochs=12)


@pytest.mark.slow
def test_ten_kills_change_no_bit(tmp_path: Path) -> None:
    kill_and_resume(tmp_path, kills=10, epochs=40)
