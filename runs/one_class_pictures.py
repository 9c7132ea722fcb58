"""One class of pictures is normal: the detector beside PCA residual and k-NN on MNIST and Fashion-MNIST.

    python -m runs.one_class_pictures --data DIR [--seeds 1] [--sets mnist,fashion_mnist] [--classes 0,1,2]

Trained on the training pictures of one class, tested on all 10,000 test pictures; AUROC of the others, x 100. Settings
are the detector's defaults. They were chosen on training pictures of Fashion-MNIST alone (classes 0, 2, 6, 7 and 8:
2,000 to learn from, 500 and 1,500 of other classes to test): size, corruption and code of the patches, softness of the
contrast, blur, what is averaged, the weight of places. No picture of MNIST was looked at. Seconds are processor time
of fit and scores. What was measured is kept in runs/out, so that a run goes on where it stopped.

Reference: Ruff et al. (2018), "Deep one-class classification", table 1 (MNIST: DCAE 89.65, deep SVDD 94.8, means).
"""

from __future__ import annotations

import gzip
import json
import time
from pathlib import Path

import numpy as np
from benchmarks.common import MNIST, head, parser, row
from sklearn.metrics import roc_auc_score
from sklearn.neighbors import NearestNeighbors

from diabolo import AutoencoderDetector, data

from .record import spread

OUT = Path(__file__).parent / "out" / "one_class"
COMPONENTS = 32
BARS = {"mnist": "ours >= 96.5", "fashion_mnist": "ratio >= 1"}
METHODS = ("ours", "PCA", "5-NN")


def pictures(folder: Path, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Pictures uint8 (N, 28, 28) and classes of "train" or "test"."""
    labels = gzip.decompress((folder / MNIST[part].replace("images-idx3", "labels-idx1")).read_bytes())
    rows = data.open(folder / MNIST[part]).rows
    return np.asarray(rows).reshape(-1, 28, 28), np.frombuffer(labels, np.uint8, offset=8)


def ours(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    return -AutoencoderDetector(random_state=seed).fit(train).score_samples(test)


def linear(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    """Residual of 32 principal components of raw pixels."""
    x, fresh = (part.reshape(len(part), -1) / np.float32(255) for part in (train, test))
    mean = x.mean(0)
    axes = np.linalg.eigh(np.cov(x.T))[1][:, -COMPONENTS:].astype(np.float32)
    return np.square((fresh - mean) - (fresh - mean) @ axes @ axes.T).sum(1)


def neighbours(train: np.ndarray, test: np.ndarray, seed: int) -> np.ndarray:
    x, fresh = (part.reshape(len(part), -1).astype(np.float32) for part in (train, test))
    return NearestNeighbors(algorithm="brute").fit(x).kneighbors(fresh, 5)[0][:, -1]


def measured(name: str, method: str, digit: int, seed: int, rows: int | None, folder: Path) -> dict[str, float]:
    """AUROC and seconds, from runs/out where they are known."""
    place = OUT / f"{name}-{method}-{digit}-{seed}{'' if rows is None else f'-{rows}'}.json"
    if not place.exists():
        (x, y), (fresh, truth) = (pictures(folder, part) for part in ("train", "test"))
        train = x[y == digit][:rows]
        began = time.process_time()
        score = {"ours": ours, "PCA": linear, "5-NN": neighbours}[method](train, fresh[:rows], seed)
        found = {"auroc": 100 * roc_auc_score(truth[:rows] != digit, score), "seconds": time.process_time() - began}
        OUT.mkdir(parents=True, exist_ok=True)
        place.write_text(json.dumps(found))
        print(f"{name} {digit} seed {seed}, {method}: {found['auroc']:.2f}, {found['seconds']:.1f} s", flush=True)
    return json.loads(place.read_text())  # type: ignore[no-any-return]


def main() -> None:
    """Measure what is missing, print the tables."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--sets", default="mnist,fashion_mnist")
    options.add_argument("--classes", default="0,1,2,3,4,5,6,7,8,9")
    args = options.parse_args()
    digits = [int(digit) for digit in args.classes.split(",")]
    for name in args.sets.split(","):
        folder, seeds = Path(args.data) / name, range(args.seed, args.seed + args.seeds)
        found = {
            method: [
                [measured(name, method, digit, seed, args.rows, folder) for digit in digits]
                for seed in (seeds if method == "ours" else [0])
            ]
            for method in METHODS
        }  # fmt: skip
        head(f"{name}: AUROC x 100, one class normal")
        areas = {m: np.array([[cell["auroc"] for cell in line] for line in lines]) for m, lines in found.items()}
        for at, digit in enumerate(digits):
            row(f"class {digit} (5-NN {areas['5-NN'][0, at]:.2f})", float(areas["ours"][:, at].mean()),
                float(areas["PCA"][0, at]))  # fmt: skip
        means = {method: value.mean(1) for method, value in areas.items()}
        lead = float(means["ours"].mean() - means["PCA"][0])
        row(f"mean ({spread(means['ours'].tolist())}), PCA-32 beside it", float(means["ours"].mean()),
            float(means["PCA"][0]), BARS.get(name, ""), ratio=lead)  # fmt: skip
        row("mean, 5-NN beside it", float(means["ours"].mean()), float(means["5-NN"][0]))
        row(
            "seconds a class",
            float(np.mean([c["seconds"] for line in found["ours"] for c in line])),
            None,
            "ours <= 15",
        )
        print("the ratio of the mean is the lead over PCA, in points")


if __name__ == "__main__":
    main()
