"""Sounds: read, cut into windows, put together again, written."""

from __future__ import annotations

import io
import json
import tarfile
import zipfile
from pathlib import Path

import numpy as np
import pytest
import soundfile
import torch

from diabolo import data
from diabolo.core import make
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Sound
from diabolo.data.process_audio import AudioProcessor
from diabolo.data.process_log_mel import LogMelProcessor
from diabolo.estimators.rows import without_padding


def tone(hertz: float, seconds: float, rate: int = 8000, loud: float = 0.5) -> np.ndarray:
    return (loud * np.sin(2 * np.pi * hertz * np.arange(round(seconds * rate)) / rate)).astype(np.float32)


def clips(*seconds: float, rate: int = 8000) -> list[Sound]:
    rng = np.random.default_rng(0)
    made = [tone(300 + 100 * i, s, rate, 0.1 + 0.1 * i) for i, s in enumerate(seconds)]
    return [Sound((x + 0.01 * rng.normal(size=len(x))).astype(np.float32), rate) for x in made]


def save(path: Path, samples: np.ndarray, rate: int = 8000, **more: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, **more)
    return path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for i in range(12):
        save(tmp_path / "in" / ("low" if i < 6 else "high") / f"{i:02d}.wav", tone(200 + 50 * i, 0.3 + 0.01 * i))
    return tmp_path / "in"


# reading ------------------------------------------------------------------------------------------------------


def test_folder_zip_and_tar_hold_the_same_sounds(folder: Path, tmp_path: Path) -> None:
    names = sorted(path for path in folder.rglob("*.wav"))
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as packed, tarfile.open(tmp_path / "a.tar.gz", "w:gz") as tar:
        for name in names:
            packed.write(name, name.relative_to(folder))
            tar.add(name, name.relative_to(folder))
    first, *others = (data.open(path) for path in (folder, tmp_path / "a.zip", tmp_path / "a.tar.gz"))
    assert first.modality == "audio" and len(first) == 12
    assert first.rows[0].rate == 8000 and first.rows[0].samples.dtype == np.float32
    assert set(first.target) == {"low", "high"} and list(first.keys.columns) == ["file"]
    for other in others:
        assert list(other.keys["file"]) == list(first.keys["file"])
        assert all(np.array_equal(a.samples, b.samples) for a, b in zip(first.rows, other.rows, strict=True))


@pytest.mark.parametrize("suffix", [".wav", ".flac", ".ogg", ".mp3"])
def test_every_format_holds_the_tone(tmp_path: Path, suffix: str) -> None:
    source = data.open(save(tmp_path / f"a{suffix}", tone(440, 1.0, 16000), 16000))
    (sound,) = source.rows
    assert sound.rate == 16000 and abs(sound.seconds - 1) < 0.1
    assert np.abs(np.fft.rfft(sound.samples[:16000])).argmax() == pytest.approx(440, abs=8)


def test_sixteen_bit_files_come_back_to_the_bit(tmp_path: Path) -> None:
    whole = np.random.default_rng(0).integers(-32768, 32768, 1000).astype(np.int16)
    save(tmp_path / "in" / "a.wav", whole)
    save(tmp_path / "in" / "b.wav", whole[::-1].copy())
    source = data.open(tmp_path / "in")
    data.write(tmp_path / "out", source.rows, keys=source.keys)
    assert np.array_equal(soundfile.read(tmp_path / "out" / "a.wav", dtype="int16")[0], whole)


def test_mixed_rates_are_resampled_to_the_commonest_and_said(tmp_path: Path) -> None:
    for i, rate in enumerate([8000, 8000, 16000]):
        save(tmp_path / f"{i}.wav", tone(440, 0.5, rate), rate)
    source = data.open(tmp_path)
    assert [sound.rate for sound in source.rows] == [8000] * 3 and len(source.rows[2]) == 4000
    assert np.corrcoef(source.rows[0].samples[500:3500], source.rows[2].samples[500:3500])[0, 1] > 0.999
    assert any("1 of 3 sounds resampled to 8,000 Hz: 1 of 16,000 Hz" in note for note in source.notes)
    asked = data.open(tmp_path, processor="audio(rate=4000)")
    assert {sound.rate for sound in asked.rows} == {4000} and asked.processor == "audio(rate=4000)"


