"""Search by codes: how many of a class are found, by numbers and by bits, and how fast in a million.

    python -m runs.search --data DIR [--seeds 3] [--sets mnist cifar10] [--million]

Retrieval (mAP): 1,000 pictures of MNIST, 100 a digit, are the queries and the other 69,000 the database; of
`cifar10_subset` 200, 20 a class, and 4,800. Of the same class means relevant; the average precision of a query is over
the whole database, ties in the order of its rows, which is random. Everything is learnt from the database without its
labels. Ours: 32 values of an autoencoder, by cosine; the same turned into bits by iterative quantisation (what
``SearchIndex(kind="binary")`` does); bits of a binary bottleneck. Rivals: as many principal components, by cosine and
by distance; PCA-ITQ; the signs of the components; the pixels. Network, corruption and epochs were chosen on other
queries, in a seventh of the database (``--tune``).

Speed (``--million``): a million codes of 32 values: MNIST's training pictures, each 17 times, warped (shifts of up to 3
pixels, stretches of up to 20 %), encoded by the autoencoder above; queries are 1,000 test pictures warped likewise, so
no query is in the index. HNSW against exact search, ours and FAISS's flat index, one thread each, in turn. Codes,
graph and the results of every seed are kept under runs/out, so that a run that is stopped goes on.

Reference: Gong & Lazebnik (2011), "Iterative quantization"; the protocol is that of Erin Liong et al. (2015), "Deep
hashing for compact binary codes learning": ITQ 41.2, 43.8 and 45.4 % at 16, 32 and 64 bits.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, labels, mnist, parser, row
from sklearn.decomposition import PCA

from diabolo import Autoencoder, SearchIndex, Trainer, data
from diabolo.core import Batch
from diabolo.corruptions.warp import Warp
from diabolo.tasks.hashing import itq
from diabolo.tasks.nearest import Exact, unit

from .record import spread

VALUES, BITS = 32, (16, 32, 64)
WARP = "warp(shift=2.0, stretch=0.15, image={image})"
SETS = {
    "mnist": ((28, 28), 100, {"epochs": 6, "batch_size": 100, "optimizer": "adam", "lr": 2e-3, "validation": 0.0}),
    "cifar10": ((32, 32, 3), 20, {"epochs": 30, "batch_size": 100, "optimizer": "adam", "lr": 2e-3, "validation": 0.0}),
}
COPIES, KEPT = 17, Path(__file__).parent / "out" / "search"


# retrieval --------------------------------------------------------------------------------------------------


def precision(queries: np.ndarray, base: np.ndarray, asked: np.ndarray, known: np.ndarray) -> float:
    """Mean average precision in per cent, rows in the order of their product with the query."""
    found = []
    for begin in range(0, len(queries), 100):
        score = queries[begin : begin + 100] @ base.T
        order = np.argsort(-score, axis=1, kind="stable")
        for place, first in enumerate(order):
            hits = np.flatnonzero(known[first] == asked[begin + place])
            found.append((np.arange(1, len(hits) + 1) / (hits + 1)).mean())
    return 100 * float(np.mean(found))


def euclidean(queries: np.ndarray, base: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Vectors whose products are in the order of minus the distance."""
    half = 0.5 * np.square(base).sum(1, keepdims=True)
    return np.hstack([queries, -np.ones((len(queries), 1), np.float32)]), np.hstack([base, half])


def signs(values: np.ndarray) -> np.ndarray:
    """-1 below 0, else 1."""
    return np.where(values < 0, -1, 1).astype(np.float32)


def quantised(codes: np.ndarray, others: np.ndarray, bits: int) -> tuple[np.ndarray, np.ndarray]:
    """Bits of queries and database, turned as learnt from 20,000 of the database."""
    some = others[np.random.default_rng(0).permutation(len(others))[:20_000]]
    mean, turn = itq(some.astype(np.float64), bits)
    return signs((codes - mean) @ turn), signs((others - mean) @ turn)


def encoder(name: str, size: int, seed: int, **parts: Any) -> Autoencoder:
    """The autoencoder of a set."""
    image, _, knobs = SETS[name]
    kept = {"network": "dense", "hidden": (512,), "loss": "bernoulli", "corruption": WARP.format(image=image), **parts}
    return Autoencoder(size, **kept, trainer=Trainer(**knobs), random_state=seed)


