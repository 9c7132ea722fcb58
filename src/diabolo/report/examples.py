"""Originals beside their reconstructions: pictures as pictures, tables as cells, other rows as lines."""

from __future__ import annotations

import base64
import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy import ndarray
from scipy.sparse import issparse

from ..core.errors import require
from . import figures

SHOWN = 6
MAX_SIDE = 128
MAX_POINTS = 400
MAX_COLUMNS = 10
TABLE_WIDTH = 8
"""Arrays of at most this many columns are shown as a table."""
BELOW, ABOVE = (79, 143, 203), (224, 105, 47)


@dataclass(frozen=True)
class Group:
    """Some rows under one heading; ``items`` are what the template's block for the kind needs."""

    title: str
    items: list[dict[str, Any]]


@dataclass(frozen=True)
class Examples:
    """kind is "images", "table" or "lines"; note says what was left out."""

    kind: str
    groups: list[Group]
    columns: tuple[str, ...] = ()
    note: str = ""


def choose(errors: ndarray) -> dict[str, ndarray]:
    """Row numbers worth a look: typical ones (evenly over the middle 60 % by error) and the worst.

    >>> {title: rows.tolist() for title, rows in choose(np.arange(8.0)).items()}
    {'Typical rows': [1, 2], 'Worst rows': [7, 6, 5, 4]}
    """
    order = np.argsort(np.nan_to_num(errors, nan=np.inf), kind="stable")
    count = min(SHOWN, max(1, len(order) // 2))
    worst, rest = order[::-1][:count], order[: len(order) - count]
    if not len(rest):
        return {"Worst rows": worst}
    places = np.unique((np.linspace(0.2, 0.8, SHOWN) * (len(rest) - 1)).round().astype(int))
    return {"Typical rows": rest[places], "Worst rows": worst}


def take(rows: Any, index: ndarray) -> Any:
    """The rows at an index, of an array or a DataFrame; of a sparse matrix with its zeros."""
    if issparse(rows):
        return rows[index].toarray()
    return rows[index] if isinstance(rows, ndarray) else rows.iloc[index]


def show(rows: Any, recon: Any, chosen: Mapping[str, ndarray], errors: ndarray) -> Examples:
    """``rows`` is all of the data; ``recon`` the reconstruction of the chosen rows, group after group."""
    places: ndarray = np.concatenate(list(chosen.values()))
    originals = take(rows, places)
    if not isinstance(rows, ndarray):
        known = [name for name in rows.columns if name in recon.columns]
        columns = {str(name): (originals[name], recon[name]) for name in known}
        return _table(columns, {str(name): _spread(rows[name]) for name in known}, chosen, errors)
    if rows.dtype == object:  # texts
        return _table({"text": (originals, np.asarray(recon, dtype=object))}, {"text": 1.0}, chosen, errors)
    rows, originals, recon = (_in_a_row(part) for part in (rows, originals, np.asarray(recon)))
    if rows.ndim in (3, 4) and min(rows.shape[1:3]) > 1:
        return _images(_channel_last(originals), _channel_last(np.asarray(recon)), chosen, errors)
    flat, back = originals.reshape(len(places), -1), np.asarray(recon).reshape(len(places), -1)
    if flat.shape[1] <= TABLE_WIDTH:
        columns = {f"x{i}": (flat[:, i], back[:, i]) for i in range(flat.shape[1])}
        wide = rows.reshape(len(rows), -1)
        return _table(columns, {f"x{i}": _spread(wide[:, i]) for i in range(wide.shape[1])}, chosen, errors)
    return _lines(flat, back, chosen, errors)


def _in_a_row(rows: ndarray) -> ndarray:
    """Clips (N, T, H, W[, 3]) as pictures of their frames side by side; other rows as they are.

    >>> _in_a_row(np.zeros((2, 3, 5, 4, 3))).shape
    (2, 5, 12, 3)
    """
    if rows.ndim != 5 and not (rows.ndim == 4 and rows.shape[3] > 4):
        return rows
    return np.concatenate([rows[:, place] for place in range(rows.shape[1])], axis=2)


def _captions(chosen: Mapping[str, ndarray], errors: ndarray) -> list[tuple[str, int, dict[str, Any]]]:
    """(group, place among the chosen, what every kind of item has) for each chosen row."""
    pairs = [(title, int(row)) for title, rows in chosen.items() for row in rows]
    return [(title, i, {"row": row, "error": float(errors[row])}) for i, (title, row) in enumerate(pairs)]


def _grouped(items: list[tuple[str, dict[str, Any]]]) -> list[Group]:
    titles = dict.fromkeys(title for title, _ in items)
    return [Group(title, [item for name, item in items if name == title]) for title in titles]


# images


def _channel_last(images: ndarray) -> ndarray:
    """(N, H, W), (N, C, H, W) or (N, H, W, C) as (N, H, W, C)."""
    if images.ndim == 3:
        return images[..., None]
    first = images.shape[1] in (1, 3, 4) and images.shape[3] not in (1, 3, 4)
    return np.moveaxis(images, 1, 3) if first else images


def _images(originals: ndarray, recons: ndarray, chosen: Mapping[str, ndarray], errors: ndarray) -> Examples:
    low, high = _range(originals)
    before, after = ((np.asarray(x, dtype=float) - low) / (high - low) for x in (originals, recons))
    largest = max(float(np.abs(after - before).mean(-1).max(initial=0)), 1e-12)
    items = []
    for title, i, item in _captions(chosen, errors):
        item["original"], item["recon"] = picture(_colour(before[i])), picture(_colour(after[i]))
        item["difference"] = picture(_signed((after[i] - before[i]).mean(-1) / largest))
        items.append((title, item))
    note = (
        "" if max(originals.shape[1:3]) <= MAX_SIDE else f"Pictures are shown at no more than {MAX_SIDE} pixels a side."
    )
    return Examples("images", _grouped(items), note=note)


def _range(images: ndarray) -> tuple[float, float]:
    """The values that black and white stand for."""
    if images.dtype == np.uint8:
        return 0.0, 255.0
    low, high = float(np.nanmin(images)), float(np.nanmax(images))
    if low >= 0 and high <= 1:
        return 0.0, 1.0
    return (low, high) if high > low else (low, low + 1)


def _colour(image: ndarray) -> ndarray:
    """Values in [0, 1] (H, W, C) as bytes; of other than 3 or 4 channels the mean is shown."""
    shown = image if image.shape[-1] in (1, 3, 4) else image.mean(-1, keepdims=True)
    return np.round(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)


def _signed(difference: ndarray) -> ndarray:
    """Differences in [-1, 1] (H, W) as a colour for the sign, ever less transparent with size."""
    colour = np.where((difference > 0)[..., None], ABOVE, BELOW)
    alpha = np.round(np.clip(np.abs(difference), 0, 1) * 255)
    return np.concatenate([colour, alpha[..., None]], axis=-1).astype(np.uint8)


def picture(pixels: ndarray, side: int = MAX_SIDE) -> str:
    """Bytes (H, W, 1, 3 or 4) as a PNG in a data URI, of at most ``side`` pixels a side."""
    pillow = require("PIL.Image", "report", "pictures in the report")
    image = pillow.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)
    image.thumbnail((side, side))
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


# tables


def _seconds(values: Any) -> ndarray | None:
    """Numbers as float64, dates as seconds, anything else None; missing is NaN."""
    kind = getattr(values.dtype, "kind", "O")
    if kind in "iuf":
        return np.asarray(values.astype("float64"))
    if kind == "M":
        stamps = np.asarray(values, dtype="datetime64[ns]")
        return np.where(np.isnat(stamps), np.nan, stamps.astype("int64") / 1e9)
    return None


def _spread(column: Any) -> float:
    """What an error of 1 means: the standard deviation of a numeric column; 1 for categories."""
    values = _seconds(column)
    known = values[np.isfinite(values)] if values is not None else np.zeros(0)
    return float(known.std()) if len(known) and known.std() > 0 else 1.0


def _cell_errors(original: Any, recon: Any, spread: float) -> ndarray:
    """Error of each cell: in standard deviations for numbers and dates, 0 or 1 for categories; NaN if missing."""
    before, after = _seconds(original), _seconds(recon)
    if before is not None and after is not None:
        return np.abs(after - before) / spread
    pairs = zip(list(original), list(recon), strict=True)
    return np.array([np.nan if _missing(a) else float(str(a) != str(b)) for a, b in pairs])


def _missing(value: Any) -> bool:
    return value is None or str(value) in ("nan", "NaT", "<NA>", "None")


def _text(value: Any) -> str:
    """A cell as short text.

    >>> [_text(v) for v in (1234.5678, True, "a" * 40, None, np.datetime64("2024-05-01T00:00:00"))]
    ['1,235', 'True', 'aaaaaaaaaaaaaaaaaaaaaaaaaaa…', '—', '2024-05-01']
    """
    if _missing(value):
        return "—"
    if isinstance(value, float | np.floating):
        short = float(value)
        return f"{short:,.0f}" if 1000 <= abs(short) < 1e9 else f"{short:.4g}"
    text = str(value).removesuffix(" 00:00:00").removesuffix("T00:00:00")
    return text if len(text) <= 28 else text[:27] + "…"


def _table(
    columns: Mapping[str, tuple[Any, Any]], spreads: Mapping[str, float], chosen: Mapping[str, ndarray], errors: ndarray
) -> Examples:
    cells = {name: _cell_errors(*pair, spreads[name]) for name, pair in columns.items()}
    names = list(columns)
    if len(names) > MAX_COLUMNS:
        worst = sorted(names, key=lambda name: -float(np.nan_to_num(cells[name]).mean()))[:MAX_COLUMNS]
        names = [name for name in names if name in worst]
    texts = {name: tuple([_text(v) for v in list(part)] for part in columns[name]) for name in names}
    items = []
    for title, i, item in _captions(chosen, errors):
        item["cells"] = [
            {"original": texts[n][0][i], "recon": texts[n][1][i], "bad": bool(cells[n][i] >= 1)} for n in names
        ]
        items.append((title, item))
    left_out = len(columns) - len(names)
    note = f"{len(names)} of {len(columns)} columns: those with the largest errors in these rows." if left_out else ""
    return Examples("table", _grouped(items), tuple(names), note)


# other rows


def _lines(originals: ndarray, recons: ndarray, chosen: Mapping[str, ndarray], errors: ndarray) -> Examples:
    step = -(-originals.shape[1] // MAX_POINTS)
    items = []
    for title, i, item in _captions(chosen, errors):
        alt = f"Row {item['row']} and its reconstruction, error {item['error']:.3g}."
        item["svg"] = figures.strip(originals[i, ::step], recons[i, ::step], f"strip{i}", alt)
        items.append((title, item))
    note = f"Every {step}th of {originals.shape[1]:,} values is drawn." if step > 1 else ""
    return Examples("lines", _grouped(items), note=note)
