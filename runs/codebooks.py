"""How well codebooks are used: error and share of active codes at a fixed rate, on 7x7 grids of indices.

    python -m runs.codebooks --data DIR --part A --seeds 3     # Fashion-MNIST, 1000 steps, about 2 minutes a model
    python -m runs.codebooks --data DIR --part B --seeds 3     # MNIST, 600 steps
    python -m runs.codebooks --data DIR --part B --tune        # on 5,000 training pictures held out

A: pixels in [-1, 1], convolutions of 16 and 32 channels with 2x pooling, AdamW 3e-4, batches of 256, absolute error,
as the public example of FSQ against VQ; error and shares are those of the test pictures, in batches of 256. Plain VQ
is without data initialisation and revival. B: 512 codes; squared error of pixels in [0, 1]; our own architecture,
loss and gradient, chosen on held-out training pictures.

The simple method beside them: k-means on patches of 4x4 pixels, with as many centres: the same rate.

References: van den Oord et al. (2017), "Neural discrete representation learning"; Mentzer et al. (2023), "Finite scalar
quantization: VQ-VAE made simple"; Fifty et al. (2024), "Restructuring vector quantization with the rotation trick".
"""

from __future__ import annotations

import argparse
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.common import head, parser, row, seconds
from torch import Tensor, nn

from diabolo import Autoencoder, Spec, Trainer, data
from diabolo.blocks.kmeans import kmeans, nearest
from diabolo.core.metrics import perplexity, used

from .record import record, spread

BATCH, PATCH, HELD_OUT = 256, 4, 5000
SETS = {"A": "fashion_mnist", "B": "mnist"}
STEPS = {"A": 1000, "B": 600}
PLAIN = {"start": "random", "revive": 0.0}
OURS = Spec("conv", channels=(32, 64, 64), kernel=(4, 4, 3), stride=(2, 2, 1), flat=False)
MODELS: dict[str, dict[str, tuple[str, Spec, int]]] = {
    "A": {
        "FSQ [8, 6, 5]": ("fsq", Spec("fsq", levels=(8, 6, 5)), 3),
        "VQ-256, plain": ("plain", Spec("vq", codes=256, commitment=5.0, **PLAIN), 32),
        "VQ-256, data start and revival": ("vq-vae", Spec("vq", codes=256, commitment=5.0), 32),
    },
    "B": {
        "VQ-512, plain": ("plain", Spec("vq", codes=512, **PLAIN), 16),
        "VQ-512": ("vq-vae", Spec("vq", codes=512), 16),
    },
}
PUBLISHED = {
    "FSQ [8, 6, 5]": "0.111, 58 % active (before its offset was mended)",
    "VQ-256, plain": "0.114, 21 % active",
    "VQ-256, data start and revival": "not published; re-measured elsewhere: 0.1147, 100 %",
    "VQ-512, plain": "pythae 0.007 to 0.023, 4 to 38 codes",
    "VQ-512": "vector-quantize-pytorch 0.0032, 244 codes; tuned 0.0025, 512 codes",
}
BARS = {
    "FSQ [8, 6, 5]": ("ours >= 0.110 and ours <= 0.122", "ours >= 0.75"),
    "VQ-256, plain": ("ours >= 0.118 and ours <= 0.132", "ours >= 0.10 and ours <= 0.35"),
    "VQ-256, data start and revival": ("ours <= 0.119", "ours >= 0.95"),
    "VQ-512, plain": ("", ""),
    "VQ-512": ("ours <= 0.0025", "ours >= 0.95"),
}


def pictures(args: argparse.Namespace, name: str) -> np.ndarray:
    """Pictures as float32 (N, 28, 28), in [-1, 1] for part A and [0, 1] for part B."""
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder that holds mnist/ and fashion_mnist/.")
    rows = data.open(Path(args.data) / SETS[args.part] / f"{name}-images-idx3-ubyte.gz").rows[: args.rows]
    unit = np.asarray(rows, dtype=np.float32).reshape(-1, 28, 28) / np.float32(255)
    return 2 * unit - 1 if args.part == "A" else unit


def error(args: argparse.Namespace, x: np.ndarray, recon: np.ndarray) -> float:
    """Mean over all pixels: absolute for part A, where the output is cut to the range, squared for part B."""
    return float(np.abs(x - recon.clip(-1, 1)).mean() if args.part == "A" else np.square(x - recon).mean())


def example(size: int) -> tuple[nn.Module, nn.Module]:
    """The networks of the public example, channels last at the code; the output is cut to the range of the data."""
    down = [nn.Conv2d(1, 16, 3, 1, 1), nn.MaxPool2d(2), nn.GELU(), nn.Conv2d(16, 32, 3, 1, 1), nn.MaxPool2d(2)]
    up = [nn.Upsample(scale_factor=2), nn.Conv2d(32, 16, 3, 1, 1), nn.GELU(), nn.Upsample(scale_factor=2),
          nn.Conv2d(16, 1, 3, 1, 1)]  # fmt: skip
    narrow, widen = ([], []) if size == 32 else ([nn.Conv2d(32, size, 1)], [nn.Conv2d(size, 32, 3, 1, 1)])
    encoder = nn.Sequential(nn.Unflatten(1, (1, 28)), *down, *narrow, Moved(1, -1))
    return encoder, nn.Sequential(Moved(-1, 1), *widen, *up, nn.Hardtanh(), nn.Flatten(1, 2))


