"""Anomalies on tables: the default detector beside k-NN(5), PCA residual, isolation forest, PyOD's AE and VAE.

    python -m runs.anomalies --data DIR [--seeds 5] [--rival-seeds 3] [--mode clean|contaminated|alarms]

clean: ADBench sets, shuffled by the seed and cut to 10,000 rows; half of the normal rows train, all others test;
z-scored on the training rows; mean AUROC, sets of one source counted once. contaminated: train on all rows, judge the
same. alarms: rows drawn from one source, a detector for each draw; share of normal rows called anomalies at a nominal
1 % and 5 %, and share of false ones among those named at a nominal rate of false discoveries.
Choices (noise, steps, k, measures, trim) were made on seeds 100 to 103 of twelve sets (DEVELOPED); the other sets are
shown apart. Seconds are processor time of one thread. What was measured is kept in runs/out, so that a run goes on
where it stopped; an absent package leaves its rows out.

Reference: Han, Hu, Huang, Jiang & Zhao (2022), "ADBench: anomaly detection benchmark".
"""

from __future__ import annotations

import json
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from benchmarks.common import head, parser, row
from scipy.stats import binom, t
from sklearn.ensemble import IsolationForest
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from diabolo import AutoencoderDetector, Trainer

OUT = Path(__file__).parent / "out" / "anomalies"
MOST = 10_000
FAMILIES = ({"2_annthyroid", "38_thyroid"}, {"6_cardio", "7_Cardiotocography"}, {"16_http", "34_smtp"})
DEVELOPED = {"2_annthyroid", "5_campaign", "6_cardio", "14_glass", "20_letter", "24_mnist", "29_Pima", "35_SpamBase",
             "37_Stamps", "41_Waveform", "43_WDBC", "47_yeast"}  # fmt: skip
SIMPLE = ("PCA residual", "k-NN(5)", "isolation forest")
WARM: set[str] = set()


def ours(train: np.ndarray, test: np.ndarray, seed: int, trim: float = 0.0) -> Callable[[], np.ndarray]:
    fitted = AutoencoderDetector(trim=trim, random_state=seed).fit(train)
    return lambda: -fitted.score_samples(test)


def neighbours(train: np.ndarray, test: np.ndarray, seed: int) -> Callable[[], np.ndarray]:
    fitted = NearestNeighbors().fit(train)
    same = train is test
    return lambda: fitted.kneighbors(None if same else test, 5)[0][:, -1]


def residual(train: np.ndarray, test: np.ndarray, seed: int) -> Callable[[], np.ndarray]:
    mean = train.mean(0)
    values, axes = np.linalg.eigh(np.cov(train.T).reshape(train.shape[1], -1))
    share = np.cumsum(values[::-1]) / values.sum()
    axes = axes[:, ::-1][:, : int((share < 0.9).sum()) + 1]
    return lambda: np.square((test - mean) - (test - mean) @ axes @ axes.T).sum(1)


def forest(train: np.ndarray, test: np.ndarray, seed: int) -> Callable[[], np.ndarray]:
    fitted = IsolationForest(random_state=seed).fit(train)
    return lambda: -fitted.score_samples(test)


def pyod_ae(train: np.ndarray, test: np.ndarray, seed: int) -> Callable[[], np.ndarray]:
    from pyod.models.auto_encoder import AutoEncoder

    fitted = AutoEncoder(verbose=0, random_state=seed)
    fitted.fit(train)
    return lambda: fitted.decision_function(test)


def pyod_vae(train: np.ndarray, test: np.ndarray, seed: int) -> Callable[[], np.ndarray]:
    from pyod.models.vae import VAE

    fitted = VAE(verbose=0, random_state=seed)
    fitted.fit(train)
    return lambda: fitted.decision_function(test)


METHODS = {"ours": ours, "k-NN(5)": neighbours, "PCA residual": residual, "isolation forest": forest,
           "PyOD AE": pyod_ae, "PyOD VAE": pyod_vae}  # fmt: skip


