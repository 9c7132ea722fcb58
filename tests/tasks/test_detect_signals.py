"""The detector on signals: an anomaly that was put in is found, at its own steps, from training to the disk."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from diabolo import Autoencoder, AutoencoderDetector, Trainer, load
from diabolo.core.errors import UsageError
from diabolo.data import Source, objects
from diabolo.data import open as open_source
from diabolo.data.series import Series
from diabolo.data.sound import Sound
from diabolo.tasks.evidence import _whitening
from diabolo.tasks.held_out import same_windows
from diabolo.tasks.windows import judged_steps, steps_out_of_fold

QUICK = Trainer(epochs=30)
DRAW = np.random.default_rng(0)


def wave(steps: int, channels: int = 1) -> np.ndarray:
    """A noisy oscillation."""
    phase = np.arange(steps)[:, None] / 4 + np.arange(channels)
    return np.asarray(np.sin(phase) + 0.1 * DRAW.normal(size=(steps, channels)))


def detector(rows: list[Series], how: str = "series(window=16)") -> AutoencoderDetector:
    return AutoencoderDetector(trainer=QUICK, random_state=0).fit(open_source(rows, processor=how))


@pytest.fixture(scope="module")
def model() -> AutoencoderDetector:
    return detector([Series(wave(1500, 2), columns=("a", "b"))])


def broken(how: str) -> tuple[Series, slice]:
    values, part = wave(600, 2), slice(300, 324)
    ramp = np.linspace(-1, 1, 24)
    values[part, 1] = {"level": values[part, 1] + 2.5, "flat": 0 * ramp, "louder": 3 * values[part, 1]}[how]
    return Series(values, time=np.arange(600) * 0.5, columns=("a", "b"), name="w"), part


@pytest.mark.parametrize("how", ["level", "flat", "louder"])
def test_the_steps_of_an_anomaly_are_found(model: AutoencoderDetector, how: str) -> None:
    series, part = broken(how)
    found = judged_steps(model, [series])[0]
    assert found.columns == ("score", "anomaly", "why a", "why b") and found.name == "w"
    np.testing.assert_array_equal(found.time, series.time)
    strange = np.zeros(600, bool)
    strange[part] = True
    assert roc_auc_score(strange, found.values[:, 0]) > 0.98
    assert found.values[strange, 3].mean() > 4 * found.values[~strange, 3].mean()  # its own channel,
    assert found.values[strange, 3].mean() > 2 * found.values[strange, 2].mean()  # not the other
    if how != "flat":
        assert found.values[part, 1].all()


def test_normal_signals_raise_few_alarms(model: AutoencoderDetector) -> None:
    windows = model.predict([Series(wave(4000, 2), columns=("a", "b"))])
    assert (windows == -1).mean() < 0.12  # nominal 5 %; windows overlap


def test_levels_and_codes_are_measured_of_windows_alone(model: AutoencoderDetector) -> None:
    assert model.facts_["measures"] == ["reconstruction", "neighbours", "crowding", "level", "density"]
    rows = DRAW.normal(size=(40, 3)).astype(np.float32)
    assert "level" not in AutoencoderDetector(trainer=Trainer(epochs=2)).fit(rows).facts_["measures"]


def test_level_and_density_are_what_they_say(model: AutoencoderDetector) -> None:
    witness = model._witnesses()[0]
    series = [Series(wave(200, 2), columns=("a", "b"))]
    inner = witness.model
    x = inner.processor_.encode(series)["x"].flatten(1)
    measured = dict(zip(model.facts_["measures"], witness.strangeness(series).T, strict=True))
    np.testing.assert_allclose(measured["level"], (x - witness.arrays["mean"]).square().sum(1), rtol=1e-4)
    z = inner.transform(series)
    whitened = (z - witness.arrays["code_mean"].numpy()) @ witness.arrays["whiten"].numpy()
    np.testing.assert_allclose(measured["density"], np.square(whitened).sum(1), rtol=1e-3)


def test_codes_are_whitened() -> None:
    z = torch.randn(500, 3) @ torch.randn(3, 3)
    z = z - z.mean(0)
    white = z @ _whitening(z)
    torch.testing.assert_close(white.T @ white / 500, torch.eye(3), atol=1e-3, rtol=0)


def test_a_series_is_looked_through_as_a_whole() -> None:
    values = wave(1200)
    values[700:730] = 1.5
    series = Series(values, time=np.arange(1200.0))
    found = detector([series])
    score = steps_out_of_fold(found, [series])[0]
    np.testing.assert_array_equal(score.time, series.time)
    strange = np.zeros(1200, bool)
    strange[700:730] = True
    assert roc_auc_score(strange, score.values[:, 0]) > 0.98
    few = Series(values[:300])
    with pytest.raises(UsageError, match="held out whole"):
        steps_out_of_fold(detector([few] * 8), [few] * 8)


def test_windows_are_as_long_in_every_fold() -> None:
    slow, fast = np.sin(np.arange(600) / 20)[:, None], np.sin(np.arange(600) / 3)[:, None]
    found = detector([Series(np.concatenate([slow, fast]))], "series(window=None)")
    sizes = {model.processor_.steps for model in found.models_.values()}
    assert len(sizes) == 1
    sounds = [Sound(DRAW.normal(size=n).astype(np.float32) * 0.1, 8000) for n in (4000, 6000, 9000, 5000)]
    told = same_windows(sounds).processor
    assert told.name == "audio" and told.params["window"] == pytest.approx(9000 / 8000) and told.params["rate"] == 8000
    array = DRAW.normal(size=(5, 2))
    assert same_windows(array) is array


def test_training_counts_windows_not_series() -> None:
    found = AutoencoderDetector(random_state=0).fit(open_source([Series(wave(900))], processor="series(window=16)"))
    assert all(300 <= len(model.history_) * 2 <= 700 for model in found.models_.values())


def test_sounds_from_fit_to_disk(tmp_path: Path) -> None:
    hum = np.sin(2 * np.pi * 440 * np.arange(16000) / 8000)
    clips = [Sound((0.3 * hum + 0.02 * DRAW.normal(size=16000)).astype(np.float32), 8000) for _ in range(6)]
    rows = Source(objects(clips), "audio", processor="log-mel(mels=16)")
    found = AutoencoderDetector(trainer=Trainer(epochs=20), random_state=0).fit(rows)
    rattle = clips[0].samples.copy()
    rattle[8000:12000] += 0.3 * DRAW.normal(size=4000).astype(np.float32)
    strange = Sound(rattle, 8000)
    found.save(tmp_path / "m")
    again = load(tmp_path / "m")
    np.testing.assert_allclose(again.score_samples([strange]), found.score_samples([strange]), rtol=1e-6)
    steps = judged_steps(again, objects([strange, clips[1]]))
    score, why = steps[0].values[:, 0], steps[0].values[:, 2]
    inside = (steps[0].time > 1.0) & (steps[0].time < 1.5)
    assert score[inside].mean() > 2 * steps[1].values[:, 0].mean()
    assert why[inside].mean() > 3 * why[~inside].mean()


def test_only_windows_have_steps() -> None:
    rows = DRAW.normal(size=(40, 3)).astype(np.float32)
    found = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(rows)
    with pytest.raises(UsageError, match="cuts no windows"):
        judged_steps(found, rows)


def test_another_autoencoder_and_scale() -> None:
    rows = open_source([Series(wave(600))], processor="series(window=16, scale='window')")
    found = AutoencoderDetector(Autoencoder(3), trainer=Trainer(epochs=5), random_state=0).fit(rows)
    assert found.facts_["measures"][0] == "objective" and found.facts_["folds"] == 3
    shifted = wave(300) + 100  # windows are scaled by themselves: a level says nothing
    assert (found.predict([Series(shifted)]) == -1).mean() < 0.2
