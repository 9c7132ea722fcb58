"""Series: held-out reconstruction error of windows, an autoencoder beside PCA with a code of the same size.

    python -m runs.series --data DIR --seeds 3 [--only nab]

nab_known_cause (7 signals, windows of 64 steps), cwru_bearing (9 faults and Normal_12k, windows of 128 steps): the
first 60 % of every signal to learn from, the next 20 % to choose a setting (codes of 8, seed 0), the last 20 % for the
table; windows are cut after the split, so none touches two stretches. ecg5000_train: 300, 100 and 100 beats of 140
steps, drawn once. Every window is scaled by its own mean and spread; the error is the share of the windows' variance
that is lost. PCA learns from the same windows. Training windows overlap by half, the others not at all. "joined": the
same error on whole series, windows overlapping by half joined on their own axes, which are checked to be those given.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from benchmarks.common import parser
from sklearn.decomposition import PCA

from diabolo import Autoencoder, Trainer, data
from diabolo.core import Spec
from diabolo.data.series import split_in_time

from .record import record, spread

CODES = (4, 8, 16)
SETTINGS: dict[str, dict[str, Any]] = {
    "dense": {"hidden": (256, 128)},
    "dense, wide": {"hidden": (512, 256)},
    "dense, noise": {"hidden": (256, 128), "corruption": "noise(std=0.3)"},
    "conv": {"network": "conv(dims=1, channels=[32, 64, 64], kernel=5)", "hidden": ()},
}
STEPS = 3000


class Parts(NamedTuple):
    """Series to learn from, to choose by and to report, and the steps of a window."""

    train: Any
    choose: Any
    test: Any
    window: int


def nab(folder: Path) -> Parts:
    """Seven signals, each split in time."""
    return _in_time(data.open(folder / "nab_known_cause", as_="series").rows, 64)


def cwru(folder: Path) -> Parts:
    """Ten vibration signals at 12 kHz, each split in time."""
    path = folder / "cwru_bearing" / "cwru_12k_de_0hp.npz"
    rows = data.open(path, as_="series").rows
    return _in_time([row for row in rows if row.name != "Normal_48k"], 128)


def ecg(folder: Path) -> Parts:
    """Heartbeats, split by beat."""
    path = folder / "ecg5000_train" / "ECG5000_TRAIN.txt"
    rows = data.open(path, as_="series", target="x0").rows
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return Parts(rows[:300], rows[300:400], rows[400:], 140)


SETS = {"nab": nab, "ecg": ecg, "cwru": cwru}


def main() -> None:
    """Print a table for every data set, and record codes of 8."""
    options = parser(__doc__)
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--only", choices=list(SETS))
    args = options.parse_args()
    for name in [args.only] if args.only else SETS:
        report(name, SETS[name](Path(args.data)), args)


def report(name: str, parts: Parts, args: argparse.Namespace) -> None:
    """Choose a setting, then the error of every code size beside PCA's."""
    chosen = {label: lost(fitted(parts, 8, how, 0), parts.choose, parts) for label, how in SETTINGS.items()}
    print(f"\n{name}: chosen at codes of 8: " + ", ".join(f"{k} {v:.4f}" for k, v in chosen.items()), flush=True)
    best = min(chosen, key=lambda label: chosen[label])
    print(f"| code | {best} | PCA | ratio | joined | PCA joined |\n| --- | --- | --- | --- | --- | --- |")
    for size in CODES:
        models = [fitted(parts, size, SETTINGS[best], args.seed + number) for number in range(args.seeds)]
        ours = [lost(model, parts.test, parts) for model in models]
        rival, pca = linear(parts, size, models[0])
        whole = float(np.mean([joined(model, parts.test) for model in models]))
        print(f"| {size} | {spread(ours)} | {rival:.4g} | {np.mean(ours) / rival:.3f} | {whole:.4g} "
              f"| {joined(models[0], parts.test, pca):.4g} |", flush=True)  # fmt: skip
        if size == 8 and args.seeds > 1:
            what = f"{name}, share of the variance of held-out windows lost, code of 8"
            command = f"python -m runs.series --data DIR --seeds {args.seeds}"
            record("autoencoder", what, ours, published="", rival=f"PCA {rival:.4g}", command=command)


def _in_time(rows: Any, window: int) -> Parts:
    early, test = split_in_time(rows, 0.2)
    train, choose = split_in_time(early, 0.25)
    return Parts(train, choose, test, window)


def how_cut(window: int, hop: int) -> Spec:
    """Windows, each scaled by itself."""
    return Spec("series", window=window, hop=hop, scale="window")


def fitted(parts: Parts, size: int, how: dict[str, Any], seed: int) -> Autoencoder:
    """A model of the training stretches; about as many steps for every data set."""
    source = data.open(list(parts.train), processor=how_cut(parts.window, parts.window // 2))
    windows = sum(max(1, -(-row.steps // (parts.window // 2)) - 1) for row in parts.train)
    batch = min(128, max(32, windows // 8))
    trainer = Trainer(epochs=max(10, STEPS * batch // windows), batch_size=batch, validation=0.0)
    return Autoencoder(size, trainer=trainer, random_state=seed, **how).fit(source)


def windows_of(rows: Any, window: int) -> np.ndarray:
    """Windows (M, W) that do not overlap, but for the last of a series, as a model sees them."""
    cut = data.SeriesProcessor(window, window, "window")
    return cut.fit(rows).encode(rows)["x"].numpy()[..., 0]


def lost(model: Autoencoder, rows: Any, parts: Parts) -> float:
    """Share of the variance of windows that the model does not give back."""
    x = windows_of(rows, parts.window)
    return _share(x, _through(model, x))


def _through(model: Autoencoder, x: np.ndarray) -> np.ndarray:
    with torch.inference_mode():
        given = torch.from_numpy(x[..., None])
        back = model.objective_.loss.link(model.module_.decode(model.module_.code(given)))
    return back.numpy()[..., 0]


def linear(parts: Parts, size: int, model: Autoencoder) -> tuple[float, PCA]:
    """PCA of the training windows, overlapping as the model's, and what it loses of the test windows."""
    train = model.processor_.encode(parts.train)["x"].numpy()[..., 0]
    pca = PCA(size, svd_solver="full").fit(train)
    x = windows_of(parts.test, parts.window)
    return _share(x, pca.inverse_transform(pca.transform(x))), pca


def joined(model: Autoencoder, rows: Any, pca: PCA | None = None) -> float:
    """The error of whole series, each in units of its own spread, mean over the series."""
    if pca is None:
        back = model.reconstruct(list(rows))
    else:
        x = model.processor_.encode(rows)["x"].numpy()[..., 0]
        again = pca.inverse_transform(pca.transform(x))[..., None]
        back = model.processor_.join(model.processor_.invert(torch.from_numpy(again)), rows)
    for row, other in zip(rows, back, strict=True):
        same = row.time is None or bool((row.time == other.time).all())
        if row.values.shape != other.values.shape or not same:
            raise SystemExit(f"{row}: the axis changed")
    return float(np.mean([_share(row.values - row.values.mean(0), other.values - row.values.mean(0))
                          for row, other in zip(rows, back, strict=True)]))  # fmt: skip


def _share(x: np.ndarray, back: np.ndarray) -> float:
    return float(np.square(x - back, dtype=np.float64).sum() / np.square(x, dtype=np.float64).sum())


if __name__ == "__main__":
    main()