def test_what_is_silent_empty_or_damaged_is_named_and_counted(folder: Path) -> None:
    save(folder / "low" / "silent.wav", np.zeros(800))
    (folder / "low" / "broken.wav").write_bytes(b"RIFF, or so it says")
    source = data.open(folder)
    notes = " | ".join(source.notes)
    assert source.skipped == 1 and len(source) == 13
    assert "low/broken.wav (" in notes and "1 sound is silent; kept: 'low/silent.wav'" in notes
    assert "BytesIO" not in notes
    (folder / "low" / "nothing.wav").write_bytes(b"")
    with pytest.raises(DataError, match=r"2 of 15 sounds cannot be read, more than a tenth: .*empty"):
        data.open(folder)


def test_a_wav_without_samples_and_one_with_nan_are_damage(tmp_path: Path) -> None:
    for i in range(30):
        save(tmp_path / f"{i}.wav", tone(300, 0.1))
    save(tmp_path / "none.wav", np.zeros(0))
    save(tmp_path / "nan.wav", np.array([0.0, np.nan], np.float32), subtype="FLOAT")
    source = data.open(tmp_path)
    assert source.skipped == 2 and "nan.wav (it holds NaN or infinity)" in " ".join(source.notes)


def test_options_that_mean_nothing_are_refused(folder: Path) -> None:
    with pytest.raises(UsageError, match="size"):
        data.open(folder, size=3)
    with pytest.raises(UsageError, match="target"):
        data.open(folder, target="digit")
    with pytest.raises(DataError, match="holds no sounds"):
        data.open(Path(__file__).parent, as_="audio")


def test_names_are_no_labels(tmp_path: Path) -> None:
    for name in ("3_jackson_12.wav", "4_theo_1.wav"):
        save(tmp_path / name, tone(300, 0.1))
    assert data.open(tmp_path).target is None


# processors ---------------------------------------------------------------------------------------------------

PROCESSORS = [
    AudioProcessor(),
    AudioProcessor(level="clip"),
    AudioProcessor(window=0.1, hop=0.3),
    LogMelProcessor(mels=20),
    LogMelProcessor(mels=20, level="band", window=0.2),
    LogMelProcessor(mels=None, level="clip", phase="keep"),
]
ROWS = {"short": (0.5, 0.45, 0.5), "uneven": (0.3, 0.31, 0.9, 0.3), "long": (2.5, 3.0)}


@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
@pytest.mark.parametrize("processor", PROCESSORS, ids=[f"{p.part_name}-{n}" for n, p in enumerate(PROCESSORS)])
def test_laws_of_processors(processor: AudioProcessor | LogMelProcessor, rows: tuple[float, ...]) -> None:
    sounds = clips(*rows)
    made = type(processor)(**processor.state()["parameters"]).fit(sounds)
    tensors = made.encode(sounds)
    batch = made.collate(tensors)
    count = len(tensors["x"])
    assert tuple(batch.x.shape) == (count, *made.shape) and made.target_shape == made.shape
    assert tensors["x"].dtype == torch.int16 and batch.x.dtype == torch.float32
    assert 0.1 <= float(batch.x[batch.mask if batch.mask is not None else slice(None)].std()) <= 1
    if batch.mask is not None:
        assert bool((batch.x[~batch.mask] == 0).all()) and torch.equal(batch.mask, batch.scored)
    row, start, end = made.places(sounds)
    assert len(row) == len(start) == len(end) == count and (end > start).all()
    for number, sound in enumerate(sounds):
        assert start[row == number].min() == 0
        assert end[row == number].max() == pytest.approx(sound.seconds, abs=0.009)
    again = type(made).from_state(json.loads(json.dumps(made.state(), allow_nan=False)))
    other = again.encode(sounds)
    assert other.keys() == tensors.keys() and all(torch.equal(other[name], tensors[name]) for name in tensors)
    assert torch.equal(again.collate(other).x, batch.x) and again.defaults() == made.defaults()
    windows = made.invert(without_padding(batch.target, batch.mask))
    assert len(windows) == count and all(isinstance(window, Sound) for window in windows)
    assert [len(sound) for sound in made.join(windows, sounds)] == [len(sound) for sound in sounds]


