"""Videos from files, archives, folders of frames, and arrays of clips."""

from __future__ import annotations

import fnmatch
import re
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, UsageError, require
from .clip import Clip, decode_video, inspect_video
from .files import Files, choose, file_keys, folder_labels, open_files, refuse_damage
from .kinds import FILES
from .limits import check_memory
from .picture import Header, inspect
from .read_array import load_npy
from .read_npz import array_headers, load_array
from .recognise import looks_like_label, split_of
from .record import Options, Source, damage, listed, objects
from .stored_files import StoredFiles
from .stored_images import decode_all, in_threads

SUFFIXES = FILES["video"]
PICTURES = FILES["image"]
FOOTPRINT = 3
"""Bytes clips take while they are read and cut into windows that overlap, for one byte of them."""


def read(path: Path, options: Options) -> Source:
    """Read videos as an object array (N,) of `Clip`, all of one size.

    A video file, a folder or archive of them, or one whose subfolders hold pictures (a clip each, in the order of the
    names, frame 9 before frame 10); .npy uint8 (N, T, H, W[, 3]) or (T, H, W); .npz with one clip an array, of which
    ``include`` chooses. Frames of another size than most are resized. Unreadable files are left out, up to a tenth, and
    noted. Raises `DataError` for no videos, `UsageError` for training and test clips side by side.
    """
    options.refuse("videos", "key", "exclude", "column", "time")
    if path.suffix.lower() in (".npy", ".npz"):
        return _arrays(path, options)
    options.refuse("videos", "array")
    alone = path.is_file() and path.suffix.lower() in SUFFIXES
    files = Files(path.name, [path.name], lambda _: path.read_bytes(), lambda: None) if alone else open_files(path)
    return files.kept_open_for(lambda: _load(files, options))


def _load(files: Files, options: Options) -> Source:
    videos = [name for name in files.names if name.lower().endswith(SUFFIXES)]
    if not videos and any(name.lower().endswith(PICTURES) for name in files.names):
        return _frames(files, options)
    require("av", "video", "reading videos")
    names = choose(files, options, SUFFIXES, "videos")
    headers = list(in_threads(lambda name: inspect_video(name, files.read(name)), names))
    bad = {header.name: str(header.error) for header in headers if header.error is not None}
    refuse_damage(bad, len(names), files.origin, "files")
    good = [header for header in headers if header.error is None]
    size = options.size or Counter(header.size for header in good).most_common(1)[0][0]
    other = sum(header.size != size for header in good)
    notes = [f"{other} of {len(good)} videos resized to {size[1]}x{size[0]} (--size HxW)"] if other else []
    taken = [header.name for header in good]
    decode: Callable[[str, bytes], Clip] = lambda name, content: decode_video(name, content, size)  # noqa: E731
    volume = 3 * sum(header.frames for header in good) * size[0] * size[1]
    if not options.fits(volume * FOOTPRINT):
        return StoredFiles(files, taken, decode, "video").source(options, notes, bad)
    check_memory(volume, f"{len(good)} videos", "Take fewer (--include) or smaller ones (--size 64).")

    def tried(name: str) -> Clip | str:
        try:
            return decode(name, files.read(name))
        except DataError as error:
            return str(error).removeprefix(f"{name}: ")

    found = dict(zip(taken, in_threads(tried, taken), strict=True))
    bad.update({name: clip for name, clip in found.items() if isinstance(clip, str)})
    refuse_damage(bad, len(names), files.origin, "files")
    clips = {name: clip for name, clip in found.items() if isinstance(clip, Clip)}
    return _source(files.origin, clips, bad, options, notes)


def _frames(files: Files, options: Options) -> Source:
    """Subfolders of pictures, each a clip in the order of its names."""
    names = choose(files, options, PICTURES, "frames")
    folders: dict[str, list[str]] = {}
    for name in sorted(names, key=natural):
        parent = PurePosixPath(name).parent.as_posix()
        folders.setdefault(files.origin if parent == "." else parent, []).append(name)
    headers = {header.name: header for header in in_threads(lambda name: inspect(name, files.read), names)}
    bad = {name: str(header.error) for name, header in headers.items() if header.error is not None}
    refuse_damage(bad, len(names), files.origin, "files")
    sizes = Counter(header.size for header in headers.values() if header.error is None)
    size = options.size or sizes.most_common(1)[0][0]
    colour = any(header.channels == 3 for header in headers.values() if header.error is None)
    shape = (*size, 3) if colour else size
    check_memory(len(names) * int(np.prod(shape)), f"{len(names)} frames", "Take smaller ones (--size 64).")
    clips = {}
    for folder, members in folders.items():
        good: list[Header] = [headers[name] for name in members if headers[name].error is None]
        frames = decode_all(good, files.read, shape, np.uint8)
        kept = [header.error is None for header in good]
        bad.update({header.name: str(header.error) for header in good if header.error is not None})
        if any(kept):
            clips[folder] = Clip(frames[np.array(kept)])
    refuse_damage(bad, len(names), files.origin, "files")
    notes = [f"{len(clips)} folders of frames, a clip each, at {Clip.rate:g} frames a second"]
    if len(sizes) > 1:
        notes.append(f"frames of {len(sizes)} sizes resized to {size[1]}x{size[0]} (--size HxW)")
    return _source(files.origin, clips, bad, options, notes)


