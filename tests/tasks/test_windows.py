"""Scores of windows on the rows' own axes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from diabolo.core.errors import DataError, UsageError
from diabolo.data import ArrayProcessor, SeriesProcessor
from diabolo.data.clip import Clip
from diabolo.data.process_log_mel import LogMelProcessor
from diabolo.data.process_video import VideoProcessor
from diabolo.data.series import Series
from diabolo.data.sound import Sound
from diabolo.tasks.windows import along_rows

DRAW = np.random.default_rng(0)


def naive(processor: Any, rows: Any, values: np.ndarray, how: str) -> list[np.ndarray]:
    """Step by step: all windows that hold it."""
    number, start, stop = processor.places(rows)
    found = []
    for place, row in enumerate(rows):
        held = [[v for n, a, b, v in zip(number, start, stop, values, strict=True) if n == place and a <= t < b]
                for t in range(row.steps)]  # fmt: skip
        found.append(np.array([np.mean(v) if how == "mean" else max(v) for v in held]))
    return found


@pytest.mark.parametrize("how", ["mean", "max"])
@pytest.mark.parametrize("hop", [1, 3, 8])
def test_a_step_gets_the_windows_that_hold_it(hop: int, how: str) -> None:
    rows = [Series(DRAW.normal(size=steps), time=np.arange(steps) * 5.0) for steps in (50, 8, 5, 23)]
    processor = SeriesProcessor(window=8, hop=hop).fit(rows)
    values = DRAW.normal(size=len(processor.places(rows)[0]))
    found = along_rows(processor, rows, values, how=how)
    for series, row, expected in zip(found, rows, naive(processor, rows, values, how), strict=True):
        np.testing.assert_allclose(series.values[:, 0], expected)
        np.testing.assert_array_equal(series.time, row.time)


def test_steps_of_windows_come_back_to_their_own_steps() -> None:
    rows = [Series(DRAW.normal(size=(steps, 2))) for steps in (50, 5)]
    processor = SeriesProcessor(window=8, hop=3).fit(rows)
    cut = processor.encode(rows)["x"].numpy() * processor.spread + processor.mean
    cut[-1, 5:] = np.nan  # padding
    for how in ("mean", "max"):
        back = along_rows(processor, rows, cut, how=how, names=("a", "b"))
        for series, row in zip(back, rows, strict=True):
            np.testing.assert_allclose(series.values, row.values, atol=1e-5)
            assert series.columns == ("a", "b")


def test_an_uneven_series_keeps_its_own_times() -> None:
    time = np.cumsum(DRAW.uniform(0.5, 1.5, size=60))
    rows = [Series(np.zeros(60), time=time)]
    processor = SeriesProcessor(window=10, every=1.0).fit(rows)
    _, start, stop = processor.places(rows)
    values = np.zeros(len(start))
    values[2] = 1.0
    score = along_rows(processor, rows, values, how="max")[0]
    np.testing.assert_array_equal(score.time, time)
    np.testing.assert_array_equal(np.flatnonzero(score.values), np.arange(start[2], stop[2]))
    steps = np.tile(np.arange(10.0), (len(start), 1))
    inside = along_rows(processor, rows, steps[:, :], how="mean")[0].values[: stop[0] // 3, 0]
    assert (np.diff(inside) >= 0).all() and inside[0] == 0


def test_sounds_are_scored_by_the_second() -> None:
    rows = [Sound(DRAW.normal(size=n).astype(np.float32) * 0.1, 8000) for n in (32000, 20000, 3000)]
    processor = LogMelProcessor(window=1.0, mels=8).fit(rows)
    number, start, _ = processor.places(rows)
    values = np.zeros(len(number))
    values[(number == 0) & (abs(start - 1) < 0.1)] = 1.0
    found = along_rows(processor, rows, values, how="max")
    assert [len(row.values) for row in found] == [8, 5, 1]
    assert found[0].time_column == "seconds" and found[0].time[0] == pytest.approx(0.25, abs=0.01)
    time = found[0].time
    np.testing.assert_array_equal(found[0].values[:, 0] == 1, (time > 1) & (time < 2))
    frames = np.zeros((len(number), processor.steps))
    frames[(number == 0) & (start == 0.0), 10] = 1.0
    fine = along_rows(processor, rows, frames, how="max")[0]
    assert fine.time[fine.values[:, 0].argmax()] == pytest.approx(10 * 0.008, abs=0.01)


def test_clips_are_scored_by_the_frame() -> None:
    clip = Clip(DRAW.integers(0, 255, size=(12, 8, 8)).astype(np.uint8), 10.0)
    processor = VideoProcessor(frames=2, hop=1.0, every=2).fit([clip])
    values = np.arange(len(processor.places([clip])[0]), dtype=float)
    found = along_rows(processor, [clip], values)[0]
    assert found.values.ravel().tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2]


def test_what_does_not_fit_is_refused() -> None:
    rows = [Series(np.arange(20.0))]
    processor = SeriesProcessor(window=8).fit(rows)
    with pytest.raises(DataError, match="3 values for 4 windows"):
        along_rows(processor, rows, np.zeros(3))
    with pytest.raises(UsageError, match="did you mean 'mean'"):
        along_rows(processor, rows, np.zeros(4), how="meen")
    with pytest.raises(UsageError, match="cuts no windows"):
        along_rows(ArrayProcessor(), rows, np.zeros(4))
