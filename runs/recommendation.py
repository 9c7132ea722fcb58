"""Recommenders on MovieLens: nDCG@100 and recall of users not seen in training, autoencoders beside EASE.

    python -m runs.recommendation --data DIR --work DIR                both sets (resumes what is in --work)
    python -m runs.recommendation --data DIR --time                    seconds alone, on an idle machine

ML-100k: ratings of 4 and 5, users of 5 items and more; five folds over users, of whom the test fold is told 80 % of
its items and asked for the rest; nothing is chosen on them: the penalty is 200, Mult-VAE's settings are the paper's
(600-200-600, tanh, half of the input dropped, beta rising to .2 over the first half, Adam 1e-3) but for the batch and
the epochs. ML-1M implicit: its three files merged, 600 users held out to choose on and 600 to test (seed 98765), both
told 80 % of their items. Chosen on the first 600: EASE's penalty, EDLAE's penalty and dropout, the end of beta, the
share of EDLAE in the mean with each autoencoder. Cold items (ML-100k): a fifth of the items is hidden from training;
their scores come from titles and genres alone; AUC of the items a test user has among them.

Reference: Liang, Krishnan, Hoffman & Jebara (2018), "Variational autoencoders for collaborative filtering"; Steck
(2019), "Embarrassingly shallow autoencoders for sparse data"; Steck (2020), "Autoencoders that don't overfit towards
the identity".
"""

from __future__ import annotations

import csv
import statistics
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import Marks, head, parser, row, seconds
from scipy.sparse import csr_matrix, vstack
from scipy.stats import rankdata

from diabolo import VAE, Autoencoder, Recommender, Trainer
from diabolo.core.metrics import bootstrap_mean
from diabolo.data import open as open_source
from diabolo.tasks.item_weights import gram, linear_weights
from diabolo.tasks.ranking import measured
from diabolo.tasks.recommend import standard
from diabolo.tasks.recommend_rivals import item_neighbours, popularity
from diabolo.tasks.side_items import features

from .record import record, spread

SEED, FOLDS, HELD = 98765, 5, 600
GAIN, RECALL = "nDCG@100", "recall@20"
PENALTIES, DROPOUTS, SHARES = (100, 200, 400, 800, 1600), (0.25, 0.5), (0.25, 0.5, 0.75)
NETWORK = "dense(activation='tanh', hides=0.5)"
Scores = dict[str, np.ndarray]


def trainer(epochs: int, batch: int, callbacks: tuple[Any, ...] = ()) -> Trainer:
    """Adam at a constant rate, nothing held out."""
    return Trainer(epochs=epochs, batch_size=batch, optimizer="adam", lr=1e-3, schedule="constant", validation=0.0,
                   callbacks=callbacks)  # fmt: skip


def vae(code: int, hidden: int, beta: float, epochs: int, batch: int, rising: bool = True) -> VAE:
    """Mult-VAE."""
    weight = f"linear(start=0.0, end={beta}, share=0.5)" if rising else beta
    return VAE(code, network=NETWORK, hidden=(hidden,), beta=weight, trainer=trainer(epochs, batch), random_state=0)


def log_shares(model: Any, told: csr_matrix) -> np.ndarray:
    """Scores of an autoencoder."""
    return np.log(np.maximum(model.reconstruct(told), 1e-30)).astype(np.float32)


def parts(matrix: csr_matrix, draw: np.random.Generator) -> tuple[csr_matrix, csr_matrix]:
    """What is told (80 %) and what is asked for."""
    told = matrix.copy()
    told.data = (draw.random(matrix.nnz) < 0.8).astype(np.float32)
    asked = csr_matrix(matrix - told)
    told.eliminate_zeros()
    asked.eliminate_zeros()
    return told, asked


# ML-100k --------------------------------------------------------------------------------------------------------


def liked(path: Path) -> tuple[csr_matrix, tuple[str, ...]]:
    """Users of 5 liked items and more, and the items' names."""
    source = open_source(path, as_="interactions")
    made = (source.rows >= 4).astype(np.float32).tocsr()
    made = made[np.diff(made.indptr) >= 5]
    some = np.asarray(made.sum(0)).ravel() > 0
    return made[:, some].tocsr(), tuple(np.array(source.columns)[some])


