"""Series: what is read from tables, folders, arrays and lines, and how windows are cut and joined again."""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import torch

from diabolo import data
from diabolo.core.errors import DataError, UsageError
from diabolo.data import Series, SeriesProcessor
from diabolo.data.period import choose_window
from diabolo.data.series import on_grid, sampling_note, split_in_time


def waves(*lengths: int, channels: int = 2) -> list[Series]:
    random = np.random.default_rng(0)
    rows = []
    for number, steps in enumerate(lengths):
        values = np.sin(np.arange(steps)[:, None] / (3 + np.arange(channels))) * 5 + 100 + random.normal(size=channels)
        rows.append(Series(values, np.arange(steps) * 2.0 + number, name=f"s{number}"))
    return rows


def frame(steps: int = 30) -> pd.DataFrame:
    time = pd.Timestamp("2024-01-01") + pd.to_timedelta(np.arange(steps) * 5, "min")
    return pd.DataFrame({"timestamp": time, "speed": np.arange(steps) * 1.5, "load": np.cos(np.arange(steps))})


def round_trip(processor: SeriesProcessor, rows: list[Series]) -> Any:
    return processor.join(processor.invert(processor.collate(processor.encode(rows)).target), rows)


# windows ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("scale", ["channel", "window", "none"])
@pytest.mark.parametrize("window, hop", [(8, None), (8, 3), (8, 8), (7, 1), (40, None)])
def test_windows_join_to_the_series_they_were_cut_from(scale: str, window: int, hop: int | None) -> None:
    rows = waves(23, 8, 5, 41)
    processor = SeriesProcessor(window, hop, scale).fit(rows)
    back = round_trip(processor, rows)
    for row, again in zip(rows, back, strict=True):
        np.testing.assert_allclose(again.values, row.values, rtol=2e-5)
        assert (again.time == row.time).all() and again.columns == row.columns and again.name == row.name


def test_every_step_is_in_a_window_and_no_window_leaves_its_series() -> None:
    rows = waves(23, 8, 5, 41)
    processor = SeriesProcessor(8, 3).fit(rows)
    number, first, after = processor.places(rows)
    for place, row in enumerate(rows):
        mine = number == place
        covered = np.zeros(row.steps, bool)
        for start, stop in zip(first[mine], after[mine], strict=True):
            assert 0 <= start < stop <= row.steps and stop - start == min(8, row.steps)
            covered[start:stop] = True
        assert covered.all()
    assert len(number) == len(processor.encode(rows)["x"]) == 6 + 1 + 1 + 12


def test_overlaps_are_averaged() -> None:
    row = Series(np.zeros(6))
    processor = SeriesProcessor(4, 2, "none").fit([row])
    windows = processor.invert(torch.stack([torch.zeros(4, 1), torch.ones(4, 1)]))
    assert processor.join(windows, [row])[0].values.ravel().tolist() == [0, 0, 0.5, 0.5, 1, 1]


def test_channels_are_standardised_over_all_series() -> None:
    rows = waves(64, 64)
    x = SeriesProcessor(8, 8).fit(rows).encode(rows)["x"].double()
    assert x.mean((0, 1)).abs().max() < 1e-5 and (x.std((0, 1), correction=0) - 1).abs().max() < 1e-5


def test_a_window_scaled_by_itself_does_not_know_the_level() -> None:
    row = waves(40)[0]
    processor = SeriesProcessor(8, scale="window").fit([row])
    louder = row.like(3 * row.values + 50, row.time)
    torch.testing.assert_close(processor.encode([row])["x"], processor.encode([louder])["x"], rtol=0, atol=1e-4)


def test_constant_channels_are_no_division_by_zero() -> None:
    rows = [Series(np.full(20, 0.1))]
    for scale in ("channel", "window"):
        processor = SeriesProcessor(4, scale=scale).fit(rows)
        assert processor.encode(rows)["x"].abs().max() < 1e-4
        np.testing.assert_allclose(round_trip(processor, rows)[0].values, 0.1, rtol=1e-6)


def test_padding_is_masked_and_nothing_else() -> None:
    rows = waves(20, 5)
    batch = (processor := SeriesProcessor(8).fit(rows)).collate(processor.encode(rows))
    assert batch.mask is not None and batch.scored is not None
    assert batch.mask.sum(1).tolist() == [8, 8, 8, 8, 5] and (batch.x[-1, 5:] == 0).all()
    whole = processor.collate(processor.encode(rows[:1]))
    assert whole.mask is None and whole.scored is None


