"""Counts of genes in single cells: the likelihood of new cells, and how well codes find the cell's type.

    python -m runs.counts --data DIR [--seeds 3]

700 blood cells, 765 genes, 10 types of cell (68k PBMC, the subset scanpy ships). Cells are split by seed into 70 %
to learn from, 10 % to choose on, 20 % to judge.

Likelihood, in nats a cell given its library size, all by the same negative binomial with one dispersion a gene:
CountVAE with and without surplus zeros, the importance-weighted bound of 500 draws, against (a) one mean and
dispersion a gene, mean proportional to the library, and (b) the same dispersions with the mean of each gene from
principal components: log(1 + counts) at equal depth is projected on k components, brought back, and made proportions.
(b) reads the cell it predicts without paying for the code, so it is a bound on what k linear directions could give
and no likelihood; the CountVAE pays its KL.

Types: 15-nearest-neighbour accuracy, leave-one-out over all cells, of CountVAE's codes and of as many principal
components of log(1 + counts), plain and at equal depth. The labels are never seen in training or choice.

Choice: size of the code, 5 or 10, and surplus zeros or none, by the bound on the cells to choose on.

Reference: Lopez, Regier, Cole, Jordan & Yosef (2018), "Deep generative modeling for single-cell transcriptomics",
Nature Methods 15. Its figures are for other data (held-out likelihood of cortex, PBMC, … with 558 to 720 genes), so
nothing published stands beside these.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, parser, row
from numpy import ndarray
from sklearn.decomposition import PCA
from sklearn.model_selection import LeaveOneOut, cross_val_predict
from sklearn.neighbors import KNeighborsClassifier

from diabolo import CountVAE, Trainer
from diabolo.losses.negative_binomial import NegativeBinomial

from .record import record, spread

COMMAND = "python -m runs.counts --data DIR --seeds 3"
NEIGHBOURS, DRAWS = 15, 500


def cells(folder: str) -> tuple[ndarray, ndarray]:
    """Counts (700, 765) and types (700,)."""
    with np.load(Path(folder) / "pbmc68k_reduced" / "pbmc68k_reduced.npz") as held:
        return held["counts"].astype(np.float32), held["labels"]


def parts(n: int, seed: int) -> tuple[ndarray, ndarray, ndarray]:
    """Rows to learn from, to choose on, to judge."""
    order = np.random.default_rng(seed).permutation(n)
    return order[: int(0.7 * n)], order[int(0.7 * n) : int(0.8 * n)], order[int(0.8 * n) :]


def dispersed(means: tuple[ndarray, ndarray], counts: tuple[ndarray, ndarray]) -> float:
    """Nats a cell of the second counts under given means, with a dispersion for each gene fitted to the first."""
    loss = NegativeBinomial(shape=(counts[0].shape[1],))
    at = [torch.from_numpy(np.log(np.maximum(mean, 1e-8))).float() for mean in means]
    optimiser = torch.optim.LBFGS(loss.parameters(), max_iter=100)

    def closure() -> torch.Tensor:
        optimiser.zero_grad()
        cost = loss(at[0], torch.from_numpy(counts[0])).mean()
        cost.backward()
        return cost

    optimiser.step(closure)
    with torch.no_grad():
        return loss(at[1], torch.from_numpy(counts[1])).mean().item()


def one_a_gene(train: ndarray, test: ndarray) -> float:
    """One mean and one dispersion a gene."""
    share = (train.sum(0) + 0.5) / (train.sum() + 0.5 * train.shape[1])
    return dispersed(tuple(np.outer(x.sum(1), share) for x in (train, test)), (train, test))  # type: ignore[arg-type]


def equal_depth(counts: ndarray, depth: float) -> ndarray:
    """log(1 + counts) as if every cell had the same library."""
    return np.log1p(counts * (depth / np.maximum(counts.sum(1, keepdims=True), 1)))


def principal(train: ndarray, test: ndarray, k: int) -> float:
    """Means from k principal components of the cell itself."""
    depth = float(np.median(train.sum(1)))
    pca = PCA(k, random_state=0).fit(equal_depth(train, depth))
    means = []
    for x in (train, test):
        back = np.expm1(pca.inverse_transform(pca.transform(equal_depth(x, depth)))).clip(1e-3)
        means.append(back / back.sum(1, keepdims=True) * x.sum(1, keepdims=True))
    return dispersed((means[0], means[1]), (train, test))


def types_found(codes: ndarray, types: ndarray) -> float:
    """Leave-one-out accuracy of the nearest neighbours."""
    judge = KNeighborsClassifier(NEIGHBOURS)
    return float((cross_val_predict(judge, codes, types, cv=LeaveOneOut()) == types).mean())


def fitted(train: ndarray, size: int, surplus: bool, epochs: int, seed: int) -> CountVAE:
    trainer = Trainer(epochs=epochs, batch_size=64, optimizer="adam", lr=2e-3, validation=0.0)
    return CountVAE(size, hidden=(128,), zero_inflated=surplus, trainer=trainer, random_state=seed).fit(train)


def one_seed(counts: ndarray, types: ndarray, epochs: int, seed: int) -> dict[str, Any]:
    """All figures of one split."""
    train, choose, test = (counts[rows] for rows in parts(len(counts), seed))
    models = {
        (size, surplus): fitted(train, size, surplus, epochs, seed) for size in (5, 10) for surplus in (False, True)
    }
    nats = {key: float(-model.log_likelihood(choose, DRAWS, seed).mean()) for key, model in models.items()}
    size, surplus = best = min(nats, key=lambda key: nats[key])
    depth = float(np.median(train.sum(1)))
    return {
        "choice": f"code of {size}, surplus zeros {'yes' if surplus else 'no'}",
        "nats": float(-models[best].log_likelihood(test, DRAWS, seed).mean()),
        "plain": float(-models[size, False].log_likelihood(test, DRAWS, seed).mean()),
        "surplus": float(-models[size, True].log_likelihood(test, DRAWS, seed).mean()),
        "gene": one_a_gene(train, test),
        "pca nats": principal(train, test, size),
        "types": types_found(models[best].transform(counts), types),
        "pca": types_found(PCA(size, random_state=0).fit_transform(np.log1p(counts)), types),
        "pca depth": types_found(PCA(size, random_state=0).fit_transform(equal_depth(counts, depth)), types),
    }


def main() -> None:
    """Print a row a figure and keep the results."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=300)
    args = options.parse_args()
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder that holds pbmc68k_reduced/.")
    counts, types = cells(args.data)
    counts, types = counts[: args.rows], types[: args.rows]
    head("Single cells: likelihood of new ones, types in the codes")
    found = []
    for seed in range(args.seed, args.seed + args.seeds):
        f = one_seed(counts, types, args.epochs, seed)
        found.append(f)
        row(f"nats a new cell, seed {seed} ({f['choice']}); rival: one NB a gene", f["nats"], f["gene"], "ratio < 1")
        row(f"… without and with surplus zeros, seed {seed}", f["plain"], f["surplus"])
        row(f"… rival: NB around principal components of the cell itself, seed {seed}", f["nats"], f["pca nats"])
        row(f"type by {NEIGHBOURS} neighbours, seed {seed}; rival: PCA of log1p", f["types"], f["pca"], "ratio >= 1")
        row(f"… rival: PCA of log1p at equal depth, seed {seed}", f["types"], f["pca depth"])
    if args.rows:
        return
    every = {key: [f[key] for f in found] for key in found[0] if key != "choice"}
    record(
        "count-vae", "nats a new cell, 68k PBMC subset", every["nats"], published="none on this subset",
        command=COMMAND,
        rival=f"one negative binomial a gene: {spread(every['gene'])}; around principal components of the cell "
              f"itself (no likelihood): {spread(every['pca nats'])}",
    )  # fmt: skip
    record(
        "count-vae", f"cell type by {NEIGHBOURS} neighbours, 68k PBMC subset", every["types"],
        published="none on this subset", command=COMMAND,
        rival=f"PCA of log1p: {spread(every['pca'])}; at equal depth: {spread(every['pca depth'])}",
    )  # fmt: skip


if __name__ == "__main__":
    main()
