"""Pixel classes from few labelled pictures: pre-training beside none, and beside a forest of pixels; mean IoU.

    python -m runs.segmentation

Generated pictures of 48 x 48 pixels, grey: one to three shapes (disc, square, triangle: classes 1 to 3) on a background
(class 0). Shapes and background are filled with gratings of random direction, wavelength and level, with noise of .05,
so that no grey level tells what a pixel is: its surroundings do. 400 pictures without labels, of which 5 or 20
have labels; 100 others to measure on. Five seeds draw pictures, labelled ones and weights anew. Settings are those of
`Segmenter` (600 steps of pre-training on all 400, 800 of teaching); nothing is chosen on the pictures measured on.
About 4 minutes a seed on one core.

Reference: Ronneberger, Fischer & Brox (2015), "U-Net: convolutional networks for biomedical image segmentation"; Sommer
et al. (2011), "ilastik: interactive learning and segmentation toolkit" (the forest).
"""

from __future__ import annotations

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray

from diabolo import Segmenter
from diabolo.tasks.segment_rivals import forest, mean_iou

from .record import spread

SIDE, PICTURES, TEST, LABELLED, CLASSES = 48, 400, 100, (5, 20), np.arange(4)


def grating(draw: np.random.Generator) -> ndarray:
    """Stripes of random direction, wavelength and level."""
    y, x = np.mgrid[:SIDE, :SIDE]
    turn, length, phase = draw.uniform(0, np.pi), draw.uniform(4, 12), draw.uniform(0, 2 * np.pi)
    wave = np.sin(2 * np.pi * (np.cos(turn) * y + np.sin(turn) * x) / length + phase)
    return np.asarray(draw.uniform(0.35, 0.65) + draw.uniform(0.1, 0.25) * wave)


def shape(kind: int, draw: np.random.Generator) -> ndarray:
    """Where a disc (1), a square (2) or a triangle (3) of random size, place and turn lies."""
    y, x = np.mgrid[:SIDE, :SIDE].astype(float)
    size, turn = draw.uniform(7, 11), draw.uniform(0, 2 * np.pi)
    y, x = y - draw.uniform(size, SIDE - size), x - draw.uniform(size, SIDE - size)
    if kind == 1:
        return np.asarray(y**2 + x**2 <= size**2)
    corners = {2: 4, 3: 3}[kind]
    angles = turn + 2 * np.pi * np.arange(corners) / corners
    inner = size * np.cos(np.pi / corners) * (1.0 if kind == 2 else 1.3)
    return np.all([np.cos(a) * y + np.sin(a) * x <= inner for a in angles], axis=0)


def drawn(count: int, seed: int) -> tuple[ndarray, ndarray]:
    """Pictures (N, H, W) float32 in [0, 1], and the class of every pixel."""
    draw = np.random.default_rng(seed)
    pictures, labels = np.empty((count, SIDE, SIDE), np.float32), np.zeros((count, SIDE, SIDE), int)
    for place in range(count):
        picture = grating(draw)
        for _ in range(draw.integers(1, 4)):
            kind = int(draw.integers(1, 4))
            here = shape(kind, draw)
            picture = np.where(here, grating(draw), picture)
            labels[place][here] = kind
        pictures[place] = (picture + draw.normal(0, 0.05, picture.shape)).clip(0, 1)
    return pictures, labels


def measured(seed: int, counts: list[int], rows: int | None) -> dict[int, dict[str, float]]:
    """Mean IoU on pictures that were not learnt from, of each method, from so many labelled pictures."""
    X, y = drawn(min(PICTURES, rows or PICTURES), 1000 + seed)
    test, truth = drawn(min(TEST, rows or TEST), 2000 + seed)
    found: dict[int, dict[str, float]] = {}
    start = None  # pre-training needs no labels: once for all numbers of them
    for count in counts:
        known = np.where(np.arange(len(y))[:, None, None] < count, y, -1)
        models = {
            "pre-trained": Segmenter(start, random_state=seed).fit(X, known),
            "from scratch": Segmenter(pretrain=False, random_state=seed).fit(X, known),
        }
        start = models["pre-trained"].autoencoder_
        found[count] = {
            name: mean_iou(list(truth), list(model.predict(test)), CLASSES) for name, model in models.items()
        }
        said = forest(
            [picture[..., None] for picture in X[:count]], list(y[:count]), [p[..., None] for p in test], seed
        )
        found[count]["forest of pixels"] = mean_iou(list(truth), said, CLASSES)
        print(f"seed {seed}, {count} labelled: {found[count]}", flush=True)
    return found


def main() -> None:
    """Print a row for every number of labelled pictures."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=5)
    options.add_argument("--labelled", type=int, nargs="*", default=list(LABELLED))
    args = options.parse_args()
    runs = [measured(seed, args.labelled, args.rows) for seed in range(args.seed, args.seed + args.seeds)]
    head("Generated shapes, mean IoU (%): ours is pre-trained, rival the same network from scratch")
    for count in args.labelled:
        values = {name: [100 * run[count][name] for run in runs] for name in runs[0][count]}
        gains = np.subtract(values["pre-trained"], values["from scratch"])
        what = f"{count} labelled: pre-trained {spread(values['pre-trained'])}, gain {spread(gains.tolist(), 3)}"
        row(what, float(np.mean(values["pre-trained"])), float(np.mean(values["from scratch"])))
        row(f"{count} labelled: forest of pixels", float(np.mean(values["forest of pixels"])))


if __name__ == "__main__":
    main()
