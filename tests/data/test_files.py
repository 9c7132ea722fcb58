"""Folders and archives as many small files by name."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from diabolo import data
from diabolo.core.errors import DataError
from diabolo.data import files

KINDS = {".tar": "w", ".tar.gz": "w:gz", ".tar.bz2": "w:bz2", ".tar.xz": "w:xz"}


def contents(count: int = 5) -> dict[str, bytes]:
    random = np.random.default_rng(0)
    made = {}
    for place in range(count):
        file = io.BytesIO()
        Image.fromarray(random.integers(0, 256, (40, 50), dtype=np.uint8)).save(file, "png")
        made[f"a/{place}.png"] = file.getvalue()
    return made


def packed(path: Path, mode: str) -> Path:
    with tarfile.open(path, mode) as archive:  # type: ignore[call-overload]
        for name, content in {**contents(), "a/.hidden": b"no"}.items():
            about = tarfile.TarInfo(f"./{name}")
            about.size = len(content)
            archive.addfile(about, io.BytesIO(content))
    return path


@pytest.mark.parametrize("suffix", KINDS)
def test_every_tar_gives_its_files_in_any_order_as_often_as_asked(tmp_path: Path, suffix: str) -> None:
    wanted = contents()
    with files.open_files(packed(tmp_path / f"p{suffix}", KINDS[suffix])) as found:
        assert found.names == sorted(wanted)
        for name in [*reversed(found.names), found.names[0]]:
            assert found.read(name) == wanted[name]


@pytest.mark.parametrize("suffix", KINDS)
def test_names_alone_leave_the_files_to_be_read_later(tmp_path: Path, suffix: str) -> None:
    with files.open_files(packed(tmp_path / f"p{suffix}", KINDS[suffix]), names_only=True) as found:
        assert found.names == sorted(contents()) and found.read(found.names[2]) == contents()[found.names[2]]


def test_a_compressed_tar_is_unpacked_once_for_its_names_and_once_for_its_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No step backwards in either pass; nothing but its kind is told from the first."""
    path, steps = packed(tmp_path / "p.tar.gz", "w:gz"), defaultdict(list)
    usual = gzip.GzipFile.read

    def read(self: gzip.GzipFile, size: int | None = -1) -> bytes:
        steps[self].append(self.tell())
        return usual(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", read)
    assert len(data.open(path)) == 5
    whole = [places for places in steps.values() if max(places) > sum(map(len, contents().values()))]
    assert len(whole) == 2 and all(places == sorted(places) for places in whole)


@pytest.mark.parametrize("suffix", KINDS)
def test_a_tar_that_was_cut_short_is_damaged(tmp_path: Path, suffix: str) -> None:
    path = packed(tmp_path / f"p{suffix}", KINDS[suffix])
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 2 // 3 if suffix != ".tar" else 5000])

    def everything() -> Any:
        with files.open_files(path) as found:
            return [found.read(name) for name in found.names]

    with pytest.raises(DataError, match=rf"p{suffix} is damaged or cut short"):
        everything()


def test_a_tar_that_does_not_fit_is_refused_while_it_grows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(files, "STRIDE", 3000)
    monkeypatch.setattr("diabolo.data.limits.available_memory", lambda: 1000)
    with pytest.raises(DataError, match=r"p\.tar\.gz is unpacked up to .*1\.0 kB are available.*give the folder"):
        files.open_files(packed(tmp_path / "p.tar.gz", "w:gz"))
    files.open_files(packed(tmp_path / "p.tar", "w")).close()