def folds(args: Namespace) -> None:
    """Every method on five folds of ML-100k."""
    matrix, names = liked(Path(args.data) / "movielens_100k" / "u.data")
    draw = np.random.default_rng(SEED)
    fold = draw.permutation(matrix.shape[0]) % FOLDS
    told, asked = parts(matrix, draw)
    found: dict[str, list[dict[str, np.ndarray]]] = {}
    for number in range(FOLDS):
        train, test = matrix[fold != number], fold == number
        for name, scores in small(args, number, train, told[test]).items():
            found.setdefault(name, []).append(measured(scores, told[test], asked[test]))
    head(f"ML-100k, {matrix.shape[0]} users x {matrix.shape[1]} items, five folds over users: rival is EASE")
    report({name: {k: np.concatenate([f[k] for f in v]) for k in v[0]} for name, v in found.items()},
           {"popularity": "ours >= .24 and ours <= .27", "Mult-VAE": "ours >= .41"})  # fmt: skip
    means = {name: [float(fold[GAIN].mean()) for fold in values] for name, values in found.items()}
    print(f"\nMult-VAE over the folds: {spread(means['Mult-VAE']).replace('seeds', 'folds')}")
    record("vae", "ML-100k, implicit, five folds over users: nDCG@100", means["Mult-VAE"],
           published=".41 to .44 (Mult-VAE, same protocol, measured elsewhere)",
           rival=f"EASE {statistics.fmean(means['EASE']):.3f}, popularity {statistics.fmean(means['popularity']):.3f}",
           command="python -m runs.recommendation --data DIR --work DIR")  # fmt: skip
    cold(Path(args.data) / "movielens_100k" / "items.tsv", matrix, names, told[fold == 0], fold)


def small(args: Namespace, number: int, train: csr_matrix, told: csr_matrix) -> Scores:
    """Scores of one fold by every method."""
    counts = gram(train)
    linear = {name: told @ linear_weights(counts, 200, drop) for name, drop in (("EASE", 0.0), ("EDLAE", 0.5))}
    deep = kept(args, f"100k-vae-{number}", lambda: [log_shares(vae(200, 600, 0.2, 50, 100).fit(train), told)])[0]
    mean = standard(deep) + standard(linear["EDLAE"])
    return {
        "popularity": popularity(train, told), "nearest items": item_neighbours(train, told, counts), **linear,
        "Mult-VAE": deep, "mean of Mult-VAE and EDLAE": mean,
    }  # fmt: skip


def cold(path: Path, matrix: csr_matrix, names: tuple[str, ...], told: csr_matrix, fold: np.ndarray) -> None:
    """AUC of hidden items by their titles and genres, mean over users of fold 0 who have some of them and not all."""
    with path.open(encoding="utf-8") as file:
        texts = {line[0]: " ".join(line[1:2] + line[3:]) for line in csv.reader(file, delimiter="\t")}
    hidden = np.random.default_rng(SEED).random(len(names)) < 0.2
    words = features([texts.get(name, "") for name in names])
    model = Recommender(kind="edlae", penalty=200.0).fit(matrix[fold != 0][:, ~hidden])
    scores = model.cold_scores(told[:, ~hidden], words[~hidden], words[hidden])
    had = matrix[fold == 0][:, hidden].toarray() > 0
    some = had.any(1) & ~had.all(1)
    values = auc(scores[some], had[some])
    head("ML-100k: items nobody has had, by title and genres")
    row(f"AUC over {some.sum()} users ({bootstrap_mean(values)})", float(values.mean()), 0.5, "ours > .5")


