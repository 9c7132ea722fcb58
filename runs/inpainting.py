"""Colour inpainting on Kodak: 25 % missing pixels, and 32 x 32 holes, beside biharmonic, linear and nearest filling.

    python -m runs.inpainting --data DIR --work FOLDER

Trained on the first 8 of the 12 photographs (in the order of their names), measured on the last 4, whole (768 x 512):
PSNR over the missing pixels, all channels, mean over the four. What is missing is drawn once (seed 12345): every pixel
with probability .25; 24 squares of 32 x 32 pixels a photograph, which may overlap. Three models, all with the settings
of `Inpainter` but for what is said: "pixels" (share .25, 2,000 steps), "rectangles" (tiles of 64, squares of 32 on
average, 1,200 steps), and "damaged alone": trained on nothing but the known pixels of the four damaged photographs
(1,000 steps). Nothing is chosen on the four. The rival is scikit-image's `inpaint_biharmonic`. Models are kept in
--work, so a script that was stopped goes on; about 20 minutes on one core for one seed.

Reference: Damelin & Hoang (2018), "On surface completion and image inpainting by biharmonic functions"; Pathak et al.
(2016), "Context encoders: feature learning by inpainting".
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from benchmarks.common import head, parser, row
from numpy import ndarray

from diabolo import Checkpoint, Inpainter, Trainer, load
from diabolo.data import open as open_source
from diabolo.tasks.inpaint_rivals import linear, nearest, psnr

from .record import spread

LEARNT, SHARE, HOLE, HOLES, DRAW = 8, 0.25, 32, 24, 12345
Pictures = list[ndarray]
Filler = Callable[[Pictures, Pictures], Pictures]


def photographs(folder: Path, rows: int | None) -> tuple[Pictures, Pictures]:
    """Photographs to learn from and to measure on, uint8 (H, W, 3); ``rows``: the middle of each, of so many pixels."""
    names = sorted(folder.glob("*.png"))
    found = []
    for name in names:
        source = open_source(folder, include=name.name)
        picture = source.rows[0]
        if rows:
            top, left = ((side - rows) // 2 for side in picture.shape[:2])
            picture = picture[top : top + rows, left : left + rows]
        found.append(picture)
    return found[:LEARNT], found[LEARNT:]


def missing(shapes: list[tuple[int, ...]]) -> Mapping[str, Pictures]:
    """What is missing (True) in pictures of these shapes: single pixels, and squares."""
    draw = np.random.default_rng(DRAW)
    pixels = [draw.random(shape[:2]) < SHARE for shape in shapes]
    squares = []
    for shape in shapes:
        mask = np.zeros(shape[:2], bool)
        for _ in range(max(1, HOLES * shape[0] * shape[1] // (768 * 512))):
            top, left = (int(draw.integers(side - HOLE + 1)) for side in shape[:2])
            mask[top : top + HOLE, left : left + HOLE] = True
        squares.append(mask)
    return {"25 % of the pixels": pixels, "32 x 32 holes": squares}


def fitted(name: str, make: Callable[[list[Any]], Inpainter], work: Path | None) -> Inpainter:
    """A model, trained, or read from where it was kept; one that was stopped goes on."""
    if work is not None and (work / name / "config.json").exists():
        model: Inpainter = load(work / name)
        return model
    began = time.perf_counter()
    model = make([Checkpoint(work / f"{name}.state", resume=True, every=60)] if work is not None else [])
    print(f"{name}: trained in {time.perf_counter() - began:.0f} s", flush=True)
    if work is not None:
        model.trainer = None
        model.save(work / name, force=True)
    return model


def models(
    learn: Pictures, lost: Mapping[str, Pictures], test: Pictures, seed: int, steps: float, work: Path | None
) -> dict[str, Inpainter]:
    """The three models."""

    def longer(wanted: int, tiles: int, callbacks: list[Any]) -> Trainer:
        per_epoch = max(1, round(0.9 * tiles / 16))
        return Trainer(epochs=max(1, round(wanted * steps / per_epoch)), callbacks=callbacks)

    area = sum(picture.shape[0] * picture.shape[1] for picture in learn)
    pixels = lost["25 % of the pixels"]
    damaged = [np.where(mask[..., None], np.uint8(0), picture) for picture, mask in zip(test, pixels, strict=True)]
    makers: dict[str, Callable[[list[Any]], Inpainter]] = {
        "pixels": lambda callbacks: Inpainter(
            mask="pixels", share=SHARE, trainer=longer(2000, int(1.5 * area / 48**2), callbacks), random_state=seed
        ).fit(learn),
        "rectangles": lambda callbacks: Inpainter(
            mask="rectangles", tile=64, size=0.5, trainer=longer(1200, int(1.5 * area / 64**2), callbacks),
            random_state=seed,
        ).fit(learn),
        "damaged alone": lambda callbacks: Inpainter(
            trainer=longer(1000, int(0.75 * area / 48**2), callbacks), random_state=seed
        ).fit(damaged, pixels),
    }  # fmt: skip
    return {name: fitted(f"{name.replace(' ', '-')}-{seed}", make, work) for name, make in makers.items()}


def biharmonic(pictures: Pictures, masks: Pictures) -> Pictures | None:
    """scikit-image's, or None where it is not installed."""
    try:
        from skimage.restoration import inpaint_biharmonic
    except ImportError:
        print("scikit-image is not installed: no biharmonic filling", flush=True)
        return None
    return [inpaint_biharmonic(p, m, channel_axis=-1).clip(0, 1) for p, m in zip(pictures, masks, strict=True)]


