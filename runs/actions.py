"""What a digit does, from few labels: codes of a clip autoencoder beside principal components of the clips.

    python -m runs.actions --seeds 5

Generated: clips of 8 frames of 16 x 16, in which one of scikit-learn's digits goes left, right, up or down by a pixel a
frame from a random place, round the edges, among noise (0.1). 2,000 clips without labels; 100 of them with; 500 of
other digits (other pictures of them) to test on. An autoencoder of three-dimensional convolutions and PCA of as many
components, each fitted to all 2,000; then the same logistic regression on standardised codes. Beside both: regression
on the pixels, and a classifier of the same encoder trained on the 100 alone.

Reference: Srivastava, Mansimov & Salakhutdinov (2015), "Unsupervised learning of video representations using LSTMs".
"""

from __future__ import annotations

import numpy as np
from benchmarks.common import head, parser, row
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from diabolo import Autoencoder, AutoencoderClassifier, Trainer

from .record import spread

FRAMES, SIDE, CODE, LABELLED = 8, 16, 64, 100
STEPS = np.array([(0, -1), (0, 1), (-1, 0), (1, 0)])
NETWORK = "conv(dims=3, channels=(16, 32, 64))"


def clips(pictures: np.ndarray, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips (N, T, H, W) of moving digits, in [0, 1] before the noise, and what each does."""
    draw = np.random.default_rng(seed)
    motion, place = draw.integers(4, size=count), draw.integers(SIDE, size=(count, 2))
    canvas = np.zeros((count, SIDE, SIDE), np.float32)
    canvas[:, :8, :8] = pictures[draw.integers(len(pictures), size=count)]
    moved = place[:, None] + np.arange(FRAMES)[None, :, None] * STEPS[motion][:, None]
    rows, columns = ((np.arange(SIDE) - moved[..., axis, None]) % SIDE for axis in (0, 1))
    made = canvas[np.arange(count)[:, None, None, None], rows[..., :, None], columns[..., None, :]]
    return (made + draw.normal(0, 0.1, made.shape)).astype(np.float32), motion


def one(seed: int, rows: int, epochs: int) -> dict[str, float]:
    """Accuracy of every way."""
    pictures = load_digits().images.astype(np.float32) / 16
    order = np.random.default_rng(seed).permutation(len(pictures))
    x, y = clips(pictures[order[:1200]], rows, seed)
    test, truth = clips(pictures[order[1200:]], 500, seed + 1000)
    trainer = Trainer(epochs=epochs, batch_size=50, optimizer="adamw", lr=2e-3, patience=None)
    model = Autoencoder(CODE, network=NETWORK, trainer=trainer, random_state=seed).fit(x)
    flat, many = x.reshape(len(x), -1), test.reshape(len(test), -1)
    ways = {
        "codes": (model, x, test), "PCA": (PCA(CODE, random_state=0).fit(flat), flat, many),
        "pixels": ("passthrough", flat, many),
    }  # fmt: skip
    found = {}
    for name, (first, given, asked) in ways.items():
        codes = (given, asked) if first == "passthrough" else (first.transform(given), first.transform(asked))
        pipe = make_pipeline(StandardScaler(), LogisticRegression(max_iter=2000))
        found[name] = float(pipe.fit(codes[0][:LABELLED], y[:LABELLED]).score(codes[1], truth))
    alone = AutoencoderClassifier(Autoencoder(CODE, network=NETWORK), pretrain=False, random_state=seed,
                                  trainer=Trainer(epochs=60, batch_size=20, optimizer="adamw", lr=2e-3))  # fmt: skip
    found["the encoder, from 100 labels alone"] = float(alone.fit(x[:LABELLED], y[:LABELLED]).score(test, truth))
    tuned = AutoencoderClassifier(model, random_state=seed,
                                  trainer=Trainer(epochs=60, batch_size=20, optimizer="adamw", lr=2e-3))  # fmt: skip
    found["the encoder, trained on from there"] = float(tuned.fit(x[:LABELLED], y[:LABELLED]).score(test, truth))
    return found


def main() -> None:
    """Accuracy of every way, mean over the seeds."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--epochs", type=int, default=25)
    args = options.parse_args()
    found: dict[str, list[float]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, value in one(seed, args.rows or 2000, args.epochs).items():
            found.setdefault(name, []).append(value)
        print(f"seed {seed}: " + ", ".join(f"{name} {values[-1]:.3f}" for name, values in found.items()), flush=True)
    head(f"four motions, {LABELLED} labels: accuracy; rival is PCA")
    for name, values in found.items():
        row(f"{name} ({spread(values)})", float(np.mean(values)), float(np.mean(found["PCA"])),
            "ratio >= 1" if name == "codes" else "")  # fmt: skip


if __name__ == "__main__":
    main()
