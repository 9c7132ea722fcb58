"""Samples of variants of autoencoders, by the density they are drawn from: MNIST and Fashion-MNIST.

    python -m runs.generation --data DIR [--seeds 1] [--sets mnist fashion_mnist]     # start it again to resume

20,000 training pictures, dense 784-512-256-16 and back, 15 epochs, batches of 128, everything else as the models'
defaults; codes of 16 values for all. Densities: N(0, I) that training brought the codes to; a mixture of 50 full
Gaussians or a flow fitted to the codes afterwards; for discrete codes a transformer over the indices. 5,000 drawn
pictures against 5,000 test pictures, in the 128 hidden units of a classifier of the ten classes that was trained on
10,000 other training pictures: Frechet distance (fr), kernel distance (ke), precision and recall (k = 3). The other
5,000 test pictures in place of drawn ones are the floor. Beside them what knows no autoencoder: the Gaussian of the
pixels, and 16 principal components with the same mixture.

Settings were looked at on training pictures alone (beta 0.1; 10 and 50 components). Bar: the best Frechet distance of
ours is at most half of the plain VAE's with N(0, I). The features are not Inception's: compare within a table only.

Reference: Ghosh et al. (2020), "From variational to deterministic autoencoders", table 1 (a density fitted
afterwards); Heusel et al. (2017); Kynkäänniemi et al. (2019).
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, labels, mnist, parser, row
from numpy import ndarray
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture

from diabolo import RAE, VAE, VAEGAN, VQVAE, WAE, AdversarialAutoencoder, Autoencoder, FSQAutoencoder, Trainer
from diabolo.tasks.features import Features, taught
from diabolo.tasks.latent_paths import interpolate
from diabolo.tasks.sample_quality import MEASURES, gaussian_rows, sample_quality

from .frechet import grid

SETS = ("mnist", "fashion_mnist")
SIZE, SHOWN, DRAWS = 16, 5000, 20
CLASSIFIER, TRAIN = slice(0, 10_000), slice(30_000, 50_000)
MIXTURE, FLOW, TRANSFORMER = "mixture(components=50, covariance='full')", "flow", "autoregressive"
OWN = "N(0, I)"
VARIANTS: dict[str, tuple[Callable[..., Any], tuple[str, ...]]] = {
    "vae": (VAE, (OWN, MIXTURE, FLOW)),
    "vae, beta 0.1": (partial(VAE, beta=0.1), (OWN, MIXTURE, FLOW)),
    "autoencoder": (Autoencoder, (MIXTURE, FLOW)),
    "rae": (partial(RAE, prior=None), (MIXTURE, FLOW)),
    "wae": (WAE, (OWN, MIXTURE)),
    "adversarial": (partial(AdversarialAutoencoder, weight=30.0), (OWN, MIXTURE)),
    "vae-gan": (partial(VAEGAN, pixel=0.3), (OWN, MIXTURE)),
    "vq-vae": (partial(VQVAE, groups=8), (TRANSFORMER,)),
    "fsq": (FSQAutoencoder, (TRANSFORMER,)),
}


def main() -> None:
    """Train, draw, measure, and print a table for every set."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--epochs", type=int, default=15)
    options.add_argument("--sets", nargs="*", choices=SETS, default=list(SETS))
    options.add_argument("--only", nargs="*", choices=list(VARIANTS), default=list(VARIANTS))
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    for name in args.sets:
        one_set(name, args)