def split(y: np.ndarray, each: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Rows that are queries, so many a class, and the rest in a random order."""
    order = np.random.default_rng(seed).permutation(len(y))
    asked = np.concatenate([order[y[order] == one][:each] for one in np.unique(y)])
    return asked, order[~np.isin(order, asked)]


def retrieval(name: str, X: np.ndarray, y: np.ndarray, seed: int, tune: bool) -> dict[str, float]:
    """Method -> mAP."""
    asked, base = split(y, SETS[name][1], seed)
    learn = base
    if tune:
        few, some = (len(base) // part for part in (120, 7))
        asked, base, learn = base[:few], base[few : few + some], base[few + some :]
    Q, D, L = X[asked], X[base], X[learn]
    score = lambda pair: precision(*pair, y[asked], y[base])  # noqa: E731
    found = {}
    pca = PCA(max(BITS), random_state=0).fit(L)
    q, d = (pca.transform(part).astype(np.float32) for part in (Q, D))
    found["PCA-32, distance"] = score(euclidean(q[:, :VALUES], d[:, :VALUES]))
    found["PCA-32, cosine"] = score((unit(q[:, :VALUES]), unit(d[:, :VALUES])))
    found["pixels, distance"] = score(euclidean(Q, D))
    found["pixels, cosine"] = score((unit(Q), unit(D)))
    found["PCA signs, 32 bits"] = score((signs(q[:, :VALUES]), signs(d[:, :VALUES])))
    for bits in BITS:
        found[f"PCA-ITQ, {bits} bits"] = score(quantised(q[:, :bits], d[:, :bits], bits))
    for bits in BITS:
        model = encoder(name, bits, seed).fit(L)
        a, b = model.transform(Q), model.transform(D)
        found[f"codes of {bits}, cosine"] = score((unit(a), unit(b)))
        found[f"codes of {bits}, {bits} bits"] = score(quantised(a, b, bits))
    bottleneck = encoder(name, VALUES, seed, bottleneck="binary(noise=0.5)", hidden=(), corruption=None).fit(L)
    found["binary bottleneck, 32 bits"] = score((bottleneck.transform(Q), bottleneck.transform(D)))
    return found


def pictures(args: argparse.Namespace, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures as float32 in [0, 1], flattened, and their classes."""
    if name == "mnist":
        return (
            np.concatenate([mnist(args, "train"), mnist(args, "test")]),
            np.concatenate([labels(args, "train"), labels(args, "test")]),
        )
    where = Path(args.data) / "cifar10_subset" / "cifar10_5000.zip"
    parts = [data.open(where, include=f"*{part}/*") for part in ("train", "test")]
    X = np.concatenate([part.rows for part in parts])[: args.rows]
    y = np.concatenate([part.target for part in parts])[: args.rows]
    return X.reshape(len(X), -1).astype(np.float32) / 255, np.unique(y, return_inverse=True)[1]


def remembered(args: argparse.Namespace, name: str, X: np.ndarray, y: np.ndarray, seed: int) -> dict[str, float]:
    """The same, from the file of an earlier run where there is one."""
    where = KEPT / f"{name}-{len(X)}-{seed}{'-tune' if args.tune else ''}.json"
    if where.is_file():
        return dict(json.loads(where.read_text()))
    found = retrieval(name, X, y, seed, args.tune)
    where.parent.mkdir(parents=True, exist_ok=True)
    where.write_text(json.dumps(found))
    print(f"seed {seed}: " + ", ".join(f"{method} {value:.2f}" for method, value in found.items()), flush=True)
    return found


def report(args: argparse.Namespace, name: str) -> None:
    """Train every seed and print the table of one set."""
    X, y = pictures(args, name)
    head(f"{name}: mAP of {SETS[name][1]} queries a class in the rest, %{' (chosen by)' if args.tune else ''}")
    runs = [remembered(args, name, X, y, seed) for seed in range(args.seeds)]
    found = {method: [run[method] for run in runs] for method in runs[0]}
    for method, values in found.items():
        row(f"{method}: {spread(values)}", statistics.fmean(values))
    mean = {method: statistics.fmean(values) for method, values in found.items()}
    best = max(mean["PCA-32, cosine"], mean["PCA-32, distance"])
    row("codes of 32 by cosine | PCA-32, the better of two", mean["codes of 32, cosine"], best, "ratio >= 1")
    for bits in BITS:
        row(f"{bits} bits of codes | PCA-ITQ", mean[f"codes of {bits}, {bits} bits"], mean[f"PCA-ITQ, {bits} bits"],
            "ratio >= 1")  # fmt: skip
    row("binary bottleneck | PCA-ITQ", mean["binary bottleneck, 32 bits"], mean["PCA-ITQ, 32 bits"], "ratio >= 1")


# speed ------------------------------------------------------------------------------------------------------


def warped(X: np.ndarray, generator: torch.Generator) -> np.ndarray:
    """Pictures shifted and stretched, each by an amount of its own."""
    rows = torch.from_numpy(X)
    return Warp(3.0, 0.2, image=(28, 28))(Batch(rows, rows), generator).x.numpy()


def codes_of(args: argparse.Namespace) -> tuple[Autoencoder, np.ndarray, np.ndarray]:
    """The model, the million codes and those of the queries, computed once."""
    from diabolo import load

    if not (KEPT / "model" / "config.json").is_file():
        encoder("mnist", VALUES, 0).fit(mnist(args, "train")).save(KEPT / "model", force=True)
    model, X = load(KEPT / "model"), mnist(args, "train")
    for copy in range(COPIES):
        where = KEPT / f"codes-{len(X)}-{copy}.npy"
        if not where.is_file():
            np.save(where, model.transform(warped(X, torch.Generator().manual_seed(copy))))
            print(f"{where.name} written", flush=True)
    codes = np.concatenate([np.load(KEPT / f"codes-{len(X)}-{copy}.npy") for copy in range(COPIES)])[:1_000_000]
    queries = model.transform(warped(mnist(args, "test")[:1000], torch.Generator().manual_seed(99)))
    return model, codes, queries


def filled(model: Autoencoder, codes: np.ndarray) -> SearchIndex:
    """An index of codes that are known already."""
    index = SearchIndex(model, kind="hnsw", random_state=0).empty()
    index._store.add(codes)
    return index


def million(args: argparse.Namespace) -> None:
    """Recall and the time of a query, one by one and all at once."""
    import faiss

    from diabolo import load

    torch.set_num_threads(1)
    faiss.omp_set_num_threads(1)
    model, codes, queries = codes_of(args)
    where = KEPT / f"index-{len(codes)}"
    if not (where / "config.json").is_file():
        began = time.process_time()
        index = filled(model, codes)
        index.save(where, force=True)
        print(
            f"graph of {len(codes):,} codes built and tried in {time.process_time() - began:.0f} s of CPU", flush=True
        )
    index = load(where)
    exact, flat, flat_rows = Exact(codes, "cosine"), faiss.IndexFlatIP(codes.shape[1]), unit(codes)
    flat.add(flat_rows)
    contenders = {
        "exact, ours": lambda part: exact.search(part, 10),
        "exact, FAISS flat": lambda part: flat.search(unit(part), 10),
        "HNSW": lambda part: index.nearest(part, 10),
    }
    for run in contenders.values():
        run(queries[:2])
    head(f"{len(codes):,} codes of {codes.shape[1]} values, {len(queries):,} queries, effort {index.facts_['effort']}")
    recall = index.recall_at(queries, 10)
    row("HNSW recall@10 against exact", recall, None, "ours >= 0.98" if len(codes) >= 10**6 else "")
    for what, size, count in (("one query at a time", 1, 60), ("100 at a time", 100, 600)):
        times: dict[str, list[float]] = {name: [] for name in contenders}
        for at in range(0, min(count, len(queries)), size):
            for name, run in contenders.items():
                began = time.perf_counter()
                run(queries[at : at + size])
                times[name].append(1000 * (time.perf_counter() - began) / size)
        best = {name: statistics.median(values) for name, values in times.items()}
        rival = min(best["exact, ours"], best["exact, FAISS flat"])
        for name, value in best.items():
            row(f"{name}, {what}: ms a query, median", value)
        row(f"exact (the faster) / HNSW, {what}", rival, best["HNSW"], "ratio >= 5")


def main() -> None:
    """Print the tables."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--sets", nargs="*", default=list(SETS), choices=list(SETS))
    options.add_argument("--million", action="store_true", help="recall and speed in a million codes")
    options.add_argument("--tune", action="store_true", help="queries from the database, to choose by")
    args = options.parse_args()
    if args.million:
        million(args)
        return
    for name in args.sets:
        report(args, name)


if __name__ == "__main__":
    main()