class Moved(nn.Module):
    """A dimension moved to another place."""

    def __init__(self, source: int, place: int) -> None:
        super().__init__()
        self.source, self.place = source, place

    def forward(self, x: Tensor) -> Tensor:
        return x.movedim(self.source, self.place)


def train(args: argparse.Namespace, neck: Spec, size: int, rows: np.ndarray, seed: int) -> Autoencoder:
    """Exactly the planned number of steps: whole epochs over as many rows as give them."""
    steps = STEPS[args.part] if args.rows is None else 2
    epochs = -(-steps * BATCH // len(rows))
    rows = rows[: steps // epochs * BATCH]
    how = {"lr": 3e-4, "optimizer": "adamw", "schedule": "constant"} if args.part == "A" else {"optimizer": "muon"}
    trainer = Trainer(epochs=epochs, batch_size=BATCH, validation=0.0, **how)
    torch.manual_seed(seed)
    net, loss = (example(size), "absolute") if args.part == "A" else (OURS, "squared")
    return Autoencoder(size, network=net, bottleneck=neck, loss=loss, trainer=trainer, random_state=seed).fit(rows)


def indices(model: Autoencoder, rows: np.ndarray) -> np.ndarray:
    """The grids of indices."""
    module: Any = model.module_
    with torch.inference_mode():
        return torch.cat([module.encode(part).indices for part in torch.from_numpy(rows).split(BATCH)]).numpy()


def active(index: np.ndarray, codes: int) -> float:
    """Share of the codes in use in a batch, mean over whole batches."""
    whole = [index[first : first + BATCH] for first in range(0, len(index) - BATCH + 1, BATCH)] or [index]
    return statistics.fmean(used(part, codes) for part in whole)


def patches(args: argparse.Namespace, train: np.ndarray, test: np.ndarray, codes: int) -> float:
    """The error of k-means on patches, each replaced by its centre."""

    def cut(x: np.ndarray) -> np.ndarray:
        side = 28 // PATCH
        return x.reshape(-1, side, PATCH, side, PATCH).swapaxes(2, 3).reshape(-1, PATCH * PATCH)

    torch.manual_seed(args.seed)
    vectors = torch.from_numpy(cut(train[:10_000]))
    vectors = vectors[torch.randperm(len(vectors))[:200_000]]
    centres, _ = kmeans(vectors, codes, iterations=20)
    return error(
        args,
        cut(test),
        torch.cat([centres[nearest(v, centres)] for v in torch.from_numpy(cut(test)).split(100_000)]).numpy(),
    )


def measure(args: argparse.Namespace, name: str, rows: np.ndarray, fresh: np.ndarray, rival: float) -> None:
    """Train one model with every seed, print and record."""
    key, neck, size = MODELS[args.part][name]
    errors, shares, counts = [], [], []
    for seed in range(args.seed, args.seed + args.seeds):
        spent, model = seconds(lambda seed=seed: train(args, neck, size, rows, seed))
        index = indices(model, fresh)
        codes = model.module_.bottleneck.sizes[0]
        errors.append(error(args, fresh, model.reconstruct(fresh)))
        shares.append(active(index, codes) if args.part == "A" else used(index, codes))
        counts.append(perplexity(index, codes))
        print(
            f"{name}, seed {seed}: {errors[-1]:.5f}, {shares[-1]:.1%}, perplexity {counts[-1]:.1f}, {spent:.0f} s",
            flush=True,
        )
    bars = BARS[name] if args.rows is None and not args.tune else ("", "")
    kind = "L1" if args.part == "A" else "MSE"
    row(f"{name}: {kind}", statistics.fmean(errors), rival, bars[0])
    row(
        f"{name}: share of codes used{' in a batch' if args.part == 'A' else ''}",
        statistics.fmean(shares),
        None,
        bars[1],
    )
    print(f"{name}: {spread(errors)}; used {spread(shares)}; perplexity {spread(counts)}", flush=True)
    if args.rows is None and not args.tune and key != "plain":
        command = f"python -m runs.codebooks --part {args.part} --seeds {args.seeds}"
        where = "Fashion-MNIST" if args.part == "A" else "MNIST"
        same = f"k-means on 4x4 patches, same rate: {rival:.4g}"
        what = f"{where}, {name}, {STEPS[args.part]} steps"
        record(key, f"{what}: {kind}", errors, published=PUBLISHED[name], rival=same, command=command)
        record(key, f"{what}: share of codes used", shares, published=PUBLISHED[name], rival="", command=command)


def main() -> None:
    """Run one part and print its table."""
    options = parser(__doc__)
    options.add_argument("--part", choices=("A", "B"), default="A")
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--tune", action="store_true", help="hold out training pictures and leave the test set alone")
    args = options.parse_args()
    rows = pictures(args, "train")
    rows, fresh = (rows[:-HELD_OUT], rows[-HELD_OUT:]) if args.tune else (rows, pictures(args, "t10k"))
    where = "held-out" if args.tune else "test"
    head(f"Codebooks, part {args.part}: {SETS[args.part]}, {STEPS[args.part]} steps, {where}")
    rivals: dict[int, float] = {}
    for name, (_, neck, _) in MODELS[args.part].items():
        codes = neck.params.get("codes", 240)
        if codes not in rivals:
            rivals[codes] = patches(args, rows, fresh, codes)
        measure(args, name, rows, fresh, rivals[codes])


if __name__ == "__main__":
    main()
