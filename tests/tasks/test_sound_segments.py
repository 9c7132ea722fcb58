"""Where recordings change: the novelty is Foote's, stretches have no edges, and joints are found."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from diabolo import Autoencoder, Trainer, load
from diabolo.core.errors import DataError, ModelError, UsageError
from diabolo.data import Source, objects
from diabolo.data.sound import Sound
from diabolo.tasks import sound_segments as cut
from diabolo.tasks.segment_sounds import SoundSegmenter, around
from diabolo.tasks.splices import energy_boundaries, level_curve, spliced

RATE = 2000


def tones(count: int, seed: int = 0) -> np.ndarray:
    """Steady tones of 0.3 to 0.6 s that waver in loudness."""
    random, made = np.random.default_rng(seed), []
    for _ in range(count):
        time = np.arange(random.integers(600, 1200)) / RATE
        loud = 0.2 + 0.1 * np.sin(2 * np.pi * random.uniform(2, 6) * time)
        made.append(Sound((loud * np.sin(2 * np.pi * random.uniform(80, 900) * time)).astype(np.float32), RATE))
    return objects(made)


@pytest.fixture(scope="module")
def model() -> SoundSegmenter:
    return SoundSegmenter(splices=40, pieces=4, trainer=Trainer(epochs=8), random_state=0).fit(tones(40))


def test_novelty_is_the_checkerboard_on_squared_distances() -> None:
    z, half = np.random.default_rng(0).normal(size=(40, 3)), 6
    side = np.exp(-0.5 * ((np.arange(half) + 0.5) / (cut.TAPER * half)) ** 2)
    kernel = np.concatenate([-side[::-1], side]) / side.sum()
    similar = -np.square(z[:, None] - z[None]).sum(2)
    found = cut.novelty(z, half)
    for at in range(half, 40 - half):
        block = similar[at - half : at + half, at - half : at + half]
        assert found[at] ** 2 == pytest.approx((np.outer(kernel, kernel) * block).sum() / 2)


def test_novelty_is_blind_to_a_shift_and_grows_with_the_step() -> None:
    z = np.random.default_rng(0).normal(size=(30, 2))
    np.testing.assert_allclose(cut.novelty(z, 4), cut.novelty(z + 7, 4), atol=1e-12)
    np.testing.assert_allclose(cut.novelty(3 * z, 4), 3 * cut.novelty(z, 4))
    assert not cut.novelty(np.ones((9, 2)), 3).any()


def test_differences_told_to_the_head_are_those_of_means() -> None:
    z = np.cumsum(np.random.default_rng(0).normal(size=(80, 2)), 0)
    told = around(z)
    near = told.shape[1] - 4 * 2 - 4
    for place, half in enumerate((3, 6, 12, 24)):
        by_hand = np.abs(z[40 : 40 + half].mean(0) - z[40 - half : 40].mean(0))
        np.testing.assert_allclose(told[40, near + 2 * place : near + 2 * place + 2], by_hand)
        assert told[40, -4 + place] == pytest.approx(np.linalg.norm(by_hand))


@pytest.mark.parametrize(
    "processor", ["log-mel(window=0.1, mels=8)", "audio(window=0.1)", "log-mel(window=0.2, pool=4, mels=8)"]
)
def test_stretches_have_no_edges(processor: str, monkeypatch: pytest.MonkeyPatch) -> None:
    noise = Sound(np.random.default_rng(0).normal(size=9 * RATE).astype(np.float32) * 0.1, RATE)
    inner = Autoencoder(3, network="dense", hidden=(8,), trainer=Trainer(epochs=1), random_state=0)
    inner.fit(Source(objects([noise]), "audio", processor=processor))
    whole = cut.track_of(inner, noise)
    monkeypatch.setattr(cut, "STRETCH", 1.3)
    np.testing.assert_allclose(cut.track_of(inner, noise).codes, whole.codes, atol=1e-5)
    assert whole.times[-1] <= 9 and len(whole.codes) > 200


@pytest.mark.parametrize(
    ("found", "true", "hits"),
    [([1.0], [1.04], 1), ([1.0], [1.06], 0), ([1.0, 1.01], [1.0], 1), ([1.0], [0.98, 1.02], 1), ([], [1.0], 0),
     ([0.97, 1.02], [1.0, 1.05], 2)],
)  # fmt: skip
def test_a_boundary_is_hit_once(found: list[float], true: list[float], hits: int) -> None:
    assert cut.boundary_scores(np.array(found), np.array(true)) == (hits, len(found), len(true))


def test_joints_of_tones_it_has_not_heard_are_found(model: SoundSegmenter) -> None:
    tried = spliced(tones(20, 5), 10, 4, RATE, seed=1)
    cuts = model.segment([one.sound for one in tried])
    hit, found, true = np.sum(
        [cut.boundary_scores(a.boundaries, b.joints) for a, b in zip(cuts, tried, strict=True)], 0
    )
    assert 2 * hit / (found + true) > 0.8
    for one, splice in zip(cuts, tried, strict=True):
        assert one.segments[0, 0] == 0 and one.segments[-1, 1] == pytest.approx(splice.sound.seconds)
        np.testing.assert_array_equal(one.segments[1:, 0], one.segments[:-1, 1])


def test_silence_a_short_clip_and_another_rate(model: SoundSegmenter) -> None:
    clip = tones(1, 3)[0].at(8000)
    cuts = model.segment([Sound(np.zeros(4000, np.float32), RATE), Sound(np.ones(5, np.float32), RATE), clip])
    assert [len(one.segments) for one in cuts[:2]] == [1, 1] and cuts[2].seconds == pytest.approx(clip.seconds)


def test_it_comes_back_from_disk(model: SoundSegmenter, tmp_path: Path) -> None:
    model.save(tmp_path / "m")
    sounds = [one.sound for one in spliced(tones(9, 7), 2, 3, RATE, seed=2)]
    for a, b in zip(model.segment(sounds), load(tmp_path / "m").segment(sounds), strict=True):
        np.testing.assert_array_equal(a.novelty, b.novelty)
        np.testing.assert_array_equal(a.boundaries, b.boundaries)


def test_it_is_judged_beside_an_energy_threshold_and_shown(model: SoundSegmenter) -> None:
    found = model.assess(Source(tones(20), "audio"), Source(tones(20, 5), "audio"))
    assert found is not None and [line[0] for line in found.rows] == [
        "this model", "novelty of codes alone", "energy threshold",
    ]  # fmt: skip
    assert found.verdict.startswith("better than an energy threshold")  # the tones have no pauses
    (shown,) = model.exhibits(Source(tones(9, 5), "audio"))
    assert len(shown.strips) == 3 and "cut at" in shown.strips[0].title


def test_energy_finds_pauses() -> None:
    parts = [np.concatenate([sound.samples, np.zeros(200, np.float32)]) for sound in tones(20)]
    rows = [Sound(part, RATE) for part in parts]
    known, tried = (spliced(rows, 8, 3, RATE, seed) for seed in (0, 1))
    found = energy_boundaries(known, tried, 0.06)
    hit, some, true = np.sum([cut.boundary_scores(a, b.joints, 0.06) for a, b in zip(found, tried, strict=True)], 0)
    assert 2 * hit / (some + true) > 0.7 and level_curve(rows[0], 0.02).min() < -60


def test_pieces_of_long_recordings_are_stretches_and_neighbours_differ() -> None:
    rows = [Sound(np.full(5 * RATE, level, np.float32), RATE) for level in (0.1, 0.2, 0.3)]
    for one in spliced(rows, 5, 6, RATE, seed=0):
        ends = np.round(np.r_[0, one.joints, one.sound.seconds] * RATE).astype(int)
        lengths = np.diff(ends) / RATE
        values = [one.sound.samples[(a + b) // 2] for a, b in pairwise(ends)]
        assert (lengths >= 0.4 - 1e-3).all() and (lengths <= 1.6 + 1e-3).all() and (np.diff(values) != 0).all()


def test_bad_input_is_answered_in_words() -> None:
    with pytest.raises(DataError, match="at least 4 are needed; got 3"):
        SoundSegmenter().fit(tones(3))
    with pytest.raises(DataError, match="only recordings of sound"):
        SoundSegmenter().fit(np.zeros((9, 3)))
    with pytest.raises(UsageError, match="splices must be an int of at least 10; got 3"):
        SoundSegmenter(splices=3).fit(tones(5))
    with pytest.raises(UsageError, match="least must be a number"):
        SoundSegmenter(least=-1).fit(tones(5))
    table = Autoencoder(2, trainer=Trainer(epochs=1)).fit(np.random.default_rng(0).normal(size=(20, 3)))
    with pytest.raises(ModelError, match="only recordings of sound are cut"):
        cut.sound_segments(table, tones(2))
    with pytest.raises(UsageError, match="width must be a number above 0"):
        cut.sound_segments(table, tones(2), width=0)
