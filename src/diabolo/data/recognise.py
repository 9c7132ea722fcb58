"""What a path holds, told from its first bytes and then from its name; never by trying to load it."""

from __future__ import annotations

import difflib
import gzip
import re
import tarfile
import zipfile
from pathlib import Path

from ..core.errors import DataError, UsageError

IMAGE_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
TABLE_SUFFIXES = (".csv", ".tsv")
READABLE = (
    ".csv(.gz), .tsv, .parquet, .npy, .npz, IDX (.gz), .txt, a sound, a video, 'digits', or a folder, .zip or .tar of "
    "images, sounds, videos or texts"
)

HEAD = 1 << 16
_NUMBER = re.compile(rb"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?|[-+]?(nan|inf)", re.IGNORECASE)
_LABELS = {
    *("label", "labels", "class", "classes", "target", "targets", "y", "outcome", "outcomes", "ground_truth"),
    *("y_true", "anomaly", "is_anomaly", "outlier", "is_outlier"),
}
_LABEL_ENDINGS = ("_label", "_labels", "_class", "_target", "_outcome")
_IDS = {"id", "uuid", "guid", "index", "idx", "row", "rowid", "row_id", "no", "nr", "unnamed: 0", "#"}
_TRAIN = {"train", "training", "tr"}
_TEST = {"test", "testing", "val", "valid", "validation", "eval", "dev", "te"}
_MAGIC = {
    b"PAR1": "parquet",
    b"\x93NUMPY": "npy",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x89PNG": "picture",
    b"\xff\xd8\xff": "picture",
    b"GIF8": "picture",
    b"BM": "picture",
    b"II*\x00": "picture",
    b"MM\x00*": "picture",
    b"RIFF": "riff",
}


def recognise(path: Path) -> str:
    """One of 'folder', 'archive', 'npz', 'npy', 'idx', 'parquet', 'csv' or 'txt'.

    Raises `DataError` for a file that is missing (with a near name of its folder), empty or a single
    picture, and `UsageError` for one of no known kind.
    """
    if not path.exists():
        raise DataError(f"no file {str(path)!r}{_near(path)}")
    if path.is_dir():
        return "folder"
    head = first_bytes(path)
    name = path.name.lower().removesuffix(".gz")
    suffix = Path(name).suffix
    kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
    if kind == "zip":
        return "npz" if suffix == ".npz" or _holds_arrays(path) else "archive"
    if kind in ("picture", "riff") and suffix in IMAGE_SUFFIXES:
        raise DataError(f"{path.name} is a single picture; put it in a folder and give the folder.")
    if kind in ("parquet", "npy"):
        return kind
    if is_idx(head):
        return "idx"
    return _by_name(path, name, suffix)


def lines_kind(path: Path) -> str | None:
    """What the lines of a .txt are: None for numbers, 'interactions' for whole numbers in lines of unequal length,
    'text' for anything else."""
    with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
        head = file.read(HEAD)
    lines = head.splitlines()
    lines = lines[:-1] if len(head) == HEAD and len(lines) > 1 else lines
    cells = [line.replace(b",", b" ").split() for line in lines if line.strip()]
    if not all(_NUMBER.fullmatch(cell) for row in cells for cell in row):
        return "text"
    whole = all(cell.isdigit() for row in cells for cell in row)
    return "interactions" if whole and len({len(row) for row in cells}) > 1 else None


def _by_name(path: Path, name: str, suffix: str) -> str:
    if suffix in TABLE_SUFFIXES:
        return "csv"
    if suffix == ".txt":
        return "txt"
    if tarfile.is_tarfile(path):
        return "archive"
    if suffix in (".parquet", ".npy", ".npz", ".zip", ".idx") or name.endswith("-ubyte"):
        raise DataError(f"{path.name} is damaged: it does not begin as a {suffix or 'IDX'} file does; fetch it again.")
    if suffix in IMAGE_SUFFIXES:
        raise DataError(f"{path.name} is named as a picture but is none; pictures are read from a folder or a .zip.")
    raise UsageError(f"{path.name} is of no kind that can be read. Known: {READABLE}. --as table reads it as CSV.")


def first_bytes(path: Path, count: int = 8) -> bytes:
    """The first bytes, of the content where the file is gzipped. Raises `DataError` if there are none."""
    try:
        with path.open("rb") as file:
            head = file.read(count)
        if head[:2] == b"\x1f\x8b":
            with gzip.open(path, "rb") as packed:
                head = packed.read(count)
    except (OSError, EOFError) as error:
        raise DataError(f"{path.name} cannot be read: {error}") from error
    if not head:
        raise DataError(f"{path.name} is empty (0 bytes).")
    return head


def is_idx(head: bytes) -> bool:
    """Whether bytes begin as an IDX file does: two zeros, a type, a number of dimensions.

    >>> is_idx(bytes([0, 0, 8, 3])), is_idx(b"a,b,")
    (True, False)
    """
    return len(head) >= 4 and head[:2] == b"\0\0" and head[2] in (8, 9, 11, 12, 13, 14) and 1 <= head[3] <= 8


def _holds_arrays(path: Path) -> bool:
    try:
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
    except zipfile.BadZipFile:
        return False
    return bool(names) and all(name.endswith(".npy") for name in names)


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"; the folder {str(folder)!r} does not exist either."
    siblings = [entry.name for entry in folder.iterdir()]
    close = difflib.get_close_matches(path.name, siblings, n=1, cutoff=0.5)
    return f"; did you mean {close[0]!r}?" if close else f" in {str(folder.resolve())!r}."


def looks_like_label(name: object) -> bool:
    """Whether a column or array is named as labels are.

    >>> looks_like_label("Class"), looks_like_label("y_train"), looks_like_label("classic")
    (True, True, False)
    """
    text = str(name).strip().lower().replace(" ", "_").replace("-", "_")
    for split in _TRAIN | _TEST:
        text = text.removesuffix(f"_{split}").removeprefix(f"{split}_")
    return text in _LABELS or text.endswith(_LABEL_ENDINGS)


def looks_like_id(name: object) -> bool:
    """Whether a column is named as identifiers are.

    >>> looks_like_id("customer_id"), looks_like_id("width")
    (True, False)
    """
    text = str(name).strip().lower()
    return text in _IDS or text.endswith(("_id", " id", "-id"))


def split_of(name: str) -> str | None:
    """'train' or 'test' where a folder or array is named so.

    >>> split_of("x_train"), split_of("Validation"), split_of("trains")
    ('train', 'test', None)
    """
    parts = set(str(name).lower().replace("-", "_").split("_"))
    if parts & _TRAIN:
        return "train"
    return "test" if parts & _TEST else None
