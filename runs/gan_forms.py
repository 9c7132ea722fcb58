"""A GAN with an autoencoder's help, in three forms, against the same GAN without: Frechet distance of its samples.

    python -m runs.gan_forms --data DIR --seeds 3      # start it again to resume
    python -m runs.gan_forms --digits --seed 1 --seeds 3      # scikit-learn's digits

MNIST, 10,000 pictures, dense 784-256-128-16 and back, a generator like the decoder (in form "codes" 16-128-128-16 and
the decoder), a critic of 256-128; 20 epochs, everything else as the model's defaults. Defaults were chosen on
scikit-learn's digits with seed 0, nothing on MNIST; ``--digits`` has other seeds. Distances are taken in the features
of a fixed classifier, see `frechet`; the distance of real pictures to real ones stands beside them, and that of a
Gaussian fitted to the pixels. No paper has this table: the bar is "not worse than without the autoencoder", mean over
the seeds.

Reference: Goodfellow et al. (2014), "Generative adversarial nets"; Zhao et al. (2016), "Energy-based generative
adversarial network"; Makhzani et al. (2015), "Adversarial autoencoders".
"""

from __future__ import annotations

import argparse
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row, squared

from diabolo import AEGAN, Trainer

from .frechet import Judge, grid, kept
from .record import record, spread

COMMAND = "python -m runs.gan_forms --data DIR --seeds {}"
COMMAND_DIGITS = "python -m runs.gan_forms --digits --seed 1 --seeds {}"
HELPED = ("filter", "energy", "codes")


def main() -> None:
    """Train every form with every seed and print the table."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--epochs", type=int, default=20)
    options.add_argument("--digits", action="store_true", help="scikit-learn's digits, everything as by default")
    options.add_argument("--forms", nargs="+", default=["none", *HELPED])
    options.add_argument("--out", type=Path, default=Path("runs/out"))
    args = options.parse_args()
    judge, name = (Judge.of_digits(), "digits") if args.digits else (Judge.of(args), "MNIST-10k")
    floor, gaussian = judge.floor(), judge.gaussian()
    head(f"{name}, Frechet distance of samples to fresh pictures; real to real {floor:.3g}, Gaussian {gaussian:.3g}")
    found: dict[str, list[float]] = {form: [] for form in args.forms}
    for seed in range(args.seed, args.seed + args.seeds):
        for form in found:
            key = f"gan-{form}-{'digits' if args.digits else args.epochs}-{seed}"
            one = kept(args.out, key, partial(measure, form, seed, judge, args, args.out / f"{key}.png"))
            found[form].append(one["distance"])
    report(name, found, floor, gaussian, args)


def measure(form: str, seed: int, judge: Judge, args: argparse.Namespace, picture: Path) -> dict[str, float]:
    """One network, trained; some of its samples go into a picture."""
    knobs: dict[str, Any] = {"n_components": 8}
    if not args.digits:
        knobs = {"n_components": 16, "hidden": (256, 128), "trainer": Trainer(epochs=args.epochs)}
    model = AEGAN(form=form, random_state=seed, **knobs).fit(judge.train)
    drawn = model.sample(len(judge.fresh), random_state=seed)
    grid([drawn[:20], drawn[20:40]], picture)
    error = squared(judge.fresh, model.reconstruct(judge.fresh))
    return {"distance": judge.distance(drawn), "error of the autoencoder": error}


def report(name: str, found: dict[str, list[float]], floor: float, gaussian: float, args: argparse.Namespace) -> None:
    """Means against the plain network, and the results kept."""
    plain = found.get("none", [])
    for form in (form for form in found if form != "none" and plain):
        row(f"form {form}, against none", float(np.mean(found[form])), float(np.mean(plain)), "ratio <= 1")
        record(
            "ae-gan", f'form "{form}", {name}, Frechet distance in a classifier\'s features', found[form],
            published=f"none; real to real {floor:.3g}",
            rival=f"the same GAN without the autoencoder {spread(plain, 3)}; Gaussian of the pixels {gaussian:.3g}",
            command=(COMMAND_DIGITS if args.digits else COMMAND).format(args.seeds),
        )  # fmt: skip


if __name__ == "__main__":
    main()