def auc(scores: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Chance that an item wanted is ranked above one that is not, of every user."""
    ranks, count = rankdata(scores, axis=1), wanted.sum(1)
    below = (ranks * wanted).sum(1) - count * (count + 1) / 2
    return below / (count * (wanted.shape[1] - count))


# ML-1M ----------------------------------------------------------------------------------------------------------


def merged(folder: Path) -> csr_matrix:
    """The interactions of all three files, ones."""
    sources = [open_source(folder / f"{name}.txt", as_="interactions") for name in ("train", "valid", "test")]
    users = np.unique(np.concatenate([source.keys["user"] for source in sources]))
    items = sorted({int(name) for source in sources for name in source.columns})
    made = []
    for source in sources:
        triples = source.rows.tocoo()
        rows = np.searchsorted(users, source.keys["user"])[triples.row]
        columns = np.searchsorted(items, np.array(source.columns, int))[triples.col]
        made.append(csr_matrix((triples.data, (rows, columns)), shape=(len(users), len(items))))
    whole = csr_matrix(sum(made[1:], made[0]))
    whole.data[:] = 1
    return whole


def large(args: Namespace) -> None:
    """Every method on 600 users of ML-1M, what is free chosen on 600 others."""
    matrix = merged(Path(args.data) / "movielens_1m_implicit")
    draw = np.random.default_rng(SEED)
    order = draw.permutation(matrix.shape[0])[: args.rows]
    test, valid, train = order[:HELD], order[HELD : 2 * HELD], matrix[order[2 * HELD :]]
    some = np.asarray(train.sum(0)).ravel() > 0
    train, held = train[:, some], [parts(matrix[users][:, some], draw) for users in (valid, test)]
    told = csr_matrix(vstack([held[0][0], held[1][0]]))
    print(f"ML-1M: {train.shape[0]} users x {train.shape[1]} items to learn from", flush=True)
    tried = {**linear(train, told), **deep(args, train, told)}
    mixes: dict[str, Scores] = {}
    flat, best = standard(chosen("EDLAE", tried, held[0])), chosen("Mult-VAE, annealed", tried, held[0])
    for name, scores in (("Mult-VAE", best), ("Mult-DAE", tried["Mult-DAE"][""])):
        mixes[f"mean of {name} and EDLAE"] = {
            f"share {share}": (1 - share) * standard(scores) + share * flat for share in SHARES
        }
    found, before = {}, {}
    for name, variants in {**tried, **mixes}.items():
        scores = chosen(name, {name: variants}, held[0], say=True)
        found[name] = measured(scores[HELD:], *held[1])
        before[name] = float(measured(scores[:HELD], *held[0])[GAIN].mean())
    head("ML-1M implicit, 600 users not seen in training: rival is EASE (paired over users)")
    report(found, {})
    gap = found["Mult-VAE, annealed"][GAIN] - found["Mult-VAE, beta 1"][GAIN]
    row(f"annealed - (beta = 1), {paired(gap)}", float(gap.mean()), None, "ours >= .03")
    ours = max((name for name in before if "AE" in name), key=lambda name: before[name])
    gap = found[ours][GAIN] - found["EASE"][GAIN]
    row(f"best autoencoder by validation ({ours}) - EASE, {paired(gap)}", float(gap.mean()), None, "ours >= -.005")
    record("vae", "ML-1M implicit, 600 users not seen: nDCG@100", [float(found["Mult-VAE, annealed"][GAIN].mean())],
           published=".430 (annealed), .384 (beta 1); ratings above 3.5, another split",
           rival=f"EASE {found['EASE'][GAIN].mean():.3f}, popularity {found['popularity'][GAIN].mean():.3f}",
           command="python -m runs.recommendation --data DIR --work DIR")  # fmt: skip


def linear(train: csr_matrix, told: csr_matrix) -> dict[str, Scores]:
    """Methods without training."""
    counts = gram(train)
    return {
        "popularity": {"": popularity(train, told)},
        "nearest items": {"": item_neighbours(train, told, counts)},
        "EASE": {f"penalty {p}": told @ linear_weights(counts, p) for p in PENALTIES},
        "EDLAE": {
            f"penalty {p}, dropout {d}": told @ linear_weights(counts, p, d) for p in PENALTIES for d in DROPOUTS
        },
    }


def deep(args: Namespace, train: csr_matrix, told: csr_matrix) -> dict[str, Scores]:
    """Autoencoders of a hidden layer."""
    n = args.epochs

    def fitted(model: Any) -> Callable[[], list[np.ndarray]]:
        return lambda: [log_shares(model.fit(train), told)]

    dae = Autoencoder(200, network=NETWORK, hidden=(), trainer=trainer(n, 250), random_state=0)
    wide = {f"beta {b}": kept(args, f"1m-vae-{b}-{n}", fitted(vae(70, 200, b, n, 250)))[0] for b in (0.1, 0.3)}
    return {
        "Mult-VAE, beta 1": {"": kept(args, f"1m-one-{n}", fitted(vae(70, 200, 1.0, n, 250, rising=False)))[0]},
        "Mult-VAE, annealed": wide,
        "Mult-DAE": {"": kept(args, f"1m-dae-{n}", fitted(dae))[0]},
    }


def chosen(name: str, tried: dict[str, Scores], held: Any, say: bool = False) -> np.ndarray:
    """The variant that does best on the users to choose on."""
    gains = {which: float(measured(scores[:HELD], *held)[GAIN].mean()) for which, scores in tried[name].items()}
    best = max(gains, key=lambda which: gains[which])
    if say and len(gains) > 1:
        print(f"{name}: {best} of " + ", ".join(f"{w}: {g:.4f}" for w, g in gains.items()), flush=True)
    return tried[name][best]


# both -----------------------------------------------------------------------------------------------------------


def kept(args: Namespace, name: str, make: Callable[[], list[np.ndarray]]) -> list[np.ndarray]:
    """What a fit gave, from the working folder where it is there already."""
    path = Path(args.work) / f"{name}.npz" if args.work else None
    if path is not None and path.exists():
        with np.load(path) as held:
            return [held[key] for key in held.files]
    took, made = seconds(make)
    print(f"{name}: {took:.0f} s", flush=True)
    if path is not None:
        path.parent.mkdir(parents=True, exist_ok=True)
        np.savez(path, *made)
    return made


def report(found: dict[str, dict[str, np.ndarray]], bars: dict[str, str]) -> None:
    """A row of gain and one of recall for every method; the paired difference to EASE beside the name."""
    rival = found["EASE"]
    for name, values in found.items():
        gap = "" if name == "EASE" else f" - EASE {paired(values[GAIN] - rival[GAIN])}"
        row(f"{name}, {GAIN}{gap}", float(values[GAIN].mean()), float(rival[GAIN].mean()), bars.get(name, ""))
        for what in (RECALL, "recall@50"):
            row(f"{name}, {what}", float(values[what].mean()), float(rival[what].mean()))


def paired(gap: np.ndarray) -> str:
    """Mean difference over users and its 95 % interval."""
    found = bootstrap_mean(gap + 1)
    return f"{gap.mean():+.4f} [{found.low - 1:+.4f}, {found.high - 1:+.4f}]"


def timed(args: Namespace) -> None:
    """Seconds of EASE, of an epoch, and of 600 users' recommendations."""
    matrix = merged(Path(args.data) / "movielens_1m_implicit")
    took = min(seconds(lambda: linear_weights(gram(matrix), 400.0))[0] for _ in range(3))
    marks = Marks()
    model = VAE(70, network=NETWORK, hidden=(200,), beta=0.2, trainer=trainer(6, 250, (marks,)), random_state=0)
    model.fit(matrix)
    head(f"seconds, {matrix.shape[0]} users x {matrix.shape[1]} items")
    row("EASE, counts and inverse", took, None, "ours <= 1")
    row("an epoch of I-200-70-200-I, batch 250", statistics.median(np.diff(marks.times)), None, "ours <= .3")
    easy = Recommender(kind="ease", penalty=400.0).fit(matrix)
    row("top 100 of 600 users", seconds(lambda: easy.recommend(matrix[:600], 100))[0])


def main() -> None:
    """Both sets, or the seconds."""
    options = parser(__doc__)
    options.add_argument("--work", help="folder of what is done already")
    options.add_argument("--epochs", type=int, default=60, help="of the autoencoders on ML-1M")
    options.add_argument("--time", action="store_true", help="seconds alone")
    options.add_argument("--set", choices=("100k", "1m"), help="one of the two")
    args = options.parse_args()
    if args.time:
        timed(args)
        return
    if args.set != "1m":
        folds(args)
    if args.set != "100k":
        large(args)


if __name__ == "__main__":
    main()
