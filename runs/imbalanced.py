"""Rare classes filled up: do made rows help a random forest, and does the tool's own verdict say so beforehand?

    python -m runs.imbalanced --data DIR [--seeds 5] [--only tool mill bearing] [--keep FILE]

Sets. tool: `vicomtech_tool_wear`, worn = flank wear above 300, groups are the 13 tools, missing cells at the median.
mill: `cnc_mill_tool_wear`, worn or not, windows of 2 s (20 steps) of 27 motor signals, each as mean, standard
deviation, minimum and maximum; groups are the 18 experiments. bearing: `cwru_bearing`, Normal_12k and nine faults,
windows of 512 samples that do not overlap, as 32 log bands of the spectrum and four statistics; groups are ten
stretches of the signal; in training parts every fault is made rare, 50 : 1.

Protocol. One forest (100 trees) in all arms: nothing, class weights, repeated rows, SMOTE, and made rows, where the way
is chosen by inner group folds of the training part (bearing: two rows a fault, so inner folds are of rows). Outer group
folds (3, bearing 5) are drawn anew for every seed; balanced accuracy on the test fold; gains are paired over folds,
with the corrected resampled t interval (Nadeau & Bengio 2003), test / training rows as the folds are cut, before faults
are made rare. What was tried was tried on seeds from 100 on.

The verdict. `diabolo.verdict` sees the training part of each seed's first fold only, with folds of its own. What
it says against nothing is held against what all outer folds say: it is wrong if it says "helps" where the mean gain is
not above zero, "harms" where it is not below, or "does not help" where the outer interval is above zero; "undecided" is
no answer, and right only where the outer folds decide nothing either.

``--keep FILE`` holds what is done, so that the script goes on where it was stopped.

Reference: Chawla et al. (2002), "SMOTE: synthetic minority over-sampling technique".
"""

from __future__ import annotations

import json
import time
import zipfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.common import head, parser, row
from numpy import ndarray
from scipy.stats import kurtosis, skew

from diabolo import AutoencoderSampler, Trainer, verdict
from diabolo.tasks.arms import Arms
from diabolo.tasks.folds import folds_of
from diabolo.tasks.verdict import ARMS, OURS, corrected_interval, word

Rows = tuple[ndarray, ndarray, ndarray]
WAYS = ("density", "interpolation")
SIGNALS = (
    "Velocity",
    "Acceleration",
    "CurrentFeedback",
    "DCBusVoltage",
    "OutputCurrent",
    "OutputVoltage",
    "OutputPower",
)
WORN, STEPS = 300, 20
WINDOW, BANDS, STRETCHES, RATIO = 512, 32, 10, 50
FOLDS = {"tool": 3, "mill": 3, "bearing": 5}


def tool(folder: Path) -> Rows:
    """Features of one-second segments, worn or not, and the tool."""
    table = pd.read_csv(folder / "vicomtech_tool_wear" / "Dataset_Machine_tool_wear.csv")
    X = table.drop(columns=["tool", "Vb"])
    return X.fillna(X.median()).to_numpy(), (table.Vb > WORN).to_numpy(int), table.tool.to_numpy()


