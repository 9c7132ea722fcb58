"""50 of the 152 columns of a tool-wear table: how well the other 102 are rebuilt, and whether a classifier misses them.

    python -m runs.selection --data DIR [--seeds 5] [--state FILE]

`vicomtech_tool_wear`, features only. Every seed shuffles the 13 tools into three folds; columns are chosen, and all
that rebuilds or classifies is fitted, on two of them; the third is measured. So a tool is never on both sides. Rivals:
columns of the largest variance as they stand; the largest loading of each principal component (Jolliffe's B4); QR with
pivoting; greedy choice by linear correlations (Farahat et al. 2011); random columns. One rebuilder for all: ridge
regression, and then one network (linear map and 256 units, 50 epochs), trained alike on every set. Error: mean squared
error of a left-out column in units of its variance in the training folds, mean (and median) over the columns.
Classifier: a forest of 200 trees, wear above 300, on all columns and on each set; balanced accuracy over the three
folds together; its interval by drawing tools. Nothing is chosen on the measured fold. With --state a run that was cut
off goes on after the last seed that was finished.

Reference: Balın, Abid & Zou (2019), "Concrete autoencoders: differentiable feature selection and reconstruction".
"""

from __future__ import annotations

import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from benchmarks.common import head, parser, row
from scipy import stats
from sklearn.ensemble import RandomForestClassifier
from sklearn.metrics import balanced_accuracy_score

from diabolo import Autoencoder, AutoencoderSelector, Spec, Trainer
from diabolo.blocks.column_choice import correlations
from diabolo.data import TableProcessor
from diabolo.tasks import columns as choice

KEEP, FOLDS, WORN = 50, 3, 300.0
SIMPLE = ("greedy, linear", "pivoted QR", "PCA loadings", "variance", "random")
OURS = {"ours (concrete)": "concrete", "ours (group)": "group"}


class Fold:
    """Rows to learn from and rows to measure on, as encoded: numbers in units of their deviation."""

    def __init__(self, learn: pd.DataFrame, held: pd.DataFrame) -> None:
        processor = TableProcessor().fit(learn)
        self.frames = (learn, held)
        (self.x, _), (self.y, self.known) = (_encoded(processor, part) for part in (learn, held))
        self.owner = np.arange(self.x.shape[1])
        self.indicators = [processor.columns.index(name) for name in processor.indicators]
        self.spread = choice.variances(self.x, self.owner)
        self.raw = self.x * np.array([codec.scale for codec in processor.codecs])

    def lost(self, recon: np.ndarray, kept: list[int]) -> tuple[float, float]:
        """Mean and median over the left-out columns."""
        known = np.maximum(self.known.sum(0), 1)
        each = choice.lost(self.y, recon, self.owner, self.spread, self.known).sum(0) / known
        left = np.setdiff1d(self.owner, kept)
        return float(each[left].mean()), float(np.median(each[left]))

    def ridge(self, kept: list[int]) -> tuple[float, float]:
        weights = choice.ridge(self.x, kept, self.owner)
        return self.lost(choice.rebuilt(self.y, kept, self.owner, *weights), kept)

    def network(self, kept: list[int], seed: int) -> tuple[float, float]:
        columns = [["numeric", 1]] * len(self.owner)
        spec = Spec("selective", way="kept", kept=kept, columns=columns, indicators=self.indicators, hidden=(256,))
        size = len(kept) + sum(column in kept for column in self.indicators)
        model = Autoencoder(size, network=spec, loss="squared", trainer=Trainer(epochs=50), random_state=seed)
        found = model.fit(self.frames[0]).reconstruct(self.frames[1])
        processor: Any = model.processor_
        return self.lost(_encoded(processor, found)[0], kept)


