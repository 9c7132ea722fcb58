"""`diabolo detect` on pictures and videos: verdicts, maps beside them, frames, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from PIL import Image

Run = Callable[..., Any]


def cloth(n: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:24, :32]
    phase = random.uniform(0, 6.28, (n, 1, 1))
    made = 120 + 40 * np.sin(y / 1.5 + phase) * np.sin(x / 2 + phase) + random.normal(0, 6, (n, 24, 32))
    return made.clip(0, 255).astype(np.uint8)


def write(folder: Path, pictures: np.ndarray) -> Path:
    folder.mkdir()
    for place, picture in enumerate(pictures):
        Image.fromarray(picture).save(folder / f"p{place:02d}.png")
    return folder


@pytest.fixture(scope="module")
def made(run: Run, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a model of pictures, pictures to judge (two of them wrong), and what the fit printed."""
    folder = tmp_path_factory.mktemp("pictures")
    new = cloth(12, 1)
    new[3, 8:16, 10:20], new[7, 4:10, 4:12] = 240, 10
    write(folder / "new", new)
    result = run(
        "fit", write(folder / "train", cloth(50, 0)), "--task", "detect", "--out", folder / "m", "--epochs", 4,
        "--set", "folds=1",
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    (folder / "printed.txt").write_text(result.output)
    return folder


def test_the_fit_is_judged_by_pasted_pieces(made: Path) -> None:
    told = (made / "printed.txt").read_text()
    assert "Pieces of other pictures pasted into 5 held-out pictures" in told and "AUROC of pixels" in told


def test_verdicts_and_maps_have_the_names_of_the_files(run: Run, made: Path, tmp_path: Path) -> None:
    out, maps = tmp_path / "found.csv", tmp_path / "maps"
    words = ("--contamination", 0, "--maps", maps)
    result = run("detect", made / "m", made / "new", "--out", out, *words)
    assert result.exit_code == 0, result.output
    assert "12 with what is strange in colour" in result.stderr
    found = pd.read_csv(out, keep_default_na=False)
    assert list(found) == ["file", "score", "p_value", "anomaly", "reason_1"]
    assert set(found.nlargest(2, "score")["file"]) == {"p03.png", "p07.png"} and found.loc[[3, 7], "anomaly"].all()
    row, column = (int(part.split()[1]) for part in found.loc[3, "reason_1"].split("(")[0].split(","))
    assert 4 <= row < 20 and 6 <= column < 24
    drawn = {path.name: np.asarray(Image.open(path)).astype(int) for path in maps.iterdir()}
    assert sorted(drawn) == sorted(found["file"]) and drawn["p03.png"].shape == (24, 32, 3)
    assert np.ptp(drawn["p03.png"][8:16, 10:20], axis=-1).mean() > 2 * np.ptp(drawn["p00.png"], axis=-1).mean()


def test_the_report_has_a_section(run: Run, made: Path, tmp_path: Path) -> None:
    result = run("report", made / "m", made / "new", "--out", tmp_path / "r.html")
    assert result.exit_code == 0, result.output
    page = (tmp_path / "r.html").read_text()
    assert "Strangest pictures, and where they are strange" in page and "p03.png: p" in page


def test_what_is_refused(run: Run, fails: Run, made: Path, tmp_path: Path) -> None:
    out = tmp_path / "o.csv"
    assert "give both" in fails(2, "detect", made / "m", made / "new", "--maps", tmp_path / "maps", "--against", out)
    said = fails(2, "detect", made / "m", made / "new", "--out", out, "--maps", tmp_path / "maps.csv")
    assert "maps.csv" in said
    pd.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), columns=list("abc")).to_csv(
        tmp_path / "t.csv", index=False
    )
    fitted = run("fit", tmp_path / "t.csv", "--task", "detect", "--out", tmp_path / "t", "--epochs", 1)
    assert fitted.exit_code == 0, fitted.output
    said = fails(2, "detect", tmp_path / "t", tmp_path / "t.csv", "--out", out, "--maps", tmp_path / "maps")
    assert "--maps draws pictures, videos and sounds" in said and not out.exists()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad" / "a.png").write_bytes(b"no picture")
    assert "a.png" in fails(1, "detect", made / "m", tmp_path / "bad", "--out", out)


def test_videos_are_judged_by_the_frame(run: Run, tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    scene, columns = random.integers(60, 120, (24, 32)), np.arange(32)

    def filmed(speed: float) -> np.ndarray:
        at = (random.uniform(0, 32) + speed * np.arange(24))[:, None, None] % 32
        bar = np.abs(columns[None, None] - at) < 2
        return (np.where(bar, 230, scene) + random.normal(0, 2, (24, 24, 32))).clip(0, 255).astype(np.uint8)

    np.savez(tmp_path / "normal.npz", **{f"c{place}": filmed(1) for place in range(6)})
    np.savez(tmp_path / "new.npz", a=filmed(1), b=filmed(5))
    words = ("--task", "detect", "--epochs", 2, "--out", tmp_path / "m", "--as", "video", "--holdout", 0)
    fitted = run("fit", tmp_path / "normal.npz", *words, "--processor", "video(frames=6)")
    assert fitted.exit_code == 0, fitted.output
    out, maps = tmp_path / "steps.csv", tmp_path / "maps"
    result = run("detect", tmp_path / "m", tmp_path / "new.npz", "--out", out, "--steps", "--maps", maps)
    assert result.exit_code == 0, result.output
    found = pd.read_csv(out)
    assert list(found)[-3:] == ["frame", "score", "anomaly"] and len(found) == 48
    assert found["score"][24:].mean() > found["score"][:24].mean() + 0.5
    assert sorted(path.name for path in maps.iterdir()) == ["a.mp4", "b.mp4"]
