"""Defects in pictures: which pictures are strange, how sure one can be, and where the defect is.

python examples/defects.py
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from diabolo import AutoencoderDetector, Trainer, load
from diabolo.tasks.maps import overlays


def cloth(n: int, seed: int) -> np.ndarray:
    """Pictures of woven cloth, uint8 (N, 40, 40)."""
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:40, :40]
    phase = random.uniform(0, 6.28, (n, 1, 1))
    weave = 120 + 40 * np.sin(y / 1.5 + phase) * np.sin(x / 2 + phase)
    return (weave + random.normal(0, 6, weave.shape)).clip(0, 255).astype(np.uint8)


def main(epochs: int = 5) -> None:
    # nothing but normal pictures is needed to learn from; no labels, no downloaded weights
    model = AutoencoderDetector(folds=1, trainer=Trainer(epochs=epochs), random_state=0).fit(cloth(200, seed=0))

    # new pictures: the third has a hole, the fifth a loose thread
    new = cloth(6, seed=1)
    new[2, 12:18, 20:26] = 20
    new[4, 5:35, 30] = 220

    verdict, p = model.predict(new), model.p_values(new)
    heat = model.maps(new)  # (N, H, W), in standard deviations of normal pictures at the same place
    for place in range(len(new)):
        row, column = np.unravel_index(heat[place].argmax(), heat[place].shape)
        said = f"strangest at row {row}, column {column}" if verdict[place] < 0 else "normal"
        print(f"picture {place}: p = {p[place]:.3f}, {said}")

    with tempfile.TemporaryDirectory() as folder:
        model.save(Path(folder) / "model")
        again = load(Path(folder) / "model")
        for place, picture in enumerate(overlays(again, new)):
            Image.fromarray(picture).save(Path(folder) / f"{place}.png")
        print(f"{len(list(Path(folder).glob('*.png')))} pictures written, with what is strange in colour")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
