"""Masks and label pictures beside pictures: found by name, one value a pixel, at the size of their picture."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from diabolo.core.errors import DataError, UsageError
from diabolo.data import open as open_source
from diabolo.data import write
from diabolo.data.read_beside import pictures_beside, transparent
from diabolo.data.read_whole import whole_pictures

LABEL = (np.arange(30).reshape(5, 6) % 4).astype(np.uint8)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("photos", "labels"):
        (tmp_path / name).mkdir()
    for place in range(3):
        Image.fromarray(np.full((5, 6, 3), 50 * place + 9, np.uint8)).save(tmp_path / "photos" / f"p{place}.png")
        Image.fromarray((LABEL + place) % 4).save(tmp_path / "labels" / f"p{place}.bmp")
    return tmp_path


def test_companions_are_found_by_name_whatever_their_suffix(folder: Path) -> None:
    source = open_source(folder / "photos", target=str(folder / "labels"))
    assert (source.target == np.stack([(LABEL + place) % 4 for place in range(3)])).all()
    assert (source.take([2, 0]).target[0] == (LABEL + 2) % 4).all()


def test_a_palette_gives_its_indices_and_colour_what_is_not_black(folder: Path) -> None:
    indexed = Image.frombytes("P", (6, 5), LABEL.tobytes())
    indexed.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255, 9, 9, 9] + [0] * 756)
    indexed.save(folder / "labels" / "p0.png")
    (folder / "labels" / "p0.bmp").unlink()
    colours = np.zeros((5, 6, 3), np.uint8)
    colours[1, 2] = (0, 40, 0)
    Image.fromarray(colours).save(folder / "labels" / "p1.bmp")
    found = pictures_beside(open_source(folder / "photos"), folder / "labels")
    assert (found[0] == LABEL).all() and found[1].sum() == 1 and found[1][1, 2] == 1


def test_labels_are_picked_never_mixed_where_a_picture_was_resized(folder: Path) -> None:
    source = open_source(folder / "photos", size=(10, 12))
    found = pictures_beside(source, folder / "labels")
    assert found.shape == (3, 10, 12) and (found[0] == LABEL.repeat(2, 0).repeat(2, 1)).all()


def test_a_picture_may_lack_its_companion_where_that_is_allowed(folder: Path) -> None:
    (folder / "labels" / "p1.bmp").unlink()
    source = open_source(folder / "photos", target=str(folder / "labels"))
    assert (source.target[1] == -1).all() and (source.target[2] == (LABEL + 2) % 4).all()
    assert "1 of 3 pictures have no companion in labels" in source.notes
    with pytest.raises(DataError, match=r"labels holds no picture for p1.png"):
        pictures_beside(source, folder / "labels")


def test_one_for_all_and_arrays(folder: Path) -> None:
    source = open_source(folder / "photos")
    assert (pictures_beside(source, folder / "labels" / "p2.bmp") == (LABEL + 2) % 4).all()
    np.save(folder / "m.npy", np.stack([LABEL] * 3))
    assert (pictures_beside(source, folder / "m.npy") == LABEL).all()
    np.save(folder / "x.npy", np.zeros((3, 5, 6), np.uint8))
    assert (open_source(folder / "x.npy", target=str(folder / "m.npy")).target == LABEL).all()


def test_transparency(folder: Path) -> None:
    clear = np.full((5, 6, 4), 255, np.uint8)
    clear[2, 3, 3] = 0
    Image.fromarray(clear).save(folder / "photos" / "p1.png")
    source = open_source(folder / "photos")
    with pytest.raises(DataError, match=r"p0.png has no transparency"):
        transparent(folder / "photos", source)
    for place in (0, 2):
        Image.fromarray(clear).save(folder / "photos" / f"p{place}.png")
    gone = transparent(folder / "photos", source)
    assert gone.sum() == 3 and gone[:, 2, 3].all()


def test_pictures_of_several_sizes_and_their_companions(folder: Path) -> None:
    assert whole_pictures(folder / "photos") is None  # all of one size: the usual reader takes them
    Image.fromarray(np.full((9, 4, 3), 7, np.uint8)).save(folder / "photos" / "q.png")
    (folder / "photos" / "r.png").write_bytes(b"damaged")
    for place in range(9):
        Image.fromarray(np.zeros((5, 6), np.uint8)).save(folder / "photos" / f"z{place}.png")
    source = whole_pictures(folder / "photos", target=str(folder / "labels"))
    assert source is not None and [row.shape for row in source.rows[:4]] == [(5, 6, 3)] * 3 + [(9, 4, 3)]
    assert (source.target[1] == (LABEL + 1) % 4).all() and source.target[3].shape == (9, 4) and source.skipped == 1
    assert "13 pictures of 2 sizes, each taken as it is" in source.notes
    part = source.take([3, 0])
    assert part.rows[0].shape == (9, 4, 3) and part.target[1].shape == (5, 6)
    write(folder / "out", list(part.rows), keys=part.keys)
    assert np.asarray(Image.open(folder / "out" / "q.png")).shape == (9, 4, 3)
    np.save(folder / "x.npy", np.zeros((3, 5, 6)))
    assert whole_pictures(folder / "x.npy") is None


def test_what_cannot_stand_beside(folder: Path) -> None:
    source = open_source(folder / "photos")
    with pytest.raises(UsageError, match=r"'nowhere' does not exist; name a folder"):
        pictures_beside(source, "nowhere")
    np.save(folder / "m.npy", np.zeros((2, 5, 6)))
    with pytest.raises(DataError, match=r"m.npy has shape \(2, 5, 6\), the pictures are 3 of \(5, 6\)"):
        pictures_beside(source, folder / "m.npy")
    Image.fromarray(np.zeros((5, 20), np.uint8)).save(folder / "labels" / "p0.bmp")
    with pytest.raises(DataError, match=r"p0.bmp has 20x5 pixels \(width x height\), its picture 6x5"):
        pictures_beside(source, folder / "labels")
    with pytest.raises(UsageError, match=r"have no file names to find companions by"):
        pictures_beside(open_source(np.zeros((3, 5, 6), np.uint8)), folder / "labels")
    (folder / "labels" / "p0.bmp").write_bytes(b"x")
    with pytest.raises(DataError, match=r"p0.bmp cannot be read as a picture"):
        pictures_beside(source, folder / "labels")
    with pytest.raises(DataError, match=r"holds no picture named as one of photos \(such as p0.png\)"):
        (folder / "other").mkdir()
        Image.fromarray(LABEL).save(folder / "other" / "q.png")
        open_source(folder / "photos", target=str(folder / "other"))
