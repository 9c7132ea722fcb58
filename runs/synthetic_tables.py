"""Synthetic tables: trained on synthetic, tested on real, beside SMOTE, TVAE and a Gaussian copula.

    python -m runs.synthetic_tables --data DIR [--seeds 5] [--tvae 2] [--sets yeast,fault]

Six sets of ADBench with at least 1,000 rows and 10 % anomalies, the label a column like any other: yeast,
Cardiotocography, fault, SpamBase, campaign, skin; at most 10,000 rows each, drawn by the seed. (InternetAds, the
seventh, was left out before anything was run: TVAE takes too long on its 1,555 columns.) 70 % teach, 30 % test, by
class. From the teaching part as many new rows are made; scikit-learn's histogram gradient boosting (its defaults, no
early stopping) is taught by them and tested on real rows: AUROC. Nearest: distance to the closest teaching row, in
units of that of test rows; columns standardised; the smaller of the ratios of means and of medians.

ours          AutoencoderGenerator as it comes: fit(X, y), sample(n)
no code       its sampler on the rows by rank, without an autoencoder
SMOTE         all rows replaced by points between a row and one of its 5 nearest of its class, as in TabDDPM's paper
TVAE          package ctgan, its defaults (300 epochs); y and columns of two values given as discrete; fewer seeds
copula        Gaussian copula of all columns
Settings were found on other sets (Pima, breast cancer, annthyroid, mammography, Waveform, letter, mnist, optdigits).
What is measured is kept in runs/out/synthetic_tables.json; the script resumes from it.

Reference: Kotelnikov, Baranchuk, Rubachev & Babenko (2023), "TabDDPM: modelling tabular data with diffusion models";
Xu, Skoularidou, Cuesta-Infante & Veeramachaneni (2019), "Modeling tabular data using conditional GAN" (TVAE).
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from benchmarks.common import head, parser, row
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from sklearn.neighbors import NearestNeighbors
from sklearn.preprocessing import StandardScaler

from diabolo import AutoencoderGenerator
from diabolo.data import TableProcessor
from diabolo.tasks.closeness import Closeness, duplicates
from diabolo.tasks.neighbourhood import Neighbourhood
from diabolo.tasks.quality import copula

from .record import spread

SETS = {
    "yeast": "47_yeast", "Cardiotocography": "7_Cardiotocography", "fault": "12_fault", "SpamBase": "35_SpamBase",
    "campaign": "5_campaign", "skin": "33_skin",
}  # fmt: skip
CAP, OUT = 10_000, Path(__file__).parent / "out" / "synthetic_tables.json"
Maker = Callable[[pd.DataFrame, int], pd.DataFrame]


def halves(path: Path, seed: int, rows: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The rows that teach and those that test, with the label as column y."""
    with np.load(path, allow_pickle=False) as held:
        X, y = held["X"].astype(np.float64), held["y"].astype(int)
    some = np.random.default_rng(seed).permutation(len(X))[:rows]
    frame = pd.DataFrame(X[some], columns=[f"x{place}" for place in range(X.shape[1])]).assign(y=y[some])
    teach, test = train_test_split(frame, test_size=0.3, stratify=frame["y"], random_state=seed)
    return teach.reset_index(drop=True), test.reset_index(drop=True)


def ours(teach: pd.DataFrame, seed: int) -> pd.DataFrame:
    model = AutoencoderGenerator(random_state=seed).fit(teach.drop(columns="y"), teach["y"])
    X, y = model.sample(len(teach), random_state=seed)
    return X.assign(y=y)


def no_code(teach: pd.DataFrame, seed: int) -> pd.DataFrame:
    """The sampler's neighbours and draws, on the rows by rank themselves."""
    X, draw = teach.drop(columns="y"), np.random.default_rng(seed)
    reader = TableProcessor(ranks=True).fit(X)
    values = reader.encode(X)["x"].numpy()
    hood = Neighbourhood.of(values, np.zeros((len(X), 1), np.float32), teach["y"].to_numpy(), 20)
    made, _ = hood.draw(draw.permutation(len(X)), draw)
    index = np.random.default_rng(seed).permutation(len(X))
    return reader.invert(torch.from_numpy(made)).assign(y=teach["y"].to_numpy()[index])


def smote(teach: pd.DataFrame, seed: int) -> pd.DataFrame:
    """Every row replaced by a point between a row and one of its 5 nearest of its class."""
    draw, X, y = np.random.default_rng(seed), teach.drop(columns="y").to_numpy(), teach["y"].to_numpy()
    scaled, made, labels = StandardScaler().fit_transform(X), [], []
    for name in np.unique(y):
        own = np.flatnonzero(y == name)
        near = NearestNeighbors(n_neighbors=min(6, len(own))).fit(scaled[own]).kneighbors(scaled[own])[1][:, 1:]
        one = draw.integers(len(own), size=len(own))
        other = near[one, draw.integers(near.shape[1], size=len(own))]
        made.append(X[own[one]] + draw.random((len(own), 1)) * (X[own[other]] - X[own[one]]))
        labels.append(np.full(len(own), name))
    return pd.DataFrame(np.concatenate(made), columns=teach.columns[:-1]).assign(y=np.concatenate(labels))