def natural(name: str) -> list[tuple[bool, int, str]]:
    """A key that sorts numbers within names by their value.

    >>> sorted(["f10.png", "f9.png", "f1.png"], key=natural)
    ['f1.png', 'f9.png', 'f10.png']
    """
    return [(part.isdecimal(), int(part) if part.isdecimal() else 0, part) for part in re.split(r"(\d+)", name)]


def _arrays(path: Path, options: Options) -> Source:
    options.refuse("arrays of clips", "target")
    clips = dict(_npy_clips(path) if path.suffix.lower() == ".npy" else _npz_clips(path, options))
    picture = Counter(clip.picture for clip in clips.values()).most_common(1)[0][0]
    picture = (*options.size, *picture[2:]) if options.size is not None else picture
    return _source(path.name, {name: clip.fitted(picture) for name, clip in clips.items()}, {}, options, [])


def _npy_clips(path: Path) -> Iterator[tuple[str, Clip]]:
    array = load_npy(path)
    if not _holds_clips(array):
        raise _no_clips(path.name, f"{array.dtype} {array.shape}")
    yield from _unpacked(path.stem, array)


def _npz_clips(path: Path, options: Options) -> Iterator[tuple[str, Clip]]:
    headers = {header.name: header for header in array_headers(path)}
    chosen = [headers[name] for name in _chosen(list(headers), path.name, options)]
    taken = [header for header in chosen if _holds_clips(header)]
    if not taken:
        raise _no_clips(path.name, ", ".join(str(header) for header in chosen[:4]))
    size = sum(int(np.prod(header.shape)) for header in taken)
    check_memory(size, f"{len(taken)} arrays of clips", "Take fewer arrays (--include).")
    for header in taken:
        yield from _unpacked(header.name, load_array(path, header.name))


def _holds_clips(array: Any) -> bool:
    """Whether an array, or the header of one, is bytes (T, H, W), (T, H, W, 3) or a row of such clips."""
    return array.dtype == np.uint8 and len(array.shape) in (3, 4, 5) and 0 not in array.shape


def _no_clips(origin: str, held: str) -> DataError:
    return DataError(f"{origin} holds no clips, uint8 frames (T, H, W), (T, H, W, 3) or (N, T, H, W[, 3]); got {held}.")


def _chosen(names: list[str], origin: str, options: Options) -> list[str]:
    """The arrays that are meant: by name where asked for; labels and masks beside the clips only by ``array``."""
    if options.array is None:
        names = [name for name in names if not looks_like_label(name) and not name.lower().endswith(("mask", "masks"))]
    if options.array is not None or options.include is not None:
        pattern = options.array or options.include or ""
        taken = [name for name in names if fnmatch.fnmatchcase(name, pattern)]
        if not taken:
            raise UsageError(f"{pattern!r} matches none of the arrays of {origin}: {listed(names)}.")
        return taken
    splits = {split_of(name) for name in names}
    if {"train", "test"} <= splits:
        raise UsageError(
            f"{origin} holds training and test clips apart: {listed(names)}. Choose: --include 'train*' or "
            "--include 'test*' (--include '*' takes all)."
        )
    return names


def _unpacked(name: str, array: ndarray) -> Iterator[tuple[str, Clip]]:
    """The clips of one array: (T, H, W[, 3]) is one, one more axis in front is many."""
    if array.ndim == 5 or (array.ndim == 4 and array.shape[3] != 3):
        yield from ((f"{name}_{place:05d}", Clip(clip)) for place, clip in enumerate(array))
    else:
        yield name, Clip(array)


def _source(origin: str, clips: dict[str, Clip], bad: dict[str, str], options: Options, notes: list[str]) -> Source:
    if not clips:
        raise DataError(f"{origin} holds no clip that can be read.")
    names = list(clips)
    colours = any(len(clip.picture) == 3 for clip in clips.values())
    first = next(iter(clips.values())).picture
    picture = (*first[:2], 3) if colours else first[:2]
    rows = objects(clip.fitted(picture) for clip in clips.values())
    frames = [len(clip) for clip in rows]
    notes = [f"{len(rows)} clips of {min(frames)} to {max(frames)} frames, {picture[1]}x{picture[0]}", *notes]
    if bad:
        notes.append(f"{len(bad)} unreadable file{'s' if len(bad) > 1 else ''} skipped: {damage(bad)}")
    target = folder_labels(names, options, notes)
    return Source(rows, "video", file_keys(names, notes), target, notes, len(bad), origin, processor=options.processor)
