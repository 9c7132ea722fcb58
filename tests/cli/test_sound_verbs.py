"""Recordings on the command line: denoised, cut, judged, classified; and what is wrong with them said in words."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import soundfile

Run = Callable[..., Any]
RATE = 2000
QUICK = ("--epochs", 2)


def tone(hertz: float, seconds: float, seed: int, noise: float = 0.02) -> np.ndarray:
    time = np.arange(round(seconds * RATE)) / RATE
    return 0.2 * np.sin(2 * np.pi * hertz * time) + noise * np.random.default_rng(seed).normal(size=len(time))


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen tones of half a second in two folders."""
    folder = tmp_path_factory.mktemp("tones")
    for place in range(16):
        kind = "low" if place % 2 else "high"
        (folder / kind).mkdir(exist_ok=True)
        hertz = (100 if place % 2 else 600) + 10 * place
        soundfile.write(folder / kind / f"{place}.wav", tone(hertz, 0.5, place), RATE)
    return folder


@pytest.fixture(scope="module")
def machines(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten recordings of 2.5 s, and two with a tone that the others lack."""
    folder = tmp_path_factory.mktemp("machines")
    for name in ("normal", "new"):
        (folder / name).mkdir()
    for place in range(10):
        soundfile.write(folder / "normal" / f"{place}.wav", tone(100, 2.5, place), RATE)
    for place in range(4):
        strange = tone(600, 2.5, 30, noise=0) * 0.3 * (place > 1)
        soundfile.write(folder / "new" / f"{place}.wav", tone(100, 2.5, 20 + place) + strange, RATE)
    return folder


@pytest.fixture(scope="module")
def denoiser(run: Run, clips: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    model = tmp_path_factory.mktemp("denoiser") / "m"
    words = ("--target", "none", "--task", "denoise", "--out", model, "--holdout", 0.4, *QUICK)
    fitted = run("fit", clips, *words)
    assert fitted.exit_code == 0, fitted.output
    for text in ("SI-SDR gained", "Wiener filter, estimated noise", "ideal ratio mask"):
        assert text in fitted.output
    return model


def test_recordings_are_denoised_to_a_folder_or_a_file(run: Run, denoiser: Path, clips: Path, tmp_path: Path) -> None:
    done = run("denoise", denoiser, clips, "--out", tmp_path / "clean")
    assert done.exit_code == 0 and "dB of full scale" in done.stderr, done.output
    made = sorted((tmp_path / "clean").rglob("*.wav"))
    assert len(made) == 16 and {soundfile.info(str(path)).frames for path in made} == {1000}
    one = run("denoise", denoiser, clips / "low" / "1.wav", "--out", tmp_path / "clean.wav")
    assert one.exit_code == 0 and soundfile.info(str(tmp_path / "clean.wav")).samplerate == RATE


def test_a_report_shows_spectra(run: Run, denoiser: Path, clips: Path, tmp_path: Path) -> None:
    done = run("report", denoiser, clips, "--target", "none", "--out", tmp_path / "page.html")
    assert done.exit_code == 0, done.output
    page = (tmp_path / "page.html").read_text("utf-8")
    assert "Sounds without their noise" in page and "held-out recordings in white noise" in page


def test_what_is_no_recording_or_no_denoiser_is_refused(
    run: Run, fails: Run, denoiser: Path, clips: Path, tmp_path: Path
) -> None:
    (tmp_path / "broken.wav").write_bytes(b"no sound at all")
    assert "broken.wav" in fails(1, "denoise", denoiser, tmp_path / "broken.wav", "--out", tmp_path / "o.wav")
    assert ".wav" in fails(2, "denoise", denoiser, clips, "--out", tmp_path / "clean.csv")
    plain = ("--processor", "log-mel(window=0.1, mels=8)", "--network", "dense", "--hidden", 4, "--latent", 2, *QUICK)
    run("fit", clips, "--target", "none", "--out", tmp_path / "plain", *plain)
    said = fails(1, "denoise", tmp_path / "plain", clips, "--out", tmp_path / "o")
    assert "--task denoise" in said
    for place in range(5):
        soundfile.write(tmp_path / f"{place}.wav", np.zeros(2000), RATE)
    (tmp_path / "broken.wav").unlink()
    assert "silent" in fails(1, "fit", tmp_path, "--include", "*.wav", "--task", "denoise", "--out", tmp_path / "m")


def test_recordings_are_cut(run: Run, fails: Run, clips: Path, tmp_path: Path) -> None:
    words = ("--task", "segment-sounds", "--set", "splices=10", "--set", "pieces=3", "--holdout", 0.4, *QUICK)
    fitted = run("fit", clips, "--target", "none", "--out", tmp_path / "m", *words)
    assert fitted.exit_code == 0 and "energy threshold" in fitted.output, fitted.output
    long = np.concatenate([tone(110, 1.0, 0), tone(650, 1.0, 1)])
    soundfile.write(tmp_path / "long.wav", long, RATE)
    soundfile.write(tmp_path / "short.wav", long[:20], RATE)
    plain = ("--processor", "log-mel(window=0.1, mels=8)", "--network", "dense", "--hidden", 4, "--latent", 2, *QUICK)
    run("fit", clips, "--target", "none", "--out", tmp_path / "plain", *plain)
    for model in ("m", "plain"):
        done = run("segment", tmp_path / model, tmp_path / "long.wav", "--out", tmp_path / f"{model}.csv")
        assert done.exit_code == 0, done.output
        found = pd.read_csv(tmp_path / f"{model}.csv")
        assert list(found) == ["file", "begin", "end"] and found["begin"].iloc[0] == 0 and found["end"].iloc[-1] == 2
        assert (found["begin"].iloc[1:].to_numpy() == found["end"].iloc[:-1].to_numpy()).all()
    assert any(abs(found["end"] - 1.0) < 0.1)
    run("segment", tmp_path / "m", tmp_path / "short.wav", "--out", tmp_path / "short.csv")
    assert len(pd.read_csv(tmp_path / "short.csv")) == 1
    said = fails(2, "segment", tmp_path / "m", tmp_path / "long.wav", "--out", tmp_path / "x.npy")
    assert ".csv" in said
    for task in ("segment-sounds", "segment"):  # of recordings the second is the first
        said = fails(1, "fit", tmp_path / "long.wav", "--task", task, "--holdout", 0, "--out", tmp_path / "n")
        assert "at least 4" in said, said


def test_recordings_are_judged_as_a_whole(run: Run, fails: Run, machines: Path, tmp_path: Path) -> None:
    fitted = run("fit", machines / "normal", "--task", "detect", "--out", tmp_path / "m", "--holdout", 0, *QUICK)
    assert fitted.exit_code == 0, fitted.output
    words = ("--clips", "--contamination", 0.5 - 1e-9, "--maps", tmp_path / "maps")
    done = run("detect", tmp_path / "m", machines / "new", "--out", tmp_path / "found.csv", *words)
    assert done.exit_code == 0 and "2 anomalies among 4 recordings" in done.stderr, done.output
    found = pd.read_csv(tmp_path / "found.csv")
    assert list(found) == ["file", "score", "p_value", "anomaly", "worst", "band"]
    assert found["anomaly"].tolist() == [False, False, True, True]
    assert all("louder" in band for band in found["band"][2:]) and len(list((tmp_path / "maps").iterdir())) == 4
    few = run("detect", tmp_path / "m", machines / "new", "--out", tmp_path / "few.csv", "--clips")
    assert "no p-value is below 0.091" in few.stderr
    said = fails(2, "detect", tmp_path / "m", machines / "new", "--out", tmp_path / "o.csv", "--clips", "--steps")
    assert "contradict" in said
    page = run("report", tmp_path / "m", machines / "new", "--out", tmp_path / "page.html")
    assert page.exit_code == 0 and "Strange sounds" in (tmp_path / "page.html").read_text("utf-8"), page.output


def test_a_classifier_on_folders_of_recordings(run: Run, clips: Path, tmp_path: Path) -> None:
    words = ("--processor", "log-mel(window=0.5, mels=16)", "--network", "dense", "--hidden", 16, "--latent", 4)
    fitted = run("fit", clips, "--task", "classify", "--out", tmp_path / "m", "--holdout", 0, "--epochs", 30, *words)
    assert fitted.exit_code == 0, fitted.output
    done = run("predict", tmp_path / "m", clips, "--out", tmp_path / "said.csv")
    assert done.exit_code == 0, done.output
    said = pd.read_csv(tmp_path / "said.csv")
    assert {"file", "prediction", "p_high", "p_low"} <= set(said)
    assert (said["prediction"] == said["file"].str.split("/").str[0]).mean() > 0.9


def test_a_saved_encoder_of_sounds_in_a_pipeline(run: Run, clips: Path, tmp_path: Path) -> None:
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline

    from diabolo import PretrainedEncoder, data, load

    words = ("--processor", "log-mel(window=0.5, mels=16)", "--network", "dense", "--latent", 4, "--epochs", 5)
    run("fit", clips, "--target", "none", "--out", tmp_path / "m", *words)
    source = data.open(clips)
    pipe = make_pipeline(PretrainedEncoder(load(tmp_path / "m")), LogisticRegression()).fit(source.rows, source.target)
    assert pipe.score(source.rows, source.target) > 0.9