def mill(folder: Path) -> Rows:
    """Windows of motor signals, worn or not, and the experiment."""
    about = pd.read_csv(folder / "cnc_mill_tool_wear" / "train.csv")
    parts = []
    with zipfile.ZipFile(folder / "cnc_mill_tool_wear" / "experiments.zip") as files:
        for number, condition in zip(about["No"], about["tool_condition"], strict=True):
            with files.open(f"experiment_{number:02d}.csv") as file:
                table = pd.read_csv(file)  # reads the CR line ends of experiment 12 too
            names = [name for name in table if name.endswith(SIGNALS) and "Command" not in name]
            values = table[names].to_numpy(float)
            w = values[: len(values) // STEPS * STEPS].reshape(-1, STEPS, len(names))
            X = np.concatenate([w.mean(1), w.std(1), w.min(1), w.max(1)], 1)
            parts.append((X, np.full(len(X), condition == "worn", int), np.full(len(X), number)))
    X, y, groups = (np.concatenate(column) for column in zip(*parts, strict=True))
    return X, y, groups


def bearing(folder: Path) -> Rows:
    """Windows of vibration, ten classes, and the stretch of the signal."""
    signals = np.load(folder / "cwru_bearing" / "cwru_12k_de_0hp.npz")
    names = ["Normal_12k", *sorted(name for name in signals if not name.startswith("Normal"))]
    length = min(len(signals[name]) for name in names) // STRETCHES
    parts = []
    for place, name in enumerate(names):
        for stretch in range(STRETCHES):
            piece = signals[name][stretch * length : (stretch + 1) * length].astype(np.float64)
            w = piece[: length // WINDOW * WINDOW].reshape(-1, WINDOW)
            parts.append((described(w), np.full(len(w), place), np.full(len(w), stretch)))
    X, y, groups = (np.concatenate(column) for column in zip(*parts, strict=True))
    return X, y, groups


def described(windows: ndarray) -> ndarray:
    """Log bands of the power spectrum, log of the spread, kurtosis, skewness and crest factor."""
    power = np.abs(np.fft.rfft(windows * np.hanning(windows.shape[1]))) ** 2
    bands = np.log(power[:, 1:].reshape(len(windows), BANDS, -1).mean(2) + 1e-12)
    spread = windows.std(1)
    more = [np.log(spread), kurtosis(windows, axis=1), skew(windows, axis=1), np.abs(windows).max(1) / spread]
    return np.column_stack([bands, *more])


SETS: dict[str, Callable[[Path], Rows]] = {"tool": tool, "mill": mill, "bearing": bearing}


def rare(places: ndarray, seed: int) -> ndarray:
    """Rows of a training part of the bearing: all normal ones, and of every fault one for fifty, at least 2."""
    random, normal = np.random.default_rng(seed), np.flatnonzero(places == 0)
    few = max(2, round(len(normal) / RATIO))
    faults = [
        random.choice(np.flatnonzero(places == place), few, replace=False) for place in range(1, places.max() + 1)
    ]
    return np.sort(np.concatenate([normal, *faults]))


def sampler(rows: int) -> AutoencoderSampler:
    """The same short training everywhere."""
    return AutoencoderSampler(trainer=Trainer(epochs=20, batch_size=128 if rows > 1000 else 32))


def parts(name: str, places: ndarray, groups: ndarray, seed: int) -> list[tuple[ndarray, ndarray]]:
    """Training and test rows of each outer fold."""
    folds = folds_of(places, groups, FOLDS[name], seed)
    return [(train[rare(places[train], seed)], test) if name == "bearing" else (train, test) for train, test in folds]


def measured(name: str, rows: Rows, seed: int, number: int) -> dict[str, Any]:
    """Balanced accuracy of every arm on one outer fold, and the way that was chosen."""
    X, y, groups = rows
    train, test = parts(name, y, groups, seed)[number]
    arms = Arms(X[train], y[train], None, sampler(len(train)), 1000 * seed + number)
    way = arms.choose(WAYS, None if name == "bearing" else groups[train], 2)
    scores = {arm: arms.score(arm, X[test], y[test], way) for arm in (*ARMS, OURS)}
    return {"scores": scores, "way": way}


def judged(name: str, rows: Rows, seed: int) -> dict[str, Any]:
    """What the tool says of the training part of a seed's first fold."""
    X, y, groups = rows
    train, _ = parts(name, y, groups, seed)[0]
    within, folds, repeats = (None, 2, 5) if name == "bearing" else (groups[train], 3, 1)
    found = verdict(X[train], y[train], within, sampler=sampler(len(train)), ways=WAYS, folds=folds, repeats=repeats,
                    random_state=seed)  # fmt: skip
    return {"words": found.words, "says": found.verdict}


class Kept:
    """What is done, in a file, so that a stopped script goes on."""

    def __init__(self, path: str | None) -> None:
        self.path = None if path is None else Path(path)
        self.done: dict[str, Any] = json.loads(self.path.read_text()) if self.path and self.path.exists() else {}

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """The result of that name: from the file, or made now and written there."""
        if key not in self.done:
            began = time.perf_counter()
            self.done[key] = make()
            print(f"{key}: {self.done[key]} ({time.perf_counter() - began:.0f} s)", flush=True)
            if self.path is not None:
                self.path.write_text(json.dumps(self.done))
        return self.done[key]


def right(says: str, truth: str, gain: float) -> str:
    """Whether a verdict holds against the outer folds."""
    if says == "undecided":
        return "right" if truth in ("undecided", "does not help") else "no answer"
    wrong = {"helps": gain <= 0, "harms": gain >= 0, "does not help": truth == "helps"}[says]
    return "wrong" if wrong else "right"


def report(name: str, folds: list[dict[str, Any]], verdicts: list[dict[str, Any]]) -> None:
    """The table of one set."""
    head(f"{name}: balanced accuracy in %, {len(folds)} outer folds; rival is the forest taught by nothing more")
    scores = {arm: 100 * np.array([fold["scores"][arm] for fold in folds]) for arm in (*ARMS, OURS)}
    ratio = 1 / (FOLDS[name] - 1)
    for arm in scores:
        gain = corrected_interval(scores[arm] - scores["nothing"], ratio)
        row(f"{arm}: gain {gain}", float(scores[arm].mean()), float(scores["nothing"].mean()))
    gains = {rival: corrected_interval(scores[OURS] - scores[rival], ratio) for rival in ("nothing", "SMOTE")}
    row("made rows - nothing, points", gains["nothing"].value, 0.0, "ours >= 2")
    row(f"made rows - SMOTE, points: not below (paired 95 %: {gains['SMOTE']})", gains["SMOTE"].high, 0.0, "ours >= 0")
    ways = [fold["way"] for fold in folds]
    print("chosen: " + ", ".join(f"{way} {ways.count(way)}" for way in WAYS))
    truth = word(corrected_interval((scores[OURS] - scores["nothing"]) / 100, ratio))
    for found in verdicts:
        outcome = right(found["words"]["nothing"], truth, gains["nothing"].value)
        print(f"verdict from the training part: {outcome} (outer folds: {truth}): {found['says']}")


def main() -> None:
    """Measure, seed by seed, and print a table for every set."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--only", nargs="*", choices=list(SETS), default=list(SETS))
    options.add_argument("--keep", help="file of what is done")
    args = options.parse_args()
    kept = Kept(args.keep)
    for name in args.only:
        rows = SETS[name](Path(args.data))
        X, y, groups = rows
        print(f"{name}: {X.shape[0]} rows, {X.shape[1]} columns, classes {np.bincount(y)}, {len(set(groups))} groups")
        seeds = range(args.seed, args.seed + args.seeds)
        folds = [
            kept.get(f"{name} {seed} {number}", partial(measured, name, rows, seed, number))
            for seed in seeds
            for number in range(FOLDS[name])
        ]
        verdicts = [kept.get(f"{name} {seed} verdict", partial(judged, name, rows, seed)) for seed in seeds]
        report(name, folds, verdicts)


if __name__ == "__main__":
    main()
