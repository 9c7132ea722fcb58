"""Laws every registered processor keeps, on rows of its kind: one entry a processor in EXAMPLES."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch
from scipy.sparse import csr_array
from sklearn.datasets import load_digits

from diabolo.core import Processor, Windowed, lookup, make, names
from diabolo.data import Clip, MemoryFeed, Series, Sound

Case = tuple[Callable[[], Any], Callable[[Any, Any], bool]]


def close(rows: Any, back: Any) -> bool:
    return bool(np.allclose(np.asarray(rows, float), np.asarray(back, float), atol=1e-4))


def same(rows: Any, back: Any) -> bool:
    return list(rows) == list(back)


def table() -> pd.DataFrame:
    made = pd.DataFrame({"size": np.linspace(0, 5, 20), "kind": list("abcd") * 5, "whole": np.arange(20)})
    made["yes"] = made["whole"] % 3 == 0
    return made


def sequences() -> list[np.ndarray]:
    return [np.sin(np.arange(length) / 3) for length in (5, 9, 7, 9, 4, 6)]


def clips() -> list[Clip]:
    random = np.random.default_rng(0)
    return [Clip(random.integers(0, 256, (frames, 6, 5)).astype(np.uint8), 10) for frames in (20, 8, 3, 1)]


def texts() -> list[str]:
    return ["a fine day", "a day, a night and a day", "", "naïve café 🎉", "人工智能 学习", "fine and fine again"]


def baskets() -> csr_array:
    random = np.random.default_rng(0)
    return csr_array((random.random((12, 9)) < 0.4).astype(np.float32))


def waves() -> list[Series]:
    return [Series(np.sin(np.arange(steps) / 3)[:, None] + 5) for steps in (200, 70, 9)]


def sounds() -> list[Sound]:
    time = np.arange(1600) / 8000
    tones = [np.sin(2 * np.pi * hertz * time[: 1600 - 200 * place]) for place, hertz in enumerate((200, 300, 440))]
    return [Sound(0.5 * tone.astype(np.float32), 8000) for tone in tones]


def holed() -> np.ndarray:
    pictures = load_digits().images[:12].astype(np.float32)[..., None] / 16
    return np.concatenate([pictures, np.ones_like(pictures)], -1)


def labelled() -> np.ndarray:
    pictures = load_digits().images[:12].astype(np.float32)[..., None] / 16
    return np.concatenate([pictures, (pictures > 0.5).astype(np.float32)], -1)


EXAMPLES: dict[str, Case] = {
    "audio": (sounds, lambda rows, back: all(close(a.samples, b.samples) for a, b in zip(rows, back, strict=True))),
    "log-mel": (sounds, lambda rows, back: len(rows) == len(back)),
    "array": (lambda: np.random.default_rng(0).normal(size=(12, 3)), close),
    "standardised": (lambda: np.random.default_rng(0).normal(size=(12, 3)) * (1, 1e3, 1e-3), close),
    "binary": (lambda: (load_digits().data[:12] > 7).astype("f4"), close),
    "counts": (lambda: load_digits().data[:12], close),
    "image": (lambda: load_digits().images[:12].astype(np.uint8), close),
    "sequence": (sequences, lambda rows, back: all(map(close, rows, back))),
    "interactions": (baskets, lambda rows, back: bool((rows.toarray() == np.round(back)).all())),
    "series": (waves, lambda rows, back: all(close(a.values, b.values) for a, b in zip(rows, back, strict=True))),
    "text": (texts, same),
    "bag-of-words": (texts, same),
    "video": (clips, lambda rows, back: all((a.frames == b.frames).all() for a, b in zip(rows, back, strict=True))),
    "holed-image": (holed, lambda rows, back: close(rows[..., :1], back)),
    "labelled-image": (labelled, lambda rows, back: bool((rows[..., -1] == back).all())),
    "filled-table": (table, lambda rows, back: rows.round(3).equals(back.round(3))),
    "table": (table, lambda rows, back: rows.round(3).equals(back.round(3))),
}
"""Name -> (rows, whether rows are what came back)."""
LOSSY = {"log-mel", "bag-of-words"}
"""Processors that keep less than the rows hold, as their docstrings say."""


def test_every_processor_has_rows_to_be_tried_on() -> None:
    assert set(names("processor")) == set(EXAMPLES)


@pytest.fixture(params=sorted(EXAMPLES))
def case(request: Any) -> tuple[str, Processor, Any]:
    rows = EXAMPLES[request.param][0]()
    return request.param, make("processor", request.param).fit(rows), rows


def encoded(processor: Processor, rows: Any) -> dict[str, torch.Tensor]:
    return processor.encode(rows)


@pytest.mark.parametrize("case", sorted(EXAMPLES.keys() - LOSSY), indirect=True)
def test_rows_come_back(case: tuple[str, Processor, Any]) -> None:
    name, processor, rows = case
    batch = processor.collate(processor.encode(rows)).dense()
    target = batch.target
    if (
        batch.scored is not None
        and target.is_floating_point()
        and batch.scored.shape == target.shape[: batch.scored.ndim]
    ):
        shape = batch.scored.shape + (1,) * (target.ndim - batch.scored.ndim)
        target = target.masked_fill(~batch.scored.reshape(shape), torch.nan)
    back = processor.invert(target)
    if isinstance(processor, Windowed):
        back = processor.join(back, rows)
    assert EXAMPLES[name][1](rows, back)


def test_shapes_are_those_announced(case: tuple[str, Processor, Any]) -> None:
    _, processor, rows = case
    batch = processor.collate(processor.encode(rows))
    assert tuple(batch.x.shape[1:]) == tuple(processor.shape)
    assert tuple(batch.target.shape[1:]) == tuple(processor.target_shape)
    for mask in (batch.mask, batch.scored):
        assert mask is None or mask.dtype == torch.bool


def test_the_state_is_plain_and_enough(case: tuple[str, Processor, Any]) -> None:
    name, processor, rows = case
    state = json.loads(json.dumps(processor.state(), allow_nan=False))
    again = lookup("processor", name).from_state(state)
    assert again.shape == processor.shape and again.target_shape == processor.target_shape
    assert {axis: str(spec) for axis, spec in again.defaults().items()} == {
        axis: str(spec) for axis, spec in processor.defaults().items()
    }
    for one, other in zip(fields(processor, rows), fields(again, rows), strict=True):
        assert torch.equal(one, other)


def fields(processor: Processor, rows: Any) -> list[torch.Tensor]:
    batch = processor.collate(processor.encode(rows))
    held = (getattr(batch, field.name) for field in dataclasses.fields(batch))
    return [tensor.to_dense() for tensor in held if tensor is not None]


def test_batches_are_the_rows_whatever_their_number(case: tuple[str, Processor, Any]) -> None:
    _, processor, rows = case
    feed = MemoryFeed(processor.encode(rows), processor.collate)
    whole = next(feed.batches(len(feed)))
    pieces = [batch.x.to_dense() for batch in feed.batches(3)]
    assert torch.equal(torch.cat(pieces), whole.x.to_dense())


def test_the_usual_loss_is_smallest_at_the_target(case: tuple[str, Processor, Any]) -> None:
    _, processor, rows = case
    batch = processor.collate(processor.encode(rows))
    cost = make("loss", processor.defaults()["loss"], shape=processor.target_shape)
    output = torch.zeros(len(batch.x), *cost.recon_shape(processor.target_shape))
    per_row = cost(output, batch.target, batch.scored)
    assert per_row.shape == (len(batch.x),) and bool(per_row.isfinite().all())


def test_padding_is_never_scored(case: tuple[str, Processor, Any]) -> None:
    _, processor, rows = case
    batch = processor.collate(processor.encode(rows))
    if batch.mask is None:
        return
    assert batch.scored is not None
    over = batch.scored.reshape(*batch.scored.shape[: batch.mask.ndim], -1).any(-1)
    assert not bool((over & ~batch.mask).any())