def _encoded(processor: TableProcessor, frame: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    batch = processor.collate(processor.encode(frame))
    known = np.ones(batch.target.shape, bool) if batch.scored is None else batch.scored.numpy()
    return batch.target.double().numpy(), known


def sets_of(fold: Fold, seed: int) -> dict[str, list[int]]:
    """Columns of every method."""
    found = {}
    for name, how in OURS.items():
        began = time.perf_counter()
        model = AutoencoderSelector(n_features=KEEP, how=how, random_state=seed).fit(fold.frames[0])
        found[name] = model.get_support(indices=True).tolist()
        print(f"  {name}: {time.perf_counter() - began:.0f} s, found by {model.facts_['found_by']}", flush=True)
    simple = choice.rankings(fold.raw, fold.owner, correlations(fold.x, fold.owner), KEEP, seed)
    return {**found, **{name: sorted(simple[name]) for name in SIMPLE}}


def folds(tools: np.ndarray, seed: int) -> np.ndarray:
    """The number of the fold of every row: tools shuffled and dealt out."""
    names = np.random.default_rng(seed).permutation(np.unique(tools))
    place = {name: i % FOLDS for i, name in enumerate(names)}
    return np.array([place[tool] for tool in tools])


def measured(frame: pd.DataFrame, tools: np.ndarray, worn: np.ndarray, seed: int) -> tuple[dict, dict]:
    """name -> errors (ridge mean, median, network mean, median), median of the folds; name -> said of every row.

    A column that hardly varies in some tools and much in another one makes a fold's error as large as you like.
    """
    number, errors = folds(tools, seed), defaultdict(list)
    said: dict[str, np.ndarray] = defaultdict(lambda: np.zeros(len(worn), bool))
    for held in range(FOLDS):
        test = number == held
        fold = Fold(frame[~test].reset_index(drop=True), frame[test].reset_index(drop=True))
        sets = sets_of(fold, seed)
        for name, kept in sets.items():
            errors[name].append([*fold.ridge(kept), *fold.network(kept, seed)])
        for name, kept in {"all 152 columns": fold.owner.tolist(), **sets}.items():
            trees = RandomForestClassifier(200, class_weight="balanced", random_state=seed)
            said[name][test] = trees.fit(fold.x[:, kept], worn[~test]).predict(fold.y[:, kept])
        told = ", ".join(f"{name} {found[-1][0]:.3f}/{found[-1][2]:.3f}" for name, found in errors.items())
        print(f"seed {seed}, fold {held}: {told}", flush=True)
    return {name: np.median(found, 0) for name, found in errors.items()}, dict(said)


def kept(path: Path | None, seed: int, make: Callable[[], tuple[dict, dict]]) -> tuple[dict, dict]:
    """What was measured with a seed, from the file if it is there already."""
    held = json.loads(path.read_text()) if path is not None and path.exists() else {}
    if str(seed) not in held:
        held[str(seed)] = [{name: np.asarray(values).tolist() for name, values in part.items()} for part in make()]
        if path is not None:
            path.write_text(json.dumps(held))
    errors, said = ({name: np.array(values) for name, values in part.items()} for part in held[str(seed)])
    return errors, said


def interval(differences: np.ndarray) -> str:
    """Mean and 95 % t interval over seeds."""
    mean, half = differences.mean(), stats.t.ppf(0.975, len(differences) - 1) * stats.sem(differences)
    return (
        f"{mean:+.3f} [{mean - half:+.3f}, {mean + half:+.3f}], lower in {(differences < 0).sum()}/{len(differences)}"
    )


def by_tools(worn: np.ndarray, tools: np.ndarray, ours: list, other: list, seed: int = 0) -> str:
    """Difference in balanced accuracy, mean over the seeds; its 95 % interval by drawing tools with replacement."""
    names = np.unique(tools)
    places = {name: np.flatnonzero(tools == name) for name in names}

    def difference(rows: np.ndarray) -> float:
        pairs = [
            [balanced_accuracy_score(worn[rows], said[rows]) for said in pair] for pair in zip(ours, other, strict=True)
        ]
        return float(np.mean([one - two for one, two in pairs]))

    random = np.random.default_rng(seed)
    draws = [difference(np.concatenate([places[n] for n in random.choice(names, len(names))])) for _ in range(300)]
    low, high = np.quantile(draws, [0.025, 0.975])
    return f"{difference(np.arange(len(worn))):+.3f} [{low:+.3f}, {high:+.3f}]"


def main() -> None:
    """Print the tables."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--state", type=Path, help="where finished seeds are kept")
    args = options.parse_args()
    table = pd.read_csv(Path(args.data) / "vicomtech_tool_wear" / "Dataset_Machine_tool_wear.csv")[: args.rows]
    tools, worn = table["tool"].to_numpy(), table["Vb"].to_numpy() > WORN
    frame = table.drop(columns=["tool", "Vb"])
    began, errors, said = time.perf_counter(), defaultdict(list), defaultdict(list)
    for seed in range(args.seed, args.seed + args.seeds):
        found, guesses = kept(args.state, seed, lambda seed=seed: measured(frame, tools, worn, seed))
        for name in found:
            errors[name].append(found[name])
        for name in guesses:
            said[name].append(guesses[name])
    head("Error of a left-out column (share of its variance), mean of the seeds; rival: the columns named")
    ours = {name: np.array(errors[name]) for name in OURS}
    for place, what in ((0, "ridge, mean"), (1, "ridge, median"), (2, "network, mean"), (3, "network, median")):
        for name, mine in ours.items():
            for rival in SIMPLE:
                other = np.array(errors[rival])
                bar = f"ours < {other[:, place].mean():.6g}" if rival in ("PCA loadings", "variance") else ""
                row(f"{what}: {name} | {rival} {interval(mine[:, place] - other[:, place])}", mine[:, place].mean(),
                    float(other[:, place].mean()), bar)  # fmt: skip
    head("Balanced accuracy of wear above 300, mean of the seeds; rival: on the columns named")
    score = {name: np.mean([balanced_accuracy_score(worn, guess) for guess in all_]) for name, all_ in said.items()}
    for name in OURS:
        for rival in ("all 152 columns", *SIMPLE):
            row(
                f"{name} | {rival}: {by_tools(worn, tools, said[name], said[rival])}",
                float(score[name]),
                float(score[rival]),
            )
    print(f"{time.perf_counter() - began:.0f} s")


if __name__ == "__main__":
    main()