@pytest.mark.parametrize("scale", ["channel", "window"])
def test_missing_values_are_not_scored_and_seen_as_the_mean(scale: str) -> None:
    row = waves(20)[0]
    row.values[3, 1] = np.nan
    processor = SeriesProcessor(5, 5, scale).fit([row])
    batch = processor.collate(processor.encode([row]))
    assert batch.scored is not None and batch.x.isfinite().all()
    assert (~batch.scored).nonzero().tolist() == [[0, 3, 1]] and batch.x[0, 3, 1] == 0
    back = round_trip(processor, [row])[0].values
    known = ~np.isnan(row.values)
    np.testing.assert_allclose(back[known], row.values[known], rtol=1e-5)
    assert np.isfinite(back).all()


@pytest.mark.parametrize("every", [None, 1.0])
def test_state_round_trip(every: float | None) -> None:
    rows = waves(20, 9)
    processor = SeriesProcessor(None, 3, "channel", every).fit(rows)
    again = SeriesProcessor.from_state(json.loads(json.dumps(processor.state())))
    for name, tensor in processor.encode(rows).items():
        assert torch.equal(tensor, again.encode(rows)[name])
    assert again.shape == processor.shape and again.state() == processor.state()


def test_channels_are_found_by_name() -> None:
    row = waves(20)[0]
    processor = SeriesProcessor(5).fit([row])
    turned = Series(row.values[:, ::-1], row.time, ("x1", "x0"))
    assert torch.equal(processor.encode([turned])["x"], processor.encode([row])["x"])
    with pytest.raises(DataError, match="no channel 'x1'"):
        processor.encode([Series(row.values[:, 0], columns=("x0",))])


def test_what_cannot_be_cut_is_refused() -> None:
    with pytest.raises(DataError, match=r"only 1 window of 64 steps.*smaller window"):
        SeriesProcessor().fit(waves(20))
    with pytest.raises(DataError, match="infinity at row 2, column 0"):
        SeriesProcessor(2).fit([Series([0.0, 1.0, np.inf, 2.0])])
    for wrong in ({"window": 1}, {"hop": 0}, {"window": 4, "hop": 5}, {"scale": "chanel"}):
        with pytest.raises(UsageError, match=r"window|hop|channel"):
            SeriesProcessor(**wrong)


# even grids and periods ---------------------------------------------------------------------------------------


def test_a_straight_line_stays_one_on_any_grid() -> None:
    time = 0.25 * np.arange(200) + np.random.default_rng(0).uniform(0, 0.2, 200)
    row = Series(2 * time + 1, time)
    even = on_grid(row, 0.25)
    np.testing.assert_allclose(even.values[:, 0], 2 * even.time + 1)
    processor = SeriesProcessor(16, every=0.25).fit([row])
    back = round_trip(processor, [row])[0]
    inside = time <= even.time[-1]
    np.testing.assert_allclose(back.values[inside, 0], row.values[inside, 0], rtol=1e-5)
    assert (back.time == time).all()
    _, first, after = processor.places([row])
    assert first[0] == 0 and after[-1] == 200 and (first < after).all()


def test_wide_gaps_are_missing_and_double_times_averaged() -> None:
    row = Series([0.0, 2.0, 4.0, 5.0, 9.0], time=[0.0, 0.0, 1.0, 2.0, 10.0])
    values = on_grid(row, 1).values.ravel()
    assert values[:3].tolist() == [1.0, 4.0, 5.0] and np.isnan(values[3:10]).all() and values[10] == 9


def test_a_grid_in_words() -> None:
    row = Series(np.arange(10.0), frame(10)["timestamp"].to_numpy())
    assert on_grid(row, "10min").values.ravel().tolist() == [0, 2, 4, 6, 8]
    assert on_grid(row, 600).values.ravel().tolist() == [0, 2, 4, 6, 8]
    with pytest.raises(UsageError, match="numbers: give a number"):
        on_grid(Series([1.0, 2.0], [0, 1]), "5min")
    with pytest.raises(UsageError, match="such as '5min'"):
        on_grid(row, "often")
    with pytest.raises(DataError, match="no times"):
        on_grid(Series([1.0, 2.0]), 1)


def test_the_window_is_two_periods_and_noise_has_none() -> None:
    random, steps = np.random.default_rng(0), np.arange(4000)
    wave = np.sin(2 * np.pi * steps / 24) + 0.3 * random.normal(size=4000) + steps / 1000
    assert choose_window([wave[:, None]])[0] == 48
    assert choose_window([random.normal(size=(4000, 1))])[0] == 64


# the row ------------------------------------------------------------------------------------------------------


