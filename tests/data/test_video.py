"""Videos: files, frames and arrays in; windows without seams; a video that plays out."""

from __future__ import annotations

import json
import struct
import zipfile
from pathlib import Path

import av
import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from diabolo import Autoencoder, SequenceAutoencoder, Trainer, data
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Clip, write, write_video
from diabolo.data.process_video import VideoProcessor

CODECS = [codec for codec in write_video.CODECS if codec in av.codecs_available]


def moving(frames: int, height: int = 16, width: int = 24, start: int = 0) -> Clip:
    """A bright square on a grey gradient, one pixel further in every frame."""
    made = np.tile(np.linspace(40, 120, width).astype(np.uint8), (frames, height, 1))
    for place in range(frames):
        left = (start + place) % (width - 6)
        made[place, 4:10, left : left + 6] = 230
    return Clip(made, 10)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write(tmp_path / "videos", data.objects(moving(20 + place, start=3 * place) for place in range(12)))
    return tmp_path / "videos"


def test_what_is_written_plays_and_is_read_back(folder: Path) -> None:
    source = data.open(folder)
    assert source.modality == "video" and len(source) == 12
    assert [len(clip) for clip in source.rows] == list(range(20, 32))
    clip, true = source.rows[0], moving(20)
    assert clip.rate == 10 and clip.frames.shape == (20, 16, 24)
    assert np.abs(clip.frames.astype(int) - true.frames).mean() < 4
    assert source.keys["file"].tolist()[:2] == ["00000.mp4", "00001.mp4"]


def test_sides_of_an_odd_number_of_pixels_are_kept_even(tmp_path: Path) -> None:
    write(tmp_path / "a.mp4", data.objects([Clip(np.full((3, 7, 9, 3), (200, 30, 60), np.uint8), 5)]))
    clip = data.open(tmp_path / "a.mp4").rows[0]
    assert clip.frames.shape == (3, 8, 10, 3) and clip.rate == 5
    assert np.abs(clip.frames[0, 0, 0].astype(int) - (200, 30, 60)).max() < 12


def test_a_zip_and_one_file_and_other_sizes(folder: Path, tmp_path: Path) -> None:
    write(tmp_path / "big.mp4", data.objects([moving(5, 32, 48)]))
    with zipfile.ZipFile(tmp_path / "v.zip", "w") as archive:
        for file in sorted(folder.iterdir()):
            archive.write(file, f"walk/{file.name}")
        archive.write(tmp_path / "big.mp4", "run/big.mp4")
    source = data.open(tmp_path / "v.zip")
    assert {clip.picture for clip in source.rows} == {(16, 24)}
    assert any("1 of 13 videos resized to 24x16" in note for note in source.notes)
    assert set(source.target) == {"walk", "run"}
    assert data.open(tmp_path / "v.zip", size="8x12").rows[0].picture == (8, 12)


def test_unreadable_videos_are_named_and_counted(folder: Path, tmp_path: Path) -> None:
    (folder / "bad.mp4").write_bytes(b"not a video at all")
    source = data.open(folder)
    assert source.skipped == 1 and any("bad.mp4" in note for note in source.notes)
    for place in range(5):
        (folder / f"worse{place}.mp4").write_bytes(b"")
    with pytest.raises(DataError, match=r"6 of 18 files cannot be read.*bad\.mp4"):
        data.open(folder)


def test_folders_of_frames_are_clips(tmp_path: Path) -> None:
    for name, count in (("a", 4), ("b", 2)):
        (tmp_path / "f" / name).mkdir(parents=True)
        for place in range(count):
            Image.fromarray(moving(1, start=place).frames[0]).save(tmp_path / "f" / name / f"{place:03d}.png")
    source = data.open(tmp_path / "f", as_="video")
    assert [len(clip) for clip in source.rows] == [4, 2]
    assert (source.rows[0].frames == np.stack([moving(1, start=place).frames[0] for place in range(4)])).all()


def test_frame_9_comes_before_frame_10(tmp_path: Path) -> None:
    true = np.stack([np.full((6, 8), 20 * place, np.uint8) for place in range(12)])
    (tmp_path / "f").mkdir()
    for place, frame in enumerate(true):
        Image.fromarray(frame).save(tmp_path / "f" / f"frame{place}.png")
    source = data.open(tmp_path / "f", as_="video")
    assert (source.rows[0].frames == true).all() and source.keys["file"].tolist() == ["f"]


def test_some_codec_is_in_every_build_of_pyav() -> None:
    assert CODECS


