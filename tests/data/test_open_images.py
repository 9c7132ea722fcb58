"""`open` on folders and zips of pictures."""

from __future__ import annotations

import zipfile

import numpy as np
import pytest
from PIL import Image

from diabolo.core.errors import DataError, UsageError
from diabolo.data import open, picture, processor_for


def pixels(seed, *shape):
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save(path, array):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path)
    return array


@pytest.fixture
def folder(tmp_path):
    for place in range(4):
        save(tmp_path / "pics" / f"{place}.png", pixels(place, 6, 5))
    return tmp_path / "pics"


def zipped(folder, target):
    with zipfile.ZipFile(target, "w") as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder))
    return target


def test_folder_and_zip_give_the_same_pixels(folder, tmp_path):
    expected = np.stack([pixels(place, 6, 5) for place in range(4)])
    for source in (open(folder), open(zipped(folder, tmp_path / "p.zip"))):
        np.testing.assert_array_equal(source.rows, expected)
        assert source.rows.dtype == np.uint8 and source.modality == "image" and source.target is None
        assert source.keys["file"].tolist() == ["0.png", "1.png", "2.png", "3.png"] and source.notes == []


def test_subfolders_are_labels(tmp_path):
    for name in ("cat", "dog"):
        save(tmp_path / "pets" / name / "0.png", pixels(0, 4, 4, 3))
    source = open(tmp_path / "pets")
    assert source.target.tolist() == ["cat", "dog"] and source.rows.shape == (2, 4, 4, 3)
    assert "--target none" in source.notes[0] and open(tmp_path / "pets", target="none").target is None


@pytest.mark.parametrize("root", ["", "data/"])
def test_train_and_test_folders_stop(tmp_path, root):
    for name in ("train", "test"):
        save(tmp_path / "set" / f"{root}{name}" / "a" / "0.png", pixels(0, 4, 4))
    with pytest.raises(UsageError, match=f"training and test pictures apart.*--include '{root}train/\\*'"):
        open(tmp_path / "set")
    assert len(open(tmp_path / "set", include=f"{root}train/*")) == 1
    assert len(open(tmp_path / "set", include="*")) == 2
    with pytest.raises(UsageError, match="--include 'trian/\\*' matches none of 2 pictures"):
        open(tmp_path / "set", include="trian/*")


def test_unequal_sizes(folder):
    save(folder / "odd.png", pixels(9, 12, 10))
    source = open(folder)
    assert source.rows.shape == (5, 6, 5) and "odd.png (10x12)" in source.notes[0]
    with pytest.raises(DataError, match=r"pics: 1 of 5 pictures are not 5x6 .*odd\.png"):
        open(folder, strict=True)
    assert open(folder, size="3x2").rows.shape == (5, 3, 2)
    with pytest.raises(UsageError, match="size must be a height and width"):
        open(folder, size="big")


def test_grey_among_colours_becomes_colour(folder):
    colour = save(folder / "z.png", pixels(9, 6, 5, 3))
    source = open(folder)
    np.testing.assert_array_equal(source.rows[4], colour)
    np.testing.assert_array_equal(source.rows[0], np.repeat(pixels(0, 6, 5)[..., None], 3, 2))
    assert "4 grey pictures converted to colour" in source.notes[0]


def test_sixteen_bits_become_floats(tmp_path):
    deep = np.linspace(0, 65535, 20).astype(np.uint16).reshape(4, 5)
    save(tmp_path / "d" / "0.png", deep)
    source = open(tmp_path / "d")
    assert source.rows.dtype == np.float32 and source.modality == "array"
    np.testing.assert_allclose(source.rows[0], deep / 65535, atol=1e-7)
    assert type(processor_for(source)).__name__ == "ArrayProcessor"


def test_damaged_pictures_are_skipped_named_and_counted(tmp_path):
    for place in range(20):
        save(tmp_path / "p" / f"{place:02}.png", pixels(place, 30, 30))
    (tmp_path / "p" / "03.png").write_bytes(b"no picture at all")
    whole = (tmp_path / "p" / "07.png").read_bytes()
    (tmp_path / "p" / "07.png").write_bytes(whole[: len(whole) // 2])
    source = open(tmp_path / "p")
    assert len(source) == len(source.keys) == 18 and source.skipped == 2
    assert "2 damaged pictures skipped: 03.png (not a picture), 07.png" in source.notes[0]
    np.testing.assert_array_equal(source.rows[6], pixels(8, 30, 30))
    (tmp_path / "p" / "09.png").write_bytes(b"nor this")
    with pytest.raises(DataError, match=r"p: 3 of 20 pictures cannot be read, more than a tenth: 03\.png"):
        open(tmp_path / "p")


def test_no_pictures(tmp_path):
    (tmp_path / "e").mkdir()
    with pytest.raises(DataError, match=r"e holds no pictures .* it holds nothing"):
        open(tmp_path / "e")
    (tmp_path / "e" / "a.csv").write_text("a\n1\n")
    with pytest.raises(DataError, match=r"it holds 1 \.csv\. Give one file, for example 'a\.csv'"):
        open(tmp_path / "e")


def test_a_single_picture(folder):
    with pytest.raises(DataError, match=r"0\.png is a single picture; put it in a folder"):
        open(folder / "0.png")


def test_pictures_that_would_exhaust_the_memory(folder, monkeypatch):
    monkeypatch.setattr(picture, "MAX_PIXELS", 29)
    with pytest.raises(DataError, match=r"0\.png has more than 29 pixels, the limit"):
        open(folder)


def test_pillows_own_limit_is_an_error_of_ours(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(DataError, match="pixels, the limit for one picture"):
        open(folder)


def test_damaged_zip(folder, tmp_path):
    path = zipped(folder, tmp_path / "p.zip")
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(DataError, match=r"p\.zip is damaged or cut short"):
        open(path)


def test_turned_photographs_are_set_upright(tmp_path):
    (tmp_path / "j").mkdir()
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.fromarray(pixels(0, 8, 16, 3)).save(tmp_path / "j" / "a.jpg", exif=exif)
    assert open(tmp_path / "j").rows.shape == (1, 16, 8, 3)


def test_options_of_tables_do_not_apply(folder):
    with pytest.raises(UsageError, match="--key does not apply to pictures"):
        open(folder, key="a")
    with pytest.raises(UsageError, match="their folders are the labels"):
        open(folder, target="a")