def test_series_that_do_not_fit_together_are_refused() -> None:
    with pytest.raises(DataError, match="goes back after step 1"):
        Series([1.0, 2.0, 3.0], [0, 2, 1])
    with pytest.raises(DataError, match="one a step"):
        Series([1.0, 2.0, 3.0], [0, 2])
    with pytest.raises(DataError, match="a time is missing"):
        Series([1.0, 2.0], [0, np.nan])
    with pytest.raises(DataError, match="at least one step"):
        Series([])


def test_split_in_time_shares_no_step() -> None:
    rows = waves(20, 50)
    early, late = split_in_time(rows, 0.2)
    assert [row.steps for row in early] == [16, 40] and [row.steps for row in late] == [4, 10]
    assert all(a.time[-1] < b.time[0] for a, b in zip(early, late, strict=True))


def test_even_sampling_needs_no_note() -> None:
    assert sampling_note(waves(20, 30)) is None


# reading ------------------------------------------------------------------------------------------------------


def test_a_csv_whose_first_column_is_time_is_a_series(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    source = data.open(tmp_path / "a.csv")
    assert source.modality == "series" and len(source) == 1 and source.columns == ("speed", "load")
    assert source.rows[0].steps == 30 and source.rows[0].time_column == "timestamp"
    assert any("--as table" in note for note in source.notes) and len(source.notes) == 1
    assert data.open(tmp_path / "a.csv", as_="table").modality == "table"


@pytest.mark.parametrize(
    "change",
    [
        lambda f: f.iloc[::-1],
        lambda f: f.assign(note="text"),
        lambda f: f[["speed", "timestamp", "load"]],
        lambda f: f.rename(columns={"timestamp": "born"}),
        lambda f: f.assign(timestamp="2024-01-01"),
    ],
)
def test_other_tables_stay_tables(tmp_path: Path, change: Any) -> None:
    change(frame()).to_csv(tmp_path / "a.csv", index=False)
    assert data.open(tmp_path / "a.csv").modality == "table"


def test_steps_are_sorted_and_gaps_double_times_and_missing_values_named(tmp_path: Path) -> None:
    table = frame()
    table.loc[4, "load"] = None
    table.loc[10, "timestamp"] = table.loc[9, "timestamp"]
    table.iloc[[3, *range(3), *range(4, 20), *range(25, 30)]].to_csv(tmp_path / "a.csv", index=False)
    source = data.open(tmp_path / "a.csv", time="timestamp")
    notes = " ".join(source.notes)
    assert "were sorted" in notes and "1 values are missing (load 1)" in notes and "1 times come twice" in notes
    assert "3 of 24 steps differ from the usual one of 5 min (largest gap 30 min)" in notes
    assert source.rows[0].values[:4, 0].tolist() == [0, 1.5, 3, 4.5]


def test_several_series_in_one_file(tmp_path: Path) -> None:
    both = pd.concat([frame().assign(machine="b", state=1), frame(12).assign(machine="a", state=0)])
    both.to_csv(tmp_path / "a.csv", index=False)
    source = data.open(tmp_path / "a.csv", time="timestamp", key="machine", target="state")
    assert [row.steps for row in source.rows] == [30, 12] and source.keys["machine"].tolist() == ["b", "a"]
    assert source.target is not None and source.target.tolist() == [1, 0]
    assert source.take([1]).rows[0].name == "a" and "state" not in source.columns


def test_label_like_columns_are_never_a_channel_by_guess(tmp_path: Path) -> None:
    frame().assign(anomaly=0).to_csv(tmp_path / "a.csv", index=False)
    with pytest.raises(UsageError, match="--target anomaly"):
        data.open(tmp_path / "a.csv", time="timestamp")
    assert "anomaly" in data.open(tmp_path / "a.csv", time="timestamp", target="none").columns


@pytest.mark.parametrize("ends", ["\r", "\n", "\r\n"])
def test_line_ends_of_every_kind_and_texts_left_out(tmp_path: Path, ends: str) -> None:
    lines = ["speed,load,phase", *(f"{n},{n * n},prep" for n in range(9))]
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        for name in ("a.csv", "b.csv"):
            archive.writestr(name, ends.join(lines) + ends)
    source = data.open(tmp_path / "all.zip", as_="series")
    assert [row.steps for row in source.rows] == [9, 9] and source.keys["file"].tolist() == ["a.csv", "b.csv"]
    assert source.rows[0].time is None and source.columns == ("speed", "load")
    assert "2 files: columns 'phase' hold no numbers and were left out" in source.notes


def test_files_that_cannot_be_read_are_named_and_too_many_stop(tmp_path: Path) -> None:
    folder = tmp_path / "f"
    folder.mkdir()
    for number in range(12):
        frame().to_csv(folder / f"{number:02}.csv", index=False)
    (folder / "bad.csv").write_text("timestamp,speed,load\n")
    source = data.open(folder, as_="series")
    assert len(source) == 12 and source.skipped == 1 and "bad.csv" in source.notes[0]
    (folder / "worse.csv").write_text("")
    with pytest.raises(DataError, match="more than a tenth"):
        data.open(folder, as_="series")


def test_arrays_and_lines(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.arange(50.0))
    assert data.open(tmp_path / "a.npy", as_="series").rows[0].values.shape == (50, 1)
    np.savez(tmp_path / "a.npz", normal=np.arange(9.0), fault=np.arange(7.0))
    source = data.open(tmp_path / "a.npz", as_="series")
    assert source.target is not None and source.target.tolist() == ["normal", "fault"]
    assert [row.steps for row in data.open(tmp_path / "a.npz", as_="series", include="f*").rows] == [7]
    np.savetxt(tmp_path / "a.txt", np.column_stack([[1, 2, 1], np.eye(3)]))
    source = data.open(tmp_path / "a.txt", as_="series", target="x0")
    assert source.target is not None and source.target.tolist() == [1, 2, 1] and source.rows[1].values.sum() == 1
    with pytest.raises(DataError, match=r"no series.*\(1, 2, 3\)"):
        np.savez(tmp_path / "b.npz", cube=np.zeros((1, 2, 3)))
        data.open(tmp_path / "b.npz", as_="series")


def test_times_of_other_forms(tmp_path: Path) -> None:
    zoned = ["2024-01-01T01:00:00+01:00", "2024-01-01T02:00:00+01:00"]
    source = data.open(pd.DataFrame({"when": zoned, "v": [1.0, 2.0]}), time="when")
    assert source.rows[0].time[0] == np.datetime64("2024-01-01T00:00:00") and "UTC" in " ".join(source.notes)
    american = data.open(pd.DataFrame({"when": ["01/31/2024 10:00", "02/01/2024 10:00"], "v": [1.0, 2.0]}), time="when")
    assert american.rows[0].time[0] == np.datetime64("2024-01-31T10:00:00")
    with pytest.raises(DataError, match="'when' holds no times, for example 'noon'"):
        data.open(pd.DataFrame({"when": ["noon", "night"], "v": [1.0, 2.0]}), time="when")


# writing ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", [".csv", ".parquet", ".csv.gz"])
def test_written_series_are_read_as_they_were(tmp_path: Path, suffix: str) -> None:
    both = pd.concat([frame().assign(machine="b"), frame(12).assign(machine="a")])
    source = data.open(both, time="timestamp", key="machine")
    data.write(tmp_path / f"a{suffix}", source.rows, keys=source.keys)
    again = data.open(tmp_path / f"a{suffix}", time="timestamp", key="machine")
    for row, back in zip(source.rows, again.rows, strict=True):
        np.testing.assert_allclose(back.values, row.values)
        assert (back.time == row.time).all() and back.columns == row.columns


def test_one_series_to_a_table_of_its_own_columns_and_to_npy(tmp_path: Path) -> None:
    frame().to_csv(tmp_path / "a.csv", index=False)
    rows = data.open(tmp_path / "a.csv").rows
    data.write(tmp_path / "b.csv", rows)
    assert (tmp_path / "a.csv").read_text().split() == (tmp_path / "b.csv").read_text().split()
    data.write(tmp_path / "b.npy", rows)
    assert np.load(tmp_path / "b.npy").shape == (30, 2)
    with pytest.raises(UsageError, match="takes one series"):
        data.write(tmp_path / "c.npy", waves(9, 9))


# real data ----------------------------------------------------------------------------------------------------


def test_real_files_are_read_whole(data_dir: Path) -> None:
    nab = data.open(data_dir / "nab_known_cause", as_="series")
    assert len(nab) == 7 and sum(row.steps for row in nab.rows) == 69_561
    mill = data.open(data_dir / "cnc_mill_tool_wear" / "experiments.zip", as_="series")
    assert len(mill) == 18 and sum(row.steps for row in mill.rows) == 25_286
    beats = data.open(data_dir / "ecg5000_train" / "ECG5000_TRAIN.txt", as_="series", target="x0")
    assert len(beats) == 500 and beats.target is not None and (beats.target == 1).sum() == 292
    signals = data.open(data_dir / "cwru_bearing" / "cwru_12k_de_0hp.npz", as_="series", include="*_0*")
    assert signals.target is not None and "Normal_48k" not in signals.target