@pytest.mark.parametrize("level", ["keep", "clip"])
@pytest.mark.parametrize("rows", ROWS.values(), ids=ROWS.keys())
def test_identity_gives_sixteen_bit_sounds_back(level: str, rows: tuple[float, ...]) -> None:
    sounds = [Sound(np.rint(s.samples * 32768).astype(np.float32) / 32768, s.rate) for s in clips(*rows)]
    audio = AudioProcessor(level=level).fit(sounds)
    batch = audio.collate(audio.encode(sounds))
    back = audio.join(audio.invert(without_padding(batch.target, batch.mask)), sounds)
    for sound, same in zip(sounds, back, strict=True):
        np.testing.assert_allclose(same.samples, sound.samples, atol=1e-6)


def test_short_clips_are_one_window_and_long_ones_a_second() -> None:
    assert AudioProcessor().fit(clips(0.5, 0.4)).steps == 4000
    assert AudioProcessor().fit(clips(*[0.5] * 30, 1.9)).steps < 8000
    assert AudioProcessor().fit(clips(4.0, 5.0)).steps == 8000
    long = AudioProcessor().fit(clips(4.0, 5.0))
    assert np.unique(np.diff(long.places(clips(4.0))[1])).tolist() == [0.5]


def test_an_offset_in_every_window_makes_no_seam() -> None:
    sounds = clips(3.0)
    audio = AudioProcessor(window=0.5, hop=0.4).fit(sounds)
    windows = [Sound(w.samples + np.float32(0.1), w.rate) for w in audio.invert(audio.collate(audio.encode(sounds)).x)]
    (back,) = audio.join(windows, sounds)
    np.testing.assert_allclose(back.samples - sounds[0].samples, 0.1, atol=2e-5)


def test_channels_are_mixed_unless_asked() -> None:
    left, right = tone(300, 0.5), tone(500, 0.5)
    rows = [Sound(np.stack([left, right], 1), 8000), Sound(np.stack([right, left], 1), 8000)]
    mixed = AudioProcessor().fit(rows)
    assert mixed.shape == (4000, 1)
    both = AudioProcessor(mono=False).fit(rows)
    assert both.shape == (4000, 2)
    batch = both.collate(both.encode(rows))
    assert np.abs(both.join(both.invert(batch.x), rows)[1].samples - rows[1].samples).max() < 2e-5
    with pytest.raises(DataError, match="1 channels, but the model is expecting 2"):
        both.encode([Sound(left, 8000)])


def test_other_rates_are_resampled_to_that_of_fit() -> None:
    audio = AudioProcessor().fit(clips(0.5, 0.5))
    tensors = audio.encode([Sound(tone(440, 0.5, 44100), 44100)])
    assert tensors["lengths"].tolist() == [4000]


def test_phase_kept_and_no_bands_merged_is_the_sound_itself() -> None:
    sounds = clips(0.5, 0.45)
    spectra = LogMelProcessor(mels=None, floor=-110.0, phase="keep").fit(sounds)
    batch = spectra.collate(spectra.encode(sounds))
    for sound, same in zip(sounds, spectra.restore(batch.target, sounds), strict=True):
        assert np.abs(same.samples - sound.samples).max() < 2e-3


def test_found_phase_gives_the_same_spectrum() -> None:
    sounds = clips(0.5, 0.45)
    spectra = LogMelProcessor(mels=40).fit(sounds)
    x = spectra.collate(spectra.encode(sounds)).target
    heard = spectra.restore(x, sounds)
    again = spectra.collate(spectra.encode(heard)).target
    assert np.corrcoef(x.flatten(), again.flatten())[0, 1] > 0.9


def test_louder_is_the_same_with_the_level_taken_away() -> None:
    quiet = clips(0.5, 0.45)
    loud = [Sound(2 * sound.samples, sound.rate) for sound in quiet]
    for level, same in (("clip", True), ("band", True), ("keep", False)):
        spectra = LogMelProcessor(mels=20, level=level).fit(quiet)
        apart = spectra.collate(spectra.encode(quiet)).x - spectra.collate(spectra.encode(loud)).x
        assert (float(apart.abs().max()) < 0.01) == same


