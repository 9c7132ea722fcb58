"""Sounds through the command line: fit, codes and errors with places, and WAV files back."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

Run = Callable[..., Any]


@pytest.fixture(scope="module")
def long_clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clips")
    rng = np.random.default_rng(0)
    for i in range(4):
        time = np.arange(2500 + 100 * i) / 1000
        soundfile.write(
            folder / f"{i}.wav", 0.3 * np.sin(2 * np.pi * (20 + 9 * i) * time) + 0.01 * rng.normal(size=len(time)), 1000
        )
    return folder


@pytest.mark.parametrize("processor", ["audio(window=0.5)", "log-mel(window=0.5, mels=8, frame=64.0, step=16.0)"])
def test_every_verb_takes_sounds(run: Run, long_clips: Path, tmp_path: Path, processor: str) -> None:
    model = tmp_path / "m"
    fitted = run(
        "fit", long_clips, "--out", model, "--processor", processor, "--network", "dense", "--hidden", "8",
        "--latent", "3", "--epochs", "2",
    )  # fmt: skip
    assert fitted.exit_code == 0, fitted.output
    assert "4 sounds, as windows of" in fitted.output and "at 1,000 Hz" in fitted.output
    for verb, out in (("encode", "z.csv"), ("score", "e.csv"), ("reconstruct", "back"), ("encode", "z.npy")):
        result = run(verb, model, long_clips, "--out", tmp_path / out)
        assert result.exit_code == 0, result.output
    codes, errors = pd.read_csv(tmp_path / "z.csv"), pd.read_csv(tmp_path / "e.csv")
    assert list(codes) == ["file", "start", "end", "z0", "z1", "z2"] and list(errors) == [
        "file",
        "start",
        "end",
        "error",
    ]
    assert set(codes["file"]) == {f"{i}.wav" for i in range(4)} and len(codes) > 12
    assert np.allclose(codes.groupby("file")["end"].max(), [2.5, 2.6, 2.7, 2.8])
    back = {path.name: soundfile.info(str(path)) for path in (tmp_path / "back").iterdir()}
    assert [back[f"{i}.wav"].frames for i in range(4)] == [2500, 2600, 2700, 2800]
    decoded = run("decode", model, tmp_path / "z.csv", "--out", tmp_path / "windows")
    assert decoded.exit_code == 0, decoded.output
    assert len(list((tmp_path / "windows").iterdir())) == len(codes)
    assert run("info", model).exit_code == 0


def test_one_recording_is_enough(run: Run, long_clips: Path, tmp_path: Path) -> None:
    words = ("--network", "dense", "--latent", "2", "--epochs", "1", "--processor", "audio(window=0.2)")
    fitted = run("fit", long_clips / "0.wav", "--out", tmp_path / "m", *words)
    assert fitted.exit_code == 0, fitted.output
    result = run("reconstruct", tmp_path / "m", long_clips / "1.wav", "--out", tmp_path / "back.wav")
    assert result.exit_code == 0 and soundfile.info(str(tmp_path / "back.wav")).frames == 2600
