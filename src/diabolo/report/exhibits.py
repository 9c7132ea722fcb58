"""Sections that a task adds to the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy import ndarray

from ..tasks.base import TaskModel
from ..tasks.exhibit import Exhibit, Strip
from ..tasks.show_made import of_autoencoder
from .examples import picture

MAX_STRIPS, MAX_PICTURES, MAX_LINES = 12, 12, 40
SIDE = 320
"""Pixels a side that a picture is shown with at most."""


def of_task(model: TaskModel, source: Any, seed: int = 0) -> list[Exhibit]:
    """What a model of a task shows of rows: how it was judged when it was trained, then what it does with them."""
    judged = model.metrics_.get("assessment")
    shown = [] if judged is None else [_judged(judged)]
    return [*shown, *model.exhibits(source, seed=seed)]


def of_model(model: Any, source: Any, seed: int = 0) -> list[Exhibit]:
    """What an autoencoder by itself shows: samples and paths, where rows are pictures."""
    return list(of_autoencoder(model, source, seed=seed))


def _judged(found: Mapping[str, Any]) -> Exhibit:
    lines = tuple(tuple(str(cell) for cell in line) for line in found["rows"])
    return Exhibit(found["title"], found["verdict"], columns=tuple(found["columns"]), rows=lines)


def for_page(exhibits: Sequence[Exhibit]) -> list[dict[str, Any]]:
    """Exhibits as the page takes them: pictures as PNG in the page, of bounded number and size."""
    return [
        {
            "title": one.title, "text": one.text, "columns": one.columns, "rows": one.rows[:MAX_LINES],
            "left_out": max(0, len(one.rows) - MAX_LINES), "strips": [_strip(s) for s in one.strips[:MAX_STRIPS]],
        }
        for one in exhibits
    ]  # fmt: skip


def _strip(strip: Strip) -> dict[str, Any]:
    pictures = strip.pictures[:MAX_PICTURES]
    captions = strip.captions or ("",) * len(pictures)
    return {
        "title": strip.title,
        "pictures": [
            {"source": picture(_bytes(shown), SIDE), "caption": caption, "alt": f"{strip.title} {caption}".strip()}
            for shown, caption in zip(pictures, captions, strict=False)
        ],
    }


def _bytes(shown: ndarray) -> ndarray:
    """A picture (H, W) or (H, W, C) as uint8 (H, W, C)."""
    shown = shown[..., None] if shown.ndim == 2 else shown
    if shown.dtype == np.uint8:
        return shown
    return np.round(np.clip(np.nan_to_num(shown), 0, 1) * 255).astype(np.uint8)
