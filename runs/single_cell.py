"""Kinds of blood cells from counts of genes: k-means on the codes of a CountVAE and on principal components.

    python -m runs.single_cell --data DIR [--seeds 5]

700 cells, 765 genes, 10 types (68k PBMC, the subset scanpy ships). The codes of a CountVAE that learnt all cells are
clustered by k-means with as many clusters as there are types (`AutoencoderClusterer(how="codes")`); the adjusted Rand
index with the types is the only use of labels. Rivals, by the same k-means on the same cells: ten principal components
of log(1 + counts) at equal depth, the median (scanpy's default) or 10,000 reads; as many of plain log(1 + counts).
What a seed gave is kept in --out, and not computed again.

Settings by the likelihood (bound of 100 draws) of 140 cells that were not learnt from, on seeds 100 and 101: a code of
5 (of 3, 4, 5, 6, 8, 10, 12), a mixture as prior (or normal), no surplus zeros, layers of 128 (or 32), dropout .1 (of 0,
.1, .2, .3), 300 epochs with early stopping (of 80, 160, 300). The index was printed beside it and chose nothing.

Reference: Lopez, Regier, Cole, Jordan & Yosef (2018), "Deep generative modeling for single-cell transcriptomics",
Nature Methods 15; its indices are for other data.
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray
from scipy.stats import t as student
from sklearn.cluster import KMeans
from sklearn.decomposition import PCA
from sklearn.metrics import adjusted_rand_score

from diabolo import AutoencoderClusterer, CountVAE, Trainer

from .counts import cells, equal_depth
from .record import record, spread

COMMAND = "python -m runs.single_cell --data DIR --seeds 5"
K = 10


def model(epochs: int, seed: int) -> CountVAE:
    """A count VAE, not fitted."""
    trainer = Trainer(epochs=epochs, batch_size=64, optimizer="adam", lr=2e-3)
    return CountVAE(5, network="dense(dropout=0.1)", hidden=(128,), prior=f"mixture(components={K})", trainer=trainer,
                    random_state=seed)  # fmt: skip


def one_seed(counts: ndarray, types: ndarray, epochs: int, seed: int) -> dict[str, float]:
    """Index of every method."""
    ours = AutoencoderClusterer(model(epochs, seed), n_clusters=K, how="codes", random_state=seed).fit(counts)
    found = {"ours": float(adjusted_rand_score(types, ours.labels_))}
    rows = {
        "median": equal_depth(counts, float(np.median(counts.sum(1)))), "10,000": equal_depth(counts, 1e4),
        "plain": np.log1p(counts),
    }  # fmt: skip
    for name, held in rows.items():
        codes = PCA(10, random_state=seed).fit_transform(held)
        told = KMeans(K, n_init=10, random_state=seed).fit_predict(codes)
        found[name] = float(adjusted_rand_score(types, told))
    return found


def interval(gains: ndarray) -> str:
    """95 % interval of a mean over seeds (Student's t)."""
    if len(gains) < 2:
        return "one seed"
    half = student.ppf(0.975, len(gains) - 1) * gains.std(ddof=1) / len(gains) ** 0.5
    return f"95 % interval {gains.mean() - half:+.3f} to {gains.mean() + half:+.3f}"


def main() -> None:
    """Print a row a figure and keep the result."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=300)
    options.add_argument("--out", type=Path, default=Path("runs/out"), help="folder of the seeds that are done")
    args = options.parse_args()
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder that holds pbmc68k_reduced/.")
    counts, types = cells(args.data)
    counts, types = counts[: args.rows], types[: args.rows]
    head("Single cells: adjusted Rand index of k-means; rival: PCA-10 of log(1 + counts) at equal depth, the median")
    args.out.mkdir(parents=True, exist_ok=True)
    found = []
    for seed in range(args.seed, args.seed + args.seeds):
        held = args.out / f"single-cell-{seed}-{args.epochs}-{len(counts)}.json"
        if not held.exists():
            held.write_text(json.dumps(one_seed(counts, types, args.epochs, seed)), "utf-8")
        found.append(json.loads(held.read_text("utf-8")))
        row(f"adjusted Rand index, seed {seed}", found[-1]["ours"], found[-1]["median"])
    every = {name: np.array([f[name] for f in found]) for name in found[0]}
    for name in ("median", "10,000", "plain"):
        gain = every["ours"] - every[name]
        row(f"mean of {len(found)}; rival: {name}; gain {gain.mean():+.3f}, {interval(gain)}", every["ours"].mean(),
            every[name].mean(), "ratio >= 1")  # fmt: skip
    if args.rows or args.seed or args.seeds < 5:
        return
    record(
        "count-vae", "adjusted Rand index of k-means, 68k PBMC subset", every["ours"].tolist(),
        published="none on this subset", command=COMMAND,
        rival=f"PCA-10 of log1p at equal depth (median): {spread(every['median'])}; 10,000 reads: "
              f"{spread(every['10,000'])}; plain: {spread(every['plain'])}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
