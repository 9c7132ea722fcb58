"""Models learn from rows on disk what they learn from rows in memory, and resume in the middle of an epoch."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import soundfile

from diabolo import VAE, Autoencoder, AutoencoderClassifier, Trainer, data, load
from diabolo.core.errors import DataError, Interrupted, UsageError
from diabolo.data import ArrayProcessor, StoredFeed
from diabolo.data.stored import Mapped
from diabolo.estimators import from_disk
from diabolo.train.callbacks import Callback
from diabolo.train.checkpoint import Checkpoint


@pytest.fixture
def table(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    hidden = random.normal(size=(6000, 2))
    made = pd.DataFrame(
        hidden @ random.normal(size=(2, 6)) + 0.05 * random.normal(size=(6000, 6)), columns=list("abcdef")
    )
    made["row_id"] = [f"r{place}" for place in range(6000)]
    made.to_parquet(tmp_path / "t.parquet", row_group_size=500)
    return tmp_path / "t.parquet"


def trainer(**more: object) -> Trainer:
    return Trainer(epochs=3, batch_size=64, **more)  # type: ignore[arg-type]


def test_a_model_from_disk_is_as_good_as_one_from_memory(table: Path, tmp_path: Path) -> None:
    whole, stored = data.open(table), data.open(table, memory="100kB")
    errors = []
    for source in (whole, stored):
        model = Autoencoder(2, trainer=trainer(), random_state=0).fit(source)
        errors.append(-model.score(whole))
        assert model.n_features_in_ == 6 and model.feature_names_in_.tolist() == list("abcdef")
        assert model.history_[-1]["validation"] is not None
    assert errors[1] < 1.15 * errors[0]
    codes = model.transform(stored)
    np.testing.assert_allclose(codes, model.transform(whole), atol=1e-6)
    pd.testing.assert_frame_equal(model.reconstruct(stored), model.reconstruct(whole), atol=1e-5)
    model.save(tmp_path / "m")
    np.testing.assert_array_equal(load(tmp_path / "m").transform(stored), codes)


def test_the_same_seed_gives_the_same_weights(table: Path) -> None:
    codes = [
        Autoencoder(2, trainer=trainer(), random_state=1).fit(data.open(table, memory=1)).transform(data.open(table))
        for _ in range(2)
    ]
    np.testing.assert_array_equal(*codes)


class StopAt(Callback):
    def __init__(self, step: int) -> None:
        self.step = step

    def on_step(self, loop: object) -> None:
        if loop.step == self.step:  # type: ignore[attr-defined]
            loop._interrupted = True  # type: ignore[attr-defined]


@pytest.mark.parametrize("step", [5, 100, 131])
def test_a_run_interrupted_inside_an_epoch_ends_as_if_it_had_not_been(table: Path, tmp_path: Path, step: int) -> None:
    source = data.open(table, memory=1)
    straight = VAE(2, trainer=trainer(), random_state=3).fit(source).transform(data.open(table))
    broken = VAE(2, trainer=trainer(callbacks=[Checkpoint(tmp_path / "c"), StopAt(step)]), random_state=3)
    with pytest.raises(Interrupted):
        broken.fit(source)
    resumed = VAE(2, trainer=trainer(callbacks=[Checkpoint(tmp_path / "c", resume=True)]), random_state=3).fit(source)
    np.testing.assert_array_equal(resumed.transform(data.open(table)), straight)


def test_models_of_labels_say_that_they_need_memory(table: Path) -> None:
    with pytest.raises(UsageError, match="needs the rows in memory"):
        AutoencoderClassifier().fit(data.open(table, memory=1))


def test_an_array_on_disk(tmp_path: Path) -> None:
    rows = np.random.default_rng(0).random((5000, 8)).astype(np.float32)
    np.save(tmp_path / "a.npy", rows)
    source = data.open(tmp_path / "a.npy", memory=1000)
    model = Autoencoder(3, trainer=trainer(), random_state=0).fit(source)
    np.testing.assert_allclose(model.transform(source), model.transform(rows), atol=1e-6)


def test_sounds_on_disk(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for place in range(30):
        tone = np.sin(np.arange(500 + 40 * place) * random.uniform(0.1, 0.5))
        soundfile.write(tmp_path / f"{place:02d}.wav", 0.5 * tone, 8000)
    whole, stored = data.open(tmp_path), data.open(tmp_path, memory=1000)
    spec = "audio(window=0.05)"
    for source in (whole, stored):
        source.processor = spec
    model = Autoencoder(4, trainer=trainer(), random_state=0).fit(stored)
    np.testing.assert_allclose(model.transform(stored), model.transform(whole), atol=1e-5)
    assert len(model.transform(stored)) > 30
    back, again = model.reconstruct(stored), model.reconstruct(whole)
    assert all(np.allclose(a.samples, b.samples, atol=1e-4) for a, b in zip(back, again, strict=True))


@pytest.mark.parametrize("kind", ["lines", "csv", "parquet", "folder"])
@pytest.mark.parametrize("processor", ["text(tokens='words', length=6)", "bag-of-words(min_count=1)"])
def test_texts_on_disk(tmp_path: Path, kind: str, processor: str) -> None:
    random = np.random.default_rng(0)
    words = ["red", "blue", "fish", "bird", '"quoted', "人工", "x,y"]
    texts = [" ".join(random.choice(words, 5)) for _ in range(400)]
    path = tmp_path / {"lines": "t.txt", "csv": "t.csv", "parquet": "t.parquet", "folder": "t"}[kind]
    if kind == "lines":
        path.write_text("\n".join(texts))
    elif kind == "folder":
        path.mkdir()
        for place, text in enumerate(texts):
            (path / f"{place:03d}.txt").write_text(text)
    else:
        made = pd.DataFrame({"n": range(400), "text": texts})
        made.to_csv(path, index=False) if kind == "csv" else made.to_parquet(path, row_group_size=90)
    asked = {} if kind in ("lines", "folder") else {"column": "text"}
    whole = data.open(path, processor=processor, **asked)
    stored = data.open(path, processor=processor, memory=1, **asked)
    assert any("stay on disk" in note for note in stored.notes) and len(stored) == 400
    assert stored.rows.load().rows.tolist() == whole.rows.tolist() == texts
    network = "dense" if processor.startswith("bag") else "recurrent(width=8)"
    model = Autoencoder(3, network=network, trainer=trainer(), random_state=0).fit(stored)
    np.testing.assert_allclose(model.transform(stored), model.transform(whole), atol=1e-5)


@pytest.fixture
def sounds(tmp_path: Path) -> Path:
    random = np.random.default_rng(0)
    for place in range(60):
        tone = np.sin(np.arange(400 + 40 * place) * random.uniform(0.1, 0.5))
        soundfile.write(tmp_path / f"{place:02d}.wav", 0.5 * tone, 8000)
    return tmp_path


def test_rows_cut_into_windows_are_split_twice(sounds: Path) -> None:
    """The command keeps files for its comparison, the trainer others for validation: windows follow their files."""
    source = data.open(sounds, processor="audio(window=0.05)", memory=1000)
    kept, out = source.rows.split(0.3, 1)
    source.rows = kept
    feed = from_disk.learn(Autoencoder(2), source)
    learn, held = feed.split(0.3, 2)
    assert held is not None and len(out) > 5
    apart = sum(len(batch) for part in (learn, held) for batch in part.batches(16))
    processor = feed.processor  # type: ignore[attr-defined]
    assert apart == len(feed) == len(next(iter(processor.encode(kept.load().rows).values())))


def test_a_file_whose_sound_is_damaged_does_not_stop_a_fit(sounds: Path) -> None:
    whole = (sounds / "00.wav").read_bytes()
    (sounds / "00.wav").write_bytes(whole[:44] + b"\xff" * 10)
    first = data.open(sounds, processor="audio(window=0.05)", memory=1000)
    first.rows.decode = broken_at("00.wav", first.rows.decode)
    model = Autoencoder(2, trainer=trainer(), random_state=0).fit(first)
    assert "00.wav" in first.rows.damaged and "00.wav" in first.rows.damage
    assert np.isfinite(model.transform(first)).all()


def broken_at(bad: str, decode: Callable[[str, bytes], object]) -> Callable[[str, bytes], object]:
    def instead(name: str, content: bytes) -> object:
        if name == bad:
            raise DataError(f"{name}: it ends too early")
        return decode(name, content)

    return instead


def test_where_nothing_can_be_read_the_files_are_named(sounds: Path) -> None:
    source = data.open(sounds, memory=1000)

    def never(name: str, content: bytes) -> object:
        raise DataError(f"{name}: it ends too early")

    source.rows.decode = never
    with pytest.raises(
        DataError, match=r"none of 16 rows could be read: .*wav \(it ends too early\).*fetch them again"
    ):
        Autoencoder(2).fit(source)


def test_what_is_held_out_of_rows_on_disk_is_bounded_in_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.zeros((5000, 4), np.float32)
    feed = StoredFeed(Mapped(rows, "array", "a", 64), ArrayProcessor().fit(rows), row_bytes=1 << 20)
    held = feed.split(0.5, 0)[1]
    assert held is not None and 0 < len(held) <= 2 * (64 << 20) // (1 << 20)
    assert len(from_disk.sample(feed)) == (64 << 20) // (4 << 20)
    wide = Mapped(np.zeros((100, 1 << 16)), "array", "a", 10)
    assert from_disk.few(wide) == (64 << 20) // (8 << 16) == from_disk.rows_a_piece(wide, 64 << 20)