def test_rows_that_cannot_be_used_are_named() -> None:
    with pytest.raises(DataError, match="row 1 is no sound but ndarray"):
        AudioProcessor().fit([*clips(0.5), np.zeros(3)])
    with pytest.raises(DataError, match="sound 0 holds NaN"):
        LogMelProcessor().fit([Sound(np.full(100, np.nan, np.float32), 8000)])
    with pytest.raises(UsageError, match="hop must be"):
        AudioProcessor(hop=0.0)
    with pytest.raises(UsageError, match="level 'loud' is unknown"):
        LogMelProcessor(level="loud")


# writing ------------------------------------------------------------------------------------------------------


def test_windows_are_named_by_their_place(tmp_path: Path) -> None:
    import pandas as pd

    keys = pd.DataFrame({"file": ["a/x.wav", "a/x.wav"], "start": [0.0, 0.5], "end": [1.0, 1.5]})
    data.write(tmp_path / "out", data.objects(clips(0.1, 0.1)), keys=keys)
    assert sorted(p.name for p in (tmp_path / "out" / "a").iterdir()) == ["x_0.000-1.000.wav", "x_0.500-1.500.wav"]


def test_one_sound_to_one_file_and_no_more(tmp_path: Path) -> None:
    data.write(tmp_path / "a.wav", clips(0.1))
    assert soundfile.info(str(tmp_path / "a.wav")).subtype == "PCM_16"
    with pytest.raises(UsageError, match="holds one sound and there are 2"):
        data.write(tmp_path / "b.wav", clips(0.1, 0.1))


def test_loud_samples_are_clipped(tmp_path: Path) -> None:
    data.write(tmp_path / "a.wav", [Sound(np.array([2.0, -2.0, 0.5], np.float32), 8000)])
    read = soundfile.read(io.BytesIO((tmp_path / "a.wav").read_bytes()), dtype="int16")[0]
    assert read.tolist() == [32767, -32768, 16384]


# real data ----------------------------------------------------------------------------------------------------


def test_spoken_digits_open(data_dir: Path) -> None:
    source = data.open(data_dir / "fsdd" / "recordings.zip", include="*_theo_1*.wav")
    assert len(source) == 110 and source.rows[0].rate == 8000 and source.target is None


# frames averaged ----------------------------------------------------------------------------------------------


def test_pooled_levels_are_means_of_frames_and_places_are_theirs() -> None:
    random = np.random.default_rng(0)
    rows = [Sound(0.1 * random.normal(size=n).astype(np.float32), 8000) for n in (24_000, 20_500)]
    plain, pooled = (make("processor", f"log-mel(window=1.0, pool={pool})").fit(rows) for pool in (1, 8))
    frames, means = (one._levels(rows[1].samples[:, None]).numpy() for one in (plain, pooled))
    assert len(means) == -(-len(frames) // 8) == pooled.rows_of(20_500)
    np.testing.assert_allclose(means[3], frames[24:32].mean(0), rtol=1e-5)
    np.testing.assert_allclose(means[-1], frames[8 * (len(means) - 1) :].mean(0), rtol=1e-5)
    assert pooled.step_seconds == pytest.approx(8 * plain.step_seconds)
    number, begin, end = pooled.places(rows)
    assert np.allclose(end[number == 0].max(), 3.0) and np.allclose(end[number == 1].max(), 20_500 / 8000)
    assert np.allclose(np.diff(begin[number == 0])[:-1], pooled.stride * pooled.step_seconds)


def test_pooled_levels_come_back_as_sounds_of_the_same_length() -> None:
    random = np.random.default_rng(0)
    rows = [Sound(0.1 * random.normal(size=n).astype(np.float32), 4000) for n in (9000, 700, 3)]
    pooled = make("processor", "log-mel(window=0.5, pool=4, mels=16, phase='keep')").fit(rows)
    batch = pooled.collate(pooled.encode(rows))
    assert [len(sound) for sound in pooled.restore(batch.target, rows)] == [9000, 700, 3]
    assert type(pooled).from_state(pooled.state()).shape == pooled.shape


def test_a_pool_of_no_frames_is_refused() -> None:
    with pytest.raises(UsageError, match="pool must be an int above 0"):
        make("processor", "log-mel(pool=0)")
