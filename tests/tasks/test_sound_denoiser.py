"""A denoiser of sounds: it gains on noise it has not heard, and does no harm where there is nothing to take away."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from diabolo import VAE, Autoencoder, Denoiser, Trainer, load
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.core.metrics import si_sdr
from diabolo.data import Source, objects
from diabolo.data.sound import Sound
from diabolo.tasks.denoise_sounds import levels, with_noise

RATE = 2000
QUICK, SHORT = Trainer(epochs=25), Trainer(epochs=20)


def tones(count: int, seed: int, seconds: float = 1.0) -> np.ndarray:
    """Harmonic tones with pauses."""
    random, time = np.random.default_rng(seed), np.arange(round(seconds * RATE)) / RATE
    made = []
    for _ in range(count):
        pitch, phase = random.uniform(60, 250), random.uniform(0, 1)
        tone = sum(np.sin(2 * np.pi * k * pitch * time) / k for k in (1, 2, 3))
        made.append(Sound((0.2 * tone * ((time + phase) % 0.5 < 0.3)).astype(np.float32), RATE))
    return objects(made)


def noisy(rows: np.ndarray, ratio: float, seed: int = 9, recording: np.ndarray | None = None) -> np.ndarray:
    random = np.random.default_rng(seed)
    return objects(with_noise(sound, ratio, random, recording)[0] for sound in rows)


def gained(rows: np.ndarray, heard: np.ndarray, made: np.ndarray) -> float:
    gain = [
        si_sdr(s.samples, m.samples) - si_sdr(s.samples, h.samples) for s, h, m in zip(rows, heard, made, strict=True)
    ]
    return float(np.mean(gain))


@pytest.fixture(scope="module")
def model() -> Denoiser:
    return Denoiser(trainer=QUICK, random_state=0).fit(tones(40, 0))


def test_it_gains_on_tones_it_has_not_heard_and_more_where_there_is_more_noise(model: Denoiser) -> None:
    rows = tones(12, 1)
    gains = [gained(rows, heard, model.transform(heard)) for heard in (noisy(rows, 10), noisy(rows, 0))]
    assert gains[0] > 3 and gains[1] > gains[0]


def test_clean_sounds_are_left_nearly_as_they_are(model: Denoiser) -> None:
    rows = tones(4, 2)
    assert min(float(si_sdr(a.samples, b.samples)) for a, b in zip(rows, model.transform(rows), strict=True)) > 12


def test_any_length_any_rate_silence(model: Denoiser) -> None:
    rows = objects(
        [
            Sound(np.zeros(3000, np.float32), RATE),
            Sound(np.full(3, 0.1, np.float32), RATE),
            Sound(np.random.default_rng(0).normal(size=8000).astype(np.float32) * 0.1, 8000),
            Sound(np.ones((2500, 2), np.float32) * 0.1, RATE),
        ]
    )
    made = model.transform(rows)
    assert [len(sound) for sound in made] == [3000, 3, 2000, 2500] and {sound.rate for sound in made} == {RATE}
    assert not made[0].samples.any() and all(np.isfinite(sound.samples).all() for sound in made)


def test_the_gain_does_not_depend_on_loudness(model: Denoiser) -> None:
    (heard,) = noisy(tones(1, 3), 5)
    soft = Sound(heard.samples * 0.01, RATE)
    loud, quiet = (model.transform(objects([one]))[0].samples for one in (heard, soft))
    np.testing.assert_allclose(quiet * 100, loud, atol=0.02)


def test_it_comes_back_from_disk(model: Denoiser, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    rows = noisy(tones(2, 4), 5)
    for a, b in zip(model.transform(rows), load(tmp_path / "m").transform(rows), strict=True):
        assert np.array_equal(a.samples, b.samples)


def test_noise_that_was_recorded_is_learnt(tmp_path: Path) -> None:
    hum = np.sin(2 * np.pi * 330 * np.arange(RATE) / RATE) + np.sin(2 * np.pi * 710 * np.arange(RATE) / RATE)
    recording = objects([Sound(hum.astype(np.float32), RATE)])
    rows = tones(12, 1)
    heard = noisy(rows, 0, recording=hum)
    taught = Denoiser(noise=recording, trainer=SHORT, random_state=0).fit(tones(30, 0))
    assert gained(rows, heard, taught.transform(heard)) > 6
    assert taught.autoencoder_.corruption == "background"  # a saved model holds no recording
    with pytest.raises(ModelError, match="cannot save noise"):
        taught.save(tmp_path / "m")


def test_it_learns_from_noisy_recordings_alone() -> None:
    model = Denoiser(clean=False, trainer=SHORT, random_state=0).fit(noisy(tones(30, 0), 5, seed=1))
    rows = tones(12, 1)
    heard = noisy(rows, 5)
    assert gained(rows, heard, model.transform(heard)) > 2
    assert model.assess(Source(rows, "audio"), Source(rows, "audio")) is None


def test_it_is_judged_beside_simple_methods_and_shown(model: Denoiser) -> None:
    held = Source(tones(6, 5), "audio")
    found = model.assess(held, held)
    assert found is not None and found.rows[0] == ("nothing done", "+0.00")
    gains = {name: float(value) for name, value in found.rows}
    assert gains["ideal ratio mask (knows the clean sound)"] == max(gains.values()) and "dB" in found.verdict
    (shown,) = model.exhibits(held)
    assert shown.strips[0].captions == ("clean", "noisy", "denoised") and "noise at" in shown.strips[0].title


def test_levels_are_told_in_words() -> None:
    quiet = Sound(np.zeros(4000, np.float32), RATE)
    heard = noisy(tones(1, 0, seconds=3.0), 10)[0]
    said = levels([quiet, heard])
    assert said[0] == "silent" and said[1].endswith("dB below the signal")


def test_bad_input_is_answered_in_words() -> None:
    silent = Sound(np.zeros(4000, np.float32), RATE)
    with pytest.raises(DataError, match="no sound but int"):
        Denoiser().fit([*tones(2, 0), 3])
    with pytest.raises(DataError, match="silent"):
        Denoiser().fit(objects([silent] * 3))
    with pytest.raises(UsageError, match="low <= high"):
        Denoiser(damage="background(low=5, high=1)").fit(tones(3, 0))
    with pytest.raises(UsageError, match="recordings of noise"):
        Denoiser(noise=0.1).fit(tones(3, 0))
    with pytest.raises(UsageError, match="takes a corruption"):
        Denoiser(VAE(2)).fit(tones(3, 0))
    with pytest.raises(UsageError, match=r"'audio\(…\)'"):
        Denoiser().fit(Source(tones(3, 0), "audio", processor="log-mel"))
    with pytest.raises(DataError, match="noise are silent"):
        Denoiser(noise=objects([silent])).fit(tones(3, 0))


def test_an_autoencoder_of_ones_own_gets_the_noise_too() -> None:
    own = Autoencoder(4, network="gains(frame=64, step=16)", trainer=Trainer(epochs=1))
    model = Denoiser(own, damage="background(low=0, high=5)", random_state=0).fit(tones(4, 0))
    assert model.autoencoder_.corruption == "background(low=0, high=5)" and own.corruption is None
