"""Top-k autoencoder on rows made of a known dictionary: are the atoms found again, and does the l1 price shrink?

    python -m runs.top_k_dictionary --seeds 3

256 unit atoms in 64 dimensions, four of them a row with sizes in [0.5, 1.5], noise of .01; 200,000 rows. Printed: mean
over the true atoms of the largest cosine to one found (MMCS), share of dead units, and the error on fresh rows over
that of the oracle, which knows the atoms and which are active. Beside it: one layer that knows the atoms (encoder and
decoder both) but not which are active; the same dictionary with an l1 price, its weight such that still half as many
units again are active; and scikit-learn's MiniBatchDictionaryLearning.
Batch, rate and the weight on dead units were chosen on another dictionary (seed 10).
Bars: MMCS >= .97, dead < 2 %, error <= 1.5 times the oracle's.

Reference: Gao et al. (2024), "Scaling and evaluating sparse autoencoders" (theirs is on language-model activations).
"""

from __future__ import annotations

import argparse
import warnings
from typing import Any

import numpy as np
from benchmarks.common import head, row
from numpy import ndarray

from diabolo import SparseAutoencoder, TopKAutoencoder, Trainer

from .record import record, spread

WIDTH, ATOMS, ACTIVE, NOISE = 64, 256, 4, 0.01
TRUE, SCALED = "one layer, true atoms", "the same, best scale"
ROWS = ("top-k", TRUE, SCALED, "l1", "MiniBatchDictionaryLearning")


def draw(atoms: ndarray, n: int, random: np.random.Generator) -> tuple[ndarray, ndarray]:
    """Rows, and which atoms each is made of (n, 4)."""
    which = np.argpartition(random.random((n, ATOMS)), ACTIVE, axis=1)[:, :ACTIVE]
    sizes = 0.5 + random.random((n, ACTIVE))
    x = np.einsum("nk,nkd->nd", sizes, atoms[which]) + NOISE * random.normal(size=(n, WIDTH))
    return x.astype(np.float32), which


def oracle_error(atoms: ndarray, x: ndarray, which: ndarray) -> float:
    """Least squares on the true active atoms."""
    errors = []
    for rows, of in zip(x, which, strict=True):
        found, *_ = np.linalg.lstsq(atoms[of].T, rows, rcond=None)
        errors.append(np.square(rows - atoms[of].T @ found).sum())
    return float(np.mean(errors))


def one_layer(atoms: ndarray, x: ndarray, *, scaled: bool) -> tuple[ndarray, ndarray]:
    """Codes and reconstruction of the encoder ReLU(atoms x), the k largest kept, decoded by the true atoms.

    ``scaled``: all codes times the one number that makes the error on these rows smallest. No row is told its atoms. A
    trained encoder may do better than the atoms themselves: they are not orthogonal, so each answers to the others too.
    """
    codes = np.maximum(x @ atoms.T, 0)
    np.put_along_axis(codes, np.argpartition(codes, -ACTIVE, axis=1)[:, :-ACTIVE], 0, axis=1)
    recon = codes @ atoms
    share = float((recon * x).sum() / np.square(recon).sum()) if scaled else 1.0
    return share * codes, share * recon


def mmcs(atoms: ndarray, found: ndarray) -> float:
    """Mean over the true atoms of the largest cosine to a column found."""
    return float((atoms @ (found / np.linalg.norm(found, axis=0).clip(1e-12))).max(1).mean())


