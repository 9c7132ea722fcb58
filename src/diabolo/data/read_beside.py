"""Pictures beside pictures: masks and label pictures of the same names."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path, PurePosixPath
from typing import Any

import numpy as np
from numpy import ndarray

from ..core.errors import DataError, UsageError, require
from .files import open_files
from .read_array import load_npy
from .recognise import IMAGE_SUFFIXES
from .record import Source
from .stored import Stored

ABSENT = -1
"""At every pixel of a picture that has no companion."""
_WHOLE = {"1", "L", "P", "I", "I;16", "I;16B", "I;16L"}


def pictures_beside(source: Source, where: str | Path, *, partial: bool = False) -> Any:
    """One value a pixel for every picture of a source: (N, H, W), or a list where pictures differ in size.

    where : a folder or archive of pictures named as those of the source (whatever their suffix), one picture for all,
        an array .npy (N, H, W) or (H, W). Of pictures with a palette the indices are taken, of grey ones the levels;
        of coloured ones 1 where they are not black. Where a picture was resized on reading, its companion is too.
    partial : a picture may be without companion, as long as one has; it gets -1 at every pixel.

    Raises `DataError` naming a picture without companion or one of another shape, `UsageError` where names are unknown.
    """
    path = Path(where).expanduser()
    if not path.exists():
        raise UsageError(f"{str(where)!r} does not exist; name a folder of pictures named as those of {source.origin}.")
    sizes = _sizes(source)
    if path.suffix.lower() == ".npy":
        return _from_array(load_npy(path), sizes, path.name)
    if path.suffix.lower() in IMAGE_SUFFIXES:
        one = _values(path.name, path.read_bytes())
        return _together([_fitted(one, size, path.name) for size in sizes])
    names = _names(source)
    with open_files(path) as files:
        found = {PurePosixPath(name).with_suffix("").as_posix(): name for name in files.names
                 if name.lower().endswith(IMAGE_SUFFIXES)}  # fmt: skip
        stems = {PurePosixPath(key).name: name for key, name in found.items()}
        made = []
        for name, size in zip(names, sizes, strict=True):
            key = PurePosixPath(name).with_suffix("")
            other = found.get(key.as_posix(), stems.get(key.name))
            if other is None and partial:
                made.append(np.full(size, ABSENT, np.int16))
                continue
            if other is None:
                raise DataError(f"{path.name} holds no picture for {name} (a file {key.name}.png, say).")
            made.append(_fitted(_values(other, files.read(other)), size, other))
    absent = sum(bool((held == ABSENT).all()) for held in made)
    if absent == len(made):
        raise DataError(f"{path.name} holds no picture named as one of {source.origin} (such as {names[0]}).")
    if absent:
        source.notes.append(f"{absent} of {len(made)} pictures have no companion in {path.name}")
    return _together(made)


def transparent(where: str | Path, source: Source) -> Any:
    """Where the pictures of a source, read again from their files, are wholly transparent: as `pictures_beside`."""
    sizes = _sizes(source)
    with open_files(Path(where).expanduser()) as files:
        found = [_alpha(name, files.read(name)) for name in _names(source)]
    return _together([_fitted(gone, size, name) for gone, size, name in zip(found, sizes, _names(source), strict=True)])


def _sizes(source: Source) -> list[tuple[int, ...]]:
    """Height and width of every picture."""
    if isinstance(source.rows, Stored):
        raise UsageError("pictures beside pictures need both in memory; give more with --memory, or fewer pictures.")
    sizes = [np.shape(row)[:2] for row in source.rows]
    if any(len(size) != 2 for size in sizes):
        raise UsageError(f"{source.origin} holds no pictures, so it has no label pictures beside it.")
    return sizes


def _names(source: Source) -> list[str]:
    if source.keys is None or "file" not in source.keys:
        raise UsageError(
            f"the rows of {source.origin} have no file names to find companions by; give an array .npy (N, H, W), or "
            "one picture for all."
        )
    return [str(name) for name in source.keys["file"]]


def _together(made: Sequence[ndarray]) -> Any:
    return np.stack(made) if len({held.shape for held in made}) == 1 else list(made)


def _from_array(values: ndarray, sizes: Sequence[tuple[int, ...]], name: str) -> Any:
    each = [values] * len(sizes) if values.ndim == 2 else list(values)
    if len(each) != len(sizes) or any(held.shape != tuple(size) for held, size in zip(each, sizes, strict=True)):
        raise DataError(f"{name} has shape {values.shape}, the pictures are {len(sizes)} of {tuple(sizes[0])} pixels.")
    return _together(each)


def _opened(name: str, data: bytes) -> Any:
    import io

    pillow = require("PIL.Image", "image", "reading pictures")
    try:
        picture = pillow.open(io.BytesIO(data))
        picture.load()
    except Exception as error:  # decoders raise nearly anything on damaged bytes
        raise DataError(f"{name} cannot be read as a picture: {error}.") from error
    return picture


def _values(name: str, data: bytes) -> ndarray:
    """One whole number a pixel."""
    picture = _opened(name, data)
    if picture.mode in _WHOLE:
        values = np.asarray(picture)
        return values.astype(np.uint8) if values.dtype == bool else values
    colours = np.asarray(picture.convert("RGB"))
    grey = bool((colours == colours[..., :1]).all())
    return np.asarray(colours[..., 0] if grey else colours.any(-1).astype(np.uint8))


def _alpha(name: str, data: bytes) -> ndarray:
    picture = _opened(name, data)
    if "A" not in picture.getbands() and "transparency" not in picture.info:
        raise DataError(f"{name} has no transparency; say which pixels are missing with --mask FILE or FOLDER.")
    return np.asarray(np.asarray(picture.convert("RGBA"))[..., 3] == 0)


def _fitted(values: ndarray, size: tuple[int, ...], name: str) -> ndarray:
    """Values at the size of their picture: picked, never mixed, and only where both have the same proportions."""
    if values.shape == tuple(size):
        return values
    if abs(values.shape[0] * size[1] - values.shape[1] * size[0]) > max(*values.shape, *size):
        raise DataError(
            f"{name} has {values.shape[1]}x{values.shape[0]} pixels (width x height), its picture {size[1]}x{size[0]}: "
            "make them equal."
        )
    rows, columns = (
        np.minimum(((np.arange(wanted) + 0.5) * has / wanted).astype(int), has - 1)
        for wanted, has in zip(size, values.shape, strict=True)
    )
    return values[np.ix_(rows, columns)]