def tvae(teach: pd.DataFrame, seed: int) -> pd.DataFrame:
    from ctgan import TVAE

    np.random.seed(seed)
    torch.manual_seed(seed)
    few = [name for name in teach.columns if teach[name].nunique() <= 2]
    model = TVAE()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model.fit(teach, few)
        made = model.sample(len(teach))
    return made.astype({"y": int})


MAKERS: dict[str, Maker] = {
    "real": lambda teach, seed: teach,
    "SMOTE": smote,
    "ours": ours,
    "no code": no_code,
    "copula": lambda teach, seed: copula(teach, len(teach), seed),
    "TVAE": tvae,
}


def measured(teach: pd.DataFrame, test: pd.DataFrame, made: pd.DataFrame, seed: int) -> dict[str, float]:
    """AUROC on test rows of what new rows teach, how near they are to teaching rows, and exact copies."""
    X, y = made.drop(columns="y"), made["y"].to_numpy()
    score = 0.5
    if len(np.unique(y)) > 1:
        forest = HistGradientBoostingClassifier(random_state=seed, early_stopping=False).fit(X.to_numpy(), y)
        score = float(roc_auc_score(test["y"], forest.predict_proba(test.drop(columns="y").to_numpy())[:, 1]))
    close = Closeness(teach.drop(columns="y"), seed)
    near = close.ratio(X, test.drop(columns="y"))
    return {"score": score, "nearest": near, "copies": float(duplicates(X, teach.drop(columns="y")))}


def run(args: Any) -> dict[str, dict[str, float]]:
    """Measure what is not yet measured; key: set, method, seed."""
    found: dict[str, Any] = json.loads(OUT.read_text("utf-8")) if OUT.exists() else {}
    OUT.parent.mkdir(exist_ok=True)
    for method, make in ((method, MAKERS[method]) for method in args.methods.split(",")):
        for name in args.sets.split(","):
            for seed in range(args.tvae if method == "TVAE" else args.seeds):
                key = f"{name}, {method}, {seed}, {args.rows or CAP}"
                if key in found:
                    continue
                teach, test = halves(Path(args.data) / "adbench" / f"{SETS[name]}.npz", seed, args.rows or CAP)
                began = time.perf_counter()
                try:
                    made = make(teach, seed)
                except ImportError as error:
                    print(f"{method} is left out: {error}", flush=True)
                    break
                seconds = time.perf_counter() - began
                found[key] = {**measured(teach, test, made, seed), "seconds": seconds}
                print(key, {what: round(value, 4) for what, value in found[key].items()}, flush=True)
                OUT.write_text(json.dumps(found, indent=0), "utf-8")
    return found


def main() -> None:
    """Measure, and print a row for every set and method."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--tvae", type=int, default=2, help="seeds of TVAE, which is slow")
    options.add_argument("--sets", default=",".join(SETS))
    options.add_argument("--methods", default=",".join(MAKERS), help="what to measure now, of what is not yet known")
    args = options.parse_args()
    found = run(args)

    def values(name: str, method: str, what: str) -> list[float]:
        keys = [f"{name}, {method}, {seed}, {args.rows or CAP}" for seed in range(args.seeds)]
        return [found[key][what] for key in keys if key in found]

    means: dict[str, dict[str, float]] = {}
    head("Taught by synthetic rows, AUROC on real ones: rival is SMOTE; and distance to the closest real row")
    for name in args.sets.split(","):
        rival = float(np.mean(values(name, "SMOTE", "score")))
        for method in MAKERS:
            if not values(name, method, "score"):
                continue
            score, near = values(name, method, "score"), values(name, method, "nearest")
            means.setdefault(method, {})[name] = float(np.mean(score))
            bar = "ratio >= 0.97" if method == "ours" else ""
            row(f"{name}, {method}: {spread(score)}", float(np.mean(score)), rival, bar)
            bar = "ours >= 0.8" if method == "ours" else ""
            row(f"{name}, {method}: nearest {spread(near, 3)}", float(np.mean(near)), 1.0, bar)
    every = {method: float(np.mean(list(held.values()))) for method, held in means.items()}
    for method, mean in every.items():
        row(f"mean of sets, {method}", mean, every["SMOTE"], "ratio >= 0.97" if method == "ours" else "")
    if "TVAE" in every:
        both = list(means["TVAE"])
        row("mean of sets, ours beside TVAE", float(np.mean([means["ours"][name] for name in both])),
            every["TVAE"], "ratio > 1")  # fmt: skip
        row("sets where ours is above TVAE", float(sum(means["ours"][n] > means["TVAE"][n] for n in both)), len(both))


if __name__ == "__main__":
    main()
