"""Missing values: 20 % of the cells of whole tables are hidden, at random and not at random, and filled again.

    python -m runs.imputation --data DIR [--keep FILE]

Sets: cardio, thyroid, Waveform, SpamBase and WDBC of ADBench (the columns alone), and MovieLens-100k's users (age;
gender, occupation and the first sign of the zip code as categories). Five seeds of the mask, two mechanisms:

    at random        every cell with probability 0.2
    not at random    with probability 1 / (1 + exp(-(a + 2 s z))): z is the cell's own value, standardised, s = +1 or
                     -1 drawn a column; a category has z drawn once a level; a is set so that 20 % of a column are gone

A column's mechanism depends on what is hidden, so no method that takes the observed for typical is unbiased there.
Transductive, as is usual: a method is fitted to the table with holes and fills it. Rivals: mean or mode, k-NN
imputer (5 neighbours), IterativeImputer (Bayesian ridge), scikit-learn's defaults on standardised numbers and one-hot
categories (the largest wins). Measures: root of the mean squared error over hidden cells, in units of the
column's standard deviation; accuracy of categories. Ranks among the four are averaged over sets, mechanisms and seeds
(users: over both measures first). Nothing is chosen here: the imputer's defaults were set on wine, diabetes, Pima,
yeast, fault and letter with other seeds. With --forest one more row, outside the ranks: IterativeImputer over extra
trees.

``--keep FILE``: what was measured is appended there, and a second call goes on.

Reference: Rubin (1976), "Inference and missing data"; Jarrett et al. (2022), "HyperImpute"; Muzellec et al. (2020),
"Missing data imputation using optimal transport" (the masks).
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from benchmarks.common import parser
from scipy.stats import rankdata
from sklearn.impute import SimpleImputer

from diabolo import AutoencoderImputer
from diabolo.data import TableProcessor
from diabolo.tasks.impute_rivals import RIVALS, encoded

SETS = {"cardio": 6, "thyroid": 38, "Waveform": 41, "SpamBase": 35, "WDBC": 43}
MECHANISMS = ("at random", "not at random")
OURS, FOREST = "AutoencoderImputer", "iterative extra trees"
SHARE, SLOPE = 0.2, 2.0


def table(data: Path, name: str) -> pd.DataFrame:
    """A set as a whole table."""
    if name == "users":
        users = pd.read_csv(data / "movielens_100k" / "users.tsv", sep="\t", dtype=str)
        users.columns = [column.partition(":")[0] for column in users.columns]
        users["zip_code"] = users["zip_code"].str[0]
        users["age"] = users["age"].astype(float)
        return users[["age", "gender", "occupation", "zip_code"]]
    return pd.DataFrame(np.load(data / "adbench" / f"{SETS[name]}_{name}.npz")["X"].astype(float))


def hidden(whole: pd.DataFrame, mechanism: str, seed: int) -> np.ndarray:
    """Which cells are hidden (N, columns); every column keeps some."""
    random = np.random.default_rng([seed, MECHANISMS.index(mechanism)])
    if mechanism == "at random":
        return random.random(whole.shape) < SHARE
    logits = np.stack([_drive(whole[name], random) for name in whole], 1)
    low, high = np.full(logits.shape[1], -1e3), np.full(logits.shape[1], 1e3)
    for _ in range(80):
        middle = (low + high) / 2
        more = _chance(logits + middle).mean(0) < SHARE
        low, high = np.where(more, middle, low), np.where(more, high, middle)
    return random.random(whole.shape) < _chance(logits + low)


def _drive(column: pd.Series, random: np.random.Generator) -> np.ndarray:
    """How strongly each cell is driven out of sight by its own value."""
    if column.dtype.kind == "f":
        deviation = column.std(ddof=0)
        return SLOPE * random.choice([-1, 1]) * ((column - column.mean()) / (deviation or 1.0)).to_numpy()
    levels = sorted(column.unique())
    drawn = dict(zip(levels, random.normal(size=len(levels)), strict=True))
    return SLOPE * column.map(drawn).to_numpy(float)


def _chance(logits: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-np.clip(logits, -500, 500)))


def errors(whole: pd.DataFrame, filled: pd.DataFrame, gone: np.ndarray) -> dict[str, float]:
    """Normalised root mean squared error, and accuracy where there are categories, on the hidden cells."""
    squared, right = [], []
    for place, name in enumerate(whole):
        true, said = whole[name][gone[:, place]].to_numpy(), filled[name][gone[:, place]].to_numpy()
        if whole[name].dtype.kind != "f":
            right.append(true == said)
        elif whole[name].std(ddof=0) > 0:
            squared.append(np.square((true - said) / whole[name].std(ddof=0)))
    found = {"rmse": float(np.sqrt(np.concatenate(squared).mean()))} if squared else {}
    return {**found, **({"accuracy": float(np.concatenate(right).mean())} if right else {})}


def measured(whole: pd.DataFrame, mechanism: str, seed: int, forest: bool) -> dict[str, dict[str, float]]:
    """Errors and seconds of every method on one mask."""
    gone = hidden(whole, mechanism, seed)
    holed = whole.mask(pd.DataFrame(gone, columns=whole.columns))
    found = {}
    began = time.perf_counter()
    filled = AutoencoderImputer(random_state=seed).fit_transform(holed)
    found[OURS] = {**errors(whole, filled, gone), "seconds": time.perf_counter() - began}
    codes = TableProcessor().fit(holed)
    values = encoded(codes, holed)
    for name, fill in {**RIVALS, **({FOREST: trees} if forest else {})}.items():
        began = time.perf_counter()
        back = codes.invert(torch.from_numpy(fill(values, values)))
        found[name] = {**errors(whole, back, gone), "seconds": time.perf_counter() - began}
    return found


def trees(train: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Extra trees, column by column: near missForest (Stekhoven & Bühlmann 2012)."""
    from sklearn.ensemble import ExtraTreesRegressor
    from sklearn.experimental import enable_iterative_imputer  # noqa: F401
    from sklearn.impute import IterativeImputer

    start = SimpleImputer(keep_empty_features=True).fit_transform(train)
    if not np.isnan(train).any():
        return start
    made = IterativeImputer(
        ExtraTreesRegressor(20, min_samples_leaf=3, max_features=0.5, random_state=0), max_iter=3, random_state=0
    )
    return np.asarray(made.fit_transform(rows))


