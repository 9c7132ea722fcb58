"""Sequences of any length: padding, standardising, tokens, and the way back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
import torch

from diabolo.core.errors import DataError
from diabolo.data import ArrayProcessor, SequenceProcessor, is_ragged, processor_for


def series(channels: int | None = 2) -> list[np.ndarray]:
    random = np.random.default_rng(0)
    return [
        (5 + 3 * random.normal(size=(n,) if channels is None else (n, channels))).astype("float32") for n in (4, 7, 1)
    ]


def padded(rows: list[np.ndarray]) -> np.ndarray:
    out = np.full((len(rows), max(map(len, rows)), *rows[0].shape[1:]), np.nan, np.float32)
    for place, row in zip(out, rows, strict=True):
        place[: len(row)] = row
    return out


def reloaded(processor: SequenceProcessor) -> SequenceProcessor:
    return SequenceProcessor.from_state(json.loads(json.dumps(processor.state(), allow_nan=False)))


def with_padding(processor: SequenceProcessor, rows: Any) -> torch.Tensor:
    """The target as reconstruction gives it: NaN at padded steps."""
    batch = processor.collate(processor.encode(rows))
    return batch.target.masked_fill(~batch.mask[..., None], torch.nan)  # type: ignore[index]


@pytest.mark.parametrize("channels", [None, 1, 2])
def test_lists_of_unequal_length_come_back_with_their_lengths(channels: int | None) -> None:
    rows = series(channels)
    for processor in (SequenceProcessor().fit(rows), reloaded(SequenceProcessor().fit(rows))):
        back = processor.invert(with_padding(processor, rows))
        assert isinstance(back, list)
        for row, again in zip(rows, back, strict=True):
            assert again.dtype == np.float32 and again.shape == row.shape
            np.testing.assert_allclose(again, row, rtol=1e-5)


def test_an_array_with_trailing_nan_is_the_same_sequences_and_comes_back_as_it_was() -> None:
    rows = series()
    one, other = SequenceProcessor().fit(rows), SequenceProcessor().fit(padded(rows))
    for name, tensor in one.encode(rows).items():
        assert torch.equal(tensor, other.encode(padded(rows))[name])
    np.testing.assert_allclose(other.invert(with_padding(other, padded(rows))), padded(rows), rtol=1e-5)


def test_channels_are_standardised_over_real_steps_alone() -> None:
    rows = series()
    batch = (processor := SequenceProcessor().fit(rows)).collate(processor.encode(rows))
    real = batch.x[batch.mask]  # type: ignore[index]
    torch.testing.assert_close(real.mean(0), torch.zeros(2), atol=1e-5, rtol=0)
    torch.testing.assert_close(real.std(0, correction=0), torch.ones(2))
    assert not batch.x[~batch.mask].any() and torch.equal(batch.scored, batch.mask)  # type: ignore[operator, index]


def test_a_channel_that_never_changes_is_only_moved() -> None:
    processor = SequenceProcessor().fit([np.full(3, 7.0), np.full(2, 7.0)])
    assert not processor.encode([np.full(2, 7.0)])["x"].any() and processor.scale.tolist() == [1.0]


def test_rows_of_a_table_are_series_of_one_channel() -> None:
    rows = np.random.default_rng(0).normal(size=(5, 6)).astype("float32")
    processor = SequenceProcessor().fit(rows)
    assert processor.shape == (6, 1)
    np.testing.assert_allclose(processor.invert(with_padding(processor, rows)), rows, rtol=1e-5, atol=1e-6)


def test_only_what_no_array_can_hold_is_taken_as_sequences_by_itself() -> None:
    assert isinstance(processor_for([[1.0, 2.0], [3.0]]), SequenceProcessor)
    assert isinstance(processor_for(np.array([[1.0, 2.0], [3.0]], dtype=object)), SequenceProcessor)
    assert isinstance(processor_for([[1.0, 2.0], [3.0, 4.0]]), ArrayProcessor)
    assert is_ragged(series()) and not is_ragged(["ab", "c"]) and not is_ragged([1, 2]) and not is_ragged(np.ones(3))


# ── tokens ────────────────────────────────────────────────────────────────────────────────────────


def test_tokens_get_an_end_and_come_back_from_their_likeliest_index() -> None:
    rows = [[40, 10, 30], [30], [10, 10]]
    for tokens in (SequenceProcessor().fit(rows), reloaded(SequenceProcessor().fit(rows))):
        batch = tokens.collate(tokens.encode(rows))
        assert tokens.shape == (4,) and batch.x.dtype == torch.long
        assert batch.x.tolist() == [[4, 2, 3, 0], [3, 0, 0, 0], [2, 2, 0, 0]]
        assert batch.mask.sum(1).tolist() == [4, 2, 3]  # type: ignore[union-attr]
        chances = torch.nn.functional.one_hot(batch.x, 5).float()
        assert tokens.invert(chances) == rows
        assert str(tokens.defaults()["network"]) == "recurrent(vocabulary=5)"


def test_the_end_is_where_the_decoder_says_or_the_padding_begins() -> None:
    tokens = SequenceProcessor().fit([[10, 20, 30]])
    index = torch.tensor([[2, 0, 3, 4], [2, 3, 4, 4], [2, 3, 4, 0]])
    chances = torch.nn.functional.one_hot(index, 5).float()
    chances[2, 2:] = torch.nan
    assert tokens.invert(chances) == [[10], [10, 20, 30, 30], [10, 20]]


def test_an_unknown_token_has_an_index_that_is_never_decoded() -> None:
    tokens = SequenceProcessor().fit([[10, 20], [10]])
    assert tokens.encode([[99, 20]])["x"].tolist() == [[1, 3, 0]]
    assert tokens.invert(torch.tensor([[[0.1, 0.6, 0.3, 0.0], [1.0, 0, 0, 0], [1.0, 0, 0, 0]]])) == [[10]]


# ── what is refused ───────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([np.array([1.0, np.nan, 2.0])], r"NaN at row 0, step 1"),
        ([np.array([1.0]), np.array([np.inf])], r"infinity at row 1, step 0"),
        ([np.array([1.0]), np.array([np.nan])], r"row 1 has no steps"),
        ([np.array([1.0]), np.array([])], r"row 1 has no steps"),
        ([np.ones((2, 3)), np.ones((2, 2))], r"all be \(T_i, C\) with the same C"),
        ([np.ones((2, 3, 4))], r"steps of shape \(3, 4\)"),
        ([["a", "b"]], r"no sequence of numbers"),
        (np.ones((0, 3)), r"X is empty"),
    ],
)
def test_what_is_no_sequence_is_named(rows: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        SequenceProcessor().fit(rows)


def test_rows_unlike_those_at_fit_are_refused() -> None:
    processor = SequenceProcessor().fit(series())
    with pytest.raises(DataError, match=r"row 1 has 9 steps, but the model is expecting at most 7"):
        processor.encode([np.ones((2, 2)), np.ones((9, 2))])
    with pytest.raises(DataError, match=r"steps have 3 channels, but the model is expecting 2"):
        processor.encode([np.ones((2, 3))])
    tokens = SequenceProcessor().fit([[1, 2], [1]])
    with pytest.raises(DataError, match=r"row 0 has 3 steps, but the model is expecting at most 2"):
        tokens.encode([[1, 2, 1]])
    with pytest.raises(DataError, match=r"row 1 is no sequence of whole numbers"):
        tokens.encode([[1], [0.5]])
