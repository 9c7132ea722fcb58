"""Size of a saved model beside its parameters, and whether it loads to the same codes in a fresh process.

    python -m benchmarks.saved_size

Reference: bar of issue 2: parameter bytes + less than 1 MB; codes equal to the bit.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np

from diabolo import VAE, Autoencoder, Trainer

from .common import head, row

CODES = """
import sys, numpy as np, diabolo
np.save(sys.argv[3], diabolo.load(sys.argv[1]).transform(np.load(sys.argv[2])))
"""


def main() -> None:
    """Print the table."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--seed", type=int, default=0)
    args = options.parse_args()
    x = np.random.default_rng(args.seed).random((256, 784), dtype=np.float32)
    head("Saved models")
    short = Trainer(epochs=1)
    for name, model in {
        "784-1000-500-250-30": Autoencoder(30, hidden=(1000, 500, 250), trainer=short, random_state=args.seed),
        "784-128-64-32-16": Autoencoder(16, hidden=(128, 64, 32), trainer=short, random_state=args.seed),
        "VAE, defaults": VAE(16, trainer=short, random_state=args.seed),
    }.items():
        codes = model.fit(x).transform(x)
        with tempfile.TemporaryDirectory() as folder:
            place = Path(folder)
            model.save(place / "model")
            size = sum(file.stat().st_size for file in (place / "model").rglob("*") if file.is_file())
            np.save(place / "x.npy", x)
            names = [str(place / name) for name in ("model", "x.npy", "codes.npy")]
            subprocess.run([sys.executable, "-c", CODES, *names], check=True)
            same = bool((np.load(place / "codes.npy") == codes).all())
        parameters = sum(p.numel() * p.element_size() for p in model.module_.parameters())
        row(f"{name}: bytes above those of the parameters", size - parameters, parameters, "ours < 1000000")
        row(f"{name}: codes differ in a fresh process (0 no, 1 yes)", int(not same), bar="ours <= 0")


if __name__ == "__main__":
    main()
