"""Plain, regularised and variational autoencoder on MNIST: whose samples look like digits, by the prior drawn from.

    python -m runs.regularised_order --data DIR --seeds 3      # start it again to resume

784-512-256-16 and back, Adam, batches of 128, 20 epochs on all training pictures. Frechet distance (FID) between
10,000 test pictures and as many of the model's, in the 64 last hidden values of a classifier trained on the training
pictures (784-256-64-10, scikit-learn): of reconstructions (rec), of decoded draws from N(0, I) (N), and of draws
from a mixture of 10 full Gaussians fitted to the training codes afterwards (GMM). Training pictures against test
pictures stand beside it: the floor. No setting is chosen by a test picture: ``--tune`` holds out 10,000 training
pictures, measures `CANDIDATES` on them and leaves the test pictures alone; `CHOSEN` are its best: of the VAE by N, of
the RAE by GMM.

Bars, by order as the features are not Inception's: AE's N is at least twice its GMM; RAE's GMM is no worse than VAE's
N; RAE's rec is better than VAE's.

Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", table 1, MNIST, rec / N / GMM: VAE
18.26 / 19.21 / 17.66, RAE-L2 10.53 / 22.22 / 8.69, AE 12.95 / 58.73 / 10.66 (Inception features).
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from numpy import ndarray

from diabolo import RAE, VAE, Autoencoder, Checkpoint, Trainer, load
from diabolo.core.metrics import frechet_distance
from diabolo.tasks.features import taught

from .deep_autoencoder import Log
from .record import record, spread

COMPONENTS, MIXTURE = 16, "mixture(components=10, covariance='full')"
FIXED = "gaussian(scale={}, low=0.0, high=1.0)"
CANDIDATES: list[tuple[str, dict[str, Any]]] = [
    ("vae", {}), ("vae", {"loss": FIXED.format(0.15)}), ("vae", {"loss": FIXED.format(0.3)}),
    ("rae", {}), ("rae", {"beta": 0.1}), ("rae", {"lam": 1e-3}), ("rae", {"regulariser": "gradient", "lam": 1e-3}),
]  # fmt: skip
CHOSEN: dict[str, dict[str, Any]] = {"autoencoder": {}, "rae": {}, "vae": {"loss": FIXED.format(0.3)}}
HELD_OUT = 10_000
COMMAND = "python -m runs.regularised_order --data DIR --seeds {}"
PUBLISHED = {"autoencoder": "12.95 / 58.73 / 10.66", "rae": "10.53 / 22.22 / 8.69", "vae": "18.26 / 19.21 / 17.66"}


def main() -> None:
    """Train the three for every seed, measure, and print the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--tune", action="store_true", help="compare settings on held-out training pictures")
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    train = mnist(args, "train")
    if args.tune:
        judge = Judge(train, labels(args, "train"))
        for name, params in CANDIDATES:
            model = trained(name, params, train[:-HELD_OUT], args.seed, args)
            print(name, params, measure(model, train[:-HELD_OUT], train[-HELD_OUT:], judge, args.seed), flush=True)
        return
    test = mnist(args, "test")
    judge = Judge(train, labels(args, "train"), (test, labels(args, "test")))
    print(f"the classifier's test accuracy: {judge.features.accuracy:.4f}", flush=True)
    floor = judge.distance(test, train[: len(test)])
    found: dict[str, list[dict[str, float]]] = {name: [] for name in PUBLISHED}
    for seed in range(args.seed, args.seed + args.seeds):
        for name in found:
            found[name].append(measure(trained(name, CHOSEN[name], train, seed, args), train, test, judge, seed))
            print(f"{name}, seed {seed}: {found[name][-1]}", flush=True)
    report(found, floor, args)


class Judge:
    """A fixed classifier whose last hidden values are the features."""

    def __init__(self, x: ndarray, y: ndarray, fresh: tuple[ndarray, ndarray] | None = None) -> None:
        self.features = taught(x, y, fresh, hidden=(256, 64), epochs=8, batch=256, alpha=1e-4, seed=0)

    def distance(self, real: ndarray, made: ndarray) -> float:
        """Frechet distance of two sets of pictures."""
        return frechet_distance(self.features(real), self.features(made))


def trained(name: str, params: dict[str, Any], train: ndarray, seed: int, args: Any) -> Any:
    """One of the three, fitted; from the disk if it was done before."""
    given = "-".join(f"{key}={value}" for key, value in params.items())
    stem = f"order-{name}-{given}-{args.epochs}-{len(train)}-{seed}"
    if (args.out / stem).is_dir():
        return load(args.out / stem)
    state = Checkpoint(args.out / f"{stem}.state", resume=True, every=30.0)
    trainer = Trainer(epochs=args.epochs, batch_size=128, lr=1e-3, optimizer="adam", validation=0.0,
                      callbacks=[state, Log()])  # fmt: skip
    kind: Any = {"autoencoder": Autoencoder, "rae": RAE, "vae": VAE}[name]
    extra = {"prior": None} if name == "rae" else {}
    model = kind(COMPONENTS, network="dense", hidden=(512, 256), trainer=trainer, random_state=seed, **extra, **params)
    model.fit(train).save(args.out / stem)
    return model


def measure(model: Any, train: ndarray, test: ndarray, judge: Judge, seed: int) -> dict[str, float]:
    """The three distances of one model."""
    random = np.random.default_rng(seed)
    normal = model.inverse_transform(random.normal(size=(len(test), COMPONENTS)))
    made = {"rec": model.reconstruct(test), "N": normal}
    made["GMM"] = model.fit_prior(train, MIXTURE).sample(len(test), random_state=seed)
    return {name: judge.distance(test, pictures) for name, pictures in made.items()}


def report(found: dict[str, list[dict[str, float]]], floor: float, args: Any) -> None:
    """The table, and the results to keep."""
    kinds = [(name, what) for name, ones in found.items() for what in ones[0]]
    mean = {(name, what): float(np.mean([one[what] for one in found[name]])) for name, what in kinds}
    head(f"Frechet distance on MNIST in a classifier's features, {args.epochs} epochs, {args.seeds} seeds")
    for name, what in mean:
        print(f"{name}, {what}: {spread([one[what] for one in found[name]])}")
        row(f"{name}: {what}, beside train against test", mean[name, what], floor)
    row("AE: N against GMM", mean["autoencoder", "N"], mean["autoencoder", "GMM"], "ratio >= 2")
    row("RAE's GMM against VAE's N", mean["rae", "GMM"], mean["vae", "N"], "ratio <= 1")
    row("RAE's rec against VAE's", mean["rae", "rec"], mean["vae", "rec"], "ratio < 1")
    if args.rows is not None or args.epochs != 20:
        return
    best_of = {"autoencoder": "GMM", "rae": "GMM", "vae": "N"}
    for name, published in PUBLISHED.items():
        best = best_of[name]
        others = ", ".join(f"{other} {mean[other, prior]:.3g}" for other, prior in best_of.items() if other != name)
        record(name, f"FID of samples on MNIST, own classifier's features ({best})", [one[best] for one in found[name]],
               published=f"{published} (rec / N / GMM, Inception features)",
               rival=f"{others}; train against test {floor:.2g}", command=COMMAND.format(args.seeds))  # fmt: skip


if __name__ == "__main__":
    main()