def ranks(found: dict[str, dict[str, float]]) -> dict[str, float]:
    """Rank of every method of the bar, 1 the best; the mean over the measures there are."""
    names = [OURS, *RIVALS]
    signs = {measure: sign for measure, sign in (("rmse", 1), ("accuracy", -1)) if measure in found[OURS]}
    each = [rankdata([sign * found[name][measure] for name in names]) for measure, sign in signs.items()]
    return dict(zip(names, np.mean(each, 0).tolist(), strict=True))


def report(kept: list[dict[str, Any]]) -> None:
    """Means over seeds a set and mechanism, and the average ranks."""
    names = [name for name in (OURS, *RIVALS, FOREST) if any(name in one["found"] for one in kept)]
    print("\n| set, mechanism | measure | seeds | " + " | ".join(names) + " |\n|" + " --- |" * (len(names) + 3))
    for key in dict.fromkeys((one["set"], one["mechanism"]) for one in kept):
        runs = [one["found"] for one in kept if (one["set"], one["mechanism"]) == key]
        for measure in ("rmse", "accuracy", "seconds"):
            if measure in runs[0][OURS]:
                cells = [[run[name][measure] for run in runs if name in run] for name in names]
                texts = [f"{np.mean(cell):.4g} ± {np.std(cell):.2g}" if cell else "" for cell in cells]
                print(f"| {key[0]}, {key[1]} | {measure} | {len(runs)} | " + " | ".join(texts) + " |")
    every = [ranks(one["found"]) for one in kept]
    mean = {name: float(np.mean([one[name] for one in every])) for name in every[0]}
    print("\naverage rank over sets, mechanisms and seeds: " + ", ".join(f"{n} {r:.2f}" for n, r in mean.items()))
    bar = all(mean[OURS] < rank for name, rank in mean.items() if name != OURS)
    print(f"ours {mean[OURS]:.2f} | best rival {min(r for n, r in mean.items() if n != OURS):.2f} | bar: first | {bar}")


def options() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("--seeds", type=int, default=5)
    made.add_argument("--sets", default=",".join([*SETS, "users"]), help="some of the sets")
    made.add_argument("--keep", type=Path, help="file that results are appended to, and taken from")
    made.add_argument("--forest", action="store_true", help="one more rival: extra trees, slow")
    args = made.parse_args()
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder of the data sets.")
    return args


def main() -> None:
    args = options()
    torch.set_num_threads(1)
    kept = [json.loads(line) for line in args.keep.read_text().splitlines()] if args.keep and args.keep.exists() else []
    done = {(one["set"], one["mechanism"], one["seed"]) for one in kept}
    for seed in range(args.seed, args.seed + args.seeds):
        for name in args.sets.split(","):
            whole = table(Path(args.data), name).head(args.rows)
            for mechanism in MECHANISMS:
                if (name, mechanism, seed) in done:
                    continue
                found = measured(whole, mechanism, seed, args.forest)
                kept.append({"set": name, "mechanism": mechanism, "seed": seed, "found": found})
                print(
                    name,
                    mechanism,
                    seed,
                    {n: {m: round(v, 4) for m, v in e.items()} for n, e in found.items()},
                    flush=True,
                )
                if args.keep:
                    with args.keep.open("a") as file:
                        file.write(json.dumps(kept[-1]) + "\n")
    report(kept)


if __name__ == "__main__":
    main()
