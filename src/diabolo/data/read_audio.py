"""Sounds from a file, a folder, a zip or a tar."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ..core import Spec
from ..core.errors import DataError, require
from .files import Files, choose, file_keys, folder_labels, open_files, refuse_damage
from .kinds import FILES
from .limits import check_memory
from .record import Options, Source, damage, listed, objects
from .sound import Sound, decode_sound, reason
from .stored_files import StoredFiles
from .stored_images import in_threads

SUFFIXES = FILES["audio"]
FOOTPRINT = 2
"""Bytes sounds take while they are read and encoded, for one byte of float32."""
SILENT = 1e-4
"""A clip that never leaves [-1e-4, 1e-4] (-80 dB of full scale) is silent."""


@dataclass
class Item:
    """What is known of one file: its header, its sound, or why there is none."""

    name: str
    rate: int = 0
    frames: int = 0
    channels: int = 1
    sound: Sound | None = None
    error: str | None = None


def read(path: Path, options: Options) -> Source:
    """Read one sound file, or those of a folder or archive, as an object array (N,) of `Sound`.

    All have one rate: the processor's ``rate`` where one was asked for, else the commonest; others are resampled.
    Empty and unreadable files are left out, up to a tenth; they, silent clips and mixed rates are noted. Names of
    subfolders become ``target``; file names tell nothing but the key 'file'.

    Raises `DataError` for no sounds, a damaged archive, or sounds that no memory can hold; `UsageError` for a
    train/test pair of folders.
    """
    require("soundfile", "audio", "reading sounds")
    options.refuse("sounds", "key", "exclude", "array", "size", "column", "time")
    alone = path.is_file() and path.suffix.lower() in SUFFIXES
    files = _one(path) if alone else open_files(path)
    return files.kept_open_for(lambda: _load(files, choose(files, options, SUFFIXES, "sounds"), options))


def _one(path: Path) -> Files:
    return Files(path.name, [path.name], lambda _: path.read_bytes(), lambda: None)


def _load(files: Files, names: list[str], options: Options) -> Source:
    items = list(in_threads(lambda name: inspect_sound(name, files.read), names))
    damaged = _bad(items, files.origin)
    good = [item for item in items if item.error is None]
    notes: list[str] = []
    rate = _rate(good, options, notes)
    size = sum(4 * item.frames * item.channels for item in good)
    if not options.fits(size * FOOTPRINT):
        decode = lambda name, content: decode_sound(name, content).at(rate)  # noqa: E731
        stored = StoredFiles(files, [item.name for item in good], decode, "audio")
        return stored.source(options, notes, damaged)
    check_memory(size, f"{len(good)} sounds of {files.origin}", "Take fewer (--include).")
    list(in_threads(lambda item: _fill(item, files.read, rate), good))
    bad = _bad(items, files.origin)
    taken = [item for item in items if item.sound is not None]
    _describe(taken, bad, options, notes)
    kept = [item.name for item in taken]
    target = folder_labels(kept, options, notes)
    ignored = files.others(SUFFIXES)
    if ignored:
        notes.append(f"{len(ignored)} other file{'s' if len(ignored) > 1 else ''} ignored: {listed(ignored, 3)}")
    return Source(
        objects(item.sound for item in taken), "audio", file_keys(kept, notes), target, notes, len(bad), files.origin,
        processor=options.processor,
    )  # fmt: skip


def inspect_sound(name: str, read_bytes: Callable[[str], bytes]) -> Item:
    """The header of one file; ``error`` says why it cannot be used."""
    soundfile = require("soundfile", "audio", "reading sounds")
    data = read_bytes(name)
    if not data:
        return Item(name, error="it is empty (0 bytes)")
    try:
        info = soundfile.info(io.BytesIO(data))
    except (soundfile.SoundFileError, RuntimeError, ValueError, TypeError) as error:
        return Item(name, error=reason(error))
    return Item(name, info.samplerate, info.frames, info.channels, error=None if info.frames else "it is empty")


def _fill(item: Item, read_bytes: Callable[[str], bytes], rate: int) -> None:
    try:
        item.sound = decode_sound(item.name, read_bytes(item.name)).at(rate)
    except DataError as error:
        item.error = str(error).removeprefix(f"{item.name}: ")


def asked(processor: Any, name: str) -> Any:
    """A parameter of the processor asked for, by text, Spec or instance; None where it is not given."""
    if processor is None:
        return None
    given = Spec.of(processor).params if isinstance(processor, str | Spec) else vars(processor)
    return given.get(name)


def _rate(good: list[Item], options: Options, notes: list[str]) -> int:
    """The rate all sounds get, with a note where some are resampled to it."""
    rates = Counter(item.rate for item in good)
    rate = int(asked(options.processor, "rate") or max(rates.items(), key=lambda pair: (pair[1], pair[0]))[0])
    others = {given: count for given, count in sorted(rates.items()) if given != rate}
    if others:
        found = ", ".join(f"{count} of {given:,} Hz" for given, count in others.items())
        notes.append(
            f"{sum(others.values())} of {len(good)} sounds resampled to {rate:,} Hz: {found} "
            "(--processor 'audio(rate=16000)' takes another rate)"
        )
    return rate


def _describe(taken: list[Item], bad: dict[str, str], options: Options, notes: list[str]) -> None:
    """Notes on what is there: how long, which channels, what is silent or too loud, what was left out."""
    sounds = [item.sound for item in taken if item.sound is not None]
    seconds = [sound.seconds for sound in sounds]
    notes.insert(0, f"{len(sounds)} sounds of {min(seconds):.2f} to {max(seconds):.2f} s at {sounds[0].rate:,} Hz")
    several = [item.name for item in taken if item.channels > 1]
    if several and asked(options.processor, "mono") is not False:
        notes.append(
            f"{len(several)} sounds of several channels are mixed to one (--processor 'audio(mono=False)' keeps them)"
        )
    peaks = [float(np.abs(sound.samples).max()) for sound in sounds]
    for named, what in (
        ([item.name for item, peak in zip(taken, peaks, strict=True) if peak < SILENT], "silent; kept"),
        ([item.name for item, peak in zip(taken, peaks, strict=True) if peak > 1.0], "louder than full scale: clipped"),
    ):
        if named:
            notes.append(f"{len(named)} sound{'s are' if len(named) > 1 else ' is'} {what}: {listed(named, 3)}")
    if bad:
        notes.append(f"{len(bad)} unreadable or empty file{'s' if len(bad) > 1 else ''} skipped: {damage(bad)}")


def _bad(items: list[Item], origin: str) -> dict[str, str]:
    """The sounds that cannot be read, and why; too many stop."""
    bad = {item.name: item.error for item in items if item.error is not None}
    refuse_damage(bad, len(items), origin, "sounds")
    return bad