def one_set(name: str, args: argparse.Namespace) -> None:
    """One set of pictures."""
    X, y = mnist(args, "train", name), labels(args, "train", name)
    test, truth = mnist(args, "test", name), labels(args, "test", name)
    features = taught(X[CLASSIFIER], y[CLASSIFIER], (test, truth))
    train = X[TRAIN] if args.rows is None else X
    head(f"{name}: {SHOWN:,} samples against as many test pictures, in {features.name}")
    found: dict[str, list[dict[str, float]]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        measure = partial(judged, real=test, features=features, seed=seed)
        for what, draw in RIVALS.items():
            found.setdefault(what, []).append(
                kept(args, f"{name}-{what}-{seed}", partial(drawn, draw, train, seed, measure))
            )
        for variant in args.only:
            make = partial(trained, variant, train, test, seed, args, measure, name)
            for prior, values in kept(args, f"{name}-{variant}-{seed}", make).items():
                found.setdefault(f"{variant}: {prior}", []).append(values)
    report(name, found)
    pictures(name, test, args)


def trained(
    variant: str, train: ndarray, test: ndarray, seed: int, args: argparse.Namespace,
    measure: Callable[[ndarray], dict[str, float]], name: str,
) -> dict[str, dict[str, float]]:  # fmt: skip
    """One variant, fitted; what its samples are like by each density, and pictures of them on the disk."""
    kind, priors = VARIANTS[variant]
    trainer = Trainer(epochs=args.epochs, batch_size=128)
    model = kind(SIZE, network="dense", hidden=(512, 256), trainer=trainer, random_state=seed).fit(train)
    found, shown = {}, {}
    for prior in priors:
        if prior != OWN:
            model.fit_prior(train, prior)
        made = model.sample(SHOWN, random_state=seed)
        found[prior], shown[prior] = measure(made), made[:DRAWS]
    shown["path"] = interpolate(model, test[:1], test[1:2], DRAWS)
    np.savez(args.out / f"generation-{name}-{variant}-{seed}.npz", **shown)
    return found


def judged(made: ndarray, *, real: ndarray, features: Features, seed: int) -> dict[str, float]:
    """The four measures of samples, and of real pictures in their place."""
    found = sample_quality(real, made, features, draws=10, seed=seed)
    values = {measure: getattr(found, measure).value for measure in MEASURES}
    return {**values, **{f"floor {measure}": found.floor[measure].value for measure in MEASURES}}


def gaussian(train: ndarray, seed: int) -> ndarray:
    """The Gaussian of the pixels."""
    return gaussian_rows(train, SHOWN, seed)


def components(train: ndarray, seed: int) -> ndarray:
    """16 principal components and a mixture."""
    axes = PCA(SIZE, random_state=0).fit(train)
    codes = GaussianMixture(50, random_state=seed, reg_covar=1e-4).fit(axes.transform(train)).sample(SHOWN)[0]
    made: ndarray = axes.inverse_transform(codes).clip(0, 1)
    return made


def drawn(
    draw: Callable[[ndarray, int], ndarray], train: ndarray, seed: int, measure: Callable[[ndarray], dict[str, float]]
) -> dict[str, float]:
    """What samples of a rival are like."""
    return measure(draw(train, seed))


RIVALS = {"the Gaussian of the pixels": gaussian, "16 principal components, mixture": components}


def kept(args: argparse.Namespace, key: str, make: Callable[[], Any]) -> Any:
    """What was measured, from the disk if it was before: a script that was cut off goes on where it stopped."""
    path = args.out / f"generation-{key}.json"
    if not path.exists():
        began = time.perf_counter()
        path.write_text(json.dumps(make()), "utf-8")
        print(f"  {key}: {time.perf_counter() - began:.0f} s", flush=True)
    return json.loads(path.read_text("utf-8"))


def report(name: str, found: dict[str, list[dict[str, float]]]) -> None:
    """The table, the best first, and the bar."""
    mean = {what: {key: float(np.mean([one[key] for one in each])) for key in each[0]} for what, each in found.items()}
    floor = next(iter(mean.values()))
    plain = mean.get(f"vae: {OWN}", {}).get("frechet")
    ours = {what: values["frechet"] for what, values in mean.items() if ":" in what}
    for what in sorted(mean, key=lambda what: mean[what]["frechet"]):
        fr, ke, precision, recall = (mean[what][measure] for measure in MEASURES)
        row(f"{what}; kernel {ke:.3g}, precision {precision:.2f}, recall {recall:.2f}", fr, plain)
    fr, ke, precision, recall = (floor[f"floor {measure}"] for measure in MEASURES)
    row(f"other real pictures; kernel {ke:.3g}, precision {precision:.2f}, recall {recall:.2f}", fr, plain)
    if plain is not None and len(ours) > 1:
        best = min(ours, key=lambda what: ours[what])
        row(f"{name}, best of ours ({best}) against the plain VAE", ours[best], plain, "ratio <= 0.5")


def pictures(name: str, test: ndarray, args: argparse.Namespace) -> None:
    """A grid: real pictures, then samples of every variant and density, then paths between two test pictures."""
    lines, titles, paths = [test[:DRAWS]], ["real"], []
    for variant in args.only:
        with np.load(args.out / f"generation-{name}-{variant}-{args.seed}.npz") as held:
            lines += [held[prior] for prior in held if prior != "path"]
            titles += [f"{variant}: {prior}" for prior in held if prior != "path"]
            paths.append(held["path"])
    path = args.out / f"generation-{name}.png"
    grid([*lines, *paths], path)
    print(f"\n{path}: " + "; ".join([*titles, "paths between two test pictures, in the same order"]))


if __name__ == "__main__":
    main()