def rows_of(path: Path, seed: int, mode: str, most: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Training rows, test rows, and which of these are anomalies; in the contaminated mode both are one array."""
    with np.load(path) as held:
        X, y = held["X"].astype(np.float64), held["y"].astype(bool)
    random = np.random.default_rng(seed)
    order = random.permutation(len(X))[:most]
    X, y = X[order], y[order]
    normal = random.permutation(np.flatnonzero(~y))
    train = np.arange(len(X)) if mode == "contaminated" else normal[: len(normal) // 2]
    test = train if mode == "contaminated" else np.setdiff1d(np.arange(len(X)), train)
    spread = X[train].std(0)
    scaled = ((X - X[train].mean(0)) / np.where(spread > 0, spread, 1)).astype(np.float32)
    one = scaled[train]
    return one, one if mode == "contaminated" else scaled[test], y[test]


def measured(path: Path, seed: int, mode: str, method: str, most: int) -> dict[str, float] | None:
    """AUROC and seconds of the fit, from runs/out where they are known; None: the package is not installed."""
    place = OUT / f"{mode}-{path.stem}-{seed}-{method.replace(' ', '_')}{'' if most == MOST else f'-{most}'}.json"
    if place.exists():
        return json.loads(place.read_text())  # type: ignore[no-any-return]
    train, test, truth = rows_of(path, seed, mode, most)
    if not truth.any():
        return None
    made = METHODS[method]
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            if method not in WARM:
                made(train[:64, :4], test, seed)  # imports and first calls are nobody's time
                WARM.add(method)
            began = time.process_time()
            score = (
                ours(train, test, seed, 0.25) if (method, mode) == ("ours", "contaminated") else made(train, test, seed)
            )
            seconds = time.process_time() - began
            area = float(roc_auc_score(truth, np.nan_to_num(score(), posinf=1e30)))
    except ImportError:
        return None
    OUT.mkdir(parents=True, exist_ok=True)
    place.write_text(json.dumps({"auroc": 100 * area, "seconds": seconds}))
    return {"auroc": 100 * area, "seconds": seconds}


def by_family(areas: dict[str, float]) -> float:
    """Mean over families of the mean of their sets."""
    groups = [family & areas.keys() for family in FAMILIES]
    alone = areas.keys() - set().union(*FAMILIES)
    return float(
        np.mean([*(np.mean([areas[n] for n in sorted(g)]) for g in groups if g), *(areas[n] for n in sorted(alone))])
    )


def interval(values: list[float]) -> str:
    """Mean and 95 % interval over seeds."""
    if len(values) < 2:
        return f"{np.mean(values):.2f} (1 seed)"
    half = t.ppf(0.975, len(values) - 1) * np.std(values, ddof=1) / np.sqrt(len(values))
    return f"{np.mean(values):.2f} ± {half:.2f}, {len(values)} seeds"


def compare(args: object, mode: str) -> None:
    """The table of methods, the shortfalls by set, the seconds."""
    paths = sorted((Path(args.data) / "adbench").glob("*.npz"), key=lambda path: int(path.stem.split("_")[0]))
    sizes = {path.stem: len(np.load(path)["y"]) for path in paths}
    most = args.rows or MOST
    names = [name for name in METHODS if mode == "clean" or not name.startswith("PyOD")]
    names = [name for name in names if args.only is None or name in args.only.split(",")]
    found: dict[str, dict[int, dict[str, dict[str, float]]]] = {name: {} for name in names}
    for name in names:
        for seed in range(args.rival_seeds if name.startswith("PyOD") else args.seeds):
            cells = {path.stem: measured(path, seed, mode, name, most) for path in paths}
            if any(cells.values()):  # a cut may hold no anomaly at all
                found[name][seed] = {key: cell for key, cell in cells.items() if cell}
                print(f"{name}, seed {seed}: {mean_of(found[name][seed]):.2f}", flush=True)
    if found.get("ours"):
        report(found, sizes, mode)


def mean_of(cells: dict[str, dict[str, float]], keep: set[str] | None = None) -> float:
    return by_family({name: cell["auroc"] for name, cell in cells.items() if keep is None or name in keep})


def report(found: dict, sizes: dict[str, int], mode: str) -> None:
    """Print what was measured."""
    head(f"ADBench, {mode}: mean AUROC of {len(sizes)} sets, families once")
    own = found["ours"]
    fresh = sizes.keys() - DEVELOPED
    bars = {"k-NN(5)": 1.0, "PyOD AE": 3.0} if mode == "clean" else {"isolation forest": 1.0}
    print(f"ours: {interval([mean_of(cells) for cells in own.values()])}")
    for name in [name for name in found if name != "ours" and found[name]]:
        both = sorted(own.keys() & found[name].keys())
        leads = [mean_of(own[seed]) - mean_of(found[name][seed]) for seed in both]
        apart = [mean_of(own[seed], fresh) - mean_of(found[name][seed], fresh) for seed in both]
        bar = f"ratio >= {bars[name]}" if name in bars else ""
        print(f"{name}: {interval([mean_of(found[name][seed]) for seed in both])}; lead {interval(leads)}; "
              f"on the {len(fresh)} sets nothing was chosen on {interval(apart)}")  # fmt: skip
        mine = float(np.mean([mean_of(own[seed]) for seed in both]))
        row(f"lead over {name}", mine, mine - float(np.mean(leads)), bar, ratio=float(np.mean(leads)))
        spent = [sum(cell["seconds"] for cell in cells[seed].values()) for cells in (own, found[name]) for seed in both]
        half = len(spent) // 2
        if name.startswith("PyOD"):
            row(
                f"no slower than {name}, and ahead of it",
                "",
                None,
                "ratio >= 1",
                ratio=sum(spent[half:]) / sum(spent[:half]),
            )
        row(f"seconds to fit all sets, {name} / ours", sum(spent[:half]) / half, sum(spent[half:]) / half,
            "ratio >= 5" if name.startswith("PyOD") else "", ratio=sum(spent[half:]) / sum(spent[:half]))  # fmt: skip
    if mode == "clean" and all(found.get(name) for name in SIMPLE):
        shortfalls(found, sizes)


def shortfalls(found: dict, sizes: dict[str, int]) -> None:
    """How far the best of the simple methods is ahead, set by set, mean over seeds."""
    names = ("ours", *SIMPLE)
    seeds = sorted(set.intersection(*(set(found[name]) for name in names)))

    def mean(name: str, key: str) -> float:
        return float(np.mean([found[name][seed][key]["auroc"] for seed in seeds if key in found[name][seed]]))

    table = {name: {key: mean(name, key) for key in sizes} for name in names}
    short = {key: max(table[name][key] for name in SIMPLE) - table["ours"][key] for key in sizes if sizes[key] >= 1000}
    for key in sizes:
        print(f"  {key:22s} " + "  ".join(f"{name} {table[name][key]:5.1f}" for name in names))
    worst = sorted((key for key in short if short[key] > 5), key=lambda key: short[key], reverse=True)
    what = "shortfall to the best of three, sets of 1,000 rows and more"
    row(f"median {what}", float(np.median(list(short.values()))), None, "ours <= 1")
    listed = ", ".join(f"{key} {short[key]:.1f}" for key in worst) or "none"
    row(f"{what}: above 5: {listed}", len(worst), None, "ours <= 3")


def drawn(rows: int, random: np.random.Generator) -> np.ndarray:
    """Ten columns on a curved surface of three dimensions, with noise of heavy tails."""
    z = random.normal(size=(rows, 3))
    mixing = np.random.default_rng(7).normal(size=(3, 10))
    return (np.sin(z @ mixing) + 0.3 * z @ mixing + 0.1 * random.standard_t(3, size=(rows, 10))).astype(np.float32)


def alarms(args: object) -> None:
    """One normal row a detector, so that trials are independent; then rows among which some are anomalies."""
    head(f"False alarms on exchangeable rows: {args.draws} detectors, one new row each")
    for name, rows, folds in (("split, 200 held out", 800, 1), ("in turn, 120 rows", 120, 3)):
        p = np.array([one_row(folds, rows, draw) for draw in range(args.draws)])
        for level in (0.01, 0.05):
            low, high = binom.ppf([0.005, 0.995], args.draws, level)
            what = f"{name}: alarms at {level:.0%} (99 % interval {low:.0f} to {high:.0f})"
            row(what, int((p <= level).sum()), None, f"ours >= {low:.0f} and ours <= {high:.0f}")
    for level in (0.05, 0.2):
        both = np.array([many_rows(level, draw) for draw in range(args.draws // 10)])
        false, power = both.mean(0)
        error = both[:, 0].std() / len(both) ** 0.5
        what = f"false discoveries at {level:.0%}, 40 of 200 rows strange ({power:.0%} named; error {error:.3f})"
        row(what, float(false), None, f"ours <= {level}")


def kept(name: str, make: Callable[[], list[float]]) -> list[float]:
    """What was measured once, from runs/out."""
    path = OUT / f"{name}.json"
    if not path.exists():
        OUT.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(make()))
    return json.loads(path.read_text())  # type: ignore[no-any-return]


def one_row(folds: int, rows: int, draw: int) -> float:
    """The p-value of one new normal row, by a detector of its own."""

    def make() -> list[float]:
        random = np.random.default_rng(draw)
        return small(folds, draw).fit(drawn(rows, random)).p_values(drawn(1, random)).tolist()

    return kept(f"alarm-{folds}-{rows}-{draw}", make)[0]


def many_rows(level: float, draw: int) -> list[float]:
    """Share of false ones among those named, and share of the anomalies named."""

    def make() -> list[float]:
        random = np.random.default_rng(10_000 + draw)
        model = small(1, draw).fit(drawn(4000, random))
        rows = drawn(200, random)
        rows[:40] = random.permuted(rows[:40], axis=0) + 0.5 * random.normal(size=(40, 10))
        named = model.discoveries(rows, level)
        return [float(named[40:].sum() / max(1, named.sum())), float(named[:40].mean())]

    return kept(f"named-{level}-{draw}", make)


def small(folds: int, seed: int) -> AutoencoderDetector:
    trainer = Trainer(epochs=20, batch_size=256, optimizer="adam", lr=0.01, validation=0.0)
    return AutoencoderDetector(folds=folds, trainer=trainer, random_state=seed)


def main() -> None:
    """Print the table of the mode."""
    options = parser(__doc__)
    options.add_argument("--mode", choices=("clean", "contaminated", "alarms"), default="clean")
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--rival-seeds", type=int, default=3, help="of PyOD's detectors, which are slow")
    options.add_argument("--draws", type=int, default=1000, help="detectors of the mode alarms")
    options.add_argument("--only", help="methods, with commas between")
    args = options.parse_args()
    if args.mode == "alarms":
        alarms(args)
    else:
        compare(args, args.mode)


if __name__ == "__main__":
    main()