def measured(truth: Pictures, said: Pictures, masks: Pictures) -> float:
    """Mean over pictures of the PSNR over the missing pixels."""
    return float(np.mean([psnr(t, s, m) for t, s, m in zip(truth, said, masks, strict=True)]))


def simple(fill: Callable[[ndarray, ndarray], ndarray]) -> Filler:
    """A method for one picture, for several."""
    return lambda pictures, masks: [fill(p, ~m) for p, m in zip(pictures, masks, strict=True)]


def main() -> None:
    """Print a row for every method and kind of damage."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=1)
    options.add_argument("--steps", type=float, default=1.0, help="share of the steps, to see that the script runs")
    options.add_argument("--work", type=Path, help="folder where models are kept, to go on after a stop")
    args = options.parse_args()
    if not args.data:
        raise SystemExit("--data DIR or DIABOLO_DATA must name the folder that holds kodak/.")
    if args.work is not None:
        args.work.mkdir(parents=True, exist_ok=True)
    learn, test = photographs(Path(args.data) / "kodak", args.rows)
    lost = missing([picture.shape for picture in test])
    truth = [picture / np.float32(255) for picture in test]
    rivals: dict[str, dict[str, float]] = {}
    for damage, masks in lost.items():
        seen = [np.where(mask[..., None], np.float32(0), picture) for picture, mask in zip(truth, masks, strict=True)]
        said = {"biharmonic": biharmonic(seen, masks), "linear": simple(linear)(seen, masks),
                "nearest": simple(nearest)(seen, masks)}  # fmt: skip
        rivals[damage] = {name: measured(truth, found, masks) for name, found in said.items() if found is not None}
    found: dict[tuple[str, str], list[float]] = {}
    for seed in range(args.seed, args.seed + args.seeds):
        for name, model in models(learn, lost, test, seed, args.steps, args.work).items():
            for damage, masks in lost.items():
                filled = [picture / np.float32(255) for picture in model.transform(test, masks)]
                found.setdefault((name, damage), []).append(measured(truth, filled, masks))
    head("Kodak, four photographs not learnt from: PSNR (dB) over the missing pixels; rival is biharmonic")
    for (name, damage), values in found.items():
        rival = rivals[damage].get("biharmonic")
        asked = name == "pixels" and damage.startswith("25") and rival is not None
        bar = f"ours >= {rival + 1:.2f}" if asked and rival is not None else ""
        row(f"{damage}: '{name}' ({spread(values)})", float(np.mean(values)), rival, bar)
    for damage, each in rivals.items():
        for name, value in each.items():
            row(f"{damage}: {name}", value, each.get("biharmonic"))


if __name__ == "__main__":
    main()