@pytest.mark.parametrize("codec", CODECS)
def test_every_codec_writes_a_video_that_plays(codec: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(write_video, "CODECS", (codec,))
    true = Clip(moving(12).frames, 29.97)
    for clip in (true, Clip(true.frames[:1], 5)):
        write(tmp_path / "a.mp4", data.objects([clip]), force=True)
        back = data.open(tmp_path / "a.mp4").rows[0]
        assert back.frames.shape == clip.frames.shape and back.rate == pytest.approx(clip.rate, abs=1e-3)
        assert np.abs(back.frames.astype(int) - clip.frames).mean() < 4


def test_a_phone_held_upright_films_upright(tmp_path: Path) -> None:
    """The file holds lying frames and says: turn them clockwise. The sky is then above, not on the left."""
    lying = np.zeros((3, 16, 32), np.uint8)
    lying[:, :, :8] = 250
    write(tmp_path / "a.mp4", data.objects([Clip(lying, 10)]))
    plain, turned = (struct.pack(">9i", a, b, 0, -b, a, 0, 0, 0, 1 << 30) for a, b in ((1 << 16, 0), (0, 1 << 16)))
    raw = (tmp_path / "a.mp4").read_bytes()
    place = raw.index(plain, raw.index(b"tkhd"))
    (tmp_path / "b.mp4").write_bytes(raw[:place] + turned + raw[place + len(plain) :])
    for size, shape in ((None, (32, 16)), ("16x8", (16, 8))):
        frame = data.open(tmp_path / "b.mp4", size=size).rows[0].frames[0].astype(int)
        assert frame.shape == shape
        assert frame[: shape[0] // 8].mean() > 200 and frame[shape[0] // 2 :].mean() < 30


def test_arrays_of_clips(tmp_path: Path) -> None:
    clips = {f"train_{place}": moving(10 + place).frames for place in range(2)}
    np.savez(tmp_path / "a.npz", **clips, train_0_label=np.zeros(10, np.uint8))
    assert [len(clip) for clip in data.open(tmp_path / "a.npz", as_="video").rows] == [10, 11]
    np.savez(tmp_path / "b.npz", **clips, test_0=moving(5).frames, test_0_mask=moving(5).frames)
    with pytest.raises(UsageError, match="training and test clips apart"):
        data.open(tmp_path / "b.npz", as_="video")
    assert data.open(tmp_path / "b.npz", as_="video", include="test*").keys["file"].tolist() == ["test_0"]
    np.save(tmp_path / "c.npy", np.stack([moving(6).frames] * 3))
    assert len(data.open(tmp_path / "c.npy", as_="video")) == 3


def test_arrays_that_are_no_clips_are_refused_by_name(tmp_path: Path) -> None:
    np.save(tmp_path / "floats.npy", np.zeros((3, 8, 8), np.float32))
    with pytest.raises(DataError, match=r"floats\.npy holds no clips.*float32"):
        data.open(tmp_path / "floats.npy", as_="video")
    np.savez_compressed(tmp_path / "cut.npz", a=moving(40).frames)
    raw = bytearray((tmp_path / "cut.npz").read_bytes())
    raw[150:250] = bytes(100)
    (tmp_path / "cut.npz").write_bytes(raw)
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 and no more")
    for name in ("cut.npz", "bad.npz"):
        with pytest.raises(DataError, match=rf"{name}.* damaged"):
            data.open(tmp_path / name, as_="video")
    for name in ("gone.npz", "gone.mp4", "gone"):
        with pytest.raises(DataError, match=r"no file .*gone"):
            data.open(tmp_path / name, as_="video")


def test_arrays_too_large_for_the_memory_are_never_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from diabolo.data import limits, read_video

    np.savez(tmp_path / "a.npz", a=moving(20).frames, b=moving(20).frames)
    monkeypatch.setattr(limits, "available_memory", lambda: 20 * 16 * 24 + 1)
    monkeypatch.setattr(read_video, "load_array", lambda *_: pytest.fail("loaded before the memory was looked at"))
    with pytest.raises(DataError, match="2 arrays of clips would take"):
        data.open(tmp_path / "a.npz", as_="video")


def test_the_state_says_all_there_is_to_say() -> None:
    clips = [moving(23), moving(5)]
    video = VideoProcessor(frames=6, hop=0.25, every=2).fit(clips)
    other = VideoProcessor.from_state(json.loads(json.dumps(video.state())))
    first, second = video.encode(clips), other.encode(clips)
    assert first["x"].dtype == torch.uint8
    assert all(torch.equal(first[name], second[name]) for name in first) and video.shape == other.shape


def test_windows_cover_every_frame_and_join_without_change() -> None:
    clips = [moving(23), moving(8), moving(5), moving(1)]
    video = VideoProcessor(frames=8, hop=0.5).fit(clips)
    batch = video.collate(video.encode(clips))
    back = video.join(video.invert(batch.target), clips)
    assert all((a.frames == b.frames).all() for a, b in zip(clips, back, strict=True))
    row, begin, end = video.places(clips)
    assert begin[row == 0].tolist() == [0, 4, 8, 12, 15] and end[row == 0].tolist() == [8, 12, 16, 20, 23]
    assert batch.mask is not None and batch.mask.sum(1).tolist()[-2:] == [5, 1]
    assert torch.equal(batch.x[-1, 0], batch.x[-1, 7])


def test_every_other_frame() -> None:
    clips = [moving(21)]
    video = VideoProcessor(frames=4, every=2).fit(clips)
    back = video.join(video.invert(video.collate(video.encode(clips)).target), clips)[0]
    assert (back.frames == clips[0].frames[::2]).all() and back.rate == 5


@pytest.mark.parametrize(("network", "epochs"), [("auto", 25), ("frames(channels=(8, 16), width=32)", 150)])
def test_a_model_learns_to_rebuild_better_than_the_mean_frame(network: str, epochs: int) -> None:
    clips = [moving(24, start=place) for place in range(10)]
    trainer = Trainer(epochs=epochs, validation=0.0, optimizer="adamw", lr=3e-3, batch_size=16)
    model = Autoencoder(16, network=network, trainer=trainer, random_state=0).fit(data.objects(clips))
    back = model.reconstruct(clips)
    error = np.mean([np.square(a.frames - b.frames.astype(float)).mean() for a, b in zip(clips, back, strict=True)])
    still = np.mean([np.square(a.frames - a.frames.mean(0)).mean() for a in clips])
    assert error < 0.5 * still
    assert model.transform(clips).shape == (50, 16)
    assert isinstance(model.inverse_transform(model.transform(clips[:1]))[0], Clip)


def test_sequence_models_take_videos() -> None:
    model = SequenceAutoencoder(4, trainer=Trainer(epochs=1), random_state=0).fit([moving(20), moving(16)])
    assert model.reconstruct([moving(20)])[0].frames.shape == (20, 16, 24)


def test_errors_name_the_clip() -> None:
    with pytest.raises(DataError, match="at least one; got uint8 of shape"):
        Clip(np.zeros((0, 4, 4), np.uint8))
    video = VideoProcessor(frames=4).fit([moving(8)])
    with pytest.raises(DataError, match="clip 1 has frames of"):
        video.encode([moving(8), moving(8, 8, 8)])
    with pytest.raises(UsageError, match="hop must be"):
        VideoProcessor(hop=0)


def test_the_command_line_writes_a_video(folder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from diabolo.cli.main import app

    def run(*words: object) -> str:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result.output

    said = run("fit", folder, "--out", tmp_path / "m", "--epochs", 2, "--latent", 4)
    assert "12 clips, as windows of 8 frames of 16x24 (height x width)" in said
    run("encode", tmp_path / "m", folder, "--out", tmp_path / "z.csv")
    assert list(pd.read_csv(tmp_path / "z.csv"))[:4] == ["file", "start", "end", "z0"]
    run("reconstruct", tmp_path / "m", folder, "--out", tmp_path / "back")
    assert [len(clip) for clip in data.open(tmp_path / "back").rows] == list(range(20, 32))
    run("encode", tmp_path / "m", folder, "--out", tmp_path / "z.npy")
    run("decode", tmp_path / "m", tmp_path / "z.npy", "--out", tmp_path / "windows")
    assert {len(clip) for clip in data.open(tmp_path / "windows").rows} == {8}
    run("info", tmp_path / "m")
    run("score", tmp_path / "m", folder, "--out", tmp_path / "s.csv")
    run("report", tmp_path / "m", folder, "--out", tmp_path / "r.html")


def test_the_size_at_fit_is_that_of_every_verb(folder: Path, tmp_path: Path) -> None:
    from typer.testing import CliRunner

    from diabolo.cli.main import app

    model, back = tmp_path / "m", tmp_path / "back"
    for words in (
        ("fit", folder, "--out", model, "--size", "8x12", "--epochs", 1, "--latent", 2),
        ("reconstruct", model, folder, "--out", back),
    ):
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
    assert {clip.picture for clip in data.open(back).rows} == {(8, 12)}


def test_videos_on_disk(folder: Path) -> None:
    whole, stored = data.open(folder), data.open(folder, memory=1000)
    assert any("stay on disk" in note for note in stored.notes)
    model = Autoencoder(3, trainer=Trainer(epochs=1, batch_size=8), random_state=0).fit(stored)
    np.testing.assert_allclose(model.transform(stored), model.transform(whole), atol=1e-5)