def main() -> None:
    """Print the table and record the top-k result."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=0)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--rows", type=int, default=200_000)
    options.add_argument("--epochs", type=int, default=12)
    options.add_argument("--lr", type=float, default=3e-3)
    options.add_argument("--batch-size", type=int, default=256)
    options.add_argument("--dead-weight", type=float, default=1.0, help="weight of the term that brings units back")
    options.add_argument("--l1", type=float, default=0.6, help="weight of the l1 price")
    args = options.parse_args()
    found: dict[str, list[dict[str, float]]] = {name: [] for name in ROWS}
    for seed in range(args.seed, args.seed + args.seeds):
        random = np.random.default_rng(seed)
        atoms = random.normal(size=(ATOMS, WIDTH))
        atoms /= np.linalg.norm(atoms, axis=1, keepdims=True)
        x, _ = draw(atoms, args.rows, random)
        fresh, which = draw(atoms, 5000, random)
        floor = oracle_error(atoms, fresh, which)
        for name, model in models(args, seed).items():
            model.fit(x)
            columns = model.module_.decoder.body.last.weight.detach().numpy()
            found[name].append(measured(model.transform(fresh), model.reconstruct(fresh), fresh, columns, atoms, floor))
        for name, scaled in ((TRUE, False), (SCALED, True)):
            found[name].append(measured(*one_layer(atoms, fresh, scaled=scaled), fresh, atoms.T, atoms, floor))
        found["MiniBatchDictionaryLearning"].append(rival(x, fresh, atoms, floor, seed))
        print(f"seed {seed}: { ({name: results[-1] for name, results in found.items()}) }", flush=True)
    head(f"A dictionary of {ATOMS} atoms, {ACTIVE} a row: found again?")
    bars = {"mmcs": "ours >= 0.97", "dead": "ours < 0.02", "error": "ours <= 1.5"}
    for name, results in found.items():
        for measure in ("mmcs", "dead", "error", "l0"):
            values = [result[measure] for result in results]
            what = f"{name}: {measure}{' / oracle' if measure == 'error' else ''} ({spread(values)})"
            row(what, float(np.mean(values)), bar=bars.get(measure, "") if name == "top-k" else "")
    known = spread([result["error"] for result in found[SCALED]])
    other = spread([result["mmcs"] for result in found["MiniBatchDictionaryLearning"]])
    command = f"python -m runs.top_k_dictionary --seeds {args.seeds}"
    record("top-k", "atoms of a known dictionary, mean largest cosine", [r["mmcs"] for r in found["top-k"]],
           published="none on this data; bar .97", rival=f"MiniBatchDictionaryLearning {other}",
           command=command)  # fmt: skip
    record("top-k", "known dictionary, error over that of the oracle told the active atoms",
           [r["error"] for r in found["top-k"]], published="none on this data",
           rival=f"a one-layer encoder with the true atoms, best scale, {known}", command=command)  # fmt: skip


def models(args: argparse.Namespace, seed: int) -> dict[str, Any]:
    """Ours, by name."""
    trainer = Trainer(epochs=args.epochs, batch_size=args.batch_size, optimizer="adam", lr=args.lr, validation=0.0)
    given: dict[str, Any] = {"loss": "squared", "trainer": trainer, "random_state": seed}
    return {
        "top-k": TopKAutoencoder(ATOMS, k=ACTIVE, patience=20_000, dead_weight=args.dead_weight, **given),
        "l1": SparseAutoencoder(ATOMS, kind="l1", sparsity=args.l1, **given),
    }


def measured(
    codes: ndarray, recon: ndarray, fresh: ndarray, columns: ndarray, atoms: ndarray, floor: float
) -> dict[str, float]:
    """The measures of one model."""
    return {
        "mmcs": mmcs(atoms, columns),
        "dead": float((codes == 0).all(0).mean()),
        "error": float(np.square(fresh - recon).sum(1).mean()) / floor,
        "l0": float((codes != 0).sum(1).mean()),
    }


def rival(x: ndarray, fresh: ndarray, atoms: ndarray, floor: float, seed: int) -> dict[str, float]:
    """scikit-learn's dictionary learning, coded by orthogonal matching pursuit."""
    from sklearn.decomposition import MiniBatchDictionaryLearning

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        learner = MiniBatchDictionaryLearning(
            ATOMS, alpha=0.1, batch_size=256, max_iter=1, transform_algorithm="omp",
            transform_n_nonzero_coefs=ACTIVE, random_state=seed,
        ).fit(x[:20_000])  # fmt: skip
        codes = learner.transform(fresh)
    return measured(codes, codes @ learner.components_, fresh, learner.components_.T, atoms, floor)


if __name__ == "__main__":
    main()
