"""A detector of sounds judges recordings, says where in time and frequency they are strange, and how good it is."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from diabolo import Autoencoder, AutoencoderDetector, Trainer, load
from diabolo.blocks.spectrum import hz_to_mel
from diabolo.core.errors import UsageError
from diabolo.data import Source, objects
from diabolo.data.sound import Sound
from diabolo.tasks import sound_clips as clips
from diabolo.tasks.panel import together
from diabolo.tasks.sound_faults import by_clip, simple_scores, window_levels, with_fault, with_faults

RATE = 4000


def machine(count: int, seed: int, tone: float = 0.0, hertz: float = 900.0, rate: int = RATE) -> np.ndarray:
    """Recordings of 3 s: a hum, noise, and perhaps a tone."""
    random, time, made = np.random.default_rng(seed), np.arange(3 * rate) / rate, []
    for _ in range(count):
        hum = np.sin(2 * np.pi * 100 * time + random.uniform(0, 6)) * random.uniform(0.08, 0.12)
        noise = random.normal(size=len(time)) * random.uniform(0.045, 0.055)
        made.append(Sound((hum + noise + tone * np.sin(2 * np.pi * hertz * time)).astype(np.float32), rate))
    return objects(made)


@pytest.fixture(scope="module")
def detector() -> AutoencoderDetector:
    return AutoencoderDetector(random_state=0).fit(machine(24, 0))


def test_sounds_are_read_as_averaged_levels_unless_another_way_was_asked_for(detector: AutoencoderDetector) -> None:
    assert detector.processor_.state()["parameters"]["pool"] == 32
    asked = Source(machine(3, 0), "audio", processor="audio(window=0.5)")
    assert clips.heard(asked) is asked
    table = np.zeros((4, 2))
    assert clips.heard(table) is table


def test_a_tone_that_is_not_usual_is_found_by_recording(detector: AutoencoderDetector) -> None:
    rows = objects([*machine(12, 1), *machine(6, 2, tone=0.03)])
    found = clips.judged_clips(detector, rows)
    strange = np.arange(18) >= 12
    assert roc_auc_score(strange, found.score) > 0.95
    assert found.p[strange].max() <= 0.1 and np.median(found.p[~strange]) > 0.15
    assert found.least == pytest.approx(1 / 25) and (found.worst <= 2.1).all()
    assert found.anomalies(0.05, 6 / 18)[strange].all()


def test_the_score_of_a_recording_is_the_mean_over_its_windows(detector: AutoencoderDetector) -> None:
    rows = machine(3, 4)
    number = detector.processor_.places(rows)[0]  # type: ignore[attr-defined]
    windows = np.mean(detector._strangeness(rows), 0)
    np.testing.assert_allclose(clips.judged_clips(detector, rows).score, by_clip(windows, number))


def test_p_values_of_normal_recordings_are_about_uniform(detector: AutoencoderDetector) -> None:
    p = clips.judged_clips(detector, machine(40, 8)).p
    assert (p <= 0.2).mean() < 0.45 and 0.25 < p.mean() < 0.75 and p.min() >= 1 / 25


@pytest.mark.parametrize("hertz", [400.0, 1200.0])
def test_the_map_points_at_the_band_and_the_time(detector: AutoencoderDetector, hertz: float) -> None:
    (sound,) = machine(1, 3)
    late = (np.arange(len(sound)) >= 2 * RATE) * 0.2 * np.sin(2 * np.pi * hertz * np.arange(len(sound)) / RATE)
    strange = Sound((sound.samples + late).astype(np.float32), RATE)
    (found,) = clips.sound_maps(detector, objects([strange]))
    band, away = found.furthest()
    assert found.edges[band - 1] <= hertz <= found.edges[band + 2] and away > 0
    times = found.seconds * np.arange(len(found.strange))
    assert found.strange[times >= 2.05, band].min() > found.strange[times < 1.7, band].max()
    assert found.level.shape == found.expected.shape == found.strange.shape == found.rebuilt.shape
    said = clips.describe(found)
    assert "louder by" in said and clips.bands(detector, objects([strange])) == [said]


def test_the_map_is_the_deviation_of_what_was_read(detector: AutoencoderDetector) -> None:
    rows = machine(2, 6)
    maps = clips.sound_maps(detector, rows)
    own = detector.processor_._levels(rows[0].samples[:, None]).numpy()  # type: ignore[attr-defined]
    np.testing.assert_allclose(maps[0].level, own, atol=0.02)  # kept in hundredths of a decibel
    assert np.abs(maps[0].strange).mean() < 2  # a normal recording is about one spread away


def test_edges_of_the_bands_are_even_in_mel(detector: AutoencoderDetector) -> None:
    edges = clips.sound_maps(detector, machine(1, 0))[0].edges
    steps = np.diff(hz_to_mel(edges))
    np.testing.assert_allclose(steps, steps[0])
    assert len(edges) == 65 and edges[0] > 0 and edges[-1] < RATE / 2


def test_neighbours_of_spectra_explain_and_do_not_count() -> None:
    logs = np.array([[-1.0], [-50.0], [-3.0]])
    assert together(logs, ["reconstruction", "neighbours", "peaks"])[0] == -2.0
    assert together(logs, ["reconstruction", "neighbours", "level"])[0] == -18.0


def test_a_silent_a_short_and_another_rate(detector: AutoencoderDetector) -> None:
    rows = objects(
        [
            Sound(np.zeros(3 * RATE, np.float32), RATE),
            Sound(np.ones(9, np.float32) * 0.1, RATE),
            *machine(1, 5, rate=8000),
            *machine(1, 5),
        ]
    )
    found = clips.judged_clips(detector, rows)
    assert np.isfinite(found.score).all() and found.score[0] > found.score[3] and found.p[0] == found.least
    assert found.score[2] < found.score[0]


def test_it_comes_back_from_disk(detector: AutoencoderDetector, tmp_path: Path) -> None:
    detector.save(tmp_path / "m")
    rows, again = machine(3, 9), load(tmp_path / "m")
    first, second = (clips.judged_clips(one, rows) for one in (detector, again))
    assert np.array_equal(first.score, second.score) and np.array_equal(first.p, second.p)


def test_faults_change_what_they_should_and_no_more() -> None:
    rows = machine(3, 0)
    made, strange = with_faults(rows, seed=0)
    assert len(made) == 15 and strange.sum() == 12 and all(len(one) == 3 * RATE for one in made)
    assert all(not np.array_equal(one.samples, rows[0].samples) for one in made[3:7])
    again = with_faults(rows, seed=0)[0]
    assert all(np.array_equal(a.samples, b.samples) for a, b in zip(made, again, strict=True))
    quiet = with_fault(Sound(np.zeros(4000, np.float32), RATE), np.random.default_rng(0))
    assert not quiet.samples.any()  # faults are as loud as the recording


def test_simple_scores_have_known_answers() -> None:
    known = np.random.default_rng(0).normal(size=(4000, 3)) * (1, 2, 3)
    found = simple_scores(known, np.array([[0.0, 0.0, 0.0], [3.0, 0.0, 0.0], [0.0, 0.0, 9.0]]))
    assert found["Mahalanobis"] == pytest.approx([0, 9, 9], abs=0.6)
    assert found["z-score"] == pytest.approx([0, 3, 3], abs=0.2)


def test_levels_of_windows_leave_padding_out(detector: AutoencoderDetector) -> None:
    (whole,) = machine(1, 0)
    short = Sound(whole.samples[: RATE // 2], RATE)
    processor = detector.processor_
    both = window_levels(processor, objects([short]))[0]  # type: ignore[arg-type]
    batch = processor.collate(processor.encode(objects([short])))
    np.testing.assert_allclose(both, batch.target[0][batch.mask[0]].mean(0), rtol=1e-4)  # type: ignore[index]


def test_it_is_judged_beside_simple_methods_and_shown(detector: AutoencoderDetector) -> None:
    held = Source(machine(6, 12), "audio")
    found = detector.assess(Source(machine(24, 0), "audio"), held)
    assert found is not None and found.rows[0][0] == "this model" and "Faults made" in found.title
    names = [line[0].strip() for line in found.rows]
    assert {"spectrum rebuilt alone", "codes alone", "Mahalanobis on log-mel levels"} <= set(names)
    labelled = Source(
        objects([*held.rows, *machine(2, 3, tone=0.1)]), "audio", target=np.array(["ok"] * 6 + ["bad"] * 2)
    )
    judged = detector.assess(held, labelled)
    assert judged is not None and "class 'bad'" in judged.title and float(judged.rows[0][1]) > 0.9
    (shown,) = detector.exhibits(labelled)
    assert len(shown.strips) == 5 and shown.strips[0].pictures[0].shape[2] == 3
    assert shown.rows[0][0] in ("6", "7")


def test_detectors_of_other_data_have_no_recordings() -> None:
    table = AutoencoderDetector(trainer=Trainer(epochs=2), random_state=0).fit(
        np.random.default_rng(0).normal(size=(40, 3))
    )
    with pytest.raises(UsageError, match="only recordings of sound are judged clip by clip"):
        clips.judged_clips(table, np.zeros((2, 3)))
    assert table.exhibits(Source(np.zeros((2, 3)), "array")) == ()
    waves = Source(machine(6, 0), "audio", processor="audio(window=0.5)")
    inner = Autoencoder(2, network="dense", hidden=(4,), trainer=Trainer(epochs=1))
    heard = AutoencoderDetector(inner, random_state=0).fit(waves)
    assert clips.judged_clips(heard, waves).score.shape == (6,) and clips.bands(heard, waves) == [""] * 6
    with pytest.raises(UsageError, match="maps are of time and frequency"):
        clips.sound_maps(heard, waves)
